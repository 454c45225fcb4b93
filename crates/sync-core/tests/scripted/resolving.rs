//! Resolvers that take their time, fail, or put off.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::channel::oneshot;
use serde_json::json;
use sync_core::{ConflictResolver, ConflictStrategy, OpStatus, Resolution, resolve_fn};

use crate::device::{Device, ID, id, kind, purging, schema};
use crate::server::{accepted, conflict, live, refused};

/// A device whose edit is in conflict, and whose resolver is asked by the next push.
async fn in_conflict(resolver: Arc<dyn ConflictResolver>) -> Device {
    let table = purging()
        .strategy(ConflictStrategy::Manual)
        .resolver(resolver);
    let note = json!({"id": ID, "a": 1, "b": 1});
    let device = Device::with(schema("updated_at", vec![]), table, note).await;
    device.change("a", 2).await;
    let theirs = live(json!({"id": ID, "a": 3, "b": 1}), 2);
    device.server.answers(conflict(theirs));
    device
}

fn accept(device: &Device) {
    let stored = live(json!({"id": ID, "a": 2, "b": 1}), 3);
    device.server.answers(accepted(stored));
}

#[tokio::test]
async fn a_run_waits_a_little_for_a_resolver() {
    let resolver = resolve_fn(|_| async {
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        Ok(Resolution::AcceptClient)
    });
    let device = in_conflict(resolver).await;
    accept(&device);
    device.push().await;
    assert!(device.ops().await.is_empty());
    assert_eq!(device.server.asked().len(), 2);
}

/// A resolver that thinks about its first question until it is told to answer, and counts them.
fn thinking() -> (
    oneshot::Sender<()>,
    Arc<AtomicUsize>,
    Arc<dyn ConflictResolver>,
) {
    let (answer, waiting) = oneshot::channel::<()>();
    let waiting = Arc::new(Mutex::new(Some(waiting)));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let resolver = resolve_fn(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        let waiting = waiting.lock().unwrap().take();
        async move {
            if let Some(waiting) = waiting {
                waiting.await?;
            }
            Ok(Resolution::AcceptClient)
        }
    });
    (answer, asked, resolver)
}

#[tokio::test]
async fn an_answer_that_comes_after_the_run_is_applied_by_the_next_without_asking_again() {
    let (answer, asked, resolver) = thinking();
    let device = in_conflict(resolver).await;
    device.push().await;
    assert_eq!(device.op().await.status, OpStatus::Deferred);
    device.push_later().await;
    assert_eq!(asked.load(Ordering::Relaxed), 1, "it is still thinking");
    answer.send(()).unwrap();
    tokio::task::yield_now().await;
    accept(&device);
    device.push_later().await;
    assert!(device.ops().await.is_empty());
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

/// A device that gave up the edit that a resolver thinks about.
async fn without_its_edit(resolver: Arc<dyn ConflictResolver>) -> Device {
    let device = in_conflict(resolver).await;
    device.push().await;
    let outbox = device.engine.outbox();
    outbox.discard(&kind(), &id()).await.unwrap();
    device
}

/// The same, with another edit.
async fn with_another_edit(resolver: Arc<dyn ConflictResolver>) -> Device {
    let device = without_its_edit(resolver).await;
    device.change("a", 4).await;
    device.server.batches();
    device
}

#[tokio::test]
async fn an_answer_about_an_edit_that_was_given_up_sends_the_next_one_once() {
    let (answer, _, resolver) = thinking();
    let device = without_its_edit(resolver).await;
    for other in ["2", "3"].map(|digit| ID.replace('1', digit)) {
        device.insert(json!({"id": other})).await;
        device.server.answers(refused());
    }
    device.change("a", 4).await;
    device.server.takes_batches_of(2);
    device.server.batches();
    answer.send(()).unwrap();
    tokio::task::yield_now().await;
    // The answer is taken when the others are through and this record's turn is next.
    let stored = live(json!({"id": ID, "a": 4, "b": 1}), 4);
    device.server.answers(accepted(stored));
    device.push_later().await;
    assert_eq!(device.server.batches(), [2, 1]);
    assert_eq!(device.ops().await.len(), 2, "the refused ones");
}

#[tokio::test]
async fn an_answer_about_an_edit_that_was_given_up_is_no_second_attempt_of_the_next_one() {
    let (answer, _, resolver) = thinking();
    let device = with_another_edit(resolver).await;
    answer.send(()).unwrap();
    tokio::task::yield_now().await;
    device.server.answers(refused());
    device.server.answers(refused());
    device.push_later().await;
    assert_eq!(device.server.batches(), [1]);
    assert_eq!(device.op().await.try_count, 1);
}

#[tokio::test]
async fn a_failure_to_decide_about_an_edit_that_was_given_up_does_not_hold_up_the_next_one() {
    let (answer, _, resolver) = thinking();
    let device = with_another_edit(resolver).await;
    device.server.answers(refused());
    device.push_later().await;
    // Healthy operations go first; meanwhile the resolver fails.
    device.insert(json!({"id": ID.replace('1', "2")})).await;
    drop(answer);
    tokio::task::yield_now().await;
    device.server.answers(refused());
    device.server.answers(refused());
    device.server.batches();
    device.push_later().await;
    assert_eq!(device.server.batches(), [1, 1]);
}

#[tokio::test]
async fn a_resolver_that_failed_is_asked_again_after_a_while() {
    let asked = Arc::new(AtomicUsize::new(0));
    let resolver = {
        let asked = asked.clone();
        resolve_fn(move |_| {
            let count = asked.fetch_add(1, Ordering::Relaxed);
            async move {
                match count {
                    0 | 1 => Err("nobody is here".into()),
                    _ => Ok(Resolution::AcceptClient),
                }
            }
        })
    };
    let device = in_conflict(resolver).await;
    device.push().await;
    let op = device.op().await;
    assert_eq!(op.status, OpStatus::Deferred);
    assert!(op.last_error.unwrap().contains("nobody is here"));
    device.pass(Duration::from_millis(9_999));
    device.push().await;
    assert_eq!(asked.load(Ordering::Relaxed), 1, "not before ten seconds");
    device.pass(Duration::from_millis(1));
    device.push().await;
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    // A time further ahead than any wait comes from a clock that was wrong.
    device.goes_back(Duration::from_secs(86_400));
    accept(&device);
    device.push().await;
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    assert!(device.ops().await.is_empty());
}

#[tokio::test]
async fn what_a_person_decides_goes_out_at_once_though_the_resolver_has_just_failed() {
    let device = in_conflict(resolve_fn(|_| async { Err("nobody is here".into()) })).await;
    device.push().await;
    let conflicts = device.engine.conflicts();
    let open = conflicts.open().await.unwrap().remove(0).conflict;
    let resolution = Resolution::AcceptClient;
    assert!(conflicts.resolve(&open, resolution).await.unwrap());
    assert_eq!(device.op().await.reason(), None, "nothing is in its way");
    accept(&device);
    device.push().await;
    assert!(device.ops().await.is_empty());
}

#[tokio::test]
async fn a_conflict_that_the_resolver_puts_off_is_not_brought_up_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let resolver = {
        let asked = asked.clone();
        resolve_fn(move |_| {
            asked.fetch_add(1, Ordering::Relaxed);
            async { Ok(Resolution::Defer) }
        })
    };
    let device = in_conflict(resolver).await;
    device.push().await;
    device.push_later().await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(device.op().await.status, OpStatus::Deferred);
    assert!(device.engine.conflicts().open().await.unwrap()[0].by_choice);
}

#[tokio::test]
async fn a_decision_for_the_server_brings_its_record_and_drops_the_edit() {
    for resolution in [Resolution::AcceptServer, Resolution::Discard] {
        let resolver = resolve_fn(move |_| {
            let resolution = resolution.clone();
            async move { Ok(resolution) }
        });
        let device = in_conflict(resolver).await;
        device.push().await;
        assert!(device.ops().await.is_empty());
        assert_eq!(device.row().unwrap().get("a"), Some(&json!(3)));
        assert!(device.engine.conflicts().open().await.unwrap().is_empty());
    }
}
