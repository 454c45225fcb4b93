//! What a push does on the server, and what comes back of it.

use serde_json::{Value, json};
use sync_core::transport::{PushChange, PushOutcome, PushRequest};
use sync_core::{ChangedFields, Precondition};

use super::fixtures::{
    Harness, IDS, NOTES, accepted, all_notes, assert_effects, assert_is_stored,
    assert_nothing_left, assert_nothing_stored, assert_version, create, delete, if_current,
    if_seconds, if_stamp, need, pull, push, record, seed, stored, upsert,
};
use super::trail::outcome as told;
use super::{Ability, Outcome};

pub async fn a_create_is_stored(harness: Harness<'_>) -> Outcome {
    let state = accepted(push(harness, create("a")).await.unwrap());
    let stored = stored(harness, "a").await;
    assert_eq!(stored["title"], "note a");
    assert_is_stored(state.as_ref(), &stored);
    Ok(())
}

pub async fn an_update_on_the_newest_version_is_stored(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1), ("b", 1)]).await;
    let check = if_current(harness, "a").await;
    let update = upsert("k1", "a", json!({"title": "mine"}), check);
    let state = accepted(push(harness, update).await.unwrap());
    let newest = stored(harness, "a").await;
    assert_eq!(newest["title"], "mine", "what was put has to be stored");
    assert_is_stored(state.as_ref(), &newest);
    assert_eq!(
        stored(harness, "b").await["title"],
        "note b",
        "only `a` was updated"
    );
    Ok(())
}

pub async fn the_version_that_an_answer_gives_is_good_for_the_next_push(
    harness: Harness<'_>,
) -> Outcome {
    let first = accepted(push(harness, create("a")).await.unwrap());
    let version = match first.as_ref().and_then(|state| state.version()) {
        Some(version) => version.clone(),
        // The answer had no record; the server's list has it.
        None => {
            let page = pull(harness, all_notes()).await;
            sync_core::Version::new(record(page.items[0].clone()).stamp().unwrap())
        }
    };
    let check = Precondition::IfBase { version };
    let second = upsert("k2", "a", json!({"title": "again"}), check);
    accepted(push(harness, second).await.unwrap());
    assert_eq!(stored(harness, "a").await["title"], "again");
    Ok(())
}

pub async fn a_pulled_stamp_is_sent_back_to_the_letter(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::Seeds)?;
    let stamps = [
        "2026-03-01T14:00:01.100+02:00",
        "2026-03-01T12:00:02.123456789Z",
    ];
    for (place, stamp) in stamps.into_iter().enumerate() {
        let id = place.to_string();
        harness
            .seed(NOTES, vec![json!({"id": id, "updated_at": stamp})])
            .await;
        let check = if_stamp(&Value::from(stamp));
        let update = upsert(&format!("k{place}"), &id, json!({"title": "mine"}), check);
        accepted(push(harness, update).await.unwrap());
    }
    Ok(())
}

pub async fn a_delete_on_the_newest_version_is_done(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1), ("b", 1)]).await;
    let deletion = delete("k1", "a", if_current(harness, "a").await);
    let state = accepted(push(harness, deletion).await.unwrap());
    assert!(
        state.as_ref().is_none_or(|state| state.is_deleted()),
        "a delete is answered by the tombstone or without a body, not by {state:?}"
    );
    assert_nothing_stored(harness, "a").await;
    assert!(
        harness.stored(NOTES, "b").await.is_some(),
        "only `a` was deleted, and `b` is gone too"
    );
    Ok(())
}

const UNCHANGED: &str = "what is answered by 409 changes nothing";

/// The outcome must be a conflict; with a record, it must be this one.
fn assert_conflict(outcome: &PushOutcome, stored: &Value) {
    let PushOutcome::Conflict { state, .. } = outcome else {
        panic!(
            "the server has a newer version than the push names, so this is 409 with `current` and \
             changes nothing; but it is {}",
            told(outcome)
        );
    };
    assert_is_stored(state.as_ref(), stored);
}

pub async fn an_update_on_an_old_version_is_a_conflict(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1)]).await;
    let old = if_current(harness, "a").await;
    let newest = harness.edit(NOTES, "a", json!({"title": "theirs"})).await;
    let update = upsert("k1", "a", json!({"title": "mine"}), old);
    assert_conflict(&push(harness, update).await.unwrap(), &newest);
    assert_eq!(stored(harness, "a").await, newest, "{UNCHANGED}");
    Ok(())
}

pub async fn a_delete_on_an_old_version_is_a_conflict(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1)]).await;
    let old = if_current(harness, "a").await;
    let newest = harness.edit(NOTES, "a", json!({"title": "theirs"})).await;
    let outcome = push(harness, delete("k1", "a", old)).await.unwrap();
    assert_conflict(&outcome, &newest);
    assert_eq!(stored(harness, "a").await, newest, "{UNCHANGED}");
    Ok(())
}

pub async fn a_create_of_what_exists_is_a_conflict(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::IfAbsent)?;
    let theirs = harness.edit(NOTES, "a", json!({"title": "theirs"})).await;
    assert_conflict(&push(harness, create("a")).await.unwrap(), &theirs);
    assert_eq!(stored(harness, "a").await, theirs, "{UNCHANGED}");
    Ok(())
}

pub async fn the_time_of_a_conflict_is_that_of_the_servers_record(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1)]).await;
    let old = if_current(harness, "a").await;
    let newest = harness.edit(NOTES, "a", json!({"title": "theirs"})).await;
    let update = upsert("k1", "a", json!({"title": "mine"}), old);
    match push(harness, update).await.unwrap() {
        PushOutcome::Conflict {
            time: Some(time), ..
        } => {
            assert_eq!(time, record(newest).stamp().unwrap());
        }
        // Nothing is said, or nothing but the record: the engine takes its stamp.
        PushOutcome::Conflict { .. } => {}
        other => panic!(
            "an outdated `_baseUpdatedAt` is answered by 409, not {}",
            told(&other)
        ),
    }
    Ok(())
}

/// An edit of what is not there must not be taken: 404, 410, or 409 whose `current` is null, a
/// tombstone, or left out.
fn assert_not_taken(outcome: &PushOutcome) {
    let (PushOutcome::Conflict { state, .. } | PushOutcome::Gone { state }) = outcome else {
        panic!(
            "an update of what is not there is answered by 404, 410, or 409 with `current` null or a \
             tombstone, but this is {}",
            told(outcome)
        );
    };
    let shows_nothing = state.as_ref().is_none_or(|state| state.is_deleted());
    assert!(
        shows_nothing,
        "there is no live record, and the answer shows one: {state:?}"
    );
}

pub async fn an_update_of_what_was_deleted_is_no_success(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1)]).await;
    let old = if_current(harness, "a").await;
    harness.delete(NOTES, "a").await;
    let update = upsert("k1", "a", json!({"title": "mine"}), old);
    assert_not_taken(&push(harness, update).await.unwrap());
    assert_nothing_stored(harness, "a").await;
    Ok(())
}

pub async fn an_update_of_what_is_missing_is_no_success(harness: Harness<'_>) -> Outcome {
    let update = upsert("k1", "a", json!({"title": "mine"}), if_seconds(1));
    assert_not_taken(&push(harness, update).await.unwrap());
    assert_nothing_stored(harness, "a").await;
    Ok(())
}

pub async fn a_delete_of_what_is_missing_leaves_nothing(harness: Harness<'_>) -> Outcome {
    let outcome = push(harness, delete("k1", "a", if_seconds(1)))
        .await
        .unwrap();
    assert_nothing_left(&outcome);
    assert_nothing_stored(harness, "a").await;
    Ok(())
}

pub async fn a_forced_update_overwrites_a_newer_version(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1)]).await;
    harness.edit(NOTES, "a", json!({"title": "theirs"})).await;
    let update = upsert("k1", "a", json!({"title": "mine"}), Precondition::Force);
    let state = accepted(push(harness, update).await.unwrap());
    let newest = stored(harness, "a").await;
    assert_eq!(newest["title"], "mine", "what was put has to be stored");
    if let Some(state) = state {
        assert_version(&state, &newest);
    }
    Ok(())
}

pub async fn a_forced_delete_removes_a_newer_version(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1)]).await;
    harness.edit(NOTES, "a", json!({"title": "theirs"})).await;
    let outcome = push(harness, delete("k1", "a", Precondition::Force)).await;
    accepted(outcome.unwrap());
    assert_nothing_stored(harness, "a").await;
    Ok(())
}

pub async fn what_is_pushed_arrives_exactly(harness: Harness<'_>) -> Outcome {
    let fields = json!({
        "null is not absence": null,
        "texts": ["", "\"\\\n\u{0}", "grüße", "👩‍👩‍👧", "e\u{301}"],
        "numbers": [0, i64::MIN, i64::MAX, u64::MAX, 0.1, -1.5e300, 5e-324],
        "nested": {"list": [[], {}, null, true], "deeper": {"deepest": false}},
    });
    let op = upsert("k1", "a", fields.clone(), Precondition::IfAbsent);
    accepted(push(harness, op).await.unwrap());
    let stored = stored(harness, "a").await;
    for (field, value) in fields.as_object().into_iter().flatten() {
        assert_eq!(
            stored.get(field),
            Some(value),
            "`{field}` has to be stored (left) as it was put (right)"
        );
    }
    Ok(())
}

pub async fn ids_of_every_form_are_pushed(harness: Harness<'_>) -> Outcome {
    for id in IDS {
        accepted(push(harness, create(id)).await.unwrap());
        assert_eq!(
            stored(harness, id).await["id"],
            id,
            "a path's segments are percent-encoded, and an id is kept as it is"
        );
    }
    Ok(())
}

pub async fn a_push_of_changed_fields_carries_the_whole_record(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1)]).await;
    let fields = json!({"title": "mine", "text": "not changed"});
    let mut op = upsert("k1", "a", fields, if_current(harness, "a").await);
    if let PushChange::Upsert { changed, .. } = &mut op.change {
        *changed = Some(ChangedFields::from_iter(["title"]));
    }
    accepted(push(harness, op).await.unwrap());
    let stored = stored(harness, "a").await;
    assert_eq!(stored["title"], "mine");
    assert_eq!(
        stored["text"], "not changed",
        "a `PUT` carries the whole record, and all of it is stored"
    );
    let names = stored.as_object().into_iter().flat_map(|row| row.keys());
    let foreign: Vec<_> = names.filter(|name| name.starts_with('_')).collect();
    assert!(
        foreign.is_empty(),
        "names that begin with `_` are messages, not to be stored: {foreign:?}"
    );
    Ok(())
}

pub async fn the_same_key_takes_effect_once(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::Keys)?;
    let first = push(harness, create("a")).await.unwrap();
    let stored_first = stored(harness, "a").await;
    let again = push(harness, create("a")).await.unwrap();
    assert_eq!(
        again, first,
        "a key that comes again gets the answer that it got"
    );
    assert_eq!(
        stored(harness, "a").await,
        stored_first,
        "a key that comes again changes nothing, the stamp included"
    );
    assert_effects(harness, "a", 1).await;
    Ok(())
}

pub async fn another_key_is_another_push(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1)]).await;
    for key in ["k1", "k2"] {
        let op = upsert(key, "a", json!({"title": key}), Precondition::Force);
        accepted(push(harness, op).await.unwrap());
        assert_eq!(stored(harness, "a").await["title"], key);
    }
    assert_effects(harness, "a", 2).await;
    Ok(())
}

pub async fn a_push_of_nothing_has_no_results(harness: Harness<'_>) -> Outcome {
    let answer = harness.transport().push(PushRequest::new(Vec::new())).await;
    assert_eq!(answer.unwrap().value, []);
    Ok(())
}
