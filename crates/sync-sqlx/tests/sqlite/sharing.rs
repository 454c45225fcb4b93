//! One transaction for the app's statements and the library's.

use sqlx::Connection;
use sync_core::store::{OpQuery, RowWrite, Store, StoreTx, TxMode};

use crate::common::{Fixture, fixture, id, op, todo, todos};

async fn with_settings() -> Fixture {
    let fixture = fixture().await;
    fixture
        .sql("CREATE TABLE settings (name TEXT PRIMARY KEY)")
        .await;
    fixture
}

async fn counts(fixture: &Fixture) -> (i64, i64, i64) {
    (
        fixture.scalar("SELECT count(*) FROM settings").await,
        fixture.scalar("SELECT count(*) FROM todos").await,
        fixture.scalar("SELECT count(*) FROM sync_outbox").await,
    )
}

#[tokio::test]
async fn the_apps_statements_and_the_librarys_commit_together() {
    let fixture = with_settings().await;
    let mut tx = fixture.store.begin().await.unwrap();
    sqlx::query("INSERT INTO settings VALUES ('a')")
        .execute(tx.connection().unwrap())
        .await
        .unwrap();
    tx.put(&todos(), &[RowWrite::local(todo("a", "x"))])
        .await
        .unwrap();
    let title: String = sqlx::query_scalar("SELECT title FROM todos")
        .fetch_one(tx.connection().unwrap())
        .await
        .unwrap();
    assert_eq!(title, "x");
    tx.append_ops(&[op("1", "a")]).await.unwrap();
    assert_eq!(counts(&fixture).await, (0, 0, 0));
    tx.commit().await.unwrap();
    assert_eq!(counts(&fixture).await, (1, 1, 1));
}

#[tokio::test]
async fn they_roll_back_together() {
    let fixture = with_settings().await;
    let mut tx = fixture.store.begin().await.unwrap();
    sqlx::query("INSERT INTO settings VALUES ('a')")
        .execute(tx.connection().unwrap())
        .await
        .unwrap();
    tx.put(&todos(), &[RowWrite::local(todo("a", "x"))])
        .await
        .unwrap();
    drop(tx);
    fixture.put(&[RowWrite::local(todo("b", "x"))]).await;
    assert_eq!(counts(&fixture).await, (0, 1, 0));
}

#[tokio::test]
async fn a_nested_transaction_of_the_app_works_within() {
    let fixture = with_settings().await;
    let mut tx = fixture.store.begin().await.unwrap();
    let mut nested = tx.connection().unwrap().begin().await.unwrap();
    sqlx::query("INSERT INTO settings VALUES ('a')")
        .execute(&mut *nested)
        .await
        .unwrap();
    nested.rollback().await.unwrap();
    tx.put(&todos(), &[RowWrite::local(todo("a", "x"))])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(counts(&fixture).await, (0, 1, 0));
}

#[tokio::test]
async fn a_transaction_of_the_library_lends_no_connection() {
    let fixture = with_settings().await;
    let mut mine = fixture.store.pool().begin().await.unwrap();
    let mut joined = fixture.store.join(&mut mine).await.unwrap();
    assert!(joined.connection().is_err());
}

#[tokio::test]
async fn a_joined_transaction_commits_with_the_apps() {
    let fixture = with_settings().await;
    let mut mine = fixture
        .store
        .pool()
        .begin_with("BEGIN IMMEDIATE")
        .await
        .unwrap();
    sqlx::query("INSERT INTO settings VALUES ('a')")
        .execute(&mut *mine)
        .await
        .unwrap();
    let mut joined = fixture.store.join(&mut mine).await.unwrap();
    joined
        .put(&todos(), &[RowWrite::local(todo("a", "x"))])
        .await
        .unwrap();
    joined.append_ops(&[op("1", "a")]).await.unwrap();
    joined.commit().await.unwrap();
    assert_eq!(counts(&fixture).await, (0, 0, 0));
    sqlx::query("INSERT INTO settings VALUES ('b')")
        .execute(&mut *mine)
        .await
        .unwrap();
    mine.commit().await.unwrap();
    assert_eq!(counts(&fixture).await, (2, 1, 1));
}

#[tokio::test]
async fn a_joined_transaction_rolls_back_with_the_apps() {
    let fixture = with_settings().await;
    let mut mine = fixture
        .store
        .pool()
        .begin_with("BEGIN IMMEDIATE")
        .await
        .unwrap();
    let mut joined = fixture.store.join(&mut mine).await.unwrap();
    let mut bad = todo("b", "x");
    bad.fields_mut()
        .insert("priority".into(), serde_json::json!(99));
    let rows = [RowWrite::local(todo("a", "x")), RowWrite::local(bad)];
    assert_eq!(joined.put(&todos(), &rows).await.unwrap().rejected.len(), 1);
    assert_eq!(joined.get(&todos(), &[id("a")]).await.unwrap().len(), 1);
    drop(joined);
    mine.rollback().await.unwrap();
    assert_eq!(counts(&fixture).await, (0, 0, 0));
}

#[tokio::test]
async fn the_pool_can_be_closed_after_joins() {
    let fixture = with_settings().await;
    for _ in 0..20 {
        let mut mine = fixture
            .store
            .pool()
            .begin_with("BEGIN IMMEDIATE")
            .await
            .unwrap();
        let mut joined = fixture.store.join(&mut mine).await.unwrap();
        joined.ops(&OpQuery::default()).await.unwrap();
        drop(joined);
        mine.commit().await.unwrap();
    }
    drop(Store::begin(&fixture.store, TxMode::Read).await.unwrap());
    fixture.store.close().await.unwrap();
}
