//! The code of `docs/testing-your-app.md`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sync_core::json::JsonMap;
use sync_core::{
    Column, ColumnType, Conflict, EntityId, Env, Kind, MergeFunction, Resolution, ServerState,
    SyncConfig, SyncEngine, TableConfig, TableSchema, default_merge, resolve_typed,
};
use sync_rest::RestTransport;
use sync_sqlx::SqliteStore;
use sync_testkit::sim::{Failure, SimTable, Simulation, Tested};
use sync_testkit::{
    Call, FakeEnv, Fault, FaultyTransport, MockServer, Route, TransportFault, TransportScript,
};

use crate::todos::{Outcome, Todo, device, todo};

#[tokio::test]
async fn two_devices_and_somebody_else() -> Outcome {
    let server = MockServer::start().await?;
    server.seed(
        "todos",
        [json!({"id": "milk", "title": "Milk", "done": false})],
    )?;
    let (_, ann) = device(&server).await?;
    let (_, bob) = device(&server).await?;
    ann.sync().await?;
    bob.sync().await?;

    // Both edit without a network.
    ann.writer::<Todo>()?
        .update_with("milk", |todo| todo.done = true)
        .await?;
    bob.writer::<Todo>()?
        .update_with("milk", |todo| todo.title = "Oat".into())
        .await?;
    for device in [&ann, &bob, &ann] {
        assert!(device.sync().await?.is_complete());
    }

    let milk = server.get("todos", "milk").ok_or("no milk")?;
    assert_eq!(milk["title"], "Oat");
    assert_eq!(milk["done"], true);
    assert_eq!(
        ann.writer::<Todo>()?.get("milk").await?,
        bob.writer::<Todo>()?.get("milk").await?
    );
    Ok(())
}

#[tokio::test]
async fn an_edit_whose_answer_is_lost_arrives_once() -> Outcome {
    let server = MockServer::start().await?;
    let (_, engine) = device(&server).await?;
    let todos = engine.writer::<Todo>()?;
    todos.insert(&todo("milk", "Milk")).await?;

    let lost = server.fault(Fault::drop_after()).on(Route::Push);
    engine.sync().await?;
    engine.sync().await?;

    assert_eq!(lost.hits(), 1);
    assert_eq!(server.applied_to("todos", "milk"), 1);
    Ok(())
}

#[tokio::test]
async fn an_edit_made_during_a_push_is_sent_next() -> Outcome {
    let server = MockServer::start().await?;
    let (_, engine) = device(&server).await?;
    let todos = engine.writer::<Todo>()?;
    todos.insert(&todo("milk", "Milk")).await?;

    let gate = server.hold(Route::Push);
    let run = tokio::spawn({
        let engine = engine.clone();
        async move { engine.sync().await }
    });
    gate.arrived().await; // the request is there, its answer is not
    todos.update_with("milk", |todo| todo.done = true).await?;
    gate.release();
    run.await??;

    engine.sync().await?;
    assert_eq!(server.get("todos", "milk").ok_or("none")?["done"], true);
    Ok(())
}

#[tokio::test]
async fn a_week_passes_in_no_time() -> Outcome {
    let server = MockServer::start().await?;
    let world = FakeEnv::new(7);
    world.auto_advance(Duration::from_secs(20)); // back-offs end at once
    let store = SqliteStore::open_in_memory().await?;
    store.create_table::<Todo>().await?;
    let transport = RestTransport::builder(server.url())
        .env(world.env())
        .build()?;
    // Its heartbeat must sleep longer than what passes by itself.
    let config = SyncConfig::default().with_lease_duration(Duration::from_secs(90));
    let engine = SyncEngine::builder(store, transport)
        .table::<Todo>()
        .config(config)
        .env(world.env())
        .build()
        .await?;
    let milk = json!({"id": "milk", "title": "Milk", "done": false});
    server.seed("todos", [milk])?;
    engine.sync().await?;

    server.purge("todos", "milk"); // gone without a tombstone
    world.advance(Duration::from_secs(8 * 24 * 3600));
    engine.sync().await?; // a full resync is due

    assert_eq!(engine.writer::<Todo>()?.get("milk").await?, None);
    Ok(())
}

#[tokio::test]
async fn faults_without_a_network() -> Outcome {
    let server = MockServer::start().await?;
    let rest = RestTransport::new(server.url())?;
    let store = SqliteStore::open_in_memory().await?;
    store.create_table::<Todo>().await?;

    let script = TransportScript::new(FakeEnv::new(7).env());
    let transport = FaultyTransport::new(Arc::new(rest), script.clone());
    script.next(Call::Push, TransportFault::redirect());

    let engine = SyncEngine::builder(store, transport)
        .table::<Todo>()
        .build()
        .await?;
    engine
        .writer::<Todo>()?
        .insert(&todo("milk", "Milk"))
        .await?;
    assert_eq!(engine.sync().await?.pending, 1);
    assert_eq!(engine.sync().await?.pending, 0);
    Ok(())
}

/// Both lists of tags, one behind the other.
fn joined(local: &JsonMap, server: &JsonMap, keeps: fn(&[Value], &Value) -> bool) -> JsonMap {
    let mut merged = default_merge(local, server);
    if let (Some(mine), Some(theirs)) = (local["tags"].as_array(), server["tags"].as_array()) {
        let new = mine.iter().filter(|tag| keeps(theirs, tag));
        let tags: Vec<&Value> = theirs.iter().chain(new).collect();
        merged.insert("tags".to_owned(), json!(tags));
    }
    merged
}

fn hunt(merge: MergeFunction) -> Result<Tested, Box<Failure>> {
    let todos = TableSchema::new(Kind::new("todos").unwrap(), "todos", "id")
        .column(Column::new("id", ColumnType::Text))
        .column(Column::new("title", ColumnType::Text).nullable())
        .column(Column::new("tags", ColumnType::Json));
    let table = SimTable::new(todos, TableConfig::new().merge(merge));
    let simulation = Simulation::of([table]).steps(60).rule(|_kind, record| {
        let tags = record["tags"].as_array().map_or(&[][..], Vec::as_slice);
        match tags
            .iter()
            .enumerate()
            .find(|(n, tag)| tags[..*n].contains(tag))
        {
            Some((_, twice)) => Err(format!("the tag {twice} is there twice")),
            None => Ok(()),
        }
    });
    simulation.check(0..20)
}

#[test]
fn a_merge_function_that_joins_lists_is_seen_to_double_tags() {
    let all = MergeFunction::new(|local, server| joined(local, server, |_, _| true));
    let failure = hunt(all).unwrap_err().to_string();
    assert!(failure.contains("is there twice"), "{failure}");

    let new = |theirs: &[Value], tag: &Value| !theirs.contains(tag);
    let once = MergeFunction::new(move |local, server| joined(local, server, new));
    assert_eq!(
        hunt(once)
            .unwrap_or_else(|failure| panic!("{failure}"))
            .seeds,
        20
    );
}

fn live(record: Todo) -> ServerState<Todo> {
    let version = None;
    ServerState::Live { record, version }
}

/// Two titles are a matter of taste.
fn decide(conflict: &Conflict<Todo>) -> Resolution<Todo> {
    match (&conflict.local, conflict.server_record()) {
        (Some(mine), Some(theirs)) if mine.title == theirs.title => {
            let done = mine.done || theirs.done;
            Resolution::AcceptMerged(Todo {
                done,
                ..theirs.clone()
            })
        }
        _ => Resolution::Defer,
    }
}

#[tokio::test]
async fn a_decision_is_tested_without_an_engine() -> Outcome {
    let (kind, id) = (Kind::new("todos")?, EntityId::new("milk")?);
    let mut conflict = Conflict::new(kind, id, Env::system().op_id());
    conflict.base = live(todo("milk", "Milk"));
    conflict.local = Some(todo("milk", "Oat milk"));
    conflict.server = live(todo("milk", "Rice milk"));

    assert_eq!(decide(&conflict), Resolution::Defer);

    let theirs = todo("milk", "Milk");
    conflict.local = Some(Todo {
        done: true,
        ..theirs.clone()
    });
    conflict.server = live(theirs);
    let merged = decide(&conflict);
    assert!(matches!(merged, Resolution::AcceptMerged(todo) if todo.done));
    conflict.server = ServerState::gone();
    assert_eq!(decide(&conflict), Resolution::Defer);
    let _resolver = resolve_typed(|conflict| async move { Ok(decide(&conflict)) });
    Ok(())
}
