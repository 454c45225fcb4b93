//! Who runs when: several engines of one process on one database.

use std::collections::BTreeSet;
use std::time::Duration;

use sync_core::{SyncConfig, SyncError, Timestamp};

use crate::setup::{Database, LEASE, create, ends, entity, kind, poll_until, run, stays, told};

/// Who waits looks again after so long.
const LOOK: Duration = Duration::from_secs(3);

#[tokio::test]
async fn of_two_engines_one_runs_and_the_other_waits_and_both_cover_their_operations() {
    let base = Database::new();
    let (one, other) = (base.engine().await, base.engine().await);
    create(&one, "a", "one").await;
    let mut first = run(&one);
    poll_until(&mut first, || base.server.requests().0 == 1).await;
    create(&other, "b", "other").await;
    let mut events = other.events();
    let mut second = run(&other);
    stays(10, &mut second).await;
    assert_eq!(told(&mut events), ["SyncWaiting"]);
    assert_eq!(
        base.server.requests(),
        (1, 0),
        "nothing of the other one left"
    );
    let (first, second) = base.passing(futures::future::join(first, second)).await;
    assert_eq!(
        first.unwrap().stats.pushed + second.as_ref().unwrap().stats.pushed,
        2
    );
    assert_eq!(second.unwrap().pending, 0);
    base.assert_settled().await;
}

#[tokio::test]
async fn a_holder_at_work_keeps_the_lease_however_long_a_request_takes() {
    let base = Database::new();
    let patient = |config: SyncConfig| config.with_request_timeout(Duration::from_secs(3_600));
    let (one, other) = (base.engine_with(patient).await, base.engine().await);
    create(&one, "a", "one").await;
    let mut first = run(&one);
    poll_until(&mut first, || base.server.requests().0 == 1).await;
    base.server.state().is_down = true;
    let mut waiting = run(&other);
    let mut beats = BTreeSet::new();
    // Ten times the lease's duration.
    for _ in 0..200 {
        base.world.advance(LOOK);
        stays(3, &mut first).await;
        stays(3, &mut waiting).await;
        beats.extend(base.lease().await);
    }
    assert!(beats.len() > 20, "{beats:?}");
    assert_eq!(base.server.requests(), (1, 0));
    base.server.state().is_down = false;
    let (first, waiting) = base.passing(futures::future::join(first, waiting)).await;
    assert!(first.unwrap().is_complete() && waiting.unwrap().is_complete());
    base.assert_settled().await;
}

#[tokio::test]
async fn a_holder_that_died_is_taken_over_after_the_lease_and_not_before() {
    let base = Database::new();
    let one = base.engine().await;
    create(&one, "a", "one").await;
    let mut dying = run(&one);
    poll_until(&mut dying, || base.server.requests().0 == 1).await;
    drop((dying, one));
    let died = base.now();
    let other = base.engine().await;
    let report = base.passing(other.sync()).await.unwrap();
    assert_eq!((report.stats.pushed, report.pending), (1, 0));
    let waited = base.now() - died;
    assert!((LEASE..=LEASE + 2 * LOOK).contains(&waited), "{waited:?}");
    base.assert_settled().await;
}

#[tokio::test]
async fn the_holder_says_how_long_others_wait_for_it() {
    let base = Database::new();
    let patient = base.engine().await;
    create(&patient, "a", "one").await;
    let mut dying = run(&patient);
    poll_until(&mut dying, || base.server.requests().0 == 1).await;
    drop(dying);
    let died = base.now();
    let short = |config: SyncConfig| config.with_lease_duration(Duration::from_secs(1));
    let hasty = base.engine_with(short).await;
    base.passing(hasty.sync()).await.unwrap();
    assert!(base.now() - died >= LEASE);
}

#[tokio::test]
async fn an_engine_takes_its_own_lease_again_at_once() {
    let base = Database::new();
    let one = base.engine().await;
    create(&one, "a", "one").await;
    let mut cancelled = run(&one);
    poll_until(&mut cancelled, || base.server.requests().0 == 1).await;
    drop(cancelled);
    let before = base.now();
    let mut events = one.events();
    let mut again = run(&one);
    assert!(ends(&mut again).await.unwrap().is_complete());
    assert_eq!(base.now(), before, "no time passed");
    assert!(!told(&mut events).contains(&"SyncWaiting".to_owned()));
    base.assert_settled().await;
}

#[tokio::test]
async fn an_engine_that_is_shut_down_keeps_nobody_waiting() {
    let base = Database::new();
    let (one, other) = (base.engine().await, base.engine().await);
    create(&one, "a", "one").await;
    let mut stopped = run(&one);
    poll_until(&mut stopped, || base.server.requests().0 == 1).await;
    let (outcome, ()) = futures::join!(stopped, one.shutdown());
    assert!(matches!(outcome, Err(SyncError::ShutDown)), "{outcome:?}");
    let before = base.now();
    let mut next = run(&other);
    assert!(ends(&mut next).await.unwrap().is_complete());
    assert_eq!(base.now(), before);
    base.assert_settled().await;
}

#[tokio::test]
async fn who_waits_for_the_lease_can_be_cancelled_and_shut_down() {
    let base = Database::new();
    let (one, other) = (base.engine().await, base.engine().await);
    create(&one, "a", "one").await;
    let mut first = run(&one);
    poll_until(&mut first, || base.server.requests().0 == 1).await;
    let lease = base.lease().await;
    let mut cancelled = run(&other);
    stays(3, &mut cancelled).await;
    drop(cancelled);
    let mut waiting = run(&other);
    stays(3, &mut waiting).await;
    let (outcome, ()) = futures::join!(waiting, other.shutdown());
    assert!(matches!(outcome, Err(SyncError::ShutDown)), "{outcome:?}");
    assert_eq!(base.lease().await, lease, "it touched nothing");
    assert!(base.passing(first).await.unwrap().is_complete());
}

#[tokio::test]
async fn a_wall_clock_that_is_set_changes_nothing_about_the_lease() {
    const YEARS: [&str; 2] = ["2020-01-01T00:00:00Z", "2035-01-01T00:00:00Z"];
    for year in YEARS {
        let base = Database::new();
        let one = base.engine().await;
        create(&one, "a", "one").await;
        let mut dying = run(&one);
        poll_until(&mut dying, || base.server.requests().0 == 1).await;
        drop(dying);
        let died = base.now();
        base.world.set_wall(&Timestamp::parse(year).unwrap());
        let other = base.engine().await;
        base.passing(other.sync_with(sync_core::SyncOptions::default().no_push()))
            .await
            .unwrap();
        let waited = base.now() - died;
        assert!(
            (LEASE..=LEASE + 2 * LOOK).contains(&waited),
            "{year}: {waited:?}"
        );
    }
}

#[tokio::test]
async fn operations_are_not_given_up_while_another_engine_sends_them() {
    let base = Database::new();
    let (one, other) = (base.engine().await, base.engine().await);
    create(&one, "a", "one").await;
    let mut first = run(&one);
    poll_until(&mut first, || base.server.requests().0 == 1).await;
    let (a, kind) = (entity("a"), kind());
    let outbox = other.outbox();
    let mut discarding = Box::pin(outbox.discard(&kind, &a));
    stays(10, &mut discarding).await;
    assert_eq!(base.content().await.ops.len(), 1);
    let (report, discarded) = base.passing(futures::future::join(first, discarding)).await;
    assert_eq!(report.unwrap().stats.pushed, 1);
    assert_eq!(discarded.unwrap().op_ids, [], "the server had taken it");
    base.assert_settled().await;
}

#[tokio::test]
async fn a_note_of_the_lease_that_cannot_be_read_is_waited_for_and_then_replaced() {
    for note in ["", "{}", "\"newer\"", "{\"number\":-1,\"holder\":\"x\"}"] {
        let base = Database::new();
        let one = base.engine().await;
        base.put_lease(note).await;
        let before = base.now();
        assert!(base.passing(one.sync()).await.unwrap().is_complete());
        assert!(base.now() - before >= LEASE, "{note:?}");
    }
}

#[tokio::test]
async fn a_note_of_an_absurd_duration_does_not_stop_sync_for_ever() {
    let base = Database::new();
    let one = base.engine().await;
    let note = format!("{{\"number\":7,\"holder\":\"x\",\"millis\":{}}}", u64::MAX);
    base.put_lease(&note).await;
    let before = base.now();
    assert!(base.passing(one.sync()).await.unwrap().is_complete());
    let waited = base.now() - before;
    assert!(
        waited <= Duration::from_secs(3_600) + 2 * LOOK,
        "{waited:?}"
    );
}

#[test]
fn a_lease_of_no_length_or_without_end_is_refused() {
    let lease = |duration| {
        SyncConfig::default()
            .with_lease_duration(duration)
            .validate()
    };
    for bad in [
        Duration::ZERO,
        Duration::from_millis(99),
        Duration::from_secs(3_601),
    ] {
        let error = lease(bad).unwrap_err().to_string();
        assert!(error.contains("lease_duration"), "{error}");
    }
    assert!(lease(Duration::from_millis(100)).is_ok());
}
