//! Servers that would keep a device busy for ever, fill its memory, or change what it reads.

use serde_json::{Value, json};
use sync_core::transport::{PullPage, UnreadableItem};
use sync_core::{EntityId, PhaseEnd, SyncEvent};

use crate::device::{Device, kind, told};
use crate::pages::{device, ids, page, row, with_token};

const HUGE: &str = r#"{"id":"b","updated_at":"2026-03-01T12:00:12Z","a":1180591620717411303425}"#;

fn with_unreadable(mut page: PullPage, text: &str) -> PullPage {
    let id = EntityId::new("b").unwrap();
    let reason = "it has an integer beyond 64 bits";
    let item = UnreadableItem::new(Some(id), text, reason);
    page.unreadable.push(item);
    page
}

async fn set_aside(device: &Device) -> Vec<(String, Value)> {
    let entries = device.set_aside().await;
    let pairs = entries.into_iter().map(|entry| (entry.key, entry.row));
    pairs.collect()
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_set_aside_to_the_letter_until_it_can() {
    let device = device().await;
    let first = with_unreadable(page(&[("a", 11)]), HUGE);
    device.server.pages(with_token(first, "t1"));
    device.server.pages(PullPage::default());
    let report = device.pull().await;
    assert_eq!(report.pull, PhaseEnd::Completed);
    assert_eq!(ids(&device), ["a"]);
    assert_eq!(set_aside(&device).await, [("b".to_owned(), json!(HUGE))]);
    // Not applied by a retry, and a newer one takes its place.
    let newer = HUGE.replace(":12Z", ":13Z");
    let second = with_unreadable(page(&[]), &newer);
    device.server.pages(with_token(second, "t1"));
    device.server.pages(PullPage::default());
    device.pull().await;
    assert_eq!(set_aside(&device).await, [("b".to_owned(), json!(newer))]);
    device.server.pages(with_token(page(&[("b", 14)]), "t1"));
    device.server.pages(PullPage::default());
    device.pull().await;
    assert_eq!(ids(&device), ["a", "b"]);
    assert_eq!(set_aside(&device).await, []);
}

#[tokio::test]
async fn a_row_without_id_that_cannot_be_read_is_kept_under_a_fingerprint() {
    let device = device().await;
    let mut page = page(&[("a", 11)]);
    for text in ["[1e400]", "[1e400]", "[1e401]"] {
        let item = UnreadableItem::new(None, text, "number out of range");
        page.unreadable.push(item);
    }
    device.server.pages(with_token(page, "t1"));
    device.server.pages(PullPage::default());
    device.pull().await;
    assert_eq!(set_aside(&device).await.len(), 2);
}

#[tokio::test]
async fn pages_that_go_in_circles_under_ever_new_tokens_end_the_pull() {
    for length in [1, 3] {
        let device = device().await;
        for number in 0..6_000_u16 {
            let id = ["a", "b", "c"][usize::from(number) % length];
            let page = page(&[(id, 11)]);
            device.server.pages(with_token(page, &format!("t{number}")));
        }
        let report = device.pull().await;
        let failure = &report.pull_failures[&kind()];
        assert!(failure.contains("the same page"), "{failure}");
        assert_eq!(ids(&device).len(), length);
    }
}

#[tokio::test]
async fn empty_pages_before_the_last_one_are_waited_out() {
    let device = device().await;
    for number in 0..300 {
        let page = PullPage::default();
        device.server.pages(with_token(page, &format!("t{number}")));
    }
    device.server.pages(page(&[("a", 11)]));
    assert_eq!(device.pull().await.pull, PhaseEnd::Completed);
    assert_eq!(ids(&device), ["a"]);
}

/// How many transactions three pages of this size took.
async fn transactions(bytes: u64) -> usize {
    let device = device().await;
    for (number, token) in [(11, Some("t1")), (12, Some("t2")), (13, None)] {
        let mut page = PullPage::new(vec![row(&format!("e{number}"), number)]);
        page.bytes = bytes;
        page.next_page_token = token.map(str::to_owned);
        device.server.pages(page);
    }
    let mut events = device.engine.events();
    assert_eq!(device.pull().await.pull, PhaseEnd::Completed);
    assert_eq!(ids(&device).len(), 3);
    let told = told(&mut events).into_iter();
    told.filter(|event| matches!(event, SyncEvent::CacheUpdate { .. }))
        .count()
}

#[tokio::test]
async fn large_pages_do_not_wait_for_each_other_in_memory() {
    assert_eq!(transactions(1_000).await, 1);
    assert_eq!(transactions(9_000_000).await, 2);
    assert_eq!(transactions(60_000_000).await, 3);
}
