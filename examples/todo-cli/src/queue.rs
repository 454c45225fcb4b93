//! What waits to be sent, and conflicts, as the engine tells them.

use std::collections::BTreeMap;

use serde_json::Value;
use sync_core::store::{OpQuery, ResolvedConflict};
use sync_core::{
    Conflict, Discarded, EntityId, EntityState, Kind, Op, OpId, OpStatus, Record, Resolution,
    SyncEngine, SyncEntity as _, SyncError, Undo,
};

use crate::failure::Failure;
use crate::todo::{Todo, short};

/// Everything that waits, in the order of writing.
pub(crate) async fn waiting(engine: &SyncEngine) -> Result<Vec<Op>, SyncError> {
    engine.outbox().list(&OpQuery::default()).await
}

/// How far the edits of these to-dos are; those that are the server's already have no entry.
pub(crate) async fn states(
    engine: &SyncEngine,
    todos: &[Todo],
) -> Result<BTreeMap<String, EntityState>, SyncError> {
    let ids: Vec<EntityId> = todos
        .iter()
        .map(|todo| EntityId::new(&todo.id))
        .collect::<Result<_, _>>()?;
    let states = engine.states(&Kind::new(Todo::KIND)?, &ids).await?;
    let waiting = states
        .into_iter()
        .filter(|(_, state)| *state != EntityState::Synced);
    Ok(waiting.map(|(id, state)| (id.to_string(), state)).collect())
}

/// What becomes of an operation, in a word.
pub(crate) fn state(op: &Op) -> &'static str {
    match op.status {
        OpStatus::Pending => "pending",
        OpStatus::Deferred => "conflict",
        OpStatus::Stuck => "stuck",
        _ => "unknown",
    }
}

/// Lets what was set aside take part again; how many that are.
pub(crate) async fn retry(engine: &SyncEngine) -> Result<u64, SyncError> {
    engine.outbox().retry_all().await
}

pub(crate) async fn discard(engine: &SyncEngine, id: &EntityId) -> Result<Discarded, SyncError> {
    engine.outbox().discard(&Kind::new(Todo::KIND)?, id).await
}

/// Conflicts that wait for a decision.
pub(crate) async fn conflicts(engine: &SyncEngine) -> Result<Vec<Conflict<Todo>>, Failure> {
    let open = engine.conflicts().open().await?;
    open.iter()
        .map(|open| {
            open.conflict.typed().map_err(|error| {
                let id = short(open.conflict.entity_id.as_str());
                let advice = "a newer version of this program may know what it is";
                Failure::of(
                    format_args!("the conflict of {id} cannot be shown"),
                    &error,
                    advice,
                )
            })
        })
        .collect()
}

/// `false`: one of the sides is not what was shown any more.
pub(crate) async fn resolve(
    engine: &SyncEngine,
    shown: &Conflict<Todo>,
    resolution: Resolution<Todo>,
) -> Result<bool, SyncError> {
    engine.conflicts().resolve(shown, resolution).await
}

/// What was decided, the newest first.
pub(crate) async fn history(engine: &SyncEngine) -> Result<Vec<ResolvedConflict>, SyncError> {
    engine.conflicts().history(50).await
}

pub(crate) async fn undo(engine: &SyncEngine, op_id: &OpId) -> Result<Undo, SyncError> {
    engine.conflicts().undo(op_id).await
}

/// A record as a to-do, if it is one.
pub(crate) fn todo(record: &Record) -> Option<Todo> {
    serde_json::from_value(Value::Object(record.fields().clone())).ok()
}
