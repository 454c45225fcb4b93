//! Files of every format that was ever released are opened, and lose nothing.
//!
//! A format is what lies in the library's own tables: their columns, and the JSON in them. For each
//! there is a file in `tests/fixtures`, written by the code of its time. A change of the format
//! needs a step in `src/sqlite/migrations`, and a file:
//! `WRITE_FIXTURE=1 cargo test -p sync-sqlx --test format`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod state;

use std::path::{Path, PathBuf};

use sync_core::store::Store;
use sync_sqlx::SqliteStore;

use crate::state::{TABLE, as_json, read, schema, state, write};

fn fixture(format: usize) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    folder.join(format!("format-{format}.db"))
}

/// A store on this file, with the user's table.
async fn open(path: &Path) -> SqliteStore {
    let store = SqliteStore::open(path).await.unwrap();
    sqlx::raw_sql(TABLE).execute(store.pool()).await.unwrap();
    store.prepare(&[schema()]).await.unwrap();
    store
}

#[tokio::test]
async fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("app.db")).await;
    let state = state();
    write(&store, &state).await;
    assert_eq!(read(&store, &state).await, as_json(&state));
}
