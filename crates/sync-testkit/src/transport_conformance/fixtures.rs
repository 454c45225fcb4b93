//! What the behaviours work on.

use serde_json::{Value, json};
use sync_core::transport::{
    FetchRequest, PullPage, PullRequest, PushChange, PushOp, PushOutcome, PushRequest, PushResult,
};
use sync_core::{
    EntityId, Kind, OpId, Precondition, Record, ServerState, Timestamp, Transport, TransportError,
    Version,
};

use super::trail::outcome as told;
use super::{Ability, Circumstance, Skipped, TransportHarness};

/// The kind that most behaviours are about.
pub(super) const NOTES: &str = "conformance_notes";
/// Another kind, whose name has every sign that a kind may have.
pub(super) const LISTS: &str = "conformance-lists.v2~";

/// Ids with signs that mean something in an address, a header or a text of JSON.
pub(super) const IDS: [&str; 10] = [
    "a/b",
    "a b",
    "50%",
    "%2F",
    "a?b#c",
    "a+b&c=d",
    "\"quoted\"",
    "ü",
    "日本",
    "a.b~c-d_e",
];

pub(super) type Harness<'a> = &'a dyn TransportHarness;

/// Goes on only if the harness and the transport have this.
pub(super) fn need(harness: Harness<'_>, ability: Ability) -> Result<(), Skipped> {
    let lacks = match ability {
        Ability::Batches => harness.transport().capabilities().max_batch < 2,
        Ability::Secret => harness.secret().is_none(),
        _ => !harness.can(ability),
    };
    if lacks { Err(Skipped(ability)) } else { Ok(()) }
}

/// Brings this about, if the harness can.
pub(super) async fn set(harness: Harness<'_>, what: Circumstance) -> Result<(), Skipped> {
    need(harness, what.ability())?;
    harness.set(what).await;
    Ok(())
}

/// Goes on only if every one of these statuses can be answered.
pub(super) fn need_statuses(harness: Harness<'_>, statuses: &[u16]) -> Result<(), Skipped> {
    statuses
        .iter()
        .try_for_each(|status| need(harness, Ability::Status(*status)))
}

pub(super) fn kind(name: &str) -> Kind {
    Kind::new(name).unwrap()
}

pub(super) fn id(text: &str) -> EntityId {
    EntityId::new(text).unwrap()
}

pub(super) fn record(value: Value) -> Record {
    Record::try_from(value).unwrap()
}

/// The stamp of so many seconds after a fixed instant, as servers write it.
pub(super) fn stamp(seconds: u8) -> String {
    format!("2026-03-01T12:00:{seconds:02}.000001Z")
}

pub(super) fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub(super) fn note(id: &str, seconds: u8) -> Value {
    json!({"id": id, "title": format!("note {id}"), "updated_at": stamp(seconds)})
}

/// Seeds notes with these ids and seconds.
pub(super) async fn seed<const N: usize>(harness: Harness<'_>, notes: [(&str, u8); N]) {
    let notes = notes.map(|(id, seconds)| note(id, seconds));
    harness.seed(NOTES, notes.into()).await;
}

/// The first page of the notes, from the beginning.
pub(super) fn all_notes() -> PullRequest {
    PullRequest::new(kind(NOTES), 100)
}

pub(super) async fn pull(harness: Harness<'_>, request: PullRequest) -> PullPage {
    harness.transport().pull(request).await.unwrap().value
}

pub(super) async fn pull_error(harness: Harness<'_>, request: PullRequest) -> TransportError {
    harness.transport().pull(request).await.unwrap_err()
}

/// The ids of a page, in its order.
pub(super) fn ids(page: &PullPage) -> Vec<String> {
    let id = |item: &Value| record(item.clone()).id().unwrap().to_string();
    page.items.iter().map(id).collect()
}

pub(super) async fn fetch(
    harness: Harness<'_>,
    kind_name: &str,
    entity: &str,
) -> Result<ServerState, TransportError> {
    let request = FetchRequest::new(kind(kind_name), id(entity));
    let answer = harness.transport().fetch(request).await?;
    Ok(answer.value)
}

/// An upsert under this key.
pub(super) fn upsert(key: &str, entity: &str, fields: Value, check: Precondition) -> PushOp {
    let mut fields = record(fields);
    fields
        .fields_mut()
        .insert("id".to_owned(), Value::from(entity));
    let change = PushChange::Upsert {
        record: fields,
        changed: None,
    };
    op(key, entity, change, check)
}

/// An upsert of a title, created under the id as its key.
pub(super) fn create(entity: &str) -> PushOp {
    upsert(
        &format!("create-{}", key_part(entity)),
        entity,
        json!({"title": format!("note {entity}")}),
        Precondition::IfAbsent,
    )
}

/// A deletion under this key.
pub(super) fn delete(key: &str, entity: &str, check: Precondition) -> PushOp {
    op(key, entity, PushChange::Delete, check)
}

fn op(key: &str, entity: &str, change: PushChange, check: Precondition) -> PushOp {
    let op_id = OpId::new(key).unwrap();
    PushOp::new(
        key.to_owned(),
        op_id,
        kind(NOTES),
        id(entity),
        change,
        check,
    )
}

/// A key is made of the signs that a header takes.
fn key_part(entity: &str) -> String {
    entity
        .bytes()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>()
}

/// On condition that the record still has this stamp.
pub(super) fn if_stamp(stamp: &Value) -> Precondition {
    Precondition::IfBase {
        version: Version::new(Timestamp::from_json(stamp).unwrap()),
    }
}

pub(super) fn if_seconds(seconds: u8) -> Precondition {
    if_stamp(&Value::from(stamp(seconds)))
}

/// On condition that the record is still as it is stored now.
pub(super) async fn if_current(harness: Harness<'_>, entity: &str) -> Precondition {
    let version = Version::new(stamp_of(harness, entity).await);
    Precondition::IfBase { version }
}

/// The stamp of the record as it is stored.
pub(super) async fn stamp_of(harness: Harness<'_>, entity: &str) -> Timestamp {
    record(stored(harness, entity).await).stamp().unwrap()
}

/// Pushes of this note must have taken effect so often. Where nobody can count them, what is stored
/// and answered has to show it.
pub(super) async fn assert_effects(harness: Harness<'_>, entity: &str, times: u32) {
    if need(harness, Ability::Effects).is_ok() {
        assert_eq!(harness.effects(NOTES, entity).await, times, "`{entity}`");
    }
}

/// Pushes one operation and gives what became of it.
pub(super) async fn push(harness: Harness<'_>, op: PushOp) -> Result<PushOutcome, TransportError> {
    push_through(&*harness.transport(), op).await
}

pub(super) async fn push_through(
    transport: &dyn Transport,
    op: PushOp,
) -> Result<PushOutcome, TransportError> {
    let key = op.key.clone();
    let answer = transport.push(PushRequest::new(vec![op])).await?;
    let [result] = <[PushResult; 1]>::try_from(answer.value)
        .unwrap_or_else(|results| panic!("one operation, one result, not {results:?}"));
    assert_eq!(result.key, key, "a result bears the key of its operation");
    Ok(result.outcome)
}

/// Pushes a batch and gives what became of each operation.
pub(super) async fn push_batch(harness: Harness<'_>, ops: Vec<PushOp>) -> Vec<PushOutcome> {
    let keys: Vec<String> = ops.iter().map(|op| op.key.clone()).collect();
    let transport = harness.transport();
    let answer = transport.push(PushRequest::new(ops)).await.unwrap();
    let (named, outcomes): (Vec<_>, Vec<_>) = answer
        .value
        .into_iter()
        .map(|result| (result.key, result.outcome))
        .unzip();
    assert_eq!(named, keys, "one result for each operation, in their order");
    outcomes
}

/// The outcome must be a success; the state that came with it.
pub(super) fn accepted(outcome: PushOutcome) -> Option<ServerState> {
    match outcome {
        PushOutcome::Accepted { state } => state,
        other => panic!(
            "this push has to be a success (2xx, with the stored record or without a body), but is {}",
            told(&other)
        ),
    }
}

/// What the server answered to a write must be what it stored.
pub(super) fn assert_is_stored(state: Option<&ServerState>, stored: &Value) {
    let Some(state) = state else { return };
    let live = state
        .live()
        .unwrap_or_else(|| panic!("the answer has to show the live record, not {state:?}"));
    assert_eq!(
        live,
        &record(stored.clone()),
        "an answer (left) shows the record as it is stored, as `GET` gives it (right)"
    );
    assert_version(state, stored);
}

/// The version of a state must be the record's stamp, to the letter.
pub(super) fn assert_version(state: &ServerState, stored: &Value) {
    let version = state
        .version()
        .unwrap_or_else(|| panic!("the record has to bear a stamp (`updated_at`): {state:?}"));
    let verbatim = record(stored.clone()).stamp().unwrap().to_json();
    assert_eq!(
        version.stamp.to_json(),
        verbatim,
        "the stamp is the same in every answer, letter for letter"
    );
}

/// The record as it is stored.
pub(super) async fn stored(harness: Harness<'_>, entity: &str) -> Value {
    let found = harness.stored(NOTES, entity).await;
    found.unwrap_or_else(|| panic!("`{entity}` has to be stored, and nothing live is found"))
}

/// There must be no live record with this id.
pub(super) async fn assert_nothing_stored(harness: Harness<'_>, entity: &str) {
    let found = harness.stored(NOTES, entity).await;
    assert_eq!(found, None, "`{entity}` must not be there");
}

/// What a delete of a record that is not there may be answered: a success, 404, 410, or 409 whose
/// `current` is null, a tombstone, or left out. All of them mean that it is done.
pub(super) fn assert_nothing_left(outcome: &PushOutcome) {
    let (PushOutcome::Accepted { state }
    | PushOutcome::Gone { state }
    | PushOutcome::Conflict { state, .. }) = outcome
    else {
        panic!(
            "a delete of what is not there is answered by a success, 404, 410, or 409 with `current` \
             null or a tombstone, but this is {}",
            told(outcome)
        );
    };
    let shows_nothing = state.as_ref().is_none_or(ServerState::is_deleted);
    assert!(
        shows_nothing,
        "there is no live record, and the answer shows one: {state:?}"
    );
}
