//! Files of every format that was ever released are opened, and lose nothing.
//!
//! A format is what lies in the library's own tables: their columns, and the JSON in them. For each
//! there is a file in `tests/fixtures`, written by the code of its time. A change of the format
//! needs a step in `src/sqlite/migrations`, and a file of the new one:
//! `WRITE_FIXTURE=1 cargo test -p sync-sqlx --test format`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod state;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sync_core::store::{OpQuery, Store, StoreErrorKind};
use sync_core::{OpStatus, SyncEngine, TableConfig};
use sync_rest::RestTransport;
use sync_sqlx::SqliteStore;
use sync_testkit::{FakeEnv, MockServer};
use tempfile::TempDir;

use crate::state::{State, TABLE, as_json, kind, read, schema, state, write};

/// The format that today's code writes.
const PRESENT: u32 = 4;

fn fixture(format: u32) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    folder.join(format!("format-{format}.db"))
}

/// A copy of a file of this format, as a user of that time has it.
fn user_of(format: u32) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    std::fs::copy(fixture(format), &path).unwrap();
    (folder, path)
}

/// A store on this file, with the user's table.
async fn open(path: &Path) -> SqliteStore {
    let store = SqliteStore::open(path).await.unwrap();
    sqlx::raw_sql(TABLE).execute(store.pool()).await.unwrap();
    store.prepare(&[schema()]).await.unwrap();
    store
}

/// A fresh file with everything.
async fn fresh(folder: &TempDir, state: &State) -> SqliteStore {
    let store = open(&folder.path().join("fresh.db")).await;
    write(&store, state).await;
    store
}

/// Every table of the library's: how it is made, and what lies in it, as text.
async fn dump(store: &SqliteStore) -> Vec<String> {
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'sync\\_%' \
                  ESCAPE '\\' ORDER BY name";
    let tables: Vec<String> = sqlx::query_scalar(tables)
        .fetch_all(store.pool())
        .await
        .unwrap();
    let mut lines: Vec<String> = sqlx::query_scalar(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND tbl_name LIKE 'sync\\_%' \
         ESCAPE '\\' ORDER BY type, name",
    )
    .fetch_all(store.pool())
    .await
    .unwrap();
    for table in tables {
        let columns = format!("SELECT group_concat(quote(name)) FROM pragma_table_info('{table}')");
        let columns: String = scalar(store, columns).await;
        let columns = columns.replace('\'', "\"");
        let pairs: Vec<String> = columns
            .split(',')
            .map(|column| format!("'{}=' || quote({column})", column.trim_matches('"')))
            .collect();
        let rows = format!(
            "SELECT '{table}: ' || {} FROM {table} ORDER BY 1",
            pairs.join(" || ' ' || ")
        );
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(rows))
            .fetch_all(store.pool())
            .await
            .unwrap();
        lines.extend(rows);
    }
    lines
}

async fn scalar(store: &SqliteStore, sql: String) -> String {
    let value = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(store.pool());
    value.await.unwrap()
}

#[tokio::test]
async fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let state = state(PRESENT);
    let store = fresh(&folder, &state).await;
    assert_eq!(read(&store, &state).await, as_json(&state));
}

#[tokio::test]
async fn a_change_of_the_format_comes_with_a_file_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = fresh(&folder, &state(PRESENT)).await;
    let format = scalar(
        &store,
        "SELECT value FROM sync_meta WHERE key = 'format'".into(),
    )
    .await;
    assert_eq!(format, PRESENT.to_string(), "name the present format here");
    let written = dump(&store).await;
    if std::env::var_os("WRITE_FIXTURE").is_some() && !fixture(PRESENT).exists() {
        let checkpoint = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)");
        checkpoint.execute(store.pool()).await.unwrap();
        store.close().await.unwrap();
        std::fs::copy(folder.path().join("fresh.db"), fixture(PRESENT)).unwrap();
    }
    assert!(
        fixture(PRESENT).exists(),
        "there is no file of format {PRESENT}: write one, as the head of this file says"
    );
    let (_folder, path) = user_of(PRESENT);
    let kept = dump(&SqliteStore::open(path).await.unwrap()).await;
    assert_eq!(
        written, kept,
        "today's code writes another format than {PRESENT}: add a migration and a file"
    );
}

#[tokio::test]
async fn files_of_every_format_hold_what_they_held() {
    for format in 1..=PRESENT {
        let (_folder, path) = user_of(format);
        let store = open(&path).await;
        let state = state(format);
        assert_eq!(
            read(&store, &state).await,
            as_json(&state),
            "format {format}"
        );
        let fresh_folder = tempfile::tempdir().unwrap();
        let fresh = fresh(&fresh_folder, &state).await;
        let (one, other) = (columns(&store).await, columns(&fresh).await);
        assert_eq!(one, other, "format {format}, brought up to date");
    }
}

/// The columns of the library's tables, whichever way they were made.
async fn columns(store: &SqliteStore) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT t.name || '.' || c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' ' || \
         coalesce(c.dflt_value, '') FROM sqlite_schema t, pragma_table_info(t.name) c \
         WHERE t.name LIKE 'sync\\_%' ESCAPE '\\' ORDER BY 1",
    )
    .fetch_all(store.pool())
    .await
    .unwrap()
}

#[tokio::test]
async fn files_of_every_format_sync_on() {
    for format in 1..=PRESENT {
        let (_folder, path) = user_of(format);
        let store = open(&path).await;
        let server = MockServer::start().await.unwrap();
        for op in state(format).ops {
            let id = op.entity_id.as_str();
            if op.kind == kind() && id != "created" {
                let title = "theirs";
                server
                    .seed("notes", [json!({"id": id, "title": title})])
                    .unwrap();
            }
        }
        let world = FakeEnv::new(u64::from(format));
        world.auto_advance(std::time::Duration::from_secs(20));
        let transport = RestTransport::builder(server.url()).env(world.env());
        let engine = SyncEngine::builder(store.clone(), transport.build().unwrap())
            .schema(schema(), TableConfig::new())
            .env(world.env())
            .build()
            .await
            .unwrap();
        for _ in 0..2 {
            world.advance(std::time::Duration::from_secs(600));
            engine.sync().await.unwrap();
        }
        // What somebody put off or what was refused too often waits on, and is there.
        let ops = engine.outbox().list(&OpQuery::default()).await.unwrap();
        let mut left: Vec<_> = ops
            .iter()
            .map(|op| (op.entity_id.as_str(), op.status))
            .collect();
        left.sort_by_key(|(id, _)| *id);
        let wanted = [("elsewhere", OpStatus::Pending), ("stuck", OpStatus::Stuck)];
        left.retain(|(id, _)| *id != "deferred");
        assert_eq!(left, wanted, "format {format}");
        for id in [
            "created",
            "unanswered",
            "refused",
            "decided",
            "unknown-base",
        ] {
            let record = server.get("notes", id);
            assert_eq!(title(record.as_ref()), "mine", "{id} of format {format}");
        }
    }
}

fn title(record: Option<&Value>) -> &str {
    let title = record.and_then(|record| record["title"].as_str());
    title.unwrap_or("nothing")
}

#[tokio::test]
async fn a_newer_file_is_refused_and_left_as_it_is() {
    let (folder, path) = user_of(PRESENT);
    let store = SqliteStore::open(&path).await.unwrap();
    let sql = "INSERT INTO _sync_migrations (version) VALUES (99); \
               ALTER TABLE sync_outbox ADD COLUMN from_the_future TEXT";
    sqlx::raw_sql(sql).execute(store.pool()).await.unwrap();
    let checkpoint = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)");
    checkpoint.execute(store.pool()).await.unwrap();
    store.close().await.unwrap();
    let before = std::fs::read(&path).unwrap();

    let store = SqliteStore::open(&path).await.unwrap();
    let error = store.prepare(&[schema()]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Open);
    let message = error.to_string();
    for part in ["format 99", &format!("up to {PRESENT}"), "update the app"] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
    store.close().await.unwrap();
    assert!(
        std::fs::read(&path).unwrap() == before,
        "the file was changed"
    );
    drop(folder);
}
