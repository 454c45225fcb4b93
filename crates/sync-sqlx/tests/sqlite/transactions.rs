//! All or nothing, whatever is dropped when.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use sync_core::store::{RowWrite, Store, StoreTx, TxMode};

use crate::common::{Fixture, fixture, id, op, todo, todos};

/// Polls a future at most so many times, then drops it.
async fn poll_only<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..times {
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

async fn is_empty(fixture: &Fixture) -> bool {
    fixture
        .scalar("SELECT (SELECT count(*) FROM todos) + (SELECT count(*) FROM sync_outbox)")
        .await
        == 0
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing() {
    let fixture = fixture().await;
    let mut tx = fixture.write().await;
    tx.put(&todos(), &[RowWrite::local(todo("a", "x"))])
        .await
        .unwrap();
    tx.append_ops(&[op("1", "a")]).await.unwrap();
    drop(tx);
    assert!(is_empty(&fixture).await);
    fixture.put(&[RowWrite::local(todo("b", "x"))]).await;
}

/// One transaction of the library, and one that is shared with the app.
async fn write_everything(fixture: &Fixture) {
    let mut tx = Store::begin(&fixture.store, TxMode::Durable).await.unwrap();
    let rows: Vec<_> = (0..2_200)
        .map(|n| RowWrite::local(todo(&n.to_string(), "x")))
        .collect();
    tx.put(&todos(), &rows).await.unwrap();
    tx.append_ops(&[op("1", "a")]).await.unwrap();
    tx.commit().await.unwrap();
}

async fn write_shared(fixture: &Fixture) {
    let mut tx = fixture.store.begin().await.unwrap();
    sqlx::query("INSERT INTO todos (id, title) VALUES ('z', 'mine')")
        .execute(tx.connection().unwrap())
        .await
        .unwrap();
    tx.put(&todos(), &[RowWrite::local(todo("a", "x"))])
        .await
        .unwrap();
    tx.append_ops(&[op("1", "a")]).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_future_that_is_dropped_at_any_point_leaves_all_or_nothing() {
    let mut finished = 0;
    for times in 0..12 {
        let fixture = fixture().await;
        let done = poll_only(write_everything(&fixture), times).await.is_some();
        finished += usize::from(done);
        let rows = fixture.scalar("SELECT count(*) FROM todos").await;
        assert_eq!(rows, if done { 2_200 } else { 0 }, "after {times} polls");
        // The next transaction finds everything in order.
        write_everything_again(&fixture).await;
    }
    assert!(finished > 0);
}

async fn write_everything_again(fixture: &Fixture) {
    let mut tx = fixture.write().await;
    tx.put(&todos(), &[RowWrite::local(todo("next", "x"))])
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_shared_transaction_that_is_dropped_at_any_point_leaves_all_or_nothing() {
    for times in 0..60 {
        let fixture = fixture().await;
        let done = poll_only(write_shared(&fixture), times).await.is_some();
        // A writing transaction waits until the abandoned one is rolled back.
        let mut tx = fixture.write().await;
        let rows = tx.get(&todos(), &[id("a"), id("z")]).await.unwrap().len();
        let ops = tx
            .ops(&sync_core::store::OpQuery::default())
            .await
            .unwrap()
            .len();
        assert!(
            (rows, ops) == (2, 1) || (!done && (rows, ops) == (0, 0)),
            "after {times} polls: {rows} {ops}"
        );
    }
}

#[tokio::test]
async fn a_large_put_that_is_dropped_half_way_cannot_be_committed() {
    let fixture = fixture().await;
    let mut tx = fixture.write().await;
    let rows: Vec<_> = (0..2_500)
        .map(|n| RowWrite::local(todo(&n.to_string(), "x")))
        .collect();
    assert!(poll_only(tx.put(&todos(), &rows), 1).await.is_none());
    assert!(tx.get(&todos(), &[id("1")]).await.is_err());
    assert!(tx.commit().await.is_err());
    assert!(is_empty(&fixture).await);
}

#[tokio::test]
async fn after_an_error_nothing_can_be_committed() {
    let fixture = fixture().await;
    let mut tx = fixture.write().await;
    tx.append_ops(&[op("1", "a")]).await.unwrap();
    tx.append_ops(&[op("1", "a")]).await.unwrap_err();
    let error = tx.commit().await.unwrap_err();
    assert!(error.to_string().contains("rolled back"), "{error}");
    assert!(is_empty(&fixture).await);
}

#[tokio::test]
async fn futures_may_move_between_threads() {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }
    let fixture = fixture().await;
    assert_send(write_everything(&fixture)).await;
    let joined = fixture.store.clone();
    tokio::spawn(assert_send(async move {
        Store::begin(&joined, TxMode::Read).await.map(drop)
    }))
    .await
    .unwrap()
    .unwrap();
}
