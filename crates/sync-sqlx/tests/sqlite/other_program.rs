//! Another program that holds the file.

use std::time::Duration;

use rusqlite::Connection;
use sync_core::store::{Store, StoreErrorKind, TxMode};
use sync_sqlx::SqliteStore;

use crate::common::{Fixture, fixture, schema};
use crate::process::{Other, command, file_of, ready};

/// Another process that has locked the file.
fn other(fixture: &Fixture) -> Other {
    let part = "other_program::the_file_is_held";
    Other::start(command(part, &fixture.path(), r#"exec "$@""#))
}

/// What the other process does.
#[test]
fn the_file_is_held() {
    let Some(path) = file_of("other_program::the_file_is_held") else {
        return;
    };
    let db = Connection::open(path).unwrap();
    db.busy_timeout(Duration::from_secs(10)).unwrap();
    db.execute_batch("BEGIN EXCLUSIVE").unwrap();
    ready();
    db.execute_batch("COMMIT").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_waits_until_another_program_lets_go() {
    let fixture = fixture().await;
    let other = other(&fixture);
    let (begun, ()) = tokio::join!(
        biased;
        Store::begin(&fixture.store, TxMode::Write),
        // It is polled when the writer has begun to wait.
        async { tokio::task::block_in_place(|| other.end()) },
    );
    begun.unwrap().commit().await.unwrap();
}

#[tokio::test]
async fn another_program_that_holds_the_file_too_long_is_an_error_that_names_it_and_passes() {
    let fixture = fixture().await;
    let impatient = SqliteStore::builder(fixture.path())
        .busy_timeout(Duration::from_millis(20))
        .open()
        .await
        .unwrap();
    impatient.prepare(&[schema()]).await.unwrap();
    let other = other(&fixture);

    let error = Store::begin(&impatient, TxMode::Write).await.err().unwrap();
    let own = impatient.begin().await.err().unwrap();
    for error in [error, own] {
        assert_eq!(error.kind(), StoreErrorKind::Busy, "{error}");
        assert!(error.is_retryable());
        let text = error.to_string();
        assert!(
            text.contains(&fixture.path().display().to_string()),
            "{text}"
        );
        assert!(text.contains("the other program"), "{text}");
    }
    // Reading goes on meanwhile.
    drop(Store::begin(&impatient, TxMode::Read).await.unwrap());

    other.end();
    let tx = Store::begin(&impatient, TxMode::Write).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_another_program_holds_can_be_opened_and_is_prepared_when_it_lets_go() {
    let fixture = fixture().await;
    fixture.store.close().await.unwrap();
    let other = other(&fixture);
    let store = SqliteStore::open(fixture.path()).await.unwrap();
    let tables = [schema()];
    let (prepared, ()) = tokio::join!(
        biased;
        store.prepare(&tables),
        async { tokio::task::block_in_place(|| other.end()) },
    );
    prepared.unwrap();
}
