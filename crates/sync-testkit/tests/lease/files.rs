//! Two engines of one process on one file, and a real server.

use std::path::Path;
use std::time::Duration;

use futures::{StreamExt, future};
use serde_json::json;
use sync_core::store::Store;
use sync_core::{
    Column, ColumnType, Kind, Record, SyncConfig, SyncEngine, SyncEvent, TableConfig, TableSchema,
    TxMode,
};
use sync_rest::RestTransport;
use sync_sqlx::SqliteStore;
use sync_testkit::{MockServer, Route};

/// Short, because what is waited for here takes real time.
pub(crate) const LEASE: Duration = Duration::from_millis(1_500);

/// An engine with a connection to the file of its own, as another process has.
pub(crate) async fn open(file: &Path, url: &str) -> (SqliteStore, SyncEngine) {
    let store = SqliteStore::open(file).await.unwrap();
    let sql = "CREATE TABLE IF NOT EXISTS notes (id TEXT PRIMARY KEY NOT NULL, text TEXT, updated_at TEXT)";
    sqlx::query(sql).execute(store.pool()).await.unwrap();
    let schema = TableSchema::new(Kind::new("notes").unwrap(), "notes", "id")
        .column(Column::new("id", ColumnType::Text))
        .column(Column::new("text", ColumnType::Text).nullable())
        .column(Column::new("updated_at", ColumnType::Text).nullable());
    let rest = RestTransport::builder(url).build().unwrap();
    let engine = SyncEngine::builder(store.clone(), rest)
        .schema(schema, TableConfig::new())
        .config(SyncConfig::default().with_lease_duration(LEASE))
        .build()
        .await
        .unwrap();
    (store, engine)
}

pub(crate) async fn create(engine: &SyncEngine, id: &str) {
    let note = Record::try_from(json!({"id": id, "text": "new"})).unwrap();
    let notes = engine.records("notes").unwrap();
    notes.insert(note).await.unwrap();
}

/// What the store notes of the lease.
pub(crate) async fn lease(store: &SqliteStore) -> Option<String> {
    let mut tx = Store::begin(store, TxMode::Read).await.unwrap();
    tx.meta("lease").await.unwrap()
}

/// Waits until the lease's note has changed so often.
pub(crate) async fn beats(store: &SqliteStore, times: u32) {
    for _ in 0..times {
        let before = lease(store).await;
        while lease(store).await == before {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn two_engines_on_one_file_take_turns() {
    let server = MockServer::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.db");
    let (store, one) = open(&file, &server.url()).await;
    let (_, other) = open(&file, &server.url()).await;
    for number in 0..20 {
        create(
            if number % 2 == 0 { &one } else { &other },
            &format!("n{number}"),
        )
        .await;
    }
    let gate = server.hold(Route::Push);
    let mut events = other.events();
    let second = async {
        gate.arrived().await;
        let waits = async {
            while !matches!(events.next().await, Some(SyncEvent::SyncWaiting)) {}
            // Longer than the lease's duration, with the user at work meanwhile.
            create(&other, "meanwhile").await;
            beats(&store, 6).await;
            gate.release();
        };
        future::join(other.sync(), waits).await.0
    };
    let (first, second) = future::join(one.sync(), second).await;
    let (first, second) = (first.unwrap(), second.unwrap());
    assert!(first.is_complete() && second.is_complete());
    assert_eq!((first.stats.pushed, second.stats.pushed), (20, 1));
    assert_eq!((second.pending, server.pushes().len()), (0, 21));
    let notes = server.all("notes");
    assert!(notes.keys().all(|id| server.applied_to("notes", id) == 1));
}

#[tokio::test]
async fn many_engines_on_one_file_at_once_send_everything_once() {
    let server = MockServer::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.db");
    let mut engines = Vec::new();
    for _ in 0..4 {
        engines.push(open(&file, &server.url()).await.1);
    }
    let at_work = engines
        .iter()
        .enumerate()
        .map(|(number, engine)| async move {
            for round in 0..5 {
                create(engine, &format!("n{number}-{round}")).await;
                engine.sync().await.unwrap();
            }
        });
    future::join_all(at_work).await;
    assert_eq!(engines[0].outbox().count().await.unwrap(), 0);
    let notes = server.all("notes");
    assert_eq!((notes.len(), server.pushes().len()), (20, 20));
    assert!(notes.keys().all(|id| server.applied_to("notes", id) == 1));
}
