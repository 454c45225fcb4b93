//! Listeners hear of what was committed, when it was.

use std::collections::BTreeSet;

use futures::{FutureExt, StreamExt};
use sync_core::Kind;
use sync_core::store::{ChangeNotice, ChangeStream, RowWrite, Store, StoreTx};

use crate::common::{fixture, op, todo, todos};

fn heard(changes: &mut ChangeStream) -> Option<(BTreeSet<Kind>, BTreeSet<Kind>)> {
    match changes.next().now_or_never()? {
        Some(ChangeNotice::Changed { rows, outbox }) => Some((rows, outbox)),
        other => panic!("{other:?}"),
    }
}

fn kinds(of: &[Kind]) -> BTreeSet<Kind> {
    of.iter().cloned().collect()
}

#[tokio::test]
async fn a_commit_tells_which_kinds_changed_and_only_then() {
    let fixture = fixture().await;
    let mut changes = fixture.store.changes();
    let mut tx = fixture.write().await;
    tx.put(&todos(), &[RowWrite::local(todo("a", "x"))])
        .await
        .unwrap();
    assert_eq!(heard(&mut changes), None);
    tx.commit().await.unwrap();
    assert_eq!(heard(&mut changes), Some((kinds(&[todos()]), kinds(&[]))));

    let mut tx = fixture.write().await;
    tx.append_ops(&[op("1", "a")]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(heard(&mut changes), Some((kinds(&[]), kinds(&[todos()]))));

    let mut tx = fixture.write().await;
    tx.delete_ops(&[op("1", "a").op_id]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(heard(&mut changes), Some((kinds(&[]), kinds(&[todos()]))));
}

#[tokio::test]
async fn what_was_rolled_back_or_changed_nothing_is_not_told() {
    let fixture = fixture().await;
    let mut changes = fixture.store.changes();
    let mut tx = fixture.write().await;
    tx.put(&todos(), &[RowWrite::local(todo("a", "x"))])
        .await
        .unwrap();
    drop(tx);
    let mut tx = fixture.write().await;
    tx.put_meta("x", Some("y")).await.unwrap();
    tx.commit().await.unwrap();
    fixture.read().await.commit().await.unwrap();
    assert_eq!(heard(&mut changes), None);
}

#[tokio::test]
async fn statements_of_the_app_count_as_a_change_of_everything() {
    let fixture = fixture().await;
    let mut changes = fixture.store.changes();
    let mut tx = fixture.store.begin().await.unwrap();
    sqlx::query("DELETE FROM todos")
        .execute(tx.connection().unwrap())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        heard(&mut changes),
        Some((kinds(&[todos()]), kinds(&[todos()])))
    );
}

#[tokio::test]
async fn commits_of_other_connections_are_found_and_told_once() {
    let fixture = fixture().await;
    fixture.store.check_other_writers().await.unwrap();
    let mut changes = fixture.store.changes();
    fixture.put(&[RowWrite::local(todo("a", "x"))]).await;
    assert!(heard(&mut changes).is_some());
    assert!(
        !fixture.store.check_other_writers().await.unwrap(),
        "its own commits are no news"
    );

    fixture.sql("DELETE FROM todos").await;
    assert_eq!(heard(&mut changes), None);
    assert!(fixture.store.check_other_writers().await.unwrap());
    assert_eq!(
        heard(&mut changes),
        Some((kinds(&[todos()]), kinds(&[todos()])))
    );
    assert!(!fixture.store.check_other_writers().await.unwrap());
}

#[tokio::test]
async fn a_joined_commit_is_told_by_notify() {
    let fixture = fixture().await;
    let mut changes = fixture.store.changes();
    let mut mine = fixture
        .store
        .pool()
        .begin_with("BEGIN IMMEDIATE")
        .await
        .unwrap();
    let mut joined = fixture.store.join(&mut mine).await.unwrap();
    joined
        .put(&todos(), &[RowWrite::local(todo("a", "x"))])
        .await
        .unwrap();
    joined.commit().await.unwrap();
    mine.commit().await.unwrap();
    assert_eq!(heard(&mut changes), None);
    fixture.store.notify();
    assert!(heard(&mut changes).is_some());
}
