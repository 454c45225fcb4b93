//! A holder that slept past its time and wakes neither sends, nor settles, nor moves a cursor.

use std::time::Duration;

use sync_core::store::{OpQuery, Store};
use sync_core::transport::PushOutcome;
use sync_core::{SyncEngine, SyncError, TransportErrorKind, TxMode};

use crate::setup::{Database, Run, create, edit, poll_until, run, stays, step};

/// The other engine takes over, settles everything, and is in the middle of its next run.
async fn taken_over(base: &Database, other: &SyncEngine) -> Run {
    base.passing(other.sync()).await.unwrap();
    base.server.put("z", "news");
    edit(other, "a", "newer").await;
    let (pushes, _) = base.server.requests();
    let mut next = run(other);
    poll_until(&mut next, || base.server.requests().0 > pushes).await;
    base.server.state().is_down = true;
    next
}

/// Wakes the sleeper while the other one is at work, and then lets both come to their end.
async fn wakes(base: &Database, mut sleeper: Run, other: Run) {
    let (before, pushes) = (base.content().await, base.server.requests().0);
    stays(50, &mut sleeper).await;
    assert_eq!(base.content().await, before);
    assert_eq!(base.server.requests().0, pushes, "nothing was sent");
    base.server.state().is_down = false;
    let (one, other) = base.passing(futures::future::join(sleeper, other)).await;
    assert_eq!((one.unwrap().pending, other.unwrap().pending), (0, 0));
    base.assert_settled().await;
    assert_eq!(base.server.text("a").as_deref(), Some("newer"));
}

#[tokio::test]
async fn a_holder_that_sleeps_at_any_await_of_its_run_harms_nothing_when_it_wakes() {
    let mut stages = 0;
    for polls in 1..200 {
        let base = Database::new();
        let (one, other) = (base.engine().await, base.engine().await);
        create(&one, "a", "first").await;
        create(&one, "b", "first").await;
        base.server.put("y", "news");
        let mut sleeper = run(&one);
        let mut ended = false;
        for _ in 0..polls {
            ended = ended || step(&mut sleeper).await.is_some();
        }
        if ended {
            break;
        }
        stages += 1;
        let next = taken_over(&base, &other).await;
        wakes(&base, sleeper, next).await;
    }
    assert!(stages >= 6, "{stages}");
}

#[tokio::test]
async fn a_repeat_that_waited_too_long_does_not_leave() {
    let base = Database::new();
    let (one, other) = (base.engine().await, base.engine().await);
    create(&one, "b", "first").await;
    // From now on the server is known to honour keys, so that a push may be repeated.
    base.passing(one.sync()).await.unwrap();
    create(&one, "a", "first").await;
    let (trouble, before) = (TransportErrorKind::Server, base.server.requests());
    base.server.state().failures.push_back(trouble);
    let mut sleeper = run(&one);
    poll_until(&mut sleeper, || base.server.requests().0 > before.0).await;
    // It sleeps in the pause before its repeat.
    stays(10, &mut sleeper).await;
    assert_eq!(base.server.requests(), (before.0 + 1, before.1));
    let next = taken_over(&base, &other).await;
    wakes(&base, sleeper, next).await;
}

#[tokio::test]
async fn a_holder_that_slept_and_was_not_taken_over_goes_on() {
    let base = Database::new();
    let one = base.engine().await;
    create(&one, "a", "first").await;
    create(&one, "b", "first").await;
    let mut sleeper = run(&one);
    poll_until(&mut sleeper, || base.server.requests().0 == 1).await;
    base.world.advance(Duration::from_secs(3_600));
    assert_eq!(base.passing(sleeper).await.unwrap().stats.pushed, 2);
    base.assert_settled().await;
}

#[tokio::test]
async fn who_loses_the_lease_again_and_again_is_told() {
    let base = Database::new();
    let one = base.engine().await;
    create(&one, "a", "first").await;
    base.server.state().is_down = true;
    let mut losing = run(&one);
    let mut outcome = None;
    for number in 100..120 {
        for _ in 0..10 {
            if outcome.is_none() {
                outcome = step(&mut losing).await;
            }
        }
        if outcome.is_some() {
            break;
        }
        // Somebody else takes it over and lets it go at once.
        base.put_lease(&format!("{{\"number\":{number}}}")).await;
        base.world.advance(Duration::from_secs(30));
    }
    let error = outcome.unwrap().unwrap_err();
    assert!(matches!(&error, SyncError::Run(error) if matches!(**error, SyncError::LeaseLost)));
    assert!(error.to_string().contains("lease_duration"), "{error}");
    assert_eq!(base.content().await.ops.len(), 1);
}

#[tokio::test]
async fn a_failed_request_leaves_an_operation_alone_that_it_did_not_carry() {
    let base = Database::new();
    let one = base.engine().await;
    let kinds = [
        TransportErrorKind::Rejected,
        TransportErrorKind::Server,
        TransportErrorKind::Offline,
    ];
    for (number, failure) in kinds.into_iter().enumerate() {
        let id = format!("n{number}");
        create(&one, &id, "first").await;
        let (pushes, _) = base.server.requests();
        let mut sending = run(&one);
        poll_until(&mut sending, || base.server.requests().0 > pushes).await;
        // Somebody settled the operation, and the user has written another one since.
        let mut tx = base.store.begin(TxMode::Write).await.unwrap();
        let mut ops = tx.ops(&OpQuery::default()).await.unwrap();
        let gone = ops.pop().unwrap();
        tx.delete_ops(std::slice::from_ref(&gone.op_id))
            .await
            .unwrap();
        let mut new = gone.clone();
        new.op_id = base.world.env().op_id();
        (new.fate, new.ever_sent) = (sync_core::Fate::NeverSent, false);
        tx.append_ops(&[new]).await.unwrap();
        tx.commit().await.unwrap();
        let before = base.content().await.ops;
        base.server.state().failures.extend([failure; 5]);
        base.server.state().is_down = false;
        let report = base.passing(sending).await.unwrap();
        assert_eq!(report.pending, 1, "{report:?}");
        assert_eq!(base.content().await.ops, before, "{failure:?}");
        base.server.state().failures.clear();
        base.passing(one.sync()).await.unwrap();
    }
    base.assert_settled().await;
}

#[tokio::test]
async fn an_answer_to_an_operation_that_is_gone_is_treated_as_a_pulled_row() {
    let base = Database::new();
    let one = base.engine().await;
    create(&one, "a", "first").await;
    let mut sending = run(&one);
    poll_until(&mut sending, || base.server.requests().0 == 1).await;
    let mut tx = base.store.begin(TxMode::Write).await.unwrap();
    let ops = tx.ops(&OpQuery::default()).await.unwrap();
    tx.delete_ops(&[ops[0].op_id.clone()]).await.unwrap();
    tx.commit().await.unwrap();
    base.server.put("a", "as the server has it");
    let refused = PushOutcome::Accepted { state: None };
    base.server.state().scripted.push_back(refused);
    let report = base.passing(sending).await.unwrap();
    assert_eq!((report.stats.pushed, report.pending), (0, 0));
    base.passing(one.sync()).await.unwrap();
    base.assert_settled().await;
}
