//! Conflicts, what was decided, and the outbox, as the engine tells them.

use std::collections::BTreeMap;

use serde_json::Value;
use sync_core::store::ResolvedConflict;
use sync_core::{
    Conflict, ConflictSide, Discarded, EntityId, EntityState, Kind, OpId, Record, Resolution,
    SyncEngine, SyncEntity as _, SyncError, Undo,
};

use crate::todo::Todo;

/// How far the edits of these to-dos are.
pub(crate) async fn states(
    engine: &SyncEngine,
    todos: &[Todo],
) -> Result<BTreeMap<String, EntityState>, SyncError> {
    let ids: Vec<EntityId> = todos
        .iter()
        .map(|todo| EntityId::new(&todo.id))
        .collect::<Result<_, _>>()?;
    let states = engine.states(&Kind::new(Todo::KIND)?, &ids).await?;
    let states = states.into_iter();
    Ok(states.map(|(id, state)| (id.to_string(), state)).collect())
}

/// Lets what was set aside take part again; how many that are.
pub(crate) async fn retry(engine: &SyncEngine) -> Result<u64, SyncError> {
    engine.outbox().retry_all().await
}

pub(crate) async fn discard(engine: &SyncEngine, id: &str) -> Result<Discarded, SyncError> {
    let (kind, id) = (Kind::new(Todo::KIND)?, EntityId::new(id)?);
    engine.outbox().discard(&kind, &id).await
}

/// A conflict that waits for a decision.
pub(crate) struct Dispute {
    /// Its sides as they are, with fields that this version does not know.
    pub(crate) records: Conflict,
    /// Its sides as to-dos, or why they are none: another program may have written one.
    pub(crate) todos: Result<Conflict<Todo>, String>,
}

impl Dispute {
    pub(crate) fn id(&self) -> &str {
        self.records.entity_id.as_str()
    }
}

/// Conflicts that wait for a decision. One that cannot be read is no reason not to see the others.
pub(crate) async fn conflicts(engine: &SyncEngine) -> Result<Vec<Dispute>, SyncError> {
    let open = engine.conflicts().open().await?;
    let disputes = open.into_iter().map(|open| Dispute {
        todos: open.conflict.typed().map_err(|error| error.to_string()),
        records: open.conflict,
    });
    Ok(disputes.collect())
}

/// `false`: one of the sides is not what was shown any more.
pub(crate) async fn resolve<R: ConflictSide>(
    engine: &SyncEngine,
    shown: &Conflict<R>,
    resolution: Resolution<R>,
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
