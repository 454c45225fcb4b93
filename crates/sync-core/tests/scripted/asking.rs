//! What is asked before something goes out.

use serde_json::json;
use sync_core::transport::PushOutcome;
use sync_core::{
    Fate, OpStatus, PhaseEnd, Precondition, ServerState, SyncEvent, TransportErrorKind, Version,
};

use crate::device::{Device, ID, purging, schema, told};
use crate::server::{Asked, accepted, conflict, if_base, live, record, refused, sent, stamp};

#[tokio::test]
async fn a_create_under_a_name_of_ones_own_asks_first_where_nobody_checks() {
    for (id, features, asks) in [
        ("mine", "", true),
        (ID, "", false),
        ("mine", "if-absent", false),
    ] {
        let device = Device::new(schema("updated_at", vec![]), purging()).await;
        device.server.declares(features);
        device.pull().await;
        device.insert(json!({"id": id, "a": 1})).await;
        device.server.shows(ServerState::gone());
        device
            .server
            .answers(accepted(live(json!({"id": id, "a": 1}), 1)));
        device.push().await;
        let asked = device.server.asked();
        assert_eq!(
            asked.first() == Some(&Asked::Fetch),
            asks,
            "{id} {features:?}"
        );
        let Some(Asked::Push(push)) = asked.last() else {
            panic!("{asked:?}")
        };
        assert_eq!(push.precondition, Precondition::IfAbsent);
        assert!(device.ops().await.is_empty());
    }
}

#[tokio::test]
async fn a_record_found_under_a_name_of_ones_own_is_merged_with_not_covered() {
    let device = Device::new(schema("updated_at", vec![]), purging()).await;
    device.pull().await;
    device.insert(json!({"id": "mine", "a": 1})).await;
    device.server.shows(live(json!({"id": "mine", "b": 2}), 3));
    device.server.answers(refused());
    device.push().await;
    let asked = device.server.asked();
    let [Asked::Fetch, Asked::Push(push)] = &asked[..] else {
        panic!("{asked:?}")
    };
    assert_eq!(push.precondition, if_base(3));
    assert_eq!(
        (sent(push).get("a"), sent(push).get("b")),
        (Some(&json!(1)), Some(&json!(2)))
    );
}

/// A device whose edit met its own version: the server cannot check it.
pub(crate) async fn unreliable() -> Device {
    let note = json!({"id": ID, "a": 1, "b": 1});
    let device = Device::having(note).await;
    device.change("a", 2).await;
    device
        .server
        .answers(conflict(live(json!({"id": ID, "a": 1, "b": 7}), 1)));
    device
}

#[tokio::test]
async fn a_version_that_cannot_be_checked_is_forced_once_with_what_was_just_seen() {
    let device = unreliable().await;
    device
        .server
        .answers(conflict(live(json!({"id": ID, "a": 1, "b": 7}), 1)));
    device.push().await;
    let asked = device.server.asked();
    let [Asked::Push(first), Asked::Push(forced)] = &asked[..] else {
        panic!("{asked:?}")
    };
    assert_eq!(
        (&first.precondition, &forced.precondition),
        (&if_base(1), &Precondition::Force)
    );
    assert_eq!(
        (sent(forced).get("a"), sent(forced).get("b")),
        (Some(&json!(2)), Some(&json!(7)))
    );
    let op = device.op().await;
    assert_eq!(
        op.try_count, 1,
        "met again, that is no conflict but a refusal"
    );
    assert!(
        op.last_error
            .unwrap()
            .contains("nobody else has changed it")
    );
}

#[tokio::test]
async fn a_forced_push_of_an_earlier_run_asks_first() {
    let device = unreliable().await;
    device.server.loses_a_push();
    device.push().await;
    device.server.asked();

    // Nobody else was there: it is repeated.
    device
        .server
        .shows(live(json!({"id": ID, "a": 1, "b": 7}), 1));
    device.server.loses_a_push();
    device.push_later().await;
    let asked = device.server.asked();
    let [Asked::Fetch, Asked::Push(repeated)] = &asked[..] else {
        panic!("{asked:?}")
    };
    assert_eq!(repeated.precondition, Precondition::Force);

    // Somebody was: it is judged anew.
    device
        .server
        .shows(live(json!({"id": ID, "a": 1, "b": 8}), 2));
    device
        .server
        .answers(accepted(live(json!({"id": ID, "a": 2, "b": 8}), 3)));
    device.push_later().await;
    let asked = device.server.asked();
    let [Asked::Fetch, Asked::Push(anew)] = &asked[..] else {
        panic!("{asked:?}")
    };
    assert_eq!(anew.precondition, if_base(2));
    assert_eq!(sent(anew).get("b"), Some(&json!(8)));
    assert!(device.ops().await.is_empty());
}

#[tokio::test]
async fn a_404_of_a_kind_that_was_never_pulled_proves_nothing() {
    let device = Device::new(schema("updated_at", vec![]), purging()).await;
    let known = json!({"id": ID, "a": 1, "updated_at": stamp(1).to_json()});
    device.put(known, Some(Version::new(stamp(1)))).await;
    device.change("a", 2).await;
    device.server.answers(PushOutcome::Conflict {
        state: None,
        time: None,
    });
    device.server.shows(ServerState::gone());
    device.push().await;
    let op = device.op().await;
    assert_eq!((op.try_count, op.verdict), (0, None));
    assert!(op.last_error.unwrap().contains("check its address"));
    assert_eq!(device.row().unwrap().get("a"), Some(&json!(2)));
}

#[tokio::test]
async fn an_edit_behind_a_success_without_a_record_asks_what_it_is_based_on() {
    // The record as sent, with a version; without one; not there any more.
    let same = json!({"id": ID, "a": 1});
    let unstamped = ServerState::of(record(same.clone()), None);
    for (shown, expected) in [
        (live(same.clone(), 4), if_base(4)),
        (unstamped, Precondition::Force),
    ] {
        let device = Device::new(schema("updated_at", vec![]), purging()).await;
        device.server.declares("if-absent");
        device.pull().await;
        device.insert(json!({"id": ID, "a": 1})).await;
        device.server.answers(PushOutcome::Accepted { state: None });
        device.push().await;
        device.server.pushed();
        device.change("a", 2).await;
        device.server.shows(shown);
        device.server.answers(refused());
        device.push().await;
        let asked = device.server.asked();
        let [Asked::Fetch, Asked::Push(push)] = &asked[..] else {
            panic!("{asked:?}")
        };
        assert_eq!(push.precondition, expected);
        assert_eq!(sent(push).get("a"), Some(&json!(2)));
    }
}

#[tokio::test]
async fn a_create_behind_a_deletion_without_a_record_is_checked_for_absence() {
    let device = Device::having(json!({"id": ID, "a": 1})).await;
    device.delete().await;
    device.server.answers(PushOutcome::Accepted { state: None });
    device.push().await;
    device.server.pushed();
    device.insert(json!({"id": ID, "a": 2})).await;
    device.server.shows(ServerState::gone());
    device.server.answers(refused());
    device.push().await;
    let asked = device.server.asked();
    let [Asked::Fetch, Asked::Push(push)] = &asked[..] else {
        panic!("{asked:?}")
    };
    assert_eq!(push.precondition, Precondition::IfAbsent);
}

#[tokio::test]
async fn a_success_without_a_record_is_confirmed_at_once_if_a_pull_brought_something() {
    let note = json!({"id": ID, "a": 1, "b": 1});
    let device = Device::having(note).await;
    device.change("a", 2).await;
    device.server.loses_a_push();
    device.push().await;
    device.server.asked();
    device
        .server
        .lists(json!({"id": ID, "a": 1, "b": 5, "updated_at": stamp(2).to_json()}));
    device.pull().await;
    device.server.answers(PushOutcome::Accepted { state: None });
    device
        .server
        .shows(live(json!({"id": ID, "a": 2, "b": 5}), 3));
    device.push_later().await;
    let asked = device.server.asked();
    assert!(
        matches!(&asked[..], [Asked::Push(_), Asked::Fetch]),
        "{asked:?}"
    );
    let row = device.row().unwrap();
    assert_eq!(
        (row.get("a"), row.get("b")),
        (Some(&json!(2)), Some(&json!(5)))
    );
    device.push_later().await;
    assert_eq!(device.server.asked(), [], "all is known");
}

#[tokio::test]
async fn what_a_fetch_meets_says_nothing_of_the_operation_that_may_have_been_applied() {
    for kind in [
        TransportErrorKind::Unauthorized,
        TransportErrorKind::Rejected,
        TransportErrorKind::Offline,
        TransportErrorKind::Protocol,
        TransportErrorKind::Server,
    ] {
        let device = unreliable().await;
        device.server.loses_a_push();
        device.push().await;
        device.server.asked();
        device.server.fails_to_show(kind);
        let report = device.push_later().await;
        assert_eq!(device.server.asked(), [Asked::Fetch]);
        let op = device.op().await;
        assert_eq!((op.fate, op.try_count), (Fate::Unknown, 0), "{kind:?}");
        let ends = matches!(
            kind,
            TransportErrorKind::Unauthorized | TransportErrorKind::Offline
        );
        assert_eq!(report.push == PhaseEnd::Completed, !ends, "{kind:?}");
        let waits = matches!(
            kind,
            TransportErrorKind::Rejected | TransportErrorKind::Server
        );
        assert_eq!(
            op.next_attempt_at == Some(device.now() + 10_000),
            waits,
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn a_create_in_conflict_with_nothing_at_a_wrong_address_stays() {
    let device = Device::new(schema("updated_at", vec![]), purging()).await;
    device.insert(json!({"id": ID, "a": 1})).await;
    device.server.answers(PushOutcome::Conflict {
        state: None,
        time: None,
    });
    device.server.shows(ServerState::gone());
    device.push().await;
    let op = device.op().await;
    assert_eq!(op.try_count, 0);
    assert!(op.last_error.unwrap().contains("check its address"));
}

#[tokio::test]
async fn a_success_whose_record_is_gone_by_now_takes_the_row_along() {
    let note = json!({"id": ID, "a": 1, "b": 1});
    let device = Device::having(note).await;
    device.change("a", 2).await;
    device.server.loses_a_push();
    device.push().await;
    let theirs = json!({"id": ID, "a": 1, "b": 5, "updated_at": stamp(2).to_json()});
    device.server.lists(theirs);
    device.pull().await;
    device.server.answers(PushOutcome::Accepted { state: None });
    device.server.shows(ServerState::gone());
    device.push_later().await;
    assert_eq!(device.row(), None);
}

#[tokio::test]
async fn a_record_that_changes_at_every_attempt_waits_for_the_next_run() {
    let note = json!({"id": ID, "a": 1, "b": 1});
    let device = Device::having(note).await;
    device.change("a", 2).await;
    let mut events = device.engine.events();
    for number in 2..9 {
        let theirs = json!({"id": ID, "a": 1, "b": number});
        device.server.answers(conflict(live(theirs, number)));
    }
    device.push().await;
    assert_eq!(device.server.asked().len(), 4, "one attempt and three more");
    assert_eq!(device.op().await.status, OpStatus::Deferred);
    let unresolved = told(&mut events).into_iter().find_map(|event| match event {
        SyncEvent::ConflictUnresolved { conflict, .. } => conflict.server.version().cloned(),
        _ => None,
    });
    assert_eq!(
        unresolved,
        Some(Version::new(stamp(5))),
        "the last that it met"
    );
    device.server.forgets();
    device
        .server
        .answers(accepted(live(json!({"id": ID, "a": 2, "b": 5}), 9)));
    device.push_later().await;
    assert!(device.ops().await.is_empty());
}

#[tokio::test]
async fn a_record_of_somebody_else_tells_that_the_operation_was_not_applied() {
    let device = unreliable().await;
    device.server.loses_a_push();
    device.push().await;
    device
        .server
        .shows(live(json!({"id": ID, "a": 1, "b": 8}), 2));
    device.server.answers(refused());
    device.push_later().await;
    let op = device.op().await;
    assert_eq!((op.fate, op.try_count), (Fate::Negative, 1));
}
