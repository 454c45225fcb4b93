//! What the server said about rows.

use std::sync::Arc;

use sync_core::store::{Removal, RowWrite};
use sync_core::{Kind, Store, Timestamp, Version};

use super::compare::assert_verbatim;
use super::fixtures::{
    at, from_server, id, ids, plain, put, put_local, reading, row, second, version, wide, writing,
};

/// What is known about `e1`: nothing, no version, or a version.
async fn known(store: &Arc<dyn Store>, kind: &Kind) -> Option<Option<Version>> {
    let mut found = reading(store)
        .await
        .versions(kind, &[id("e1")])
        .await
        .unwrap();
    found.pop().map(|(_, version)| version)
}

async fn put_version(store: &Arc<dyn Store>, version: Option<Version>) {
    put(
        store,
        &wide(),
        &[RowWrite::server(row("e1", "E1"), version, 1)],
    )
    .await;
}

async fn remove(store: &Arc<dyn Store>, tombstone: Option<Version>) {
    let mut tx = writing(store).await;
    let removal = Removal {
        id: id("e1"),
        tombstone,
    };
    tx.remove(&wide(), &[removal]).await.unwrap();
    tx.commit().await.unwrap();
}

async fn forget(store: &Arc<dyn Store>, before: Timestamp) -> u64 {
    let mut tx = writing(store).await;
    let forgotten = tx
        .forget_tombstones(&wide(), &Version::new(before))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    forgotten
}

pub async fn versions_are_kept_to_the_letter(store: Arc<dyn Store>) {
    for stamp in [
        at("2026-03-01T12:00:00Z"),
        at("2026-03-01T12:00:00.1234567890Z"),
        at("2026-03-01 14:00:00.500+02:00"),
        at("2026-03-01T12:00:00"),
        Timestamp::from_number(1_772_366_400).unwrap(),
        Timestamp::from_number(1_772_366_400_123).unwrap(),
    ] {
        for tag in [None, Some("\"v'1\""), Some("\"\"")] {
            let put = Version::new(stamp.clone()).with_tag(tag.map(str::to_owned));
            put_version(&store, Some(put.clone())).await;
            assert_verbatim(&known(&store, &wide()).await, &Some(Some(put)));
        }
    }
}

pub async fn a_row_of_the_users_has_no_version(store: Arc<dyn Store>) {
    put_local(&store, &wide(), [row("e1", "E1")]).await;
    assert_eq!(known(&store, &wide()).await, None);
    let mut tx = writing(&store).await;
    tx.insert(&wide(), &row("e2", "E2")).await.unwrap();
    assert_eq!(tx.versions(&wide(), &[id("e2")]).await.unwrap(), []);
}

pub async fn an_answer_without_a_version_is_remembered(store: Arc<dyn Store>) {
    put_version(&store, None).await;
    assert_eq!(known(&store, &wide()).await, Some(None));
}

pub async fn the_users_write_leaves_the_version(store: Arc<dyn Store>) {
    let tagged = version(1).with_tag(Some("\"v1\"".to_owned()));
    put_version(&store, Some(tagged.clone())).await;
    put_local(&store, &wide(), [row("e1", "edited")]).await;
    assert_verbatim(&known(&store, &wide()).await, &Some(Some(tagged)));
}

pub async fn a_new_version_replaces_stamp_and_tag(store: Arc<dyn Store>) {
    let tagged = |seconds| version(seconds).with_tag(Some("\"v1\"".to_owned()));
    put_version(&store, Some(tagged(1))).await;
    put_version(&store, Some(version(2))).await;
    assert_verbatim(&known(&store, &wide()).await, &Some(Some(version(2))));
    put_version(&store, Some(tagged(3))).await;
    put_version(&store, None).await;
    assert_eq!(known(&store, &wide()).await, Some(None));
    put_version(&store, Some(version(1))).await;
    assert_verbatim(&known(&store, &wide()).await, &Some(Some(version(1))));
}

pub async fn versions_come_in_the_order_asked_for(store: Arc<dyn Store>) {
    let rows = [
        from_server("a", 1, 1),
        from_server("b", 2, 1),
        from_server("c", 3, 1),
    ];
    put(&store, &wide(), &rows).await;
    let asked = ids(["c", "x", "a", "c", "b"]);
    let found = reading(&store)
        .await
        .versions(&wide(), &asked)
        .await
        .unwrap();
    let expected = [(id("c"), 3), (id("a"), 1), (id("b"), 2)];
    assert_eq!(
        found,
        expected.map(|(id, seconds)| (id, Some(version(seconds))))
    );
}

pub async fn versions_of_kinds_are_apart(store: Arc<dyn Store>) {
    put_version(&store, Some(version(1))).await;
    assert_eq!(known(&store, &plain()).await, None);
    put(&store, &plain(), &[from_server("e1", 2, 1)]).await;
    assert_eq!(known(&store, &wide()).await, Some(Some(version(1))));
    assert_eq!(known(&store, &plain()).await, Some(Some(version(2))));
}

pub async fn a_removal_without_tombstone_forgets_the_version(store: Arc<dyn Store>) {
    put_version(&store, Some(version(1))).await;
    remove(&store, None).await;
    assert_eq!(known(&store, &wide()).await, None);
    remove(&store, Some(version(2))).await;
    remove(&store, None).await;
    assert_eq!(
        known(&store, &wide()).await,
        None,
        "a tombstone is forgotten too"
    );
}

pub async fn a_tombstone_keeps_its_version(store: Arc<dyn Store>) {
    let tombstone = version(2).with_tag(Some("\"gone\"".to_owned()));
    put_version(&store, Some(version(1))).await;
    remove(&store, Some(tombstone.clone())).await;
    assert_verbatim(&known(&store, &wide()).await, &Some(Some(tombstone)));
    assert_eq!(
        reading(&store)
            .await
            .get(&wide(), &[id("e1")])
            .await
            .unwrap(),
        []
    );
}

pub async fn a_tombstone_of_no_row_is_remembered(store: Arc<dyn Store>) {
    remove(&store, Some(version(2))).await;
    assert_eq!(known(&store, &wide()).await, Some(Some(version(2))));
}

pub async fn the_users_new_row_leaves_the_tombstones_version(store: Arc<dyn Store>) {
    put_version(&store, Some(version(1))).await;
    remove(&store, Some(version(2))).await;
    let mut tx = writing(&store).await;
    assert!(tx.insert(&wide(), &row("e1", "again")).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(known(&store, &wide()).await, Some(Some(version(2))));
}

pub async fn old_tombstones_are_forgotten(store: Arc<dyn Store>) {
    let tombstone = |text: &str, seconds| Removal {
        id: id(text),
        tombstone: Some(version(seconds)),
    };
    put(&store, &wide(), &[from_server("live", 1, 1)]).await;
    let mut tx = writing(&store).await;
    let removals = [
        tombstone("old", 1),
        tombstone("equal", 5),
        tombstone("young", 9),
    ];
    tx.remove(&wide(), &removals).await.unwrap();
    tx.remove(&plain(), &[tombstone("old", 1)]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(forget(&store, second(5)).await, 1);
    let mut tx = reading(&store).await;
    let left = tx
        .versions(&wide(), &ids(["live", "old", "equal", "young"]))
        .await
        .unwrap();
    let left: Vec<_> = left.into_iter().map(|(id, _)| id).collect();
    assert_eq!(left, ids(["live", "equal", "young"]));
    let other_kind = tx.versions(&plain(), &[id("old")]).await.unwrap();
    assert_eq!(other_kind.len(), 1);
}

pub async fn tombstones_are_compared_as_instants(store: Arc<dyn Store>) {
    // As texts these would compare the other way round.
    remove(&store, Some(Version::new(at("2026-03-01T23:00:00+12:00")))).await;
    assert_eq!(forget(&store, at("2026-03-01T11:00:00Z")).await, 0);
    assert_eq!(
        forget(&store, at("2026-03-01T11:00:00.000000001Z")).await,
        1
    );
    remove(
        &store,
        Some(Version::new(Timestamp::from_number(1_772_366_400).unwrap())),
    )
    .await;
    assert_eq!(forget(&store, at("2026-03-01T12:00:00Z")).await, 0);
    assert_eq!(
        forget(&store, Timestamp::from_number(1_772_366_400_001).unwrap()).await,
        1
    );
}

pub async fn a_row_that_comes_back_is_no_tombstone(store: Arc<dyn Store>) {
    remove(&store, Some(version(1))).await;
    put_version(&store, Some(version(2))).await;
    assert_eq!(forget(&store, second(9)).await, 0);
    let mut tx = reading(&store).await;
    assert_eq!(tx.count_synced(&wide()).await.unwrap(), 1);
    assert_eq!(tx.unseen(&wide(), 2, None, 10).await.unwrap(), [id("e1")]);
}
