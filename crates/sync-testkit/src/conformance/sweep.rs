//! Which rows a full pull did not see.

use std::sync::Arc;

use sync_core::store::{Removal, RowWrite};
use sync_core::{EntityId, OpStatus, Store};

use super::fixtures::{
    append, from_server, id, ids, plain, put, put_local, reading, row, shadow, upsert, version,
    wide, writing,
};

async fn unseen(store: &Arc<dyn Store>, generation: u32) -> Vec<EntityId> {
    reading(store)
        .await
        .unseen(&wide(), generation, None, 100)
        .await
        .unwrap()
}

async fn mark(store: &Arc<dyn Store>, generation: u32, ids: &[EntityId]) {
    let mut tx = writing(store).await;
    tx.mark_seen(&wide(), generation, ids).await.unwrap();
    tx.commit().await.unwrap();
}

pub async fn rows_neither_written_nor_seen_are_unseen(store: Arc<dyn Store>) {
    let rows = ["a", "b", "c", "d"].map(|id| from_server(id, 1, 1));
    put(&store, &wide(), &rows).await;
    mark(&store, 2, &[id("a")]).await;
    put(&store, &wide(), &[from_server("c", 2, 2)]).await;
    assert_eq!(unseen(&store, 2).await, ids(["b", "d"]));
    assert_eq!(unseen(&store, 1).await, []);
    assert_eq!(unseen(&store, 3).await, ids(["a", "b", "c", "d"]));
}

pub async fn rows_of_the_users_are_not_swept(store: Arc<dyn Store>) {
    put_local(&store, &wide(), [row("a", "A")]).await;
    mark(&store, 1, &[id("a")]).await;
    assert_eq!(unseen(&store, 2).await, []);
}

pub async fn a_row_without_a_version_is_swept_too(store: Arc<dyn Store>) {
    put(&store, &wide(), &[RowWrite::server(row("a", "A"), None, 1)]).await;
    assert_eq!(unseen(&store, 2).await, [id("a")]);
}

pub async fn a_local_edit_does_not_hide_a_row_from_the_sweep(store: Arc<dyn Store>) {
    put(&store, &wide(), &[from_server("a", 1, 1)]).await;
    put_local(&store, &wide(), [row("a", "edited")]).await;
    assert_eq!(unseen(&store, 2).await, [id("a")]);
}

pub async fn removed_rows_are_not_swept(store: Arc<dyn Store>) {
    put(
        &store,
        &wide(),
        &[from_server("a", 1, 1), from_server("b", 1, 1)],
    )
    .await;
    let mut tx = writing(&store).await;
    let removals = [("a", None), ("b", Some(version(2)))];
    let removals = removals.map(|(text, tombstone)| Removal {
        id: id(text),
        tombstone,
    });
    tx.remove(&wide(), &removals).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(unseen(&store, 2).await, []);
}

pub async fn rows_with_operations_are_not_swept(store: Arc<dyn Store>) {
    let rows = ["pending", "stuck", "shadow", "other"].map(|id| from_server(id, 1, 1));
    put(&store, &wide(), &rows).await;
    let mut stuck = upsert("op2", &wide(), "stuck");
    stuck.status = OpStatus::Stuck;
    // An operation of another kind does not protect.
    let ops = [
        upsert("op1", &wide(), "pending"),
        stuck,
        upsert("op3", &plain(), "other"),
    ];
    append(&store, &ops).await;
    let mut tx = writing(&store).await;
    tx.put_shadows(&[shadow(&wide(), "shadow")]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(unseen(&store, 2).await, ids(["other", "shadow"]));
}

pub async fn the_sweep_goes_page_by_page_in_order_of_bytes(store: Arc<dyn Store>) {
    let sorted = ["10", "9", "B", "Z", "a", "b", "ä"];
    let rows = ["b", "ä", "9", "a", "Z", "10", "B"].map(|id| from_server(id, 1, 1));
    put(&store, &wide(), &rows).await;
    let mut tx = reading(&store).await;
    let mut pages = Vec::new();
    for _ in 0..4 {
        let page = tx.unseen(&wide(), 2, pages.last(), 3).await.unwrap();
        assert!(page.len() <= 3);
        pages.extend(page);
    }
    assert_eq!(pages, ids(sorted));
    // The place need not exist.
    let rest = tx.unseen(&wide(), 2, Some(&id("aa")), 100).await.unwrap();
    assert_eq!(rest, ids(["b", "ä"]));
    assert_eq!(tx.unseen(&wide(), 2, None, 0).await.unwrap(), []);
}

pub async fn a_mark_of_an_earlier_generation_undoes_nothing(store: Arc<dyn Store>) {
    put(
        &store,
        &wide(),
        &[from_server("a", 1, 1), from_server("b", 1, 1)],
    )
    .await;
    mark(&store, 3, &ids(["a", "b"])).await;
    mark(&store, 2, &[id("a")]).await;
    put(&store, &wide(), &[from_server("b", 2, 2)]).await;
    assert_eq!(unseen(&store, 3).await, []);
}

pub async fn a_mark_of_an_unknown_id_creates_nothing(store: Arc<dyn Store>) {
    mark(&store, 2, &[id("a")]).await;
    let mut tx = reading(&store).await;
    assert_eq!(tx.versions(&wide(), &[id("a")]).await.unwrap(), []);
    assert_eq!(tx.count_synced(&wide()).await.unwrap(), 0);
}

pub async fn generations_of_kinds_are_apart(store: Arc<dyn Store>) {
    put(&store, &wide(), &[from_server("a", 1, 1)]).await;
    put(&store, &plain(), &[from_server("a", 1, 1)]).await;
    mark(&store, 2, &[id("a")]).await;
    let mut tx = reading(&store).await;
    assert_eq!(tx.unseen(&wide(), 2, None, 10).await.unwrap(), []);
    assert_eq!(tx.unseen(&plain(), 2, None, 10).await.unwrap(), [id("a")]);
}

pub async fn synced_rows_are_counted(store: Arc<dyn Store>) {
    let rows = ["a", "b", "c", "d"].map(|id| from_server(id, 1, 1));
    put(&store, &wide(), &rows).await;
    put(&store, &wide(), &[RowWrite::server(row("e", "E"), None, 1)]).await;
    put_local(&store, &wide(), [row("local", "L"), row("a", "edited")]).await;
    put(&store, &plain(), &[from_server("a", 1, 1)]).await;
    let mut tx = writing(&store).await;
    let removals = [
        ("b", None),
        ("c", Some(version(2))),
        ("x", Some(version(2))),
    ];
    let removals = removals.map(|(text, tombstone)| Removal {
        id: id(text),
        tombstone,
    });
    tx.remove(&wide(), &removals).await.unwrap();
    assert_eq!(tx.count_synced(&wide()).await.unwrap(), 3);
    assert_eq!(tx.count_synced(&plain()).await.unwrap(), 1);
}
