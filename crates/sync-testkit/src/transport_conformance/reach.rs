//! Requests that do not arrive, answers that do not come back, calls that are given up or run side
//! by side.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use serde_json::json;
use sync_core::transport::{FetchRequest, PushOutcome, PushRequest};
use sync_core::{Transport, TransportError, TransportErrorKind};

use super::fixtures::{
    Harness, NOTES, accepted, all_notes, assert_effects, create, fetch, id, if_current, kind, need,
    pull, pull_error, push, push_through, seed, set, stored, upsert,
};
use super::trail::outcome as told;
use super::{Ability, Circumstance, Outcome};

pub async fn an_unreachable_server_was_surely_not_asked(harness: Harness<'_>) -> Outcome {
    set(harness, Circumstance::Unreachable).await?;
    let errors = [
        pull_error(harness, all_notes()).await,
        fetch(harness, NOTES, "a").await.unwrap_err(),
        push(harness, create("a")).await.unwrap_err(),
        harness.transport().health().await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), TransportErrorKind::Offline, "{error:?}");
        assert!(!error.maybe_sent(), "{error:?}");
    }
    Ok(())
}

pub async fn the_live_channel_of_an_unreachable_server_does_not_open(
    harness: Harness<'_>,
) -> Outcome {
    need(harness, Ability::LiveChannel)?;
    set(harness, Circumstance::Unreachable).await?;
    let error = match harness.transport().wakeups().await {
        Ok(_) => panic!("the live channel of a server that cannot be reached"),
        Err(error) => error,
    };
    assert_eq!(error.kind(), TransportErrorKind::Offline, "{error:?}");
    Ok(())
}

pub async fn a_server_that_is_back_is_used_again(harness: Harness<'_>) -> Outcome {
    set(harness, Circumstance::Unreachable).await?;
    pull_error(harness, all_notes()).await;
    harness.recover().await;
    seed(harness, [("a", 1)]).await;
    assert_eq!(pull(harness, all_notes()).await.items.len(), 1);
    Ok(())
}

/// Each call must reach the server once, whatever comes of it.
async fn assert_one_request_each(harness: Harness<'_>) {
    let transport = harness.transport();
    let fetched = FetchRequest::new(kind(NOTES), id("a"));
    let before = harness.requests().await;
    let _ = transport.pull(all_notes()).await;
    let pulled = harness.requests().await;
    let _ = transport.fetch(fetched).await;
    let fetched = harness.requests().await;
    let _ = push(harness, create("a")).await;
    let pushed = harness.requests().await;
    let _ = transport.health().await;
    let asked = harness.requests().await;
    let each = [
        pulled - before,
        fetched - pulled,
        pushed - fetched,
        asked - pushed,
    ];
    assert_eq!(
        each, [1; 4],
        "requests of a pull, a fetch, a push and a health check"
    );
}

pub async fn one_call_is_one_request(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::Requests)?;
    assert_one_request_each(harness).await;
    let troubles = [
        Circumstance::LostAnswer,
        Circumstance::status(500),
        Circumstance::status(503),
    ];
    for trouble in troubles {
        set(harness, trouble).await?;
        assert_one_request_each(harness).await;
        harness.recover().await;
    }
    Ok(())
}

pub async fn a_push_whose_answer_was_lost_may_have_been_sent(harness: Harness<'_>) -> Outcome {
    set(harness, Circumstance::LostAnswer).await?;
    let error = push(harness, create("a")).await.unwrap_err();
    assert!(error.maybe_sent(), "{error:?}");
    assert!(
        !error.is_environment(),
        "one lost answer is not the whole network: {error:?}"
    );
    assert_effects(harness, "a", 1).await;
    Ok(())
}

pub async fn a_push_whose_answer_was_lost_is_answered_under_its_key(
    harness: Harness<'_>,
) -> Outcome {
    need(harness, Ability::Keys)?;
    set(harness, Circumstance::LostAnswer).await?;
    push(harness, create("a")).await.unwrap_err();
    harness.recover().await;
    accepted(push(harness, create("a")).await.unwrap());
    assert_effects(harness, "a", 1).await;
    Ok(())
}

pub async fn a_read_whose_answer_was_lost_is_an_error(harness: Harness<'_>) -> Outcome {
    set(harness, Circumstance::LostAnswer).await?;
    let pulled = pull_error(harness, all_notes()).await;
    let fetched = fetch(harness, NOTES, "a").await.unwrap_err();
    for error in [pulled, fetched] {
        assert!(error.is_retryable(), "{error:?}");
    }
    Ok(())
}

/// Polls a future so many times, then gives it up.
struct GivenUp<F> {
    call: Pin<Box<F>>,
    polls_left: usize,
}

impl<F: Future> Future for GivenUp<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls_left == 0 {
            return Poll::Ready(None);
        }
        self.polls_left -= 1;
        let polled = self.call.as_mut().poll(context).map(Some);
        if polled.is_pending() && self.polls_left == 0 {
            return Poll::Ready(None);
        }
        polled
    }
}

/// The result of a call that is dropped at its `polls`th await, if it did not end before.
async fn give_up_after<F: Future>(polls: usize, call: F) -> Option<F::Output> {
    let given_up = GivenUp {
        call: Box::pin(call),
        polls_left: polls,
    };
    given_up.await
}

/// More awaits than a call has.
const MOST_AWAITS: usize = 200;

pub async fn a_call_that_is_dropped_leaves_the_transport_usable(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1)]).await;
    // On a busy machine the answer may be there before the first await is; a transport that never
    // awaits cannot be dropped midway at all.
    for _ in 0..10 {
        if drop_midway(harness).await {
            break;
        }
    }
    Ok(())
}

/// Drops each call at each of its awaits in turn; was any of them really under way?
async fn drop_midway(harness: Harness<'_>) -> bool {
    let transport = harness.transport();
    let mut was_under_way = false;
    for polls in 1..MOST_AWAITS {
        let fetched = FetchRequest::new(kind(NOTES), id("a"));
        let ended = [
            give_up_after(polls, transport.pull(all_notes()))
                .await
                .is_some(),
            give_up_after(polls, transport.fetch(fetched))
                .await
                .is_some(),
            give_up_after(polls, transport.health()).await.is_some(),
            give_up_after(polls, transport.wakeups()).await.is_some(),
        ];
        assert_eq!(pull(harness, all_notes()).await.items.len(), 1);
        if ended.into_iter().all(|ended| ended) {
            return was_under_way;
        }
        was_under_way = true;
    }
    panic!("the calls do not end");
}

pub async fn a_push_that_is_dropped_takes_effect_at_most_once(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::Keys)?;
    let transport = harness.transport();
    for polls in 0..MOST_AWAITS {
        let entity = format!("e{polls}");
        let request = PushRequest::new(vec![create(&entity)]);
        let ended = give_up_after(polls, transport.push(request)).await;
        accepted(push(harness, create(&entity)).await.unwrap());
        assert_effects(harness, &entity, 1).await;
        if ended.is_some() {
            return Ok(());
        }
    }
    panic!("the push does not end");
}

pub async fn calls_side_by_side_get_their_own_answers(harness: Harness<'_>) -> Outcome {
    const CALLS: usize = 24;
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..CALLS {
        let transport: Arc<dyn Transport> = harness.transport();
        calls.spawn(async move {
            let entity = n.to_string();
            accepted(push_through(&*transport, create(&entity)).await?);
            let request = FetchRequest::new(kind(NOTES), id(&entity));
            let state = transport.fetch(request).await?.value;
            let fetched = state.live().and_then(|record| record.get("title").cloned());
            assert_eq!(fetched, Some(json!(format!("note {entity}"))));
            Ok::<_, TransportError>(entity)
        });
    }
    let done: BTreeSet<String> = calls
        .join_all()
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(done.len(), CALLS);
    let listed = pull(harness, all_notes()).await.items.len();
    assert_eq!(listed, CALLS, "every record that was put is in the list");
    Ok(())
}

pub async fn of_pushes_side_by_side_on_one_version_one_wins(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1)]).await;
    let check = if_current(harness, "a").await;
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..8 {
        let transport = harness.transport();
        let key = format!("k{n}");
        let op = upsert(&key, "a", json!({"title": key}), check.clone());
        calls.spawn(async move { (key, push_through(&*transport, op).await) });
    }
    let mut winners = Vec::new();
    for (key, outcome) in calls.join_all().await {
        match outcome.unwrap() {
            PushOutcome::Accepted { .. } => winners.push(key),
            PushOutcome::Conflict { .. } => {}
            other => panic!("such a push is taken or 409, not {}", told(&other)),
        }
    }
    assert_eq!(
        winners.len(),
        1,
        "of pushes with the same `_baseUpdatedAt` one is taken, the others are 409: check, write and \
         stamp are one transaction. Taken: {winners:?}"
    );
    assert_eq!(
        stored(harness, "a").await["title"],
        winners[0],
        "what was taken is stored"
    );
    Ok(())
}
