//! Chains of pages: what is asked next, where they end, and where the next pull starts.

use serde_json::{Value, json};
use sync_core::transport::{PullPage, PullRequest};
use sync_core::{
    FullResyncReason, PhaseEnd, SyncEvent, TableConfig, Timestamp, TransportErrorKind,
};

use crate::device::{Device, kind, purging, schema, told};
use crate::server::stamp;

pub(crate) fn row(id: &str, number: u8) -> Value {
    json!({"id": id, "a": number, "updated_at": stamp(number).to_json()})
}

pub(crate) fn page(rows: &[(&str, u8)]) -> PullPage {
    PullPage::new(rows.iter().map(|(id, number)| row(id, *number)).collect())
}

pub(crate) fn with_token(mut page: PullPage, token: &str) -> PullPage {
    page.next_page_token = Some(token.to_owned());
    page
}

/// A device that asks for two rows at a time.
pub(crate) async fn device() -> Device {
    with_table(purging()).await
}

pub(crate) async fn with_table(table: TableConfig) -> Device {
    Device::new(schema("updated_at", vec![]), table.page_size(2)).await
}

/// Keyset and token of each request.
fn asked(device: &Device) -> Vec<(Option<Timestamp>, Option<String>, Option<String>)> {
    let keyset = |request: PullRequest| {
        assert_eq!(request.limit, 2);
        let after = request.after_id.map(|id| id.to_string());
        (request.since, after, request.page_token)
    };
    device.server.pulls().into_iter().map(keyset).collect()
}

fn at(number: u8, id: &str) -> (Option<Timestamp>, Option<String>, Option<String>) {
    (Some(stamp(number)), Some(id.to_owned()), None)
}

fn behind(number: u8) -> (Option<Timestamp>, Option<String>, Option<String>) {
    (Some(stamp(number)), None, None)
}

const ZERO: (Option<Timestamp>, Option<String>, Option<String>) = (None, None, None);

pub(crate) fn ids(device: &Device) -> Vec<String> {
    let rows = device.store.rows(&kind()).into_iter();
    let mut ids: Vec<String> = rows.map(|row| row.id().unwrap().to_string()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn without_tokens_each_page_is_asked_behind_the_last_row_until_one_brings_nothing() {
    let device = device().await;
    device.server.pages(page(&[("a", 11), ("b", 12)]));
    device.server.pages(page(&[("c", 13)]));
    let report = device.pull().await;
    assert_eq!(report.stats.pulled, 3);
    assert_eq!(asked(&device), [ZERO, at(12, "b"), at(13, "c")]);
    assert_eq!(ids(&device), ["a", "b", "c"]);
    // Nobody told the server's time: what came within the overlap is read again.
    device.pull().await;
    assert_eq!(asked(&device), [behind(8)]);
}

#[tokio::test]
async fn the_next_pull_starts_behind_what_late_commits_can_no_longer_fill() {
    for (date, expected) in [
        (30, at(13, "c")),
        (18, at(13, "c")),
        (17, behind(12)),
        (14, behind(9)),
    ] {
        let device = device().await;
        device.server.says_it_is(stamp(date));
        device.server.pages(page(&[("a", 11), ("c", 13)]));
        device.pull().await;
        asked(&device);
        device.pull().await;
        assert_eq!(asked(&device), [expected], "at {date}");
    }
}

#[tokio::test]
async fn a_coarse_stamp_widens_the_overlap() {
    let device = device().await;
    device.server.pages(PullPage::new(vec![
        json!({"id": "a", "updated_at": 1_772_366_413}),
    ]));
    device.server.pages(PullPage::default());
    device.server.says_it_is(stamp(13));
    device.pull().await;
    asked(&device);
    device.pull().await;
    assert_eq!(asked(&device), [behind(8)]);
}

#[tokio::test]
async fn the_cursor_never_goes_back() {
    let device = device().await;
    device.server.says_it_is(stamp(40));
    device.server.pages(page(&[("c", 13)]));
    device.server.pages(PullPage::default());
    device.pull().await;
    device.server.pages(page(&[("a", 4)]));
    device.server.pages(PullPage::default());
    device.pull().await;
    asked(&device);
    device.pull().await;
    assert_eq!(asked(&device), [at(13, "c")]);
    assert_eq!(ids(&device), ["a", "c"]);
}

#[tokio::test]
async fn tokens_lead_through_a_chain_whose_start_stays() {
    let device = device().await;
    device.server.says_it_is(stamp(40));
    device
        .server
        .pages(with_token(page(&[("b", 12), ("a", 11)]), "t1"));
    device.server.pages(with_token(page(&[]), "t2"));
    device.server.pages(page(&[("d", 14), ("c", 13)]));
    assert_eq!(device.pull().await.stats.pulled, 4);
    let token = |token: &str| (None, None, Some(token.to_owned()));
    assert_eq!(asked(&device), [ZERO, token("t1"), token("t2")]);
    assert_eq!(ids(&device), ["a", "b", "c", "d"]);
    device.pull().await;
    assert_eq!(
        asked(&device),
        [at(14, "d")],
        "the greatest, whatever the order"
    );
}

#[tokio::test]
async fn a_token_given_twice_is_an_error_and_what_came_before_is_kept() {
    let device = device().await;
    device.server.pages(with_token(page(&[("a", 11)]), "t1"));
    device.server.pages(with_token(page(&[("b", 12)]), "t2"));
    device.server.pages(with_token(page(&[("c", 13)]), "t1"));
    let report = device.pull().await;
    assert!(
        report.pull_failures[&kind()].contains("\"t1\" twice"),
        "{report:?}"
    );
    assert!(matches!(report.pull, PhaseEnd::Failed { .. }));
    assert_eq!(ids(&device), ["a", "b"]);
}

#[tokio::test]
async fn an_interrupted_chain_goes_on_from_its_token() {
    let device = device().await;
    device.server.pages(with_token(page(&[("a", 11)]), "t1"));
    device.server.fails_to_page(TransportErrorKind::Offline);
    let report = device.pull().await;
    assert!(matches!(report.pull, PhaseEnd::Offline { .. }));
    assert_eq!(ids(&device), ["a"]);
    asked(&device);
    device.server.pages(page(&[("b", 12)]));
    device.pull().await;
    // Its view may be hours old: one more chain follows.
    let resumed = (None, None, Some("t1".to_owned()));
    assert_eq!(asked(&device), [resumed, behind(7)]);
    assert_eq!(ids(&device), ["a", "b"]);
}

#[tokio::test]
async fn a_token_that_the_server_no_longer_takes_starts_the_chain_anew() {
    let device = device().await;
    device.server.pages(with_token(page(&[("a", 11)]), "t1"));
    device.server.fails_to_page(TransportErrorKind::Offline);
    device.pull().await;
    asked(&device);
    device.server.fails_to_page(TransportErrorKind::Rejected);
    let report = device.pull().await;
    assert_eq!(report.pull, PhaseEnd::Completed);
    assert_eq!(
        asked(&device),
        [(None, None, Some("t1".to_owned())), ZERO, ZERO]
    );
    // In the midst of a chain a refusal is a failure.
    device.server.pages(with_token(page(&[("a", 11)]), "t1"));
    device.server.fails_to_page(TransportErrorKind::Rejected);
    let report = device.pull().await;
    assert!(matches!(report.pull, PhaseEnd::Failed { .. }));
}

#[tokio::test]
async fn rows_of_one_stamp_that_are_shown_again_are_told_from_new_ones() {
    let device = device().await;
    device.server.pages(page(&[("a", 11), ("b", 11)]));
    device.server.pages(page(&[("b", 11), ("c", 11)]));
    device.server.pages(page(&[("a", 11)]));
    let report = device.pull().await;
    assert_eq!(report.pull, PhaseEnd::Completed);
    assert_eq!(asked(&device), [ZERO, at(11, "b"), at(11, "c")]);
}

#[tokio::test]
async fn a_full_page_that_brings_nothing_new_is_an_error_and_no_loop() {
    let device = device().await;
    for _ in 0..3 {
        device.server.pages(page(&[("a", 11), ("b", 11)]));
    }
    let report = device.pull().await;
    assert!(
        report.pull_failures[&kind()].contains("brought nothing new"),
        "{report:?}"
    );
    assert_eq!(asked(&device).len(), 2);
    assert_eq!(ids(&device), ["a", "b"]);
}

#[tokio::test]
async fn pages_out_of_order_need_a_token_or_room_to_spare() {
    let device = device().await;
    device.server.pages(page(&[("b", 12), ("a", 11)]));
    let report = device.pull().await;
    assert!(
        report.pull_failures[&kind()].contains("not in order"),
        "{report:?}"
    );

    let device = Device::new(schema("updated_at", vec![]), purging().page_size(3)).await;
    device.server.says_it_is(stamp(40));
    device.server.pages(page(&[("b", 12), ("a", 11)]));
    device.server.pages(PullPage::default());
    assert_eq!(device.pull().await.pull, PhaseEnd::Completed);
    device.server.pulls();
    device.pull().await;
    let request = device.server.pulls().remove(0);
    assert_eq!(request.since, Some(stamp(12)));
}

#[tokio::test]
async fn a_cursor_of_the_servers_own_is_sent_beside_the_keyset() {
    let device = device().await;
    let mut first = page(&[("a", 11)]);
    first.next_cursor = Some("c1".to_owned());
    device.server.pages(first);
    device.server.pages(PullPage::default());
    device.pull().await;
    let cursors = |device: &Device| -> Vec<_> {
        let pulls = device.server.pulls().into_iter();
        pulls
            .map(|request| (request.since, request.cursor))
            .collect()
    };
    let own = Some("c1".to_owned());
    assert_eq!(
        cursors(&device),
        [(None, None), (Some(stamp(11)), own.clone())]
    );
    device.pull().await;
    assert_eq!(
        cursors(&device),
        [(Some(stamp(11)), own)],
        "no overlap is needed"
    );
}

#[tokio::test]
async fn a_cursor_that_expired_starts_one_resync_and_from_zero_it_is_an_error() {
    let device = device().await;
    device
        .server
        .fails_to_page(TransportErrorKind::CursorExpired);
    let report = device.pull().await;
    assert!(matches!(report.pull, PhaseEnd::Failed { .. }));
    assert_eq!(asked(&device), [ZERO]);

    device.server.pages(page(&[("a", 11)]));
    device.server.pages(PullPage::default());
    device.pull().await;
    asked(&device);
    let mut events = device.engine.events();
    device
        .server
        .fails_to_page(TransportErrorKind::CursorExpired);
    device.server.pages(page(&[("a", 11)]));
    device.server.pages(PullPage::default());
    let report = device.pull().await;
    assert_eq!(report.pull, PhaseEnd::Completed);
    assert_eq!(asked(&device), [behind(6), ZERO, at(11, "a")]);
    let expired = |event: &SyncEvent| {
        matches!(
            event,
            SyncEvent::FullResyncStarted {
                reason: FullResyncReason::CursorExpired,
                ..
            }
        )
    };
    assert_eq!(
        told(&mut events)
            .iter()
            .filter(|event| expired(event))
            .count(),
        1
    );
}

/// How many rows the next pull of this row is said to have changed.
#[tokio::test]
async fn a_refused_login_ends_the_pull_as_such() {
    let device = device().await;
    let mut events = device.engine.events();
    device
        .server
        .fails_to_page(TransportErrorKind::Unauthorized);
    let report = device.pull().await;
    assert_eq!(report.pull, PhaseEnd::AuthRequired);
    let is_told = |event| matches!(event, SyncEvent::AuthRequired);
    assert!(told(&mut events).into_iter().any(is_told));
}

#[tokio::test]
async fn late_commits_on_the_first_page_are_news_and_later_ones_that_were_seen_are_not() {
    let device = device().await;
    device.server.says_it_is(stamp(40));
    device.server.pages(page(&[("c", 13)]));
    device.server.pages(PullPage::default());
    device.pull().await;
    asked(&device);
    device.server.pages(page(&[("a", 4), ("b", 5)]));
    device.server.pages(page(&[("a", 4)]));
    let report = device.pull().await;
    assert_eq!(report.pull, PhaseEnd::Completed);
    assert_eq!(asked(&device).len(), 2);
    assert_eq!(ids(&device), ["a", "b", "c"]);
}

#[tokio::test]
async fn the_servers_time_at_the_start_of_a_chain_counts() {
    let device = device().await;
    device
        .server
        .pages_at(stamp(14), page(&[("a", 11), ("b", 12)]));
    device.server.pages_at(stamp(50), page(&[("c", 13)]));
    device.pull().await;
    asked(&device);
    device.pull().await;
    assert_eq!(asked(&device), [behind(9)]);
}

#[tokio::test]
async fn progress_says_how_much_there_is() {
    let device = device().await;
    let mut events = device.engine.events();
    let mut first = page(&[("a", 11), ("b", 12)]);
    first.total = Some(3);
    device.server.pages(first);
    device.server.pages(page(&[("c", 13)]));
    device.pull().await;
    let progress = told(&mut events)
        .into_iter()
        .filter_map(|event| match event {
            SyncEvent::SyncProgress { done, total, .. } => Some((done, total)),
            _ => None,
        });
    assert_eq!(
        progress.collect::<Vec<_>>(),
        [(2, Some(3)), (3, None), (3, None)]
    );
}
