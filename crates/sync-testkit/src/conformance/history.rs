//! Resolved conflicts, and how many rows are quarantined.

use std::sync::Arc;

use serde_json::json;
use sync_core::store::{Decided, QuarantineCause, QuarantineEntry, ResolvedConflict};
use sync_core::{ConflictStrategy, ServerState, Store, StoreTx, Version};

use super::compare::assert_verbatim;
use super::fixtures::{
    at, id, op_id, plain, reading, record, second, unregistered, version, wide, writing,
};

pub(super) fn resolved(op: &str) -> ResolvedConflict {
    ResolvedConflict {
        op_id: op_id(op),
        kind: wide(),
        entity_id: id("e1"),
        strategy: ConflictStrategy::ServerWins,
        decided: Decided::Server,
        local: None,
        server: ServerState::gone(),
        base: ServerState::Absent,
        changed_fields: None,
        contested_fields: Vec::new(),
        result: None,
        in_force: false,
        version: None,
        resolved_at: second(1),
        schema_version: 1,
    }
}

async fn names(tx: &mut dyn StoreTx, limit: u32) -> Vec<String> {
    let found = tx.conflict_history(None, limit).await.unwrap();
    let names = found.iter().map(|entry| entry.op_id.to_string());
    names.collect()
}

pub async fn a_resolved_conflict_is_kept(store: Arc<dyn Store>) {
    let stamp = Version::new(at("2026-03-01T14:00:00.5+02:00"));
    let full = ResolvedConflict {
        strategy: ConflictStrategy::LastWriteWins,
        decided: Decided::Merged,
        local: Some(record(json!({"id": "e1", "big": u64::MAX, "null": null}))),
        server: ServerState::Live {
            record: record(json!({"id": "e1", "one": 1.0})),
            version: Some(stamp.clone().with_tag(Some("\"v1\"".to_owned()))),
        },
        base: ServerState::Deleted {
            record: Some(record(json!({"id": "e1", "deleted_at": 1}))),
            version: Some(version(3)),
        },
        changed_fields: Some(["big", "o'brien"].into_iter().collect()),
        contested_fields: vec!["👍".to_owned(), "a".to_owned()],
        result: Some(record(json!({"id": "e1"}))),
        in_force: true,
        version: Some(stamp),
        schema_version: 7,
        ..resolved("op1")
    };
    for entry in [full.clone(), resolved("op1"), full] {
        let mut tx = writing(&store).await;
        tx.put_conflict_history(std::slice::from_ref(&entry), 9)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let found = reading(&store).await.conflict_history(None, 9).await;
        assert_verbatim(&found.unwrap(), &vec![entry]);
    }
}

pub async fn resolved_conflicts_come_newest_first(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    // The order is that of storing, whatever a clock said.
    let mut early = resolved("b");
    early.resolved_at = second(0);
    let entries = [resolved("c"), early, resolved("a")];
    tx.put_conflict_history(&entries, 9).await.unwrap();
    assert_eq!(names(&mut *tx, 9).await, ["a", "b", "c"]);
    assert_eq!(names(&mut *tx, 2).await, ["a", "b"]);
    assert_eq!(names(&mut *tx, 0).await, [""; 0]);
    let of_one = tx.conflict_history(Some(&op_id("b")), 9).await.unwrap();
    assert_eq!(of_one.len(), 1);
    assert_eq!(of_one[0].op_id, op_id("b"));
    assert_eq!(tx.conflict_history(Some(&op_id("x")), 9).await.unwrap(), []);
}

pub async fn one_that_is_resolved_again_takes_the_newest_place(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    let entries = [resolved("a"), resolved("b"), resolved("c")];
    tx.put_conflict_history(&entries, 9).await.unwrap();
    let mut again = resolved("a");
    again.in_force = true;
    tx.put_conflict_history(&[again.clone()], 9).await.unwrap();
    assert_eq!(names(&mut *tx, 9).await, ["a", "c", "b"]);
    let of_one = tx.conflict_history(Some(&op_id("a")), 9).await.unwrap();
    assert_verbatim(&of_one, &vec![again]);
}

pub async fn only_the_newest_resolved_conflicts_stay(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    let entries = ["a", "b", "c", "d"].map(resolved);
    tx.put_conflict_history(&entries, 3).await.unwrap();
    assert_eq!(names(&mut *tx, 9).await, ["d", "c", "b"]);
    tx.put_conflict_history(&[], 1).await.unwrap();
    assert_eq!(names(&mut *tx, 9).await, ["d", "c", "b"]);
    tx.put_conflict_history(&[resolved("b")], 2).await.unwrap();
    assert_eq!(names(&mut *tx, 9).await, ["b", "d"]);
    tx.put_conflict_history(&[resolved("e")], 0).await.unwrap();
    assert_eq!(names(&mut *tx, 9).await, [""; 0]);
}

pub async fn resolved_conflicts_are_forgotten_by_kind(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    let mut others = [resolved("b"), resolved("c")];
    others[0].kind = plain();
    others[1].kind = unregistered();
    tx.put_conflict_history(&[resolved("a")], 9).await.unwrap();
    tx.put_conflict_history(&others, 9).await.unwrap();
    tx.delete_conflict_history(&wide()).await.unwrap();
    assert_eq!(names(&mut *tx, 9).await, ["c", "b"]);
    tx.delete_conflict_history(&unregistered()).await.unwrap();
    assert_eq!(names(&mut *tx, 9).await, ["b"]);
}

pub async fn quarantined_rows_are_counted_by_kind(store: Arc<dyn Store>) {
    let entry = |key: &str| QuarantineEntry {
        kind: wide(),
        key: key.to_owned(),
        row: json!({"id": key}),
        tag: None,
        reason: "no title".to_owned(),
        since: second(0),
        cause: QuarantineCause::BadRow,
        schema_version: 1,
    };
    let mut tx = writing(&store).await;
    let rows = [entry("a"), entry("b"), entry("a")];
    tx.put_quarantine(&rows).await.unwrap();
    assert_eq!(tx.count_quarantined(&wide()).await.unwrap(), 2);
    assert_eq!(tx.count_quarantined(&plain()).await.unwrap(), 0);
    let key = ["a".to_owned()];
    tx.delete_quarantine(&wide(), &key).await.unwrap();
    assert_eq!(tx.count_quarantined(&wide()).await.unwrap(), 1);
}
