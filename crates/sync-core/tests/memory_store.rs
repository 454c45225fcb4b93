//! What `MemoryStore` offers beyond the contract of `Store`, which `sync-testkit` proves.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use futures::StreamExt;
use serde_json::{Value, json};
use sync_core::store::{MemoryStore, RowWrite, Store, StoreErrorKind, TxMode};
use sync_core::{Column, ColumnType, EntityId, Kind, Record, StoreError, TableSchema};

fn kind() -> Kind {
    Kind::new("notes").unwrap()
}

fn record(value: Value) -> Record {
    Record::try_from(value).unwrap()
}

async fn open() -> MemoryStore {
    let store = MemoryStore::new();
    prepare(&store).await;
    store
}

async fn prepare(store: &MemoryStore) {
    let schema = TableSchema::new(kind(), "notes", "id")
        .column(Column::new("id", ColumnType::Text))
        .column(Column::new("title", ColumnType::Text).nullable())
        .column(Column::new("pinned", ColumnType::Boolean).local_only());
    store.prepare(&[schema]).await.unwrap();
}

async fn try_put(store: &MemoryStore, row: RowWrite) -> Result<(), StoreError> {
    let mut tx = store.begin(TxMode::Write).await?;
    tx.put(&kind(), &[row]).await?;
    tx.commit().await
}

async fn put(store: &MemoryStore, row: RowWrite) {
    try_put(store, row).await.unwrap();
}

#[tokio::test]
async fn records_are_kept_to_the_letter() {
    let store = open().await;
    let absent = record(json!({"id": "a", "x-unknown": null}));
    let null = record(json!({"id": "b", "title": null}));
    put(&store, RowWrite::local(absent.clone())).await;
    put(&store, RowWrite::local(null.clone())).await;
    assert_eq!(store.rows(&kind()), [absent, null]);
}

#[tokio::test]
async fn the_server_leaves_local_only_fields_alone() {
    let store = open().await;
    put(
        &store,
        RowWrite::local(record(json!({"id": "a", "pinned": true}))),
    )
    .await;
    let theirs = record(json!({"id": "a", "title": "theirs", "pinned": false}));
    put(&store, RowWrite::server(theirs, None, 1)).await;
    let expected = record(json!({"id": "a", "title": "theirs", "pinned": true}));
    assert_eq!(store.rows(&kind()), [expected]);
}

#[tokio::test]
async fn the_server_brings_no_local_only_fields() {
    let store = open().await;
    let theirs = record(json!({"id": "a", "pinned": "not even a boolean"}));
    put(&store, RowWrite::server(theirs, None, 1)).await;
    assert_eq!(store.rows(&kind()), [record(json!({"id": "a"}))]);
}

#[tokio::test]
async fn the_user_writes_local_only_fields_that_the_record_has() {
    let store = open().await;
    put(
        &store,
        RowWrite::local(record(json!({"id": "a", "pinned": true}))),
    )
    .await;
    put(
        &store,
        RowWrite::local(record(json!({"id": "a", "title": "edited"}))),
    )
    .await;
    let kept = record(json!({"id": "a", "title": "edited", "pinned": true}));
    assert_eq!(store.rows(&kind()), [kept]);
    let unpinned = record(json!({"id": "a", "pinned": false}));
    put(&store, RowWrite::local(unpinned.clone())).await;
    assert_eq!(store.rows(&kind()), [unpinned]);
}

#[tokio::test]
async fn clones_share_one_state() {
    let store = open().await;
    put(&store.clone(), RowWrite::local(record(json!({"id": "a"})))).await;
    assert_eq!(store.rows(&kind()).len(), 1);
}

#[tokio::test]
async fn a_process_restarts_from_what_was_committed() {
    let store = open().await;
    put(&store, RowWrite::local(record(json!({"id": "a"})))).await;
    let mut lost = store.begin(TxMode::Write).await.unwrap();
    lost.put_meta("account", Some("a1")).await.unwrap();

    let restarted = MemoryStore::new();
    restarted.restore(&store.snapshot());
    prepare(&restarted).await;
    assert_eq!(restarted.rows(&kind()), [record(json!({"id": "a"}))]);
    let mut tx = restarted.begin(TxMode::Write).await.unwrap();
    assert_eq!(tx.meta("account").await.unwrap(), None);
}

#[tokio::test]
async fn restoring_puts_back_an_earlier_state() {
    let store = open().await;
    let empty = store.snapshot();
    put(&store, RowWrite::local(record(json!({"id": "a"})))).await;
    assert_ne!(store.snapshot(), empty);
    store.restore(&empty);
    assert_eq!(store.snapshot(), empty);
    assert!(store.rows(&kind()).is_empty());
}

#[tokio::test]
async fn a_transaction_from_before_a_restore_cannot_be_committed() {
    let store = open().await;
    let empty = store.snapshot();
    put(&store, RowWrite::local(record(json!({"id": "a"})))).await;
    let mut tx = store.begin(TxMode::Write).await.unwrap();
    tx.put_meta("account", Some("a1")).await.unwrap();
    store.restore(&empty);
    assert!(tx.commit().await.is_err());
    assert_eq!(store.snapshot(), empty);
}

#[tokio::test]
async fn a_failure_hits_the_call_that_a_test_chose() {
    let store = open().await;
    let empty = store.snapshot();
    let row = RowWrite::local(record(json!({"id": "a"})));
    // Begin, put and commit are three calls.
    for calls in 0..3 {
        store.fail_after(calls, StoreErrorKind::Full);
        let error = try_put(&store, row.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Full);
        assert_eq!(store.snapshot(), empty, "a failed call leaves no trace");
    }
    store.fail_next(StoreErrorKind::Busy);
    assert!(
        store
            .begin(TxMode::Read)
            .await
            .err()
            .unwrap()
            .is_retryable()
    );
    put(&store, row).await;
}

#[tokio::test]
async fn after_a_failed_call_a_transaction_cannot_be_committed() {
    let store = open().await;
    let mut tx = store.begin(TxMode::Write).await.unwrap();
    tx.put_meta("account", Some("a1")).await.unwrap();
    store.fail_next(StoreErrorKind::Full);
    assert!(
        tx.get(&kind(), &[EntityId::new("a").unwrap()])
            .await
            .is_err()
    );
    assert!(tx.commit().await.is_err());
    assert_eq!(store.snapshot(), MemoryStore::new().snapshot());
}

#[tokio::test]
async fn changes_end_with_the_last_handle() {
    let store = open().await;
    let mut changes = store.changes();
    let clone = store.clone();
    drop(store);
    put(&clone, RowWrite::local(record(json!({"id": "a"})))).await;
    drop(clone);
    assert!(changes.next().await.is_some());
    assert!(changes.next().await.is_none());
}
