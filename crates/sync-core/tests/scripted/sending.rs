//! What goes out, when, and what is asked before.

use std::time::Duration;

use serde_json::{Value, json};
use sync_core::transport::PushOutcome;
use sync_core::{
    ChangedFields, Column, ColumnType, Fate, OpStatus, Precondition, ServerState, SyncEvent,
    Version,
};

use crate::asking::unreliable;
use crate::device::{Device, ID, marked, purging, schema, told};
use crate::server::{Asked, accepted, conflict, if_base, live, record, refused, sent, stamp};

fn names(op: &sync_core::transport::PushOp) -> Vec<&str> {
    sent(op).fields().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn what_is_the_devices_own_does_not_travel() {
    let pinned = Column::new("pinned", ColumnType::Boolean).local_only();
    let device = Device::new(schema("updated_at", vec![pinned]), purging()).await;
    device
        .insert(json!({
            "id": ID, "a": 1, "pinned": true, "_rev": 7, "_": 0, "more": [],
            "deletedAtLocal": "2026-03-01T12:00:00Z", "deleted_at_local": null,
        }))
        .await;
    device.server.answers(refused());
    device.push().await;
    assert_eq!(names(&device.server.pushed()), ["a", "id", "more"]);
}

fn pinned() -> Vec<Column> {
    vec![
        Column::new("pinned", ColumnType::Boolean)
            .nullable()
            .local_only(),
    ]
}

#[tokio::test]
async fn a_write_of_the_devices_own_column_leaves_the_servers_stamp() {
    let table = schema("updated_at", pinned());
    let device = Device::with(table, purging(), json!({"id": ID, "a": 1})).await;
    let mut read_before = device.row().unwrap();
    let newer = json!({"id": ID, "a": 2, "updated_at": stamp(2).to_json()});
    device.server.lists(newer);
    device.pull().await;
    let own = ("pinned".to_owned(), json!(true));
    read_before.fields_mut().extend([own]);
    let records = device.engine.records("notes").unwrap();
    let changed = ChangedFields::from_iter(["pinned"]);
    assert!(!records.change(read_before, &changed).await.unwrap());
    let row = device.row().unwrap();
    assert_eq!(row.get("updated_at"), Some(&stamp(2).to_json()));
    assert_eq!(row.get("a"), Some(&json!(2)));
    assert_eq!(row.get("pinned"), Some(&json!(true)));
}

#[tokio::test]
async fn a_change_of_other_fields_leaves_the_devices_own_column() {
    let device = Device::new(schema("updated_at", pinned()), purging()).await;
    device
        .insert(json!({"id": ID, "a": 1, "pinned": true}))
        .await;
    let records = device.engine.records("notes").unwrap();
    // A struct that was read without the device's own column says null.
    let row = record(json!({"id": ID, "a": 2, "pinned": null}));
    let changed = ChangedFields::from_iter(["a"]);
    assert!(records.change(row, &changed).await.unwrap());
    let row = device.row().unwrap();
    assert_eq!(row.get("a"), Some(&json!(2)));
    assert_eq!(row.get("pinned"), Some(&json!(true)));
}

#[tokio::test]
async fn a_created_record_does_not_carry_the_mark_of_a_deletion() {
    let device = Device::new(schema("updated_at", vec![]), purging()).await;
    device
        .insert(json!({"id": ID, "a": 1, "deleted_at": false}))
        .await;
    device.server.answers(refused());
    device.push().await;
    assert_eq!(
        sent(&device.server.pushed()).get("deleted_at"),
        Some(&Value::Null)
    );
}

#[tokio::test]
async fn a_record_that_comes_back_says_so_in_the_words_of_its_table() {
    let own = Column::new("gone", ColumnType::Text)
        .nullable()
        .field("deleted_at");
    for (stamp_column, more, mark) in [
        ("updated_at", vec![], "deleted_at"),
        ("updatedAt", vec![], "deletedAt"),
        ("updatedAt", vec![own], "deleted_at"),
    ] {
        let device = Device::new(schema(stamp_column, more), purging()).await;
        let now = stamp(1).to_json();
        device
            .server
            .lists(json!({"id": ID, stamp_column: now, "deleted_at": now}));
        device.pull().await;
        device.insert(json!({"id": ID, "a": 1})).await;
        device.server.answers(refused());
        device.push().await;
        let push = device.server.pushed();
        assert_eq!(push.precondition, if_base(1));
        assert_eq!(names(&push), ["a", mark, "id"]);
        assert_eq!(sent(&push).get(mark), Some(&Value::Null));
    }
}

#[tokio::test]
async fn a_create_over_a_kept_row_of_a_deleted_record_brings_it_back() {
    let table = sync_core::TableConfig::new().soft_delete(sync_core::SoftDelete::Keep);
    let gone = json!({"id": ID, "a": 1, "deleted_at": "2026-03-01T12:00:00Z"});
    let device = Device::with(marked(), table, gone).await;
    device.insert(json!({"id": ID, "a": 2})).await;
    device.server.answers(refused());
    device.push().await;
    let push = device.server.pushed();
    assert_eq!(push.precondition, if_base(1));
    assert_eq!(sent(&push).get("deleted_at"), Some(&Value::Null));
    assert_eq!(
        device.op().await.changed(),
        None,
        "every field is the user's"
    );
}

#[tokio::test]
async fn a_refused_operation_waits_longer_each_time_and_is_set_aside_at_last() {
    let device = Device::having(json!({"id": ID, "a": 1})).await;
    device.change("a", 2).await;
    let mut events = device.engine.events();
    for attempt in 1..=3 {
        device.server.answers(refused());
        device.push().await;
        device.server.pushed();
        let op = device.op().await;
        assert_eq!(op.try_count, attempt);
        assert_eq!(
            op.next_attempt_at,
            Some(device.now() + i64::from(attempt) * 10_000)
        );
        assert_eq!(op.status == OpStatus::Stuck, attempt == 3);
        assert!(op.last_error.unwrap().contains("422: too long"));
        let will_retry = told(&mut events).into_iter().find_map(|event| match event {
            SyncEvent::OperationFailed { will_retry, .. } => Some(will_retry),
            _ => None,
        });
        assert_eq!(will_retry, Some(attempt < 3));

        device.server.answers(refused());
        device.push().await;
        assert_eq!(device.server.asked(), [], "it has just been refused");
        device.pass(Duration::from_millis(u64::from(attempt) * 10_000 - 1));
        device.push().await;
        assert_eq!(device.server.asked(), [], "it is not due");
        device.pass(Duration::from_millis(1));
        if attempt == 3 {
            device.push_later().await;
            assert_eq!(device.server.asked(), [], "it waits for somebody to act");
        } else {
            // The answer that was held ready above is for the next attempt.
            device.server.forgets();
        }
    }
}

#[tokio::test]
async fn an_operation_in_trouble_waits_as_after_its_first_failure() {
    let device = Device::having(json!({"id": ID, "a": 1})).await;
    device.change("a", 2).await;
    device.server.loses_a_push();
    device.push().await;
    let op = device.op().await;
    assert_eq!((op.fate, op.trouble_count), (Fate::Unknown, 0));
    assert_eq!(op.next_attempt_at, Some(device.now() + 10_000));
}

/// How many pushes a run makes while the record changes at every attempt.
async fn pushes_of_a_run(device: &Device) -> usize {
    for number in 10..20 {
        let theirs = json!({"id": ID, "a": 1, "b": number});
        device.server.answers(conflict(live(theirs, number)));
    }
    device.push_later().await;
    device.server.forgets();
    assert_eq!(device.op().await.status, OpStatus::Deferred);
    let asked = device.server.asked().into_iter();
    asked.filter(|asked| *asked != Asked::Fetch).count()
}

#[tokio::test]
async fn every_judgement_of_a_run_counts_whatever_brought_it() {
    let note = json!({"id": ID, "a": 1, "b": 1});
    // What a pull brought.
    let device = Device::having(note.clone()).await;
    device.change("a", 2).await;
    device
        .server
        .lists(json!({"id": ID, "a": 1, "b": 5, "updated_at": stamp(2).to_json()}));
    device.pull().await;
    assert_eq!(pushes_of_a_run(&device).await, 3);

    // What a fetch shows of an unknown base.
    let device = Device::having(note).await;
    device.change("b", 2).await;
    device.server.answers(PushOutcome::Accepted { state: None });
    device.push().await;
    device.server.asked();
    device.change("a", 2).await;
    device
        .server
        .shows(live(json!({"id": ID, "a": 1, "b": 7}), 3));
    assert_eq!(pushes_of_a_run(&device).await, 3);

    // What a fetch shows before a push by force is repeated.
    let device = unreliable().await;
    device.server.loses_a_push();
    device.push().await;
    device.server.asked();
    device
        .server
        .shows(live(json!({"id": ID, "a": 1, "b": 7}), 3));
    assert_eq!(pushes_of_a_run(&device).await, 3);
}

#[tokio::test]
async fn conflicts_without_a_record_count_like_others() {
    let note = json!({"id": ID, "a": 1, "b": 1});
    let device = Device::having(note).await;
    device.change("a", 2).await;
    let mut events = device.engine.events();
    for number in 2..9 {
        device.server.answers(PushOutcome::Conflict {
            state: None,
            time: None,
        });
        let theirs = json!({"id": ID, "a": 1, "b": number});
        device.server.shows(live(theirs, number));
    }
    device.push().await;
    assert_eq!(
        device.server.asked().len(),
        8,
        "four attempts, each with its fetch"
    );
    let unresolved = told(&mut events).into_iter().find_map(|event| match event {
        SyncEvent::ConflictUnresolved { conflict, .. } => conflict.server.version().cloned(),
        _ => None,
    });
    assert_eq!(
        unresolved,
        Some(Version::new(stamp(5))),
        "the last that it met"
    );
}

#[tokio::test]
async fn a_forced_push_that_never_left_asks_first_in_the_next_run() {
    let device = unreliable().await;
    device.push().await;
    assert_eq!(device.op().await.precondition, Some(Precondition::Force));
    device.server.asked();
    device
        .server
        .shows(live(json!({"id": ID, "a": 1, "b": 7}), 1));
    device.server.answers(refused());
    device.push_later().await;
    let asked = device.server.asked();
    let [Asked::Fetch, Asked::Push(forced)] = &asked[..] else {
        panic!("{asked:?}")
    };
    assert_eq!(forced.precondition, Precondition::Force);
}

#[tokio::test]
async fn a_404_before_a_forced_push_at_a_wrong_address_proves_nothing() {
    let device = Device::new(schema("updated_at", vec![]), purging()).await;
    let known = json!({"id": ID, "a": 1, "updated_at": stamp(1).to_json()});
    device.put(known, Some(Version::new(stamp(1)))).await;
    device.change("a", 2).await;
    device
        .server
        .answers(conflict(live(json!({"id": ID, "a": 1}), 1)));
    device.server.loses_a_push();
    device.push().await;
    device.server.shows(ServerState::gone());
    device.push_later().await;
    let op = device.op().await;
    assert_eq!(
        (op.fate, op.precondition),
        (Fate::Unknown, Some(Precondition::Force))
    );
    assert!(op.last_error.unwrap().contains("check its address"));
}

#[tokio::test]
async fn what_an_edit_is_based_on_does_not_prove_that_it_landed() {
    let note = json!({"id": ID, "a": 1});
    let device = Device::having(note).await;
    device.change("a", 2).await;
    device.change("a", 1).await;
    device.server.loses_a_push();
    device.push().await;
    device.pull().await;
    assert_eq!(device.op().await.fate, Fate::Unknown);
}

#[tokio::test]
async fn an_answer_that_the_table_refuses_is_set_aside_and_released_when_it_comes_right() {
    let title = Column::new("title", ColumnType::Text);
    let note = json!({"id": ID, "a": 1, "title": "mine"});
    let device = Device::with(schema("updated_at", vec![title]), purging(), note).await;
    device.change("a", 2).await;
    let mut events = device.engine.events();
    device
        .server
        .answers(accepted(live(json!({"id": ID, "a": 2}), 2)));
    device.push().await;
    assert!(
        device.ops().await.is_empty(),
        "the server took it all the same"
    );
    let row = device.row().unwrap();
    assert_eq!(
        (row.get("a"), row.get("title")),
        (Some(&json!(2)), Some(&json!("mine")))
    );
    let set_aside = device.set_aside().await;
    assert_eq!(set_aside.len(), 1);
    let is_told = |event| matches!(event, SyncEvent::RowQuarantined { .. });
    assert!(told(&mut events).into_iter().any(is_told));

    // A write of the user's brings nothing of the server's; the next answer does.
    device.change("a", 3).await;
    assert_eq!(device.set_aside().await.len(), 1);
    device.server.shows(live(json!({"id": ID, "a": 2}), 2));
    let right = json!({"id": ID, "a": 3, "title": "mine"});
    device.server.answers(accepted(live(right, 3)));
    device.push_later().await;
    assert!(device.set_aside().await.is_empty());
}

#[tokio::test]
async fn a_base_that_moves_without_news_moves_the_check_and_the_key() {
    let note = json!({"id": ID, "a": 1, "b": 1});
    let device = Device::having(note.clone()).await;
    device.change("a", 2).await;
    device.server.answers(refused());
    device.push().await;
    let first = device.server.pushed();
    let mut touched = note;
    touched["updated_at"] = stamp(2).to_json();
    device.server.lists(touched);
    device.pull().await;
    device.server.answers(refused());
    device.push_later().await;
    let second = device.server.pushed();
    assert_eq!(
        (&first.precondition, &second.precondition),
        (&if_base(1), &if_base(2))
    );
    assert_eq!(second.change, first.change);
    assert_ne!(second.key, first.key);
}

#[tokio::test]
async fn a_create_that_was_refused_has_another_key_once_it_carries_a_tombstone() {
    let device = Device::new(schema("updated_at", vec![]), purging()).await;
    device.server.declares("if-absent");
    device.pull().await;
    device.insert(json!({"id": ID, "a": 1})).await;
    device.server.answers(refused());
    device.push().await;
    let first = device.server.pushed();
    let now = stamp(2).to_json();
    device
        .server
        .lists(json!({"id": ID, "updated_at": now, "deleted_at": now}));
    device.pull().await;
    device.server.answers(refused());
    device.push_later().await;
    let second = device.server.pushed();
    assert_eq!(second.precondition, if_base(2));
    assert_ne!(second.key, first.key);
}
