//! A disk that is full, and files that may not be written.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool};
use sync_core::store::{RowWrite, Store, StoreErrorKind, TxMode};
use sync_core::{Record, StoreError};
use sync_sqlx::SqliteStore;

use crate::common::{TODOS, fixture, id, op, schema, todo, todos};
use crate::process::{command, file_of, run};

/// Somebody who may do nothing that is not allowed to everybody.
const NOBODY: u32 = 65_534;
/// More rows than fit into the limits of these tests.
const TOO_MANY: usize = 2_000;

fn large(at: &str) -> Record {
    todo(at, &"x".repeat(4_000))
}

/// Writes a row and its operation, as a user's write does.
async fn write(store: &SqliteStore, at: &str) -> Result<(), StoreError> {
    let mut tx = Store::begin(store, TxMode::Write).await?;
    tx.put(&todos(), &[RowWrite::local(large(at))]).await?;
    tx.append_ops(&[op(at, at)]).await?;
    tx.commit().await
}

/// Writes until it fails; how many writes returned, and the failure.
async fn write_till_it_fails(store: &SqliteStore) -> (usize, StoreError) {
    for number in 0..TOO_MANY {
        if let Err(error) = write(store, &format!("row{number:04}")).await {
            return (number, error);
        }
    }
    panic!("{TOO_MANY} writes succeeded");
}

#[track_caller]
fn assert_says(error: &StoreError, kind: StoreErrorKind, path: &Path, advice: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()), "{text}");
    assert!(text.contains(advice), "{text}");
    assert!(std::error::Error::source(error).is_some(), "{text}");
}

async fn count(pool: &SqlitePool, sql: &'static str) -> usize {
    let count: i64 = sqlx::query_scalar(sql).fetch_one(pool).await.unwrap();
    usize::try_from(count).unwrap()
}

/// Rows and operations are there as often as writes returned, and SQLite finds nothing wrong.
async fn assert_whole(pool: &SqlitePool, written: usize) {
    assert_eq!(count(pool, "SELECT count(*) FROM todos").await, written);
    assert_eq!(
        count(pool, "SELECT count(*) FROM sync_outbox").await,
        written
    );
    let check: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(check, "ok");
}

#[tokio::test]
async fn a_full_disk_is_an_error_that_leaves_nothing_half_written_and_goes_when_there_is_space() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .pragma("max_page_count", "150");
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let store = SqliteStore::from_pool(&pool).await.unwrap();
    sqlx::raw_sql(TODOS).execute(&pool).await.unwrap();
    sqlx::raw_sql(
        "CREATE TABLE holiday_videos (content BLOB); INSERT INTO holiday_videos VALUES (zeroblob(100000))",
    )
    .execute(&pool)
    .await
    .unwrap();
    store.prepare(&[schema()]).await.unwrap();

    let (written, error) = write_till_it_fails(&store).await;
    assert_says(&error, StoreErrorKind::Full, &path, "free some space");
    assert!(written > 0);
    assert_whole(&pool, written).await;
    // Reading goes on, and a second attempt fails as the first did.
    let mut tx = Store::begin(&store, TxMode::Read).await.unwrap();
    assert_eq!(tx.get(&todos(), &[id("row0000")]).await.unwrap().len(), 1);
    drop(tx);
    let again = write(&store, "again").await.unwrap_err();
    assert_eq!(again.kind(), StoreErrorKind::Full);

    sqlx::raw_sql("DELETE FROM holiday_videos")
        .execute(&pool)
        .await
        .unwrap();
    write(&store, "again").await.unwrap();
    assert_whole(&pool, written + 1).await;
    store.close().await.unwrap();
}

#[tokio::test]
async fn files_that_may_not_grow_are_an_error_and_whole_when_they_may() {
    let fixture = fixture().await;
    fixture.store.close().await.unwrap();
    // Without the signal that would end the process, writing beyond the limit is an error.
    let limited = r#"trap "" XFSZ; ulimit -f 600; exec "$@""#;
    let told = run(command(
        "disk::files_may_not_grow",
        &fixture.path(),
        limited,
    ));
    let written = told.lines().find_map(|line| line.strip_prefix("written "));
    let written: usize = written.unwrap().parse().unwrap();
    assert!(written > 0);

    let store = SqliteStore::open(fixture.path()).await.unwrap();
    store.prepare(&[schema()]).await.unwrap();
    assert_whole(store.pool(), written).await;
    write(&store, "again").await.unwrap();
    assert_whole(store.pool(), written + 1).await;
}

/// The part of the test above that has limits.
#[tokio::test]
async fn files_may_not_grow() {
    let Some(path) = file_of("disk::files_may_not_grow") else {
        return;
    };
    let store = SqliteStore::open(&path).await.unwrap();
    store.prepare(&[schema()]).await.unwrap();
    let (written, error) = write_till_it_fails(&store).await;
    assert_says(&error, StoreErrorKind::Io, &path, "has space");
    let mut tx = Store::begin(&store, TxMode::Read).await.unwrap();
    assert_eq!(tx.get(&todos(), &[id("row0000")]).await.unwrap().len(), 1);
    println!("\nwritten {written}");
}

/// Runs a part as somebody to whom permissions apply; to the superuser they do not.
fn as_nobody(name: &str, path: &Path) -> Command {
    let mut command = command(name, path, r#"exec "$@""#);
    let folder = path.parent().unwrap();
    if chown(folder, Some(NOBODY), Some(NOBODY)).is_ok() {
        for file in fs::read_dir(folder).unwrap() {
            chown(file.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
    }
    command
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_file_that_may_not_be_written_says_so_and_works_when_it_may() {
    let fixture = fixture().await;
    write(&fixture.store, "before").await.unwrap();
    fixture.store.close().await.unwrap();
    allow(&fixture.path(), 0o444);
    run(as_nobody(
        "disk::the_file_may_not_be_written",
        &fixture.path(),
    ));
    // The files beside it got the same permissions from SQLite.
    for file in fs::read_dir(fixture.folder.path()).unwrap() {
        allow(&file.unwrap().path(), 0o644);
    }
    run(as_nobody("disk::the_file_may_be_written", &fixture.path()));
}

#[tokio::test]
async fn the_file_may_not_be_written() {
    let Some(path) = file_of("disk::the_file_may_not_be_written") else {
        return;
    };
    // What is there can be read all the same.
    let store = SqliteStore::open(&path).await.unwrap();
    store.prepare(&[schema()]).await.unwrap();
    assert_whole(store.pool(), 1).await;
    let error = write(&store, "never").await.unwrap_err();
    assert_whole(store.pool(), 1).await;
    assert_says(
        &error,
        StoreErrorKind::ReadOnly,
        &path,
        "let this program write the file, those beside it",
    );
}

#[tokio::test]
async fn a_folder_that_may_not_be_written_says_so_and_works_when_it_may() {
    let fixture = fixture().await;
    write(&fixture.store, "before").await.unwrap();
    fixture.store.close().await.unwrap();
    let part = as_nobody("disk::the_folder_may_not_be_written", &fixture.path());
    allow(fixture.folder.path(), 0o555);
    run(part);
    allow(fixture.folder.path(), 0o755);
    run(as_nobody("disk::the_file_may_be_written", &fixture.path()));
}

#[tokio::test]
async fn the_folder_may_not_be_written() {
    let Some(path) = file_of("disk::the_folder_may_not_be_written") else {
        return;
    };
    let error = match SqliteStore::open(&path).await {
        Ok(store) => store.prepare(&[schema()]).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(
        matches!(
            error.kind(),
            StoreErrorKind::ReadOnly | StoreErrorKind::Open
        ),
        "{error:?}"
    );
    assert_says(&error, error.kind(), &path, "folder");
    let fresh = path.with_file_name("fresh.db");
    let error = SqliteStore::open(&fresh).await.unwrap_err();
    assert_says(&error, StoreErrorKind::Open, &fresh, "folder");
    assert!(!fresh.exists());
}

/// The cause is gone: the same file goes on.
#[tokio::test]
async fn the_file_may_be_written() {
    let Some(path) = file_of("disk::the_file_may_be_written") else {
        return;
    };
    let store = SqliteStore::open(&path).await.unwrap();
    store.prepare(&[schema()]).await.unwrap();
    assert_whole(store.pool(), 1).await;
    write(&store, "after").await.unwrap();
    assert_whole(store.pool(), 2).await;
}
