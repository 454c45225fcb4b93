//! One record.

use serde_json::{Value, json};
use sync_core::{ServerState, TransportErrorKind};

use super::fixtures::{
    Harness, IDS, LISTS, NOTES, assert_is_stored, fetch, need_statuses, note, seed, set, stored,
};
use super::{Circumstance, Outcome};

pub async fn a_live_record_is_fetched_with_its_version(harness: Harness<'_>) -> Outcome {
    let row = json!({
        "id": "a", "updated_at": "2026-03-01T14:00:01.100+02:00", "n": u64::MAX, "null": null,
    });
    harness.seed(NOTES, vec![row.clone()]).await;
    let state = fetch(harness, NOTES, "a").await.unwrap();
    assert!(state.live().is_some(), "the record is there, not {state:?}");
    assert_is_stored(Some(&state), &stored(harness, "a").await);
    Ok(())
}

pub async fn a_deleted_record_is_fetched_as_deleted(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1)]).await;
    harness.delete(NOTES, "a").await;
    let state = fetch(harness, NOTES, "a").await.unwrap();
    assert!(
        state.is_deleted(),
        "a deleted record is its tombstone, 404 or 410, not {state:?}"
    );
    Ok(())
}

pub async fn a_missing_record_is_fetched_as_gone(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1)]).await;
    assert_eq!(
        fetch(harness, NOTES, "b").await.unwrap(),
        ServerState::gone(),
        "a `GET` of a record that is not there is 404 or 410"
    );
    Ok(())
}

pub async fn a_fetch_answered_404_or_410_is_gone(harness: Harness<'_>) -> Outcome {
    need_statuses(harness, &[404, 410])?;
    seed(harness, [("a", 1)]).await;
    for status in [404, 410] {
        set(harness, Circumstance::status(status)).await?;
        let state = fetch(harness, NOTES, "a").await.unwrap();
        assert_eq!(state, ServerState::gone(), "status {status}");
        harness.recover().await;
    }
    Ok(())
}

pub async fn fetches_of_kinds_are_apart(harness: Harness<'_>) -> Outcome {
    harness.seed(LISTS, vec![note("a", 1)]).await;
    assert_eq!(
        fetch(harness, NOTES, "a").await.unwrap(),
        ServerState::gone(),
        "the record is of another kind, so this is 404 or 410"
    );
    let own = fetch(harness, LISTS, "a").await.unwrap();
    assert!(own.live().is_some(), "the record is there, not {own:?}");
    Ok(())
}

pub async fn a_fetch_sees_the_newest_state(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1)]).await;
    let before = fetch(harness, NOTES, "a").await.unwrap();
    harness.edit(NOTES, "a", json!({"title": "newer"})).await;
    let after = fetch(harness, NOTES, "a").await.unwrap();
    assert!(
        after.is_newer_than(&before),
        "every change gives the record a later stamp: {before:?}, then {after:?}"
    );
    assert_is_stored(Some(&after), &stored(harness, "a").await);
    Ok(())
}

pub async fn ids_of_every_form_are_fetched(harness: Harness<'_>) -> Outcome {
    harness.seed(NOTES, IDS.map(|id| note(id, 1)).into()).await;
    for id in IDS {
        let state = fetch(harness, NOTES, id).await.unwrap();
        let found = state.live().and_then(|record| record.get("id"));
        assert_eq!(
            found,
            Some(&Value::from(id)),
            "a path's segments are percent-encoded, and an id is kept as it is: {state:?}"
        );
    }
    Ok(())
}

pub async fn a_fetch_answered_with_another_record_is_no_record(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1)]).await;
    set(harness, Circumstance::Body(note("b", 2))).await?;
    let error = fetch(harness, NOTES, "a").await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Protocol, "{error:?}");
    Ok(())
}
