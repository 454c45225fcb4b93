//! Opening and closing.

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions};
use sync_core::store::{RowWrite, Store, StoreErrorKind, StoreTx, TxMode};
use sync_sqlx::{SqliteStore, Synchronous};

use crate::common::{TODOS, bare, fixture, id, schema, todo, todos};

fn wal(folder: &tempfile::TempDir) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(folder.path().join("app.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
}

#[tokio::test]
async fn a_database_in_memory_does_all_that_a_file_does() {
    let store = SqliteStore::open_in_memory().await.unwrap();
    sqlx::raw_sql(TODOS).execute(store.pool()).await.unwrap();
    store.prepare(&[schema()]).await.unwrap();
    let mut tx = Store::begin(&store, TxMode::Write).await.unwrap();
    tx.put(&todos(), &[RowWrite::local(todo("a", "x"))])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut tx = Store::begin(&store, TxMode::Read).await.unwrap();
    assert_eq!(tx.get(&todos(), &[id("a")]).await.unwrap().len(), 1);
    drop(tx);
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM todos")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert_eq!(count, 1);
    let other = SqliteStore::open_in_memory().await.unwrap();
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(other.pool())
        .await
        .unwrap();
    assert_eq!(count, 0);
    store.close().await.unwrap();
}

#[tokio::test]
async fn the_file_is_free_and_checkpointed_after_close() {
    let fixture = fixture().await;
    fixture.put(&[RowWrite::local(todo("a", "x"))]).await;
    assert!(fixture.get("a").await.is_some());
    fixture.store.close().await.unwrap();
    assert!(!fixture.folder.path().join("app.db-wal").exists());
    let error = Store::begin(&fixture.store, TxMode::Write)
        .await
        .err()
        .unwrap();
    assert_eq!(error.kind(), StoreErrorKind::Open);
    let error = Store::begin(&fixture.store, TxMode::Read)
        .await
        .err()
        .unwrap();
    assert_eq!(error.kind(), StoreErrorKind::Open);
    assert!(fixture.store.begin().await.is_err());
    fixture.store.close().await.unwrap();
}

#[tokio::test]
async fn data_survives_a_restart() {
    let fixture = fixture().await;
    fixture.put(&[RowWrite::local(todo("a", "x"))]).await;
    let path = fixture.path();
    fixture.store.close().await.unwrap();
    let again = SqliteStore::open(&path).await.unwrap();
    again.prepare(&[schema()]).await.unwrap();
    let mut tx = Store::begin(&again, TxMode::Read).await.unwrap();
    assert_eq!(tx.get(&todos(), &[id("a")]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_pool_of_the_app_is_shared_and_can_be_closed_by_the_app() {
    let folder = tempfile::tempdir().unwrap();
    let pool = SqlitePool::connect_with(wal(&folder)).await.unwrap();
    sqlx::raw_sql(TODOS).execute(&pool).await.unwrap();
    let store = SqliteStore::from_pool(&pool).await.unwrap();
    store.prepare(&[schema()]).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.put(&todos(), &[RowWrite::local(todo("a", "x"))])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM todos")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(count, 1);
    pool.close().await;
    // The library's own connections go on.
    let mut tx = Store::begin(&store, TxMode::Write).await.unwrap();
    tx.put(&todos(), &[RowWrite::local(todo("b", "x"))])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_pool_in_memory_or_without_wal_is_refused_with_advice() {
    let memory = SqlitePoolOptions::new()
        .connect("sqlite::memory:")
        .await
        .unwrap();
    let error = SqliteStore::from_pool(&memory).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Open);
    assert!(error.to_string().contains("open_in_memory"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let options = wal(&folder).journal_mode(SqliteJournalMode::Delete);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let error = SqliteStore::from_pool(&pool).await.unwrap_err();
    assert!(error.to_string().contains("WAL"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_opened_says_so_without_its_options() {
    let folder = tempfile::tempdir().unwrap();
    let error = SqliteStore::open(folder.path().join("no/such/folder.db"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Open);

    let path = folder.path().join("text.db");
    std::fs::write(
        &path,
        "this is no database, but long enough to look like one".repeat(50),
    )
    .unwrap();
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);

    let secret = SqliteConnectOptions::new()
        .filename(folder.path().join("app.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .pragma("key", "'sesame'");
    let pool = SqlitePool::connect_with(secret).await.unwrap();
    let store = SqliteStore::from_pool(&pool).await.unwrap();
    assert!(!format!("{store:?}").contains("sesame"));
}

#[tokio::test]
async fn a_file_is_in_wal_mode_and_normally_synchronous_unless_told_otherwise() {
    let fixture = bare().await;
    assert_eq!(
        fixture.texts("PRAGMA journal_mode").await,
        [Some("wal".to_owned())]
    );
    assert_eq!(fixture.scalar("PRAGMA synchronous").await, 1);
    let full = SqliteStore::builder(fixture.path())
        .synchronous(Synchronous::Full)
        .open()
        .await
        .unwrap();
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
        .fetch_one(full.pool())
        .await
        .unwrap();
    assert_eq!(synchronous, 2);
}

#[derive(serde::Serialize, serde::Deserialize, sync_core::SyncEntity)]
#[sync(kind = "todos")]
struct Todo {
    id: String,
    title: String,
}

#[tokio::test]
async fn a_table_is_created_once_and_one_that_is_there_stays_as_it_is() {
    let store = SqliteStore::open_in_memory().await.unwrap();
    store.create_table::<Todo>().await.unwrap();
    for sql in [
        "INSERT INTO todos (id, title) VALUES ('1', 'Milk')",
        "ALTER TABLE todos ADD COLUMN colour TEXT DEFAULT 'red'",
    ] {
        sqlx::query(sql).execute(store.pool()).await.unwrap();
    }
    store.create_table::<Todo>().await.unwrap();
    let row = sqlx::query_as("SELECT title, colour FROM todos");
    let row: (String, String) = row.fetch_one(store.pool()).await.unwrap();
    assert_eq!(row, ("Milk".into(), "red".into()));
}

#[tokio::test]
async fn a_table_that_cannot_be_created_is_named_with_the_reason() {
    let store = SqliteStore::open_in_memory().await.unwrap();
    let taken = "CREATE TABLE others (id TEXT); CREATE INDEX todos ON others (id)";
    sqlx::raw_sql(taken).execute(store.pool()).await.unwrap();
    let error = store.create_table::<Todo>().await.unwrap_err().to_string();
    assert!(error.contains("create the table \"todos\""), "{error}");
    assert!(error.contains("index named todos"), "{error}");
}
