//! What an answer means (semantics 3, "What an answer means"), and what is no answer of the server.

use std::time::Duration;

use serde_json::json;
use sync_core::transport::PushOutcome;
use sync_core::{Precondition, TransportError, TransportErrorKind};

use super::fixtures::{
    Harness, NOTES, accepted, all_notes, assert_effects, create, delete, fetch, if_seconds,
    need_statuses, note, pull_error, push, record, seed, set, stamp, upsert,
};
use super::{Circumstance, Outcome};

pub async fn a_success_without_a_body_is_accepted_without_a_state(harness: Harness<'_>) -> Outcome {
    set(harness, Circumstance::NoBody).await?;
    let outcome = push(harness, create("a")).await.unwrap();
    assert_eq!(outcome, PushOutcome::Accepted { state: None });
    assert_effects(harness, "a", 1).await;
    Ok(())
}

pub async fn a_tombstone_in_answer_to_an_upsert_is_told(harness: Harness<'_>) -> Outcome {
    let tombstone = json!({"id": "a", "updated_at": stamp(9), "deleted_at": stamp(9)});
    set(harness, Circumstance::Body(tombstone.clone())).await?;
    let state = accepted(push(harness, create("a")).await.unwrap());
    let state = state.unwrap_or_else(|| panic!("the tombstone is kept"));
    assert!(state.is_deleted(), "{state:?}");
    assert_eq!(state.record(), Some(&record(tombstone)));
    Ok(())
}

pub async fn a_live_record_in_answer_to_a_delete_is_not_kept(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1)]).await;
    set(harness, Circumstance::Body(note("a", 1))).await?;
    let outcome = push(harness, delete("k1", "a", if_seconds(1)))
        .await
        .unwrap();
    assert_eq!(outcome, PushOutcome::Accepted { state: None });
    Ok(())
}

pub async fn a_record_with_an_unreadable_stamp_has_no_version(harness: Harness<'_>) -> Outcome {
    let unstamped = json!({"id": "a", "updated_at": "yesterday", "title": "note a"});
    set(harness, Circumstance::Body(unstamped.clone())).await?;
    let state = accepted(push(harness, create("a")).await.unwrap());
    let state = state.unwrap_or_else(|| panic!("the record is kept"));
    assert_eq!(state.live(), Some(&record(unstamped)));
    assert_eq!(state.version(), None);
    Ok(())
}

fn assert_protocol(outcome: &PushOutcome) {
    let is_protocol = matches!(outcome, PushOutcome::Protocol { .. });
    assert!(
        is_protocol,
        "no answer of this server, but the transport says {outcome:?}"
    );
}

pub async fn a_success_with_another_record_is_no_success(harness: Harness<'_>) -> Outcome {
    set(harness, Circumstance::Body(note("b", 2))).await?;
    assert_protocol(&push(harness, create("a")).await.unwrap());
    Ok(())
}

pub async fn a_success_with_an_error_inside_is_no_success(harness: Harness<'_>) -> Outcome {
    let envelope = json!({"error": "internal", "message": "try again"});
    set(harness, Circumstance::Body(envelope)).await?;
    assert_protocol(&push(harness, create("a")).await.unwrap());
    Ok(())
}

pub async fn a_success_with_a_list_is_no_success(harness: Harness<'_>) -> Outcome {
    set(harness, Circumstance::Body(json!([note("a", 1)]))).await?;
    assert_protocol(&push(harness, create("a")).await.unwrap());
    Ok(())
}

pub async fn a_web_page_is_no_success_of_a_push(harness: Harness<'_>) -> Outcome {
    set(harness, Circumstance::WebPage).await?;
    assert_protocol(&push(harness, create("a")).await.unwrap());
    let gone = push(harness, delete("k1", "a", Precondition::Force)).await;
    assert_protocol(&gone.unwrap());
    Ok(())
}

pub async fn a_web_page_is_no_page_and_no_record(harness: Harness<'_>) -> Outcome {
    set(harness, Circumstance::WebPage).await?;
    let pulled = pull_error(harness, all_notes()).await;
    let fetched = fetch(harness, NOTES, "a").await.unwrap_err();
    let health = harness.transport().health().await.unwrap_err();
    for error in [pulled, fetched, health] {
        assert_eq!(error.kind(), TransportErrorKind::Protocol, "{error:?}");
    }
    Ok(())
}

pub async fn a_redirect_of_a_push_is_not_followed(harness: Harness<'_>) -> Outcome {
    set(harness, Circumstance::Redirect).await?;
    assert_protocol(&push(harness, create("a")).await.unwrap());
    Ok(())
}

pub async fn a_redirect_to_another_host_is_no_page(harness: Harness<'_>) -> Outcome {
    set(harness, Circumstance::Redirect).await?;
    let error = pull_error(harness, all_notes()).await;
    assert_eq!(error.kind(), TransportErrorKind::Protocol, "{error:?}");
    Ok(())
}

pub async fn a_body_that_breaks_off_is_told_as_broken(harness: Harness<'_>) -> Outcome {
    set(harness, Circumstance::BrokenBody).await?;
    let pushed = push(harness, create("a")).await.unwrap_err();
    assert!(pushed.maybe_sent(), "{pushed:?}");
    for error in [pushed, pull_error(harness, all_notes()).await] {
        assert_eq!(error.kind(), TransportErrorKind::BrokenBody, "{error:?}");
    }
    Ok(())
}

pub async fn a_conflict_without_a_record_is_a_conflict(harness: Harness<'_>) -> Outcome {
    need_statuses(harness, &[409, 412])?;
    for status in [409, 412] {
        set(harness, Circumstance::status(status)).await?;
        let outcome = push(harness, create("a")).await.unwrap();
        let bare = matches!(outcome, PushOutcome::Conflict { state: None, .. });
        assert!(bare, "status {status}: {outcome:?}");
        harness.recover().await;
    }
    Ok(())
}

pub async fn a_push_answered_404_or_410_is_gone(harness: Harness<'_>) -> Outcome {
    need_statuses(harness, &[404, 410])?;
    for status in [404, 410] {
        set(harness, Circumstance::status(status)).await?;
        let outcome = push(harness, create("a")).await.unwrap();
        assert_eq!(
            outcome,
            PushOutcome::Gone { state: None },
            "status {status}"
        );
        harness.recover().await;
    }
    Ok(())
}

pub async fn a_refusal_keeps_the_servers_words(harness: Harness<'_>) -> Outcome {
    let statuses = [400, 403, 413, 422];
    need_statuses(harness, &statuses)?;
    for status in statuses {
        let words = format!("the title is too long ({status})");
        let refusal = Circumstance::Status {
            status,
            message: Some(words.clone()),
            retry_after: None,
        };
        set(harness, refusal).await?;
        match push(harness, create("a")).await.unwrap() {
            PushOutcome::Refused {
                status: told,
                message,
            } => {
                assert_eq!(told, status);
                assert!(message.contains(&words), "{message:?}");
            }
            other => panic!("status {status} is a refusal, not {other:?}"),
        }
        harness.recover().await;
    }
    Ok(())
}

pub async fn a_refusal_without_a_word_is_a_refusal(harness: Harness<'_>) -> Outcome {
    set(harness, Circumstance::status(422)).await?;
    let outcome = push(harness, create("a")).await.unwrap();
    assert!(
        matches!(outcome, PushOutcome::Refused { status: 422, .. }),
        "{outcome:?}"
    );
    Ok(())
}

/// Every call fails under this status with this kind, having perhaps been sent.
async fn assert_calls_fail(
    harness: Harness<'_>,
    statuses: &[u16],
    kind: TransportErrorKind,
) -> Outcome {
    need_statuses(harness, statuses)?;
    for status in statuses {
        set(harness, Circumstance::status(*status)).await?;
        for (call, error) in failures(harness).await {
            assert_eq!(error.kind(), kind, "{call} answered {status}: {error:?}");
            assert!(error.maybe_sent(), "{call} answered {status}: {error:?}");
        }
        harness.recover().await;
    }
    Ok(())
}

/// One failure of each call.
async fn failures(harness: Harness<'_>) -> [(&'static str, TransportError); 4] {
    let update = upsert("k1", "a", json!({}), if_seconds(1));
    [
        ("pull", pull_error(harness, all_notes()).await),
        ("fetch", fetch(harness, NOTES, "a").await.unwrap_err()),
        ("push", push(harness, update).await.unwrap_err()),
        ("health", harness.transport().health().await.unwrap_err()),
    ]
}

pub async fn a_refused_sign_in_is_told_by_every_call(harness: Harness<'_>) -> Outcome {
    assert_calls_fail(harness, &[401], TransportErrorKind::Unauthorized).await
}

pub async fn a_server_that_serves_nobody_is_told_by_every_call(harness: Harness<'_>) -> Outcome {
    assert_calls_fail(harness, &[408, 429, 503], TransportErrorKind::Unavailable).await
}

pub async fn a_server_that_fails_is_told_by_every_call(harness: Harness<'_>) -> Outcome {
    assert_calls_fail(harness, &[500, 502], TransportErrorKind::Server).await
}

pub async fn a_read_that_is_refused_is_told_as_rejected(harness: Harness<'_>) -> Outcome {
    need_statuses(harness, &[400, 403])?;
    for status in [400, 403] {
        set(harness, Circumstance::status(status)).await?;
        let pulled = pull_error(harness, all_notes()).await;
        let fetched = fetch(harness, NOTES, "a").await.unwrap_err();
        for error in [pulled, fetched] {
            assert_eq!(error.kind(), TransportErrorKind::Rejected, "{error:?}");
        }
        harness.recover().await;
    }
    Ok(())
}

pub async fn the_wait_that_the_server_asks_for_is_kept(harness: Harness<'_>) -> Outcome {
    need_statuses(harness, &[429, 503])?;
    let wait = Duration::from_secs(7);
    for status in [429, 503] {
        let busy = Circumstance::Status {
            status,
            message: None,
            retry_after: Some(wait),
        };
        set(harness, busy).await?;
        for (call, error) in failures(harness).await {
            assert_eq!(error.retry_after(), Some(wait), "{call} answered {status}");
        }
        harness.recover().await;
    }
    Ok(())
}
