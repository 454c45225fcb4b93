//! Rows that the server deleted and that are still there.

use std::sync::Arc;

use serde_json::json;
use sync_core::store::RowWrite;
use sync_core::{EntityId, Record, Store, Version};

use super::compare::assert_verbatim;
use super::fixtures::{
    append, at, from_server, id, ids, plain, put, put_local, reading, record, second, shadow,
    upsert, version, wide, writing,
};

fn deleted_row(id: &str) -> Record {
    record(json!({"id": id, "title": "T", "deleted_at": "2026-03-01T12:00:00Z"}))
}

fn deleted(id: &str, version: Version) -> RowWrite {
    RowWrite::server(deleted_row(id), Some(version), 1)
}

/// The ids of the rows that were deleted before this.
async fn older_than(store: &Arc<dyn Store>, before: Version) -> Vec<EntityId> {
    let mut tx = reading(store).await;
    let rows = tx
        .tombstone_rows(&wide(), &before, None, 100)
        .await
        .unwrap();
    rows.into_iter().map(|(id, _)| id).collect()
}

pub async fn old_tombstone_rows_are_listed_with_their_versions(store: Arc<dyn Store>) {
    let old = version(1).with_tag(Some("\"gone\"".to_owned()));
    let rows = [
        deleted("old", old.clone()),
        deleted("equal", version(5)),
        deleted("young", version(9)),
        RowWrite::server(deleted_row("unknown"), None, 1),
        from_server("live", 1, 1),
    ];
    put(&store, &wide(), &rows).await;
    let mut tx = reading(&store).await;
    let found = tx.tombstone_rows(&wide(), &version(5), None, 100).await;
    assert_verbatim(&found.unwrap(), &vec![(id("old"), old)]);
}

pub async fn tombstone_rows_are_compared_as_instants(store: Arc<dyn Store>) {
    // As texts these would compare the other way round.
    let stamp = Version::new(at("2026-03-01T23:00:00+12:00"));
    put(&store, &wide(), &[deleted("a", stamp)]).await;
    let exactly = Version::new(at("2026-03-01T11:00:00Z"));
    assert_eq!(older_than(&store, exactly).await, []);
    let later = Version::new(at("2026-03-01T11:00:00.000000001Z"));
    assert_eq!(older_than(&store, later).await, [id("a")]);
}

pub async fn tombstone_rows_with_operations_or_a_shadow_are_left_alone(store: Arc<dyn Store>) {
    let rows = ["op", "shadow", "other"].map(|id| deleted(id, version(1)));
    put(&store, &wide(), &rows).await;
    let ops = [
        upsert("op1", &wide(), "op"),
        upsert("op2", &plain(), "other"),
    ];
    append(&store, &ops).await;
    let mut tx = writing(&store).await;
    tx.put_shadows(&[shadow(&wide(), "shadow")]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(older_than(&store, version(5)).await, [id("other")]);
}

pub async fn a_deletion_of_the_users_is_no_tombstone_row(store: Arc<dyn Store>) {
    put_local(&store, &wide(), [deleted_row("a")]).await;
    assert_eq!(older_than(&store, version(5)).await, []);
}

pub async fn tombstone_rows_come_page_by_page_in_order_of_bytes(store: Arc<dyn Store>) {
    let rows = ["b", "ä", "9", "a", "Z", "10"].map(|id| deleted(id, version(1)));
    put(&store, &wide(), &rows).await;
    let mut tx = reading(&store).await;
    let mut pages: Vec<EntityId> = Vec::new();
    for _ in 0..3 {
        let after = pages.last();
        let page = tx.tombstone_rows(&wide(), &version(5), after, 4).await;
        pages.extend(page.unwrap().into_iter().map(|(id, _)| id));
    }
    assert_eq!(pages, ids(["10", "9", "Z", "a", "b", "ä"]));
    let none = tx.tombstone_rows(&wide(), &version(5), None, 0).await;
    assert_eq!(none.unwrap(), []);
}

pub async fn a_table_without_a_tombstone_field_has_no_tombstone_rows(store: Arc<dyn Store>) {
    put(&store, &plain(), &[deleted("a", version(1))]).await;
    let mut tx = reading(&store).await;
    let before = Version::new(second(9));
    let found = tx.tombstone_rows(&plain(), &before, None, 10).await;
    assert_eq!(found.unwrap(), []);
}
