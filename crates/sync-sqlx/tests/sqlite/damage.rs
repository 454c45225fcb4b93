//! Files that are not what the library wrote.

use std::fs;
use std::path::{Path, PathBuf};

use sync_core::StoreError;
use sync_core::store::{RowWrite, Store, StoreErrorKind, TxMode};
use sync_sqlx::SqliteStore;

use crate::common::{Fixture, fixture, id, schema, todo, todos};

const PAGE: usize = 4_096;
const ROWS: usize = 300;

/// A closed file of many pages, and a backup of it.
async fn filled() -> (Fixture, PathBuf) {
    let fixture = fixture().await;
    let rows: Vec<RowWrite> = (0..ROWS)
        .map(|number| RowWrite::local(todo(&format!("row{number:03}"), &"x".repeat(1_000))))
        .collect();
    fixture.put(&rows).await;
    fixture.store.close().await.unwrap();
    let backup = fixture.folder.path().join("backup.db");
    fs::copy(fixture.path(), &backup).unwrap();
    (fixture, backup)
}

/// Opens the file, reads every row and writes one.
async fn use_all(path: &Path) -> Result<usize, StoreError> {
    let store = SqliteStore::open(path).await?;
    store.prepare(&[schema()]).await?;
    let all: Vec<_> = (0..ROWS)
        .map(|number| id(&format!("row{number:03}")))
        .collect();
    let mut tx = Store::begin(&store, TxMode::Write).await?;
    let rows = tx.get(&todos(), &all).await?;
    tx.put(&todos(), &[RowWrite::local(todo("new", "x"))])
        .await?;
    tx.commit().await?;
    store.close().await?;
    Ok(rows.len())
}

async fn assert_is_refused_and_mended_by_a_backup(
    fixture: &Fixture,
    backup: &Path,
    damage: impl FnOnce(&mut Vec<u8>),
) {
    let path = fixture.path();
    let mut bytes = fs::read(&path).unwrap();
    damage(&mut bytes);
    fs::write(&path, &bytes).unwrap();
    let error = use_all(&path).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()), "{text}");
    assert!(text.contains("restore the file from a backup"), "{text}");
    assert!(!error.is_retryable());

    for name in ["app.db-wal", "app.db-shm"] {
        let _ = fs::remove_file(fixture.folder.path().join(name));
    }
    fs::copy(backup, &path).unwrap();
    assert_eq!(use_all(&path).await.unwrap(), ROWS);
}

#[tokio::test]
async fn a_file_whose_beginning_is_overwritten_is_corrupt() {
    let (fixture, backup) = filled().await;
    assert_is_refused_and_mended_by_a_backup(&fixture, &backup, |bytes| {
        bytes[..100].fill(b'?');
    })
    .await;
}

#[tokio::test]
async fn a_file_with_pages_overwritten_in_the_middle_is_corrupt() {
    let (fixture, backup) = filled().await;
    assert_is_refused_and_mended_by_a_backup(&fixture, &backup, |bytes| {
        let middle = bytes.len() / PAGE / 2;
        bytes[middle * PAGE..(middle + 20) * PAGE].fill(0xA5);
    })
    .await;
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_corrupt() {
    let (fixture, backup) = filled().await;
    assert_is_refused_and_mended_by_a_backup(&fixture, &backup, |bytes| {
        bytes.truncate(bytes.len() / PAGE / 2 * PAGE);
    })
    .await;
}

#[tokio::test]
async fn a_log_that_was_cut_off_loses_whole_commits_only() {
    let fixture = fixture().await;
    for number in 0..40 {
        let row = todo(&format!("row{number:03}"), &"x".repeat(1_000));
        fixture.put(&[RowWrite::local(row)]).await;
    }
    // What a power cut leaves: the file as it is, and a part of the log.
    let after = fixture.folder.path().join("after.db");
    let log = fixture.folder.path().join("app.db-wal");
    fs::copy(fixture.path(), &after).unwrap();
    let mut bytes = fs::read(log).unwrap();
    bytes.truncate(bytes.len() * 9 / 10);
    fs::write(after.with_extension("db-wal"), bytes).unwrap();

    let store = SqliteStore::open(&after).await.unwrap();
    store.prepare(&[schema()]).await.unwrap();
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM todos")
        .fetch_one(store.pool())
        .await
        .unwrap();
    let last: Option<String> = sqlx::query_scalar("SELECT max(id) FROM todos")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert!((1..40).contains(&rows), "{rows}");
    assert_eq!(last, Some(format!("row{:03}", rows - 1)));
}
