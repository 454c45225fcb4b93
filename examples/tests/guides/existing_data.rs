//! The code of `docs/existing-data.md`, and of `docs/updates.md`.

use serde_json::json;
use sync_core::{ExistingRows, SyncEngine, SyncError, TableConfig, Transport};
use sync_rest::RestTransport;
use sync_sqlx::SqliteStore;
use sync_testkit::MockServer;

use crate::shown::page;
use crate::todos::{Outcome, Todo};

/// A database from before the library, with two rows.
async fn old_database() -> Result<SqliteStore, Box<dyn std::error::Error>> {
    let store = SqliteStore::open_in_memory().await?;
    store.create_table::<Todo>().await?;
    let sql = "INSERT INTO todos (id, title, done) VALUES ('1', 'Old', 0), ('2', 'Older', 1)";
    sqlx::query(sql).execute(store.pool()).await?;
    Ok(store)
}

#[tokio::test]
async fn a_table_with_rows_has_to_say_whose_they_are() -> Outcome {
    let transport = RestTransport::new("http://127.0.0.1:9")?;
    let builder = SyncEngine::builder(old_database().await?, transport);
    let Err(SyncError::Config(message)) = builder.table::<Todo>().build().await else {
        return Err("it was built".into());
    };
    assert!(
        page("existing-data.md")
            .replace('\n', " ")
            .contains(&message),
        "{message}"
    );
    Ok(())
}

#[tokio::test]
async fn adopted_rows_are_created_on_the_server() -> Outcome {
    let server = MockServer::start().await?;
    let (store, transport) = (old_database().await?, RestTransport::new(server.url())?);

    let engine = SyncEngine::builder(store, transport)
        .table_with::<Todo>(TableConfig::new().existing_rows(ExistingRows::Adopt))
        .build()
        .await?;
    let report = engine.sync().await?;

    assert_eq!(report.stats.pushed, 2);
    assert_eq!(server.get("todos", "1").ok_or("none")?["title"], "Old");
    Ok(())
}

#[tokio::test]
async fn rows_of_the_servers_are_not_sent() -> Outcome {
    let server = MockServer::start().await?;
    server.seed(
        "todos",
        [json!({"id": "1", "title": "Newer", "done": true})],
    )?;
    let (store, transport) = (old_database().await?, RestTransport::new(server.url())?);
    let whose = TableConfig::new().existing_rows(ExistingRows::ServerOwned);
    let engine = build(store, transport, whose).await?;
    let todos = engine.writer::<Todo>()?;
    let report = engine.sync().await?;
    assert_eq!(report.stats.pushed, 0);
    assert_eq!(todos.get("1").await?.ok_or("none")?.title, "Newer");
    assert_eq!(todos.get("2").await?.ok_or("none")?.title, "Older");

    todos.update_with("2", |todo| todo.done = false).await?;
    engine.sync().await?;
    assert_eq!(server.get("todos", "2").ok_or("none")?["title"], "Older");
    Ok(())
}

async fn build(
    store: SqliteStore,
    transport: impl Transport,
    table: TableConfig,
) -> Result<SyncEngine, SyncError> {
    let builder = SyncEngine::builder(store, transport);
    builder.table_with::<Todo>(table).build().await
}

#[tokio::test]
async fn an_upcast_as_the_page_on_updates_shows_it() -> Outcome {
    let server = MockServer::start().await?;
    let store = SqliteStore::open_in_memory().await?;
    store.create_table::<Todo>().await?;
    let transport = RestTransport::new(server.url())?;

    let todos = TableConfig::new().upcast(1, |mut record| {
        let fields = record.fields_mut();
        if let Some(done) = fields.remove("done") {
            let status = if done == true { "done" } else { "open" };
            fields.insert("status".to_owned(), status.into());
        }
        Ok(record)
    });
    let engine = SyncEngine::builder(store, transport)
        .table_with::<Todo>(todos)
        .build()
        .await?;
    assert_eq!(engine.kinds().len(), 1);
    Ok(())
}

#[tokio::test]
async fn data_without_an_account_is_taken_over_by_name() -> Outcome {
    let server = MockServer::start().await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("app.db");
    {
        let store = SqliteStore::open(&file).await?;
        store.create_table::<Todo>().await?;
        let engine = build(
            store.clone(),
            RestTransport::new(server.url())?,
            TableConfig::new(),
        )
        .await?;
        engine.sync().await?;
        store.close().await?;
    }
    let store = SqliteStore::open(&file).await?;
    let transport = RestTransport::new(server.url())?;
    let refused = SyncEngine::builder(store.clone(), transport)
        .account("user-7")
        .table::<Todo>()
        .build()
        .await;
    assert!(matches!(refused, Err(SyncError::Config(_))));
    let transport = RestTransport::new(server.url())?;

    let engine = SyncEngine::builder(store, transport)
        .account("user-7")
        .takes_unnamed_data()
        .table::<Todo>()
        .build()
        .await?;

    assert_eq!(engine.kinds().len(), 1);
    Ok(())
}
