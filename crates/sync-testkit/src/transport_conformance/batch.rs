//! Several operations in one request.

use serde_json::json;
use sync_core::TransportErrorKind;
use sync_core::transport::{PushOp, PushOutcome, PushRequest};

use super::fixtures::{
    Harness, LISTS, NOTES, accepted, assert_effects, assert_nothing_left, create, delete,
    if_current, if_seconds, kind, need, push_batch, seed, set, stored, upsert,
};
use super::trail::outcome as told;
use super::{Ability, Circumstance, Outcome};

pub async fn each_operation_of_a_batch_has_its_own_result(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::Batches)?;
    let outcomes = push_batch(harness, vec![create("b"), create("a")]).await;
    for (outcome, id) in outcomes.into_iter().zip(["b", "a"]) {
        if let Some(state) = accepted(outcome) {
            let record = state
                .live()
                .unwrap_or_else(|| panic!("live, not {state:?}"));
            assert_eq!(record.get("id"), Some(&json!(id)));
        }
        assert_eq!(stored(harness, id).await["title"], format!("note {id}"));
    }
    Ok(())
}

pub async fn a_batch_of_the_greatest_size_is_taken(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::Batches)?;
    let most = harness.transport().capabilities().max_batch.min(200);
    let ops: Vec<PushOp> = (0..most).map(|n| create(&n.to_string())).collect();
    for outcome in push_batch(harness, ops).await {
        accepted(outcome);
    }
    Ok(())
}

pub async fn a_batch_is_taken_in_part(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::Batches)?;
    seed(harness, [("a", 1), ("b", 1)]).await;
    let old = if_current(harness, "a").await;
    let newest = harness.edit(NOTES, "a", json!({"title": "theirs"})).await;
    let current = if_current(harness, "b").await;
    let ops = vec![
        upsert("k1", "a", json!({"title": "mine"}), old),
        upsert("k2", "b", json!({"title": "mine"}), current),
    ];
    let outcomes = push_batch(harness, ops).await;
    assert!(
        matches!(outcomes[0], PushOutcome::Conflict { .. }),
        "an outdated `baseUpdatedAt` has `statusCode` 409 in its result, not {}",
        told(&outcomes[0])
    );
    accepted(outcomes[1].clone());
    assert_eq!(stored(harness, "a").await, newest);
    assert_eq!(stored(harness, "b").await["title"], "mine");
    Ok(())
}

pub async fn upserts_and_deletes_share_a_batch(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::Batches)?;
    seed(harness, [("a", 1)]).await;
    let current = if_current(harness, "a").await;
    let ops = vec![delete("k1", "a", current), create("b")];
    for outcome in push_batch(harness, ops).await {
        accepted(outcome);
    }
    assert_eq!(harness.stored(NOTES, "a").await, None);
    assert!(harness.stored(NOTES, "b").await.is_some());
    Ok(())
}

pub async fn kinds_share_a_batch(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::Batches)?;
    let mut of_a_list = create("a");
    of_a_list.kind = kind(LISTS);
    "of-a-list".clone_into(&mut of_a_list.key);
    for outcome in push_batch(harness, vec![create("a"), of_a_list]).await {
        accepted(outcome);
    }
    assert!(harness.stored(NOTES, "a").await.is_some());
    assert!(harness.stored(LISTS, "a").await.is_some());
    Ok(())
}

pub async fn a_delete_of_what_is_missing_holds_no_batch_up(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::Batches)?;
    let ops = vec![delete("k1", "a", if_seconds(1)), create("b")];
    let outcomes = push_batch(harness, ops).await;
    assert_nothing_left(&outcomes[0]);
    accepted(outcomes[1].clone());
    Ok(())
}

pub async fn a_batch_that_comes_again_takes_effect_once(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::Batches)?;
    need(harness, Ability::Keys)?;
    let first = push_batch(harness, vec![create("a"), create("b")]).await;
    // In another order: the key counts, not the place.
    let again = push_batch(harness, vec![create("b"), create("a")]).await;
    assert_eq!(again.into_iter().rev().collect::<Vec<_>>(), first);
    for id in ["a", "b"] {
        assert_effects(harness, id, 1).await;
    }
    Ok(())
}

/// Under this, one operation of a batch is in trouble and the other is accepted.
async fn assert_one_in_trouble(
    harness: Harness<'_>,
    what: Circumstance,
    troubled: usize,
) -> Outcome {
    need(harness, Ability::Batches)?;
    set(harness, what).await?;
    let outcomes = push_batch(harness, vec![create("a"), create("b")]).await;
    assert!(
        matches!(outcomes[troubled], PushOutcome::Trouble { .. }),
        "{outcomes:?}"
    );
    assert!(
        matches!(outcomes[1 - troubled], PushOutcome::Accepted { .. }),
        "{outcomes:?}"
    );
    Ok(())
}

pub async fn a_missing_result_is_trouble_for_its_operation(harness: Harness<'_>) -> Outcome {
    assert_one_in_trouble(harness, Circumstance::MissingResult, 1).await
}

pub async fn a_doubled_result_is_trouble_for_its_operation(harness: Harness<'_>) -> Outcome {
    assert_one_in_trouble(harness, Circumstance::DoubledResult, 0).await
}

pub async fn a_result_without_a_status_is_trouble_for_its_operation(
    harness: Harness<'_>,
) -> Outcome {
    assert_one_in_trouble(harness, Circumstance::ResultWithoutStatus, 0).await
}

/// What becomes of the first operation of a batch whose result is this status.
async fn outcome_inside_a_batch(
    harness: Harness<'_>,
    status: u16,
) -> Result<PushOutcome, super::Skipped> {
    need(harness, Ability::Batches)?;
    set(harness, Circumstance::ResultStatus(status)).await?;
    let names = [format!("a{status}"), format!("b{status}")];
    let ops = names.iter().map(|name| create(name)).collect();
    let [first, second] = <[PushOutcome; 2]>::try_from(push_batch(harness, ops).await).unwrap();
    accepted(second);
    harness.recover().await;
    Ok(first)
}

pub async fn a_status_inside_a_batch_means_what_it_means_alone(harness: Harness<'_>) -> Outcome {
    for status in [409, 412] {
        let outcome = outcome_inside_a_batch(harness, status).await?;
        let bare = matches!(outcome, PushOutcome::Conflict { state: None, .. });
        assert!(bare, "{status}: {outcome:?}");
    }
    for status in [404, 410] {
        let outcome = outcome_inside_a_batch(harness, status).await?;
        assert_eq!(outcome, PushOutcome::Gone { state: None }, "{status}");
    }
    for status in [400, 403, 422] {
        match outcome_inside_a_batch(harness, status).await? {
            PushOutcome::Refused { status: told, .. } => assert_eq!(told, status),
            other => panic!("{status} is a refusal, not {other:?}"),
        }
    }
    let outcome = outcome_inside_a_batch(harness, 204).await?;
    assert_eq!(outcome, PushOutcome::Accepted { state: None });
    Ok(())
}

pub async fn a_failure_inside_a_batch_is_trouble_for_its_operation(
    harness: Harness<'_>,
) -> Outcome {
    for status in [500, 502] {
        let outcome = outcome_inside_a_batch(harness, status).await?;
        let trouble = matches!(outcome, PushOutcome::Trouble { .. });
        assert!(trouble, "{status}: {outcome:?}");
    }
    Ok(())
}

pub async fn a_refused_sign_in_inside_a_batch_is_told(harness: Harness<'_>) -> Outcome {
    let outcome = outcome_inside_a_batch(harness, 401).await?;
    assert_eq!(outcome, PushOutcome::Unauthorized);
    Ok(())
}

pub async fn a_busy_server_inside_a_batch_is_told(harness: Harness<'_>) -> Outcome {
    for status in [408, 429, 503] {
        match outcome_inside_a_batch(harness, status).await? {
            PushOutcome::Unavailable { status: told, .. } => assert_eq!(told, status),
            other => panic!("{status} means that nobody is served, not {other:?}"),
        }
    }
    Ok(())
}

/// The kind of failure of a batch as a whole under this.
async fn failure_of_a_batch(
    harness: Harness<'_>,
    what: Circumstance,
) -> Result<TransportErrorKind, super::Skipped> {
    need(harness, Ability::Batches)?;
    set(harness, what).await?;
    let request = PushRequest::new(vec![create("a"), create("b")]);
    let error = harness.transport().push(request).await.unwrap_err();
    Ok(error.kind())
}

pub async fn a_batch_that_is_refused_says_nothing_of_its_operations(
    harness: Harness<'_>,
) -> Outcome {
    let kind = failure_of_a_batch(harness, Circumstance::status(400)).await?;
    assert_eq!(kind, TransportErrorKind::Rejected);
    Ok(())
}

pub async fn a_batch_of_a_server_that_serves_nobody_fails_as_a_whole(
    harness: Harness<'_>,
) -> Outcome {
    let kind = failure_of_a_batch(harness, Circumstance::status(503)).await?;
    assert_eq!(kind, TransportErrorKind::Unavailable);
    Ok(())
}

pub async fn a_web_page_is_no_answer_to_a_batch(harness: Harness<'_>) -> Outcome {
    let kind = failure_of_a_batch(harness, Circumstance::WebPage).await?;
    assert_eq!(kind, TransportErrorKind::Protocol);
    Ok(())
}
