//! A disk that is full while an engine works, and has space again.

use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool};
use sync_core::{PhaseEnd, Record, StoreErrorKind, SyncEngine, SyncEntity, SyncError};
use sync_rest::RestTransport;
use sync_sqlx::SqliteStore;
use sync_testkit::{FakeEnv, MockServer};

use crate::setup::{NOTES, Note};

const NOTES_THERE: i64 = 300;

fn large_note(number: i64) -> Value {
    json!({"id": format!("n{number}"), "title": "x".repeat(3_000)})
}

async fn count(pool: &SqlitePool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn e2e_a_disk_that_is_full_during_a_sync_stops_it_and_the_next_one_goes_on() {
    let server = MockServer::start().await.unwrap();
    server
        .seed(NOTES, (0..NOTES_THERE).map(large_note))
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .pragma("max_page_count", "420");
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let videos =
        "CREATE TABLE videos (content BLOB); INSERT INTO videos VALUES (zeroblob(1200000))";
    sqlx::raw_sql(videos).execute(&pool).await.unwrap();
    let table = sqlx::AssertSqlSafe(Note::create_table_sql());
    sqlx::raw_sql(table).execute(&pool).await.unwrap();
    let store = SqliteStore::from_pool(&pool).await.unwrap();
    let world = FakeEnv::new(1);
    let engine = SyncEngine::builder(
        store.clone(),
        RestTransport::builder(server.url()).build().unwrap(),
    )
    .table::<Note>()
    .env(world.env())
    .build()
    .await
    .unwrap();
    let notes = engine.records(NOTES).unwrap();
    notes
        .insert(Record::try_from(json!({"id": "mine", "title": "mine"})).unwrap())
        .await
        .unwrap();

    let report = engine.sync().await.unwrap();
    let PhaseEnd::Failed { reason } = &report.pull else {
        panic!("{report:?}");
    };
    assert!(reason.contains(&path.display().to_string()), "{reason}");
    assert!(reason.contains("free some space"), "{reason}");
    // The page is there whole or not at all, and the cursor with it.
    assert_eq!(count(&pool, "SELECT count(*) FROM notes").await, 1);
    let too_large = Record::try_from(json!({"id": "large", "title": "x".repeat(800_000)})).unwrap();
    match notes.insert(too_large).await {
        Err(SyncError::Store(error)) => assert_eq!(error.kind(), StoreErrorKind::Full),
        other => panic!("{other:?}"),
    }
    assert_eq!(engine.outbox().count().await.unwrap(), 0);
    assert_eq!(server.get(NOTES, "mine").unwrap()["title"], "mine");

    sqlx::raw_sql("DELETE FROM videos")
        .execute(&pool)
        .await
        .unwrap();
    let report = engine.sync().await.unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(
        count(&pool, "SELECT count(*) FROM notes").await,
        NOTES_THERE + 1
    );
}
