//! Deletions, and what brings records back.

use std::time::Duration;

use serde_json::{Value, json};
use sync_core::transport::{PullPage, PushChange, PushOutcome};
use sync_core::{
    Column, ColumnType, ConflictStrategy, OpStatus, Precondition, ServerState, SoftDelete,
    SyncEvent, TableConfig, TransportErrorKind,
};

use crate::device::{Device, ID, kind, marked, purging, schema, told};
use crate::server::{Asked, accepted, conflict, deleted, if_base, live, stamp};

#[tokio::test]
async fn a_purged_table_keeps_no_row_of_a_deletion_though_it_has_a_field_for_it() {
    let note = json!({"id": ID, "a": 1});
    let device = Device::with(marked(), purging(), note.clone()).await;
    device.delete().await;
    assert_eq!(device.row(), None);

    let keeping = TableConfig::new().soft_delete(SoftDelete::Keep);
    let device = Device::with(marked(), keeping, note).await;
    device.delete().await;
    assert!(device.row().unwrap().is_deleted());
}

#[tokio::test]
async fn a_record_that_is_gone_without_a_tombstone_is_marked_with_the_devices_time() {
    let table = TableConfig::new()
        .soft_delete(SoftDelete::Keep)
        .strategy(ConflictStrategy::ServerWins);
    let device = Device::with(marked(), table, json!({"id": ID, "a": 1})).await;
    device.change("a", 2).await;
    device.server.answers(PushOutcome::Gone { state: None });
    device.push().await;
    assert!(device.ops().await.is_empty());
    let row = device.row().unwrap();
    let mark = row.get("deleted_at").and_then(Value::as_str).unwrap();
    assert!(mark.starts_with("2027-01-15"), "{mark}");
}

#[tokio::test]
async fn a_tombstone_of_the_server_marks_the_row_as_the_server_says() {
    let table = TableConfig::new()
        .soft_delete(SoftDelete::Keep)
        .strategy(ConflictStrategy::ServerWins);
    let device = Device::with(marked(), table, json!({"id": ID, "a": 1})).await;
    device.change("a", 2).await;
    let tombstone = live(json!({"id": ID, "deleted_at": "2026-03-01T11:00:00Z"}), 2);
    assert!(tombstone.is_deleted());
    device.server.answers(conflict(tombstone));
    device.push().await;
    let row = device.row().unwrap();
    assert_eq!(row.get("deleted_at"), Some(&json!("2026-03-01T11:00:00Z")));
}

#[tokio::test]
async fn a_revival_that_is_refused_with_the_tombstone_is_tried_as_a_create_and_then_set_aside() {
    let device = Device::new(schema("updated_at", vec![]), purging()).await;
    device.server.declares("if-absent");
    let now = stamp(1).to_json();
    device
        .server
        .lists(json!({"id": ID, "updated_at": now, "deleted_at": now}));
    device.pull().await;
    device.insert(json!({"id": ID, "a": 1})).await;
    let mut keys = Vec::new();
    for (attempt, expected) in [if_base(1), Precondition::IfAbsent, if_base(1)]
        .into_iter()
        .enumerate()
    {
        device.server.answers(conflict(deleted(1)));
        device.push_later().await;
        let push = device.server.pushed();
        assert_eq!(push.precondition, expected);
        assert!(!keys.contains(&push.key), "another request has another key");
        keys.push(push.key);
        let op = device.op().await;
        assert_eq!(op.try_count as usize, attempt + 1);
        assert!(op.last_error.unwrap().contains("does not revive"));
    }
    assert_eq!(device.op().await.status, OpStatus::Stuck);
}

#[tokio::test]
async fn a_create_that_meets_a_deletion_it_never_knew_carries_its_version() {
    let device = Device::new(schema("updated_at", vec![]), purging()).await;
    device.server.declares("if-absent");
    device.pull().await;
    device.insert(json!({"id": ID, "a": 1})).await;
    device.server.answers(conflict(deleted(4)));
    device
        .server
        .answers(accepted(live(json!({"id": ID, "a": 1}), 5)));
    device.push().await;
    let asked = device.server.asked();
    let [Asked::Push(first), Asked::Push(second)] = &asked[..] else {
        panic!("{asked:?}")
    };
    assert_eq!(
        (&first.precondition, &second.precondition),
        (&Precondition::IfAbsent, &if_base(4))
    );
    assert!(device.ops().await.is_empty());
}

#[tokio::test]
async fn what_a_server_adds_to_a_fresh_record_does_not_save_it_from_its_deletion() {
    let device = Device::new(schema("updated_at", vec![]), purging()).await;
    device.server.declares("if-absent");
    device.pull().await;
    device.insert(json!({"id": ID, "a": 1})).await;
    device.server.loses_a_push();
    device.push().await;
    device.delete().await;
    device.server.asked();
    device
        .server
        .answers(accepted(live(json!({"id": ID, "a": 1, "b": "added"}), 1)));
    device.server.answers(accepted(deleted(2)));
    device.push_later().await;
    let asked = device.server.asked();
    let [Asked::Push(_), Asked::Push(deletion)] = &asked[..] else {
        panic!("{asked:?}")
    };
    assert_eq!(
        (&deletion.change, &deletion.precondition),
        (&PushChange::Delete, &if_base(1))
    );
    assert!(device.ops().await.is_empty());
    assert_eq!(device.row(), None);
}

#[tokio::test]
async fn what_somebody_added_to_a_record_saves_it_from_a_waiting_deletion() {
    let device = Device::having(json!({"id": ID, "a": 1})).await;
    device.change("a", 2).await;
    device.server.loses_a_push();
    device.push().await;
    device.delete().await;
    device.server.asked();
    device
        .server
        .answers(accepted(live(json!({"id": ID, "a": 2, "b": "added"}), 2)));
    device.push_later().await;
    assert!(device.ops().await.is_empty());
    assert_eq!(device.row().unwrap().get("b"), Some(&json!("added")));
}

#[tokio::test]
async fn a_record_that_cannot_take_the_place_of_a_deleted_row_is_told_to_be_in_quarantine() {
    let number = Column::new("n", ColumnType::Integer).nullable();
    let device = Device::new(schema("updated_at", vec![number]), purging()).await;
    device.insert(json!({"id": ID, "n": 1})).await;
    let theirs = json!({"id": ID, "n": "one", "updated_at": stamp(2).to_json()});
    device.server.lists(theirs);
    device.pull().await;
    let mut events = device.engine.events();
    device.delete().await;
    assert_eq!(device.row(), None);
    assert_eq!(device.set_aside().await.len(), 1);
    let told = told(&mut events).into_iter();
    let set_aside = told.filter(|event| matches!(event, SyncEvent::RowQuarantined { .. }));
    assert_eq!(set_aside.count(), 1);
}

#[tokio::test]
async fn a_record_that_takes_the_place_of_a_deleted_row_during_a_resync_is_not_swept() {
    let device = Device::having(json!({"id": "other", "a": 1})).await;
    device.insert(json!({"id": ID, "a": 1})).await;
    let theirs = json!({"id": ID, "a": 2, "updated_at": stamp(2).to_json()});
    let mut page = PullPage::new(vec![theirs]);
    page.next_page_token = Some("more".to_owned());
    device.server.pages(page);
    device.server.fails_to_page(TransportErrorKind::Offline);
    device.pass(Duration::from_secs(8 * 86_400));
    device.pull().await;
    device.delete().await;
    assert_eq!(device.row().unwrap().get("a"), Some(&json!(2)));
    device.server.lists_all(vec![]);
    device.server.shows(ServerState::gone());
    device.server.shows(ServerState::gone());
    device.pull().await;
    assert_eq!(device.store.rows(&kind()).len(), 1, "the resync has ended");
    assert!(device.row().is_some());
    assert_eq!(device.server.asked(), [Asked::Fetch]);
}
