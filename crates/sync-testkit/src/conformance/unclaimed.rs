//! Rows that neither the server nor the outbox knows.

use std::sync::Arc;

use sync_core::store::{Removal, RowWrite};
use sync_core::{EntityId, Kind, Store};

use super::fixtures::{
    append, from_server, id, ids, plain, put, put_local, reading, row, upsert, version, wide,
    writing,
};

async fn unclaimed(store: &Arc<dyn Store>, kind: &Kind) -> Vec<EntityId> {
    let mut tx = reading(store).await;
    tx.unclaimed(kind, None, 100).await.unwrap()
}

pub async fn rows_of_the_users_are_unclaimed(store: Arc<dyn Store>) {
    assert_eq!(unclaimed(&store, &wide()).await, []);
    put_local(&store, &wide(), [row("b", "B"), row("a", "A")]).await;
    assert_eq!(unclaimed(&store, &wide()).await, ids(["a", "b"]));
    assert_eq!(unclaimed(&store, &plain()).await, []);
}

pub async fn a_version_claims_a_row(store: Arc<dyn Store>) {
    let rows = [
        from_server("versioned", 1, 1),
        RowWrite::server(row("unknown", "U"), None, 1),
    ];
    put(&store, &wide(), &rows).await;
    let mut tx = writing(&store).await;
    let removal = Removal {
        id: id("again"),
        tombstone: Some(version(2)),
    };
    tx.remove(&wide(), &[removal]).await.unwrap();
    tx.insert(&wide(), &row("again", "A")).await.unwrap();
    tx.commit().await.unwrap();
    put(&store, &plain(), &[from_server("other", 1, 1)]).await;
    put_local(&store, &wide(), [row("other", "O")]).await;
    assert_eq!(unclaimed(&store, &wide()).await, [id("other")]);
}

pub async fn an_operation_claims_a_row(store: Arc<dyn Store>) {
    put_local(&store, &wide(), [row("queued", "Q"), row("other", "O")]).await;
    let ops = [
        upsert("op1", &wide(), "queued"),
        upsert("op2", &plain(), "other"),
    ];
    append(&store, &ops).await;
    assert_eq!(unclaimed(&store, &wide()).await, [id("other")]);
}

pub async fn unclaimed_rows_come_page_by_page_in_order_of_bytes(store: Arc<dyn Store>) {
    let rows = ["b", "ä", "9", "a", "Z", "10"].map(|id| row(id, "T"));
    put_local(&store, &wide(), rows).await;
    let mut tx = reading(&store).await;
    let mut pages: Vec<EntityId> = Vec::new();
    for _ in 0..3 {
        let page = tx.unclaimed(&wide(), pages.last(), 4).await.unwrap();
        pages.extend(page);
    }
    assert_eq!(pages, ids(["10", "9", "Z", "a", "b", "ä"]));
    assert_eq!(tx.unclaimed(&wide(), None, 0).await.unwrap(), []);
}
