//! Health, the live channel, what a transport says of itself, and what it must not say.

use std::error::Error;
use std::fmt::Debug;

use futures::StreamExt;
use serde_json::json;
use sync_core::TransportError;
use sync_core::transport::{Wakeup, WakeupStream};

use super::fixtures::{
    Harness, LISTS, NOTES, all_notes, create, fetch, kind, need, note, push, seed, set,
};
use super::{Ability, Circumstance, Outcome};

pub async fn a_server_that_is_there_is_healthy(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::Health)?;
    harness.transport().health().await.unwrap();
    Ok(())
}

async fn open(harness: Harness<'_>) -> WakeupStream {
    let opened = harness.transport().wakeups().await;
    opened.unwrap_or_else(|error| panic!("the live channel does not open: {error:?}"))
}

pub async fn a_change_wakes_who_listens(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::LiveChannel)?;
    let mut wakeups = open(harness).await;
    for name in [NOTES, LISTS] {
        harness.seed(name, vec![note("a", 1)]).await;
        let wakeup = wakeups.next().await;
        let meant = [Wakeup::Kind(kind(name)), Wakeup::Everything];
        assert!(
            wakeup.as_ref().is_some_and(|wakeup| meant.contains(wakeup)),
            "{wakeup:?}"
        );
    }
    Ok(())
}

pub async fn every_listener_is_woken(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::LiveChannel)?;
    let (mut one, mut other) = (open(harness).await, open(harness).await);
    harness.edit(NOTES, "a", json!({"title": "theirs"})).await;
    assert!(one.next().await.is_some() && other.next().await.is_some());
    Ok(())
}

pub async fn a_listener_that_leaves_holds_nobody_up(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::LiveChannel)?;
    drop(open(harness).await);
    let mut wakeups = open(harness).await;
    harness.edit(NOTES, "a", json!({"title": "theirs"})).await;
    assert!(wakeups.next().await.is_some());
    Ok(())
}

pub async fn without_a_live_channel_the_stream_ends_at_once(harness: Harness<'_>) -> Outcome {
    set(harness, Circumstance::NoLiveChannel).await?;
    assert_eq!(open(harness).await.next().await, None);
    Ok(())
}

pub async fn the_origin_is_named_and_stays(harness: Harness<'_>) -> Outcome {
    let transport = harness.transport();
    let before = transport.capabilities().origin;
    assert!(!before.trim().is_empty(), "cursors are bound to the origin");
    seed(harness, [("a", 1)]).await;
    // Whatever was answered, and whatever failed.
    let _ = transport.pull(all_notes()).await;
    let _ = push(harness, create("b")).await;
    assert_eq!(transport.capabilities().origin, before);
    Ok(())
}

pub async fn at_least_one_operation_is_taken(harness: Harness<'_>) -> Outcome {
    assert!(harness.transport().capabilities().max_batch >= 1);
    Ok(())
}

/// Fails if a `Debug` form of the value shows the secret.
fn assert_hidden(secret: &str, what: &str, shown: impl Debug) {
    for text in [format!("{shown:?}"), format!("{shown:#?}")] {
        // The text itself is not shown: it would be in the output of the test.
        assert!(!text.contains(secret), "{what} shows the secret");
    }
}

pub async fn no_debug_form_shows_the_secret(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::Secret)?;
    let secret = harness.secret().unwrap_or_default();
    let transport = harness.transport();
    let _ = transport.pull(all_notes()).await;
    assert_hidden(&secret, "the transport's `Debug` form", &transport);
    assert_hidden(&secret, "what it can do", transport.capabilities());
    Ok(())
}

fn assert_silent(secret: &str, error: &TransportError) {
    assert_hidden(secret, "an error's `Debug` form", error);
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(error) = cause {
        assert!(
            !error.to_string().contains(secret),
            "an error shows the secret"
        );
        cause = error.source();
    }
}

pub async fn no_failure_shows_the_secret(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::Secret)?;
    let secret = harness.secret().unwrap_or_default();
    let failures = [
        Circumstance::Unreachable,
        Circumstance::LostAnswer,
        Circumstance::status(401),
        Circumstance::status(403),
        Circumstance::status(429),
        Circumstance::status(500),
        Circumstance::WebPage,
        Circumstance::BrokenBody,
        Circumstance::Redirect,
    ];
    let mut seen = 0;
    for failure in failures {
        if set(harness, failure).await.is_err() {
            continue;
        }
        let pulled = harness.transport().pull(all_notes()).await.err();
        let fetched = fetch(harness, NOTES, "a").await.err();
        let pushed = push(harness, create("a")).await;
        if let Ok(outcome) = &pushed {
            assert_hidden(&secret, "an outcome", outcome);
        }
        for error in [pulled, fetched, pushed.err()].into_iter().flatten() {
            assert_silent(&secret, &error);
            seen += 1;
        }
        harness.recover().await;
    }
    assert!(seen > 0, "a harness brings at least one failure about");
    Ok(())
}
