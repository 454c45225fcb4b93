//! Full resyncs: when one begins, and what it sweeps.

use std::time::Duration;

use serde_json::{Value, json};
use sync_core::store::Store;
use sync_core::transport::PushOutcome;
use sync_core::{
    EntityId, EventStream, FullResyncReason, PhaseEnd, Precondition, ServerState, SyncEvent,
    Timestamp, TransportErrorKind, TxMode, Version,
};

use crate::device::{Device, ID, id, kind, purging, schema, told};
use crate::server::{Asked, accepted, live, refused, stamp};

const A_DAY: Duration = Duration::from_secs(86_400);

fn row(id: &str, number: u8) -> Value {
    json!({"id": id, "a": number, "updated_at": stamp(number).to_json()})
}

fn rows(count: usize) -> Vec<Value> {
    (0..count)
        .map(|number| row(&format!("e{number:03}"), 1))
        .collect()
}

/// A device that has pulled so many rows.
async fn with_rows(count: usize) -> Device {
    let device = Device::new(schema("updated_at", vec![]), purging()).await;
    device.server.declares("if-absent");
    device.server.lists_all(rows(count));
    device.pull().await;
    device
}

fn reasons(events: &mut EventStream) -> Vec<FullResyncReason> {
    let reason = |event| match event {
        SyncEvent::FullResyncStarted { reason, .. } => Some(reason),
        _ => None,
    };
    told(events).into_iter().filter_map(reason).collect()
}

fn count(device: &Device) -> usize {
    device.store.rows(&kind()).len()
}

#[tokio::test]
async fn a_resync_is_due_every_seven_days_and_when_the_clock_was_wrong() {
    let device = with_rows(1).await;
    let mut events = device.engine.events();
    device.pass(7 * A_DAY - Duration::from_secs(1));
    device.pull().await;
    assert_eq!(reasons(&mut events), []);
    device.pass(Duration::from_secs(1));
    device.pull().await;
    assert_eq!(reasons(&mut events), [FullResyncReason::Scheduled]);
    device.pull().await;
    assert_eq!(reasons(&mut events), [], "it is done");
    device.goes_back(7 * A_DAY);
    device.pull().await;
    assert_eq!(reasons(&mut events), [], "perhaps the clock is right");
    device.goes_back(Duration::from_secs(1));
    device.pull().await;
    assert_eq!(reasons(&mut events), [FullResyncReason::Scheduled]);
}

#[tokio::test]
async fn a_changed_filter_or_server_resyncs_once() {
    let mut device = with_rows(3).await;
    device.server.lists_all(rows(1));
    let filtered = || purging().filter("owner", "me");
    device
        .restart(schema("updated_at", vec![]), filtered())
        .await;
    let mut events = device.engine.events();
    device.pull().await;
    assert_eq!(reasons(&mut events), [FullResyncReason::FilterChanged]);
    assert_eq!(
        (count(&device), device.server.asked()),
        (1, vec![]),
        "the list alone decides"
    );
    device.pull().await;
    assert_eq!(reasons(&mut events), []);

    device
        .server
        .fails_to_page(TransportErrorKind::CursorExpired);
    device.pull().await;
    assert_eq!(reasons(&mut events), [FullResyncReason::CursorExpired]);
    device.pull().await;
    assert_eq!(reasons(&mut events), [], "the filter is remembered");

    device.server.moves_to("elsewhere");
    device.pull().await;
    assert_eq!(reasons(&mut events), [FullResyncReason::ServerChanged]);
    device.pull().await;
    assert_eq!(reasons(&mut events), []);
}

#[tokio::test]
async fn what_the_list_lacks_is_asked_for_before_it_goes() {
    let device = with_rows(4).await;
    device.server.lists_all(rows(1));
    let mut events = device.engine.events();
    device.server.shows(ServerState::gone());
    device.server.shows(live(row("e002", 1), 5));
    device.server.fails_to_show(TransportErrorKind::Server);
    let report = device.engine.full_resync(false).await.unwrap();
    assert_eq!(report.pull, PhaseEnd::Completed);
    assert_eq!(device.server.asked().len(), 3);
    assert_eq!(
        count(&device),
        3,
        "one is gone, one is there, of one nobody knows"
    );
    let deletes = told(&mut events)
        .into_iter()
        .filter_map(|event| match event {
            SyncEvent::CacheUpdate { deletes, .. } if deletes > 0 => Some(deletes),
            _ => None,
        });
    assert_eq!(deletes.sum::<u64>(), 1);
}

#[tokio::test]
async fn a_sweep_that_cannot_ask_anybody_goes_on_in_the_next_pull() {
    for kind in [
        TransportErrorKind::Offline,
        TransportErrorKind::Unauthorized,
    ] {
        let device = with_rows(3).await;
        device.server.lists_all(rows(1));
        device.server.fails_to_show(kind);
        let report = device.engine.full_resync(false).await.unwrap();
        assert_ne!(report.pull, PhaseEnd::Completed);
        assert_eq!((device.server.asked().len(), count(&device)), (1, 3));
        device.server.shows(ServerState::gone());
        device.server.shows(ServerState::gone());
        device.pull().await;
        assert_eq!((device.server.asked().len(), count(&device)), (2, 1));
    }
}

#[tokio::test]
async fn when_asked_to_clear_the_list_alone_decides() {
    let device = with_rows(40).await;
    device.server.lists_all(rows(1));
    device.engine.full_resync(true).await.unwrap();
    assert_eq!((device.server.asked(), count(&device)), (vec![], 1));
}

#[tokio::test]
async fn too_many_rows_at_once_stay() {
    for (total, left, is_held) in [
        (30, 10, false),
        (30, 9, true),
        (300, 270, false),
        (300, 269, true),
    ] {
        let device = with_rows(total).await;
        device.server.lists_all(rows(left));
        let mut events = device.engine.events();
        for _ in left..total {
            device.server.shows(ServerState::gone());
        }
        device.engine.full_resync(false).await.unwrap();
        let held = told(&mut events).into_iter().find_map(|event| match event {
            SyncEvent::SweepHeld { candidates, of, .. } => Some((candidates, of)),
            _ => None,
        });
        let expected = ((total - left) as u64, total as u64);
        assert_eq!(held, is_held.then_some(expected), "{left} of {total}");
        assert_eq!(count(&device), if is_held { total } else { left });
    }
}

#[tokio::test]
async fn a_first_pull_that_is_asked_to_be_a_full_one_sweeps_nothing() {
    let device = Device::new(schema("updated_at", vec![]), purging()).await;
    device
        .put(row("mine", 1), Some(Version::new(stamp(1))))
        .await;
    device.engine.full_resync(false).await.unwrap();
    assert_eq!((device.server.asked(), count(&device)), (vec![], 1));
}

#[tokio::test]
async fn a_cursor_that_expired_before_the_first_chain_ended_sweeps_nothing() {
    let device = Device::new(schema("updated_at", vec![]), purging()).await;
    device
        .put(row("mine", 1), Some(Version::new(stamp(1))))
        .await;
    let mut page = sync_core::transport::PullPage::new(rows(1));
    page.next_page_token = Some("t".to_owned());
    device.server.pages(page);
    device.server.fails_to_page(TransportErrorKind::Offline);
    device.pull().await;
    device
        .server
        .fails_to_page(TransportErrorKind::CursorExpired);
    device.server.lists_all(rows(1));
    device.pull().await;
    assert_eq!((device.server.asked(), count(&device)), (vec![], 2));
}

#[tokio::test]
async fn a_cursor_that_expired_later_sweeps() {
    let device = with_rows(2).await;
    device.server.lists_all(rows(1));
    device
        .server
        .fails_to_page(TransportErrorKind::CursorExpired);
    device.server.shows(ServerState::gone());
    device.pull().await;
    assert_eq!((device.server.asked().len(), count(&device)), (1, 1));
}

#[tokio::test]
async fn a_deletion_that_meets_a_waiting_edit_is_kept_for_it() {
    let device = Device::having(json!({"id": ID, "a": 1})).await;
    device.change("a", 2).await;
    device
        .insert(json!({"id": "22222222-2222-4222-8222-222222222222", "a": 1}))
        .await;
    device.server.lists_all(vec![]);
    device.server.answers(refused());
    device.server.answers(refused());
    device.server.shows(ServerState::gone());
    device.engine.full_resync(false).await.unwrap();
    let asked = device.server.asked().into_iter();
    let fetches = asked.filter(|asked| *asked == Asked::Fetch);
    assert_eq!(fetches.count(), 1, "of a create nobody else knows");
    assert_eq!(device.row().unwrap().get("a"), Some(&json!(2)));
    let mut tx = device.store.begin(TxMode::Read).await.unwrap();
    let shadow = tx.shadows(&kind(), &[id()]).await.unwrap().remove(0);
    assert_eq!(shadow.parked, Some(ServerState::gone()));
}

#[tokio::test]
async fn a_record_that_is_still_there_is_not_parked_as_deleted() {
    let device = Device::having(json!({"id": ID, "a": 1})).await;
    device.change("a", 2).await;
    device.server.lists_all(vec![]);
    device.server.answers(refused());
    device.server.shows(live(json!({"id": ID, "a": 1}), 1));
    device.engine.full_resync(false).await.unwrap();
    assert_eq!(device.server.asked().last(), Some(&Asked::Fetch));
    device.server.answers(PushOutcome::Accepted { state: None });
    device.push_later().await;
    let Some(Asked::Push(push)) = device.server.asked().into_iter().next() else {
        panic!()
    };
    assert!(matches!(push.precondition, Precondition::IfBase { .. }));
}

#[tokio::test]
async fn a_success_without_a_record_is_confirmed_by_a_resync() {
    let known = Device::having(json!({"id": ID, "a": 1})).await;
    known.change("a", 2).await;
    let new = with_rows(0).await;
    new.insert(json!({"id": ID, "a": 2})).await;
    for device in [known, new] {
        device.server.answers(PushOutcome::Accepted { state: None });
        device.push().await;
        device.server.asked();
        device.server.lists_all(vec![]);
        device.server.shows(live(json!({"id": ID, "a": 3}), 4));
        device.engine.full_resync(false).await.unwrap();
        assert_eq!(device.server.asked(), [Asked::Fetch]);
        assert_eq!(device.row().unwrap().get("a"), Some(&json!(3)));
    }
}

#[tokio::test]
async fn what_was_pushed_while_a_resync_is_under_way_is_not_swept() {
    let device = with_rows(3).await;
    device.server.lists_all(rows(1));
    device.server.fails_to_show(TransportErrorKind::Offline);
    device.engine.full_resync(false).await.unwrap();
    device.insert(json!({"id": ID, "a": 1})).await;
    device
        .server
        .answers(accepted(live(json!({"id": ID, "a": 1}), 9)));
    device.push().await;
    device.server.asked();
    device.server.shows(ServerState::gone());
    device.server.shows(ServerState::gone());
    device.pull().await;
    assert_eq!((device.server.asked().len(), count(&device)), (2, 2));
}

/// What is remembered of the record that was purged.
async fn remembered(device: &Device) -> usize {
    let mut tx = device.store.begin(TxMode::Read).await.unwrap();
    tx.versions(&kind(), &[EntityId::new("gone").unwrap()])
        .await
        .unwrap()
        .len()
}

#[tokio::test]
async fn a_purged_record_is_remembered_until_the_cursor_is_a_day_past_it() {
    let device = Device::new(schema("updated_at", vec![]), purging()).await;
    let gone = stamp(10).to_json();
    let now = |text: &str| Timestamp::parse(text).unwrap();
    device.server.says_it_is(now("2026-03-05T12:00:00Z"));
    let pulled = |stamp: &Timestamp| {
        let tombstone = json!({"id": "gone", "updated_at": gone, "deleted_at": gone});
        vec![tombstone, json!({"id": "a", "updated_at": stamp.to_json()})]
    };
    device
        .server
        .lists_all(pulled(&now("2026-03-02T12:00:10Z")));
    device.pull().await;
    assert_eq!(remembered(&device).await, 1);
    device.server.lists_all(vec![
        json!({"id": "a", "updated_at": "2026-03-02T12:00:10.001Z"}),
    ]);
    device.pull().await;
    assert_eq!(remembered(&device).await, 0);
}
