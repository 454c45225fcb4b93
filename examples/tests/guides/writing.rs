//! The code of `docs/writing.md`.

use serde_json::json;
use sync_core::{ChangedFieldsTracker, Record, SyncError, SyncRepository, TxMode};
use sync_testkit::MockServer;

use crate::todos::{List, Outcome, Todo, device, todo};

#[tokio::test]
async fn the_ways_to_write() -> Outcome {
    let server = MockServer::start().await?;
    let (_store, engine) = device(&server).await?;

    let todos = engine.writer::<Todo>()?;

    let milk = todo("milk", "Buy milk");
    todos.insert(&milk).await?;

    let oat = Todo {
        title: "Buy oat milk".into(),
        ..milk.clone()
    };
    todos.update(&milk, &oat).await?; // only the title is yours

    todos.update_with("milk", |todo| todo.done = true).await?;

    todos.upsert(&todo("bread", "Bake bread")).await?;

    engine.sync().await?;
    todos.delete("milk").await?;
    todos.restore("milk").await?;

    let milk = todos.get("milk").await?.ok_or("no milk")?;
    assert_eq!((milk.title.as_str(), milk.done), ("Buy oat milk", true));
    engine.sync().await?;
    assert_eq!(server.all("todos").len(), 2);
    Ok(())
}

#[tokio::test]
async fn an_update_leaves_what_somebody_else_changed_and_a_replacement_does_not() -> Outcome {
    let server = MockServer::start().await?;
    let (_store, engine) = device(&server).await?;
    let todos = engine.writer::<Todo>()?;
    todos.insert(&todo("a", "A")).await?;
    todos.insert(&todo("b", "B")).await?;
    engine.sync().await?;

    // A form is open.
    let (a, b) = (todo("a", "A"), todo("b", "B"));
    // Meanwhile a pull brings a tick from elsewhere.
    server.update("todos", "a", json!({"done": true}));
    server.update("todos", "b", json!({"done": true}));
    engine.sync().await?;

    todos
        .update(
            &a,
            &Todo {
                title: "A!".into(),
                ..a.clone()
            },
        )
        .await?;
    todos
        .replace(&Todo {
            title: "B!".into(),
            ..b.clone()
        })
        .await?;
    engine.sync().await?;
    assert_eq!(server.get("todos", "a").ok_or("a")?["done"], true);
    assert_eq!(server.get("todos", "b").ok_or("b")?["done"], false);
    Ok(())
}

#[tokio::test]
async fn what_is_no_change_is_not_queued() -> Outcome {
    let server = MockServer::start().await?;
    let (_store, engine) = device(&server).await?;
    let todos = engine.writer::<Todo>()?;
    let milk = todo("milk", "Buy milk");
    todos.insert(&milk).await?;
    engine.sync().await?;
    assert!(!todos.update(&milk, &milk).await?);
    assert!(!todos.update_with("milk", |_| ()).await?);
    assert!(!todos.replace(&milk).await?);
    assert!(!todos.upsert(&milk).await?);
    assert!(!todos.delete("bread").await?);
    assert!(!todos.restore("milk").await?);
    let report = engine.sync().await?;
    assert_eq!((report.stats.pushed, report.pending), (0, 0));

    let twice = todos.insert(&milk).await;
    assert!(matches!(twice, Err(SyncError::AlreadyExists { .. })));
    let nobody = todos.update_with("bread", |todo| todo.done = true).await;
    assert!(matches!(nobody, Err(SyncError::NotFound { .. })));
    Ok(())
}

#[tokio::test]
async fn fields_are_named() -> Outcome {
    let server = MockServer::start().await?;
    let (_store, engine) = device(&server).await?;
    let todos = engine.writer::<Todo>()?;
    let milk = todo("milk", "Buy milk");
    todos.insert(&milk).await?;

    let mut changes = ChangedFieldsTracker::new();
    let edited = Todo {
        title: changes.changed("title", &milk.title, "Buy oat milk".into()),
        done: changes.changed("done", &milk.done, false),
        ..milk.clone()
    };
    todos.update_fields(&edited, changes.fields()).await?;
    assert_eq!(todos.get("milk").await?, Some(edited));
    Ok(())
}

#[tokio::test]
async fn many_at_once() -> Outcome {
    let server = MockServer::start().await?;
    let (_store, engine) = device(&server).await?;
    let todos = engine.writer::<Todo>()?;

    let shopping = [todo("milk", "Buy milk"), todo("bread", "Buy bread")];
    todos.insert_all(&shopping).await?;
    let queued = todos.upsert_all(&shopping).await?; // nothing differs
    assert_eq!(queued, 0);
    todos.delete_all(["milk", "bread"]).await?;

    // What the server never had leaves nothing to bring back.
    assert!(!todos.restore("milk").await?);
    let half = todos
        .insert_all(&[todo("tea", "Tea"), todo("tea", "Tea again")])
        .await;
    assert!(matches!(half, Err(SyncError::AlreadyExists { .. })));
    assert_eq!(todos.get("tea").await?, None);
    Ok(())
}

#[tokio::test]
async fn several_tables_in_one_transaction() -> Outcome {
    let server = MockServer::start().await?;
    let (_store, engine) = device(&server).await?;
    let (lists, todos) = (engine.writer::<List>()?, engine.writer::<Todo>()?);
    let weekly = List {
        id: "weekly".into(),
        name: "Weekly".into(),
    };
    let mut milk = todo("milk", "Buy milk");
    milk.list_id = Some("weekly".into());

    let mut tx = engine.store().begin(TxMode::Write).await?;
    lists.within(&mut *tx).insert(&weekly).await?;
    todos.within(&mut *tx).insert(&milk).await?;
    tx.commit().await?;

    assert!(lists.get("weekly").await?.is_some() && todos.get("milk").await?.is_some());
    Ok(())
}

#[tokio::test]
async fn together_with_statements_of_the_apps() -> Outcome {
    let server = MockServer::start().await?;
    let (store, engine) = device(&server).await?;
    let todos = engine.writer::<Todo>()?;
    sqlx::query("CREATE TABLE diary (line TEXT)")
        .execute(store.pool())
        .await?;
    let milk = todo("milk", "Buy milk");

    let mut tx = store.begin().await?;
    sqlx::query("INSERT INTO diary VALUES ('milk is out')")
        .execute(tx.connection()?)
        .await?;
    todos.within(&mut tx).insert(&milk).await?;
    tx.commit().await?;

    let mut mine = store.pool().begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query("INSERT INTO diary VALUES ('milk is here')")
        .execute(&mut *mine)
        .await?;
    {
        let mut joined = store.join(&mut mine).await?;
        todos.within(&mut joined).delete("milk").await?;
    }
    mine.commit().await?;
    store.notify(); // automatic runs, and whoever listens

    let lines: i64 = sqlx::query_scalar("SELECT count(*) FROM diary")
        .fetch_one(store.pool())
        .await?;
    assert_eq!((lines, todos.get("milk").await?), (2, None));
    Ok(())
}

#[tokio::test]
async fn a_collection() -> Outcome {
    let server = MockServer::start().await?;
    let (_store, engine) = device(&server).await?;

    let todos: SyncRepository<Todo> = engine.repository()?;
    todos.create(&todo("milk", "Buy milk")).await?;
    let open = todos.find(|todo| !todo.done).await?;
    println!("{} of {}", open.len(), todos.list().await?.len());
    todos
        .writer()
        .update_with("milk", |todo| todo.done = true)
        .await?;

    assert_eq!(todos.find(|todo| !todo.done).await?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn records_without_a_type() -> Outcome {
    let server = MockServer::start().await?;
    let (_store, engine) = device(&server).await?;

    let todos = engine.records("todos")?;
    let milk = json!({"id": "milk", "title": "Buy milk", "done": false});
    todos.insert(Record::try_from(milk)?).await?;

    engine.sync().await?;
    assert!(server.get("todos", "milk").is_some());
    Ok(())
}

#[tokio::test]
async fn what_plain_sql_writes_is_not_queued_and_a_pull_overwrites_it() -> Outcome {
    let server = MockServer::start().await?;
    let (store, engine) = device(&server).await?;
    let todos = engine.writer::<Todo>()?;
    todos.insert(&todo("milk", "Buy milk")).await?;
    engine.sync().await?;
    sqlx::query("UPDATE todos SET title = 'by SQL'")
        .execute(store.pool())
        .await?;
    assert_eq!(engine.sync().await?.stats.pushed, 0);
    engine.full_resync(false).await?;
    let here = todos.get("milk").await?.ok_or("none")?;
    assert_eq!(here.title, "Buy milk");
    Ok(())
}

#[tokio::test]
async fn what_plain_sql_writes_may_go_along_with_the_next_edit() -> Outcome {
    let server = MockServer::start().await?;
    let (store, engine) = device(&server).await?;
    let todos = engine.writer::<Todo>()?;
    todos.insert(&todo("milk", "Buy milk")).await?;
    engine.sync().await?;
    sqlx::query("UPDATE todos SET title = 'by SQL'")
        .execute(store.pool())
        .await?;
    todos.update_with("milk", |todo| todo.done = true).await?;
    engine.sync().await?;
    let milk = server.get("todos", "milk").ok_or("none")?;
    assert_eq!(milk["title"], "by SQL");
    Ok(())
}
