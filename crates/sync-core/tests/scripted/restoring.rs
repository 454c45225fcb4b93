//! A server that was restored from a backup: what follows from another epoch.

use serde_json::{Value, json};
use sync_core::store::{QuarantineCause, Store};
use sync_core::transport::PullPage;
use sync_core::{
    EventStream, Fate, FullResyncReason, OpStatus, PhaseEnd, Precondition, ServerState, SyncEvent,
    TransportErrorKind, TxMode,
};

use crate::device::{Device, ID, builder_of, kind, marked, purging, told};
use crate::server::{Asked, accepted, conflict, if_base, live, sent, stamp};

fn row(a: &str, number: u8) -> Value {
    json!({"id": ID, "a": a, "b": "b", "updated_at": stamp(number).to_json()})
}

/// A device that pulled this row from a server of the epoch "one".
async fn pulled(number: u8) -> Device {
    let device = Device::new(marked(), purging()).await;
    device.server.declares("if-absent,idempotency");
    device.server.is_of_epoch("one");
    device.server.lists(row("new", number));
    device.pull().await;
    device.server.pulls();
    device
}

async fn kept_epoch(device: &Device) -> Option<String> {
    let mut tx = device.store.begin(TxMode::Read).await.unwrap();
    tx.meta("epoch:").await.unwrap()
}

/// What was exported.
async fn exported(device: &Device) -> Vec<Value> {
    let entries = device.set_aside().await;
    let exported = entries
        .into_iter()
        .filter(|entry| entry.cause == QuarantineCause::ServerRestored);
    exported.map(|entry| entry.row).collect()
}

fn restores(events: &mut EventStream) -> Vec<String> {
    let name = |event| match event {
        SyncEvent::ServerRestored { before, now } => Some(format!("{before} {now}")),
        SyncEvent::FullResyncStarted { reason, .. } => {
            assert_eq!(reason, FullResyncReason::ServerRestored);
            Some("resync".to_owned())
        }
        _ => None,
    };
    told(events).into_iter().filter_map(name).collect()
}

#[tokio::test]
async fn a_server_that_begins_to_send_an_epoch_was_not_restored() {
    let device = Device::with(marked(), purging(), json!({"id": ID, "a": 1})).await;
    let mut events = device.engine.events();
    device.server.is_of_epoch("one");
    device.server.pulls();
    assert_eq!(device.pull().await.pull, PhaseEnd::Completed);
    assert_eq!(restores(&mut events), Vec::<String>::new());
    assert_eq!(kept_epoch(&device).await.as_deref(), Some("one"));
    assert!(
        device
            .server
            .pulls()
            .iter()
            .all(|pull| pull.since.is_some())
    );
}

#[tokio::test]
async fn the_first_epoch_is_kept_with_the_first_data_of_it() {
    let device = Device::new(marked(), purging()).await;
    device.server.is_of_epoch("one");
    let mut page = PullPage::new(vec![row("a", 1)]);
    page.next_page_token = Some("more".to_owned());
    device.server.pages(page);
    device.server.fails_to_page(TransportErrorKind::Offline);
    let pulling = device.pull();
    // The process dies before the run ends, when the first page is there.
    let mut pulling = Box::pin(pulling);
    while device.row().is_none() {
        assert!(futures::poll!(&mut pulling).is_pending() || device.row().is_some());
    }
    drop(pulling);
    assert_eq!(kept_epoch(&device).await.as_deref(), Some("one"));
}

#[tokio::test]
async fn a_newer_row_is_exported_verbatim_before_the_restored_one_takes_its_place() {
    let device = pulled(9).await;
    let mut events = device.engine.events();
    device.server.is_of_epoch("two");
    device.server.lists(row("old", 3));
    let report = device.pull().await;
    assert_eq!(report.pull, PhaseEnd::Completed);
    assert_eq!(device.row().unwrap().get("a"), Some(&json!("old")));
    assert_eq!(restores(&mut events), ["one two", "resync"]);
    assert_eq!(exported(&device).await, [row("new", 9)]);
    assert_eq!(kept_epoch(&device).await.as_deref(), Some("two"));
    let pulls = device.server.pulls();
    assert!(
        pulls[0].since.is_some() && pulls[1].since.is_none(),
        "{pulls:?}"
    );
    device.pull().await;
    assert_eq!(
        device.row().unwrap().get("a"),
        Some(&json!("old")),
        "for good"
    );
    assert_eq!(exported(&device).await.len(), 1);
}

#[tokio::test]
async fn a_row_that_the_restored_server_has_as_it_is_or_newer_is_not_exported() {
    for number in [9, 20] {
        let device = pulled(9).await;
        device.server.is_of_epoch("two");
        device
            .server
            .lists(row(if number == 9 { "new" } else { "newer" }, number));
        device.pull().await;
        assert_eq!(exported(&device).await, Vec::<Value>::new());
    }
}

#[tokio::test]
async fn a_row_that_the_restored_server_does_not_know_is_exported_before_the_sweep_takes_it() {
    let device = pulled(9).await;
    device.server.is_of_epoch("two");
    device.server.lists_all(vec![]);
    device.server.shows(ServerState::gone());
    device.pull().await;
    assert_eq!(device.row(), None);
    assert_eq!(exported(&device).await, [row("new", 9)]);
    assert_eq!(device.server.asked(), [Asked::Fetch]);
}

#[tokio::test]
async fn an_ordinary_deletion_after_a_restore_is_not_exported() {
    let device = pulled(9).await;
    device.server.is_of_epoch("two");
    device.pull().await;
    device.server.lists_all(vec![]);
    device.server.shows(ServerState::gone());
    device.engine.full_resync(false).await.unwrap();
    assert_eq!(device.row(), None);
    assert_eq!(exported(&device).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_row_that_was_held_by_the_first_sweep_is_exported_by_a_later_one() {
    let device = Device::new(marked(), purging()).await;
    device.server.is_of_epoch("one");
    let many = (0..30)
        .map(|number| json!({"id": format!("e{number:02}"), "updated_at": stamp(1).to_json()}));
    device.server.lists_all(many.collect());
    device.pull().await;
    device.server.is_of_epoch("two");
    device.server.lists_all(vec![]);
    device.pull().await;
    assert_eq!(device.store.rows(&kind()).len(), 30, "suspiciously many");
    assert_eq!(exported(&device).await, Vec::<Value>::new());
    device.engine.full_resync(true).await.unwrap();
    assert_eq!(device.store.rows(&kind()).len(), 0);
    assert_eq!(exported(&device).await.len(), 30);
}

#[tokio::test]
async fn nothing_more_is_pushed_under_another_epoch_before_everything_was_pulled_again() {
    let device = pulled(9).await;
    device.change("a", "mine").await;
    device
        .insert(json!({"id": "22222222-2222-4222-8222-222222222222", "a": 1}))
        .await;
    device.server.is_of_epoch("two");
    device.server.lists(row("old", 3));
    // The first answer of the restored server, whatever it says, is not used.
    device
        .server
        .answers(conflict(live(json!({"id": ID, "a": "old", "b": "b"}), 3)));
    device.server.fails_to_page(TransportErrorKind::Offline);
    let report = device.engine.sync().await.unwrap();
    assert_eq!(report.push, PhaseEnd::ServerRestored);
    assert_eq!(device.server.asked().len(), 1, "one push, then none");
    let ops = device.ops().await;
    assert_eq!(
        (ops.len(), ops[0].fate, ops[0].precondition.clone()),
        (2, Fate::Unknown, None)
    );
    assert_eq!(ops[1].precondition, Some(Precondition::IfAbsent));

    // The next run pulls first, then looks up, then merges.
    device
        .server
        .shows(live(json!({"id": ID, "a": "old", "b": "b"}), 3));
    device
        .server
        .shows(live(json!({"id": ID, "a": "old", "b": "b"}), 3));
    device.server.answers(accepted(live(
        json!({"id": "22222222-2222-4222-8222-222222222222", "a": 1}),
        11,
    )));
    device
        .server
        .answers(accepted(live(json!({"id": ID, "a": "mine", "b": "b"}), 10)));
    let report = device.engine.sync().await.unwrap();
    assert_eq!((report.push, report.pending), (PhaseEnd::Completed, 0));
    let asked = device.server.asked();
    let pushes: Vec<_> = asked
        .iter()
        .filter_map(|asked| match asked {
            Asked::Push(op) => Some(op.precondition.clone()),
            Asked::Fetch => None,
        })
        .collect();
    assert_eq!(pushes, [Precondition::IfAbsent, if_base(3)], "{asked:?}");
    assert_eq!(
        exported(&device).await,
        [row("new", 9)],
        "what the edit was made on"
    );
}

#[tokio::test]
async fn an_operation_whose_answer_was_stopped_is_recognised_when_it_has_landed() {
    let device = pulled(9).await;
    device.change("a", "mine").await;
    device.server.is_of_epoch("two");
    let landed = json!({"id": ID, "a": "mine", "b": "b"});
    device
        .server
        .lists(json!({"id": ID, "a": "mine", "b": "b", "updated_at": stamp(10).to_json()}));
    device.server.answers(accepted(live(landed, 10)));
    let report = device.engine.sync().await.unwrap();
    assert_eq!((report.push, report.pending), (PhaseEnd::Completed, 0));
    let pushes = device.server.asked().len();
    assert_eq!(pushes, 1, "it is not sent again");
    assert_eq!(device.row().unwrap().get("a"), Some(&json!("mine")));
}

#[tokio::test]
async fn an_operation_that_was_lost_with_the_restore_is_sent_again_under_a_new_key() {
    let device = pulled(9).await;
    device.change("a", "mine").await;
    device.server.loses_a_push();
    device.push().await;
    let first = device.server.pushed();
    device.server.is_of_epoch("two");
    device.server.lists(row("old", 3));
    let old = || live(json!({"id": ID, "a": "old", "b": "b"}), 3);
    device.server.shows(old());
    device.pull().await;
    device.server.asked();
    device.server.shows(old());
    device
        .server
        .answers(accepted(live(json!({"id": ID, "a": "mine", "b": "b"}), 10)));
    device.push_later().await;
    let asked = device.server.asked();
    let [Asked::Fetch, Asked::Push(second)] = &asked[..] else {
        panic!("{asked:?}");
    };
    assert_eq!(second.precondition, if_base(3));
    assert_ne!(second.key, first.key, "what goes out is another request");
    assert_eq!(sent(second).get("a"), Some(&json!("mine")));
    assert_eq!(device.ops().await, []);
}

#[tokio::test]
async fn a_create_that_is_unknown_to_a_restored_server_is_looked_up_although_it_honours_keys() {
    let device = Device::new(marked(), purging()).await;
    device.server.declares("idempotency");
    device.server.is_of_epoch("one");
    device.pull().await;
    device.insert(json!({"id": ID, "a": 1})).await;
    device.server.loses_a_push();
    device.push().await;
    device.server.asked();
    device.server.is_of_epoch("two");
    device.server.shows(ServerState::gone());
    device.pull().await;
    device.server.asked();
    device.server.shows(ServerState::gone());
    device
        .server
        .answers(accepted(live(json!({"id": ID, "a": 1}), 10)));
    device.push_later().await;
    let asked = device.server.asked();
    assert!(
        matches!(&asked[..], [Asked::Fetch, Asked::Push(_)]),
        "{asked:?}"
    );
    assert_eq!(device.ops().await, []);
}

#[tokio::test]
async fn an_edit_made_while_everything_is_pulled_again_keeps_nothing_of_the_lost_past() {
    let device = pulled(9).await;
    device.server.is_of_epoch("two");
    device.server.pages(PullPage::new(vec![]));
    device.server.fails_to_page(TransportErrorKind::Offline);
    device.pull().await;
    // The row is still of before; its version means nothing to the server.
    device.change("b", "mine").await;
    assert_eq!(device.op().await.precondition, Some(if_base(9)));
    device.server.lists(row("old", 3));
    device
        .server
        .shows(live(json!({"id": ID, "a": "old", "b": "b"}), 3));
    device.pull().await;
    assert_eq!(exported(&device).await, [row("new", 9)]);
    device.server.asked();
    device
        .server
        .shows(live(json!({"id": ID, "a": "old", "b": "b"}), 3));
    device.server.answers(accepted(live(
        json!({"id": ID, "a": "old", "b": "mine"}),
        10,
    )));
    device.push().await;
    let asked = device.server.asked();
    let [Asked::Fetch, Asked::Push(push)] = &asked[..] else {
        panic!("{asked:?}");
    };
    assert_eq!(
        (push.precondition.clone(), sent(push).get("a")),
        (if_base(3), Some(&json!("old")))
    );
}

#[tokio::test]
async fn a_conflict_with_the_lost_past_is_judged_anew() {
    let manual = || purging().strategy(sync_core::ConflictStrategy::Manual);
    let device = Device::new(marked(), manual()).await;
    device.server.is_of_epoch("one");
    device.server.lists(row("new", 9));
    device.pull().await;
    device.change("a", "mine").await;
    device.server.answers(conflict(live(
        json!({"id": ID, "a": "theirs", "b": "b"}),
        12,
    )));
    device.push().await;
    assert_eq!(device.op().await.status, OpStatus::Deferred);
    device.server.is_of_epoch("two");
    device.server.lists(row("old", 3));
    device
        .server
        .shows(live(json!({"id": ID, "a": "old", "b": "b"}), 3));
    device.pull().await;
    assert_eq!(device.engine.conflicts().open().await.unwrap(), []);
    assert_eq!(device.op().await.status, OpStatus::Pending);
    let theirs = json!({"id": ID, "a": "theirs", "b": "b", "updated_at": stamp(12).to_json()});
    assert_eq!(
        exported(&device).await,
        [theirs],
        "the newest that the server had"
    );
}

#[tokio::test]
async fn a_push_alone_pulls_what_it_needs_after_a_restore() {
    let device = pulled(9).await;
    device.change("a", "mine").await;
    device.server.is_of_epoch("two");
    device.server.lists(row("old", 3));
    device
        .server
        .answers(conflict(live(json!({"id": ID, "a": "old", "b": "b"}), 3)));
    for _ in 0..2 {
        device
            .server
            .shows(live(json!({"id": ID, "a": "old", "b": "b"}), 3));
    }
    device
        .server
        .answers(accepted(live(json!({"id": ID, "a": "mine", "b": "b"}), 10)));
    let report = device.push().await;
    assert_eq!((report.push, report.pending), (PhaseEnd::Completed, 0));
    assert_eq!(report.pull, PhaseEnd::Skipped, "nobody asked for one");
}

#[tokio::test]
async fn an_unfit_row_of_the_lost_past_does_not_come_back_when_it_fits() {
    let device = Device::new(marked(), purging()).await;
    device.server.is_of_epoch("one");
    device
        .server
        .lists(json!({"id": ID, "a": "x", "deleted_at": false, "updated_at": 7}));
    device.pull().await;
    let before = device.set_aside().await;
    assert_eq!(before.len(), 1, "a stamp of 1970: {before:?}");
    device.server.is_of_epoch("two");
    device.server.lists(row("old", 3));
    device.pull().await;
    let after = device.set_aside().await;
    assert_eq!(
        (after.len(), after[0].cause),
        (1, QuarantineCause::ServerRestored)
    );
    assert_eq!(after[0].row, before[0].row);
    assert!(
        device
            .engine
            .quarantine()
            .forget(&kind(), &after[0].key)
            .await
            .unwrap()
    );
    assert!(
        !device
            .engine
            .quarantine()
            .forget(&kind(), &after[0].key)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_kind_that_was_not_registered_during_the_restore_is_pulled_again_later() {
    let mut device = pulled(9).await;
    // The epoch is in the cursor from the second pull on.
    device.pull().await;
    let other =
        sync_core::TableSchema::new(sync_core::Kind::new("labels").unwrap(), "labels", "id")
            .column(sync_core::Column::new("id", sync_core::ColumnType::Text));
    device.restart(other, sync_core::TableConfig::new()).await;
    device.server.lists_all(vec![]);
    device.server.is_of_epoch("two");
    device.pull().await;
    assert_eq!(kept_epoch(&device).await.as_deref(), Some("two"));
    device.restart(marked(), purging()).await;
    device.server.lists(row("old", 3));
    device.pull().await;
    assert_eq!(device.row().unwrap().get("a"), Some(&json!("old")));
    assert_eq!(exported(&device).await.len(), 1);
}

#[tokio::test]
async fn a_crash_before_the_epoch_is_noted_finds_it_again() {
    let device = pulled(9).await;
    device.change("a", "mine").await;
    device.server.is_of_epoch("two");
    device
        .server
        .answers(conflict(live(json!({"id": ID, "a": "old", "b": "b"}), 3)));
    // The process dies while the answer is under way.
    let mut pushing = Box::pin(device.push());
    while device.server.batches().is_empty() {
        let _ = futures::poll!(&mut pushing);
    }
    drop(pushing);
    let engine = builder_of(&device, purging()).build().await.unwrap();
    device.server.lists(row("old", 3));
    for _ in 0..2 {
        device
            .server
            .shows(live(json!({"id": ID, "a": "old", "b": "b"}), 3));
    }
    device
        .server
        .answers(accepted(live(json!({"id": ID, "a": "mine", "b": "b"}), 10)));
    let report = engine.sync().await.unwrap();
    assert_eq!((report.push, report.pending), (PhaseEnd::Completed, 0));
    assert_eq!(kept_epoch(&device).await.as_deref(), Some("two"));
    assert_eq!(exported(&device).await, [row("new", 9)]);
}
