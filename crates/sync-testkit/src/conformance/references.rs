//! Which rows others refer to.

use std::sync::Arc;

use serde_json::json;
use sync_core::store::RowWrite;
use sync_core::{EntityId, Kind, Store};

use super::fixtures::{id, ids, plain, put, put_local, reading, row, wide};

async fn referred_to(
    store: &Arc<dyn Store>,
    kind: &Kind,
    field: &str,
    wanted: &[&str],
) -> Vec<EntityId> {
    let mut tx = reading(store).await;
    let wanted: Vec<EntityId> = wanted.iter().copied().map(id).collect();
    tx.referred_to(kind, field, &wanted).await.unwrap()
}

pub async fn ids_that_a_field_holds_come_in_the_order_asked_for(store: Arc<dyn Store>) {
    let rows = [row("1", "b"), row("2", "a"), row("3", "b"), row("4", "c")];
    put_local(&store, &wide(), rows).await;
    let found = referred_to(&store, &wide(), "title", &["x", "c", "b", "c", "B"]).await;
    assert_eq!(found, ids(["c", "b"]));
    assert_eq!(referred_to(&store, &wide(), "title", &[]).await, []);
    assert_eq!(referred_to(&store, &plain(), "title", &["a"]).await, []);
}

pub async fn rows_of_the_server_and_tombstones_refer_like_others(store: Arc<dyn Store>) {
    let mut deleted = row("1", "a");
    let mark = json!("2026-01-01T00:00:00Z");
    deleted.fields_mut().insert("deleted_at".to_owned(), mark);
    let rows = [
        RowWrite::server(deleted, None, 1),
        RowWrite::server(row("2", "b"), None, 1),
    ];
    put(&store, &wide(), &rows).await;
    let found = referred_to(&store, &wide(), "title", &["a", "b"]).await;
    assert_eq!(found, ids(["a", "b"]));
}

pub async fn a_field_of_integers_holds_ids_too(store: Arc<dyn Store>) {
    let mut record = row("1", "a");
    record.fields_mut().insert("order".to_owned(), json!(17));
    put_local(&store, &wide(), [record]).await;
    let found = referred_to(&store, &wide(), "order", &["17", "1"]).await;
    assert_eq!(found, ids(["17"]));
}

pub async fn a_field_without_a_synced_column_holds_no_id(store: Arc<dyn Store>) {
    let mut record = row("1", "a");
    for field in ["stranger", "mood"] {
        record.fields_mut().insert(field.to_owned(), json!("a"));
    }
    put_local(&store, &wide(), [record]).await;
    for field in ["stranger", "mood", "no such field"] {
        assert_eq!(referred_to(&store, &wide(), field, &["a"]).await, []);
    }
}
