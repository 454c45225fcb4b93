//! What waits to be sent, and conflicts, as the engine tells them.

use std::collections::BTreeMap;

use serde_json::Value;
use sync_core::store::{OpQuery, ResolvedConflict};
use sync_core::{
    Discarded, EntityId, EntityState, Kind, Op, OpId, OpStatus, Record, Resolution, ServerState,
    SyncEngine, SyncEntity as _, SyncError, TxMode, Undo,
};

use crate::todo::Todo;

/// An edit that met another one, and its three sides; `None` = not there.
#[derive(Debug)]
pub(crate) struct OpenConflict {
    pub(crate) op_id: OpId,
    pub(crate) id: EntityId,
    pub(crate) base: Option<Todo>,
    pub(crate) here: Option<Todo>,
    pub(crate) server: Option<Todo>,
    /// The server's side with fields that this program does not know.
    pub(crate) server_record: Option<Record>,
}

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
pub(crate) async fn conflicts(engine: &SyncEngine) -> Result<Vec<OpenConflict>, SyncError> {
    let mut open = Vec::new();
    for entry in engine.conflicts().open().await? {
        let query = OpQuery {
            op_id: Some(entry.op_id.clone()),
            ..OpQuery::default()
        };
        let Some(op) = engine.outbox().list(&query).await?.pop() else {
            continue; // decided meanwhile
        };
        let mut tx = engine.store().begin(TxMode::Read).await?;
        let shadow = tx
            .shadows(&entry.kind, std::slice::from_ref(&entry.entity_id))
            .await?
            .pop();
        let base = shadow.as_ref().and_then(|shadow| shadow.base.live());
        let server_record = live(entry.server);
        open.push(OpenConflict {
            op_id: entry.op_id,
            base: base.and_then(todo),
            here: op.written.payload().and_then(todo),
            server: server_record.as_ref().and_then(todo),
            id: entry.entity_id,
            server_record,
        });
    }
    Ok(open)
}

/// `false`: one of the sides has changed meanwhile.
pub(crate) async fn resolve(
    engine: &SyncEngine,
    op_id: &OpId,
    resolution: Resolution,
) -> Result<bool, SyncError> {
    engine.conflicts().resolve(op_id, resolution).await
}

/// What was decided, the newest first.
pub(crate) async fn history(engine: &SyncEngine) -> Result<Vec<ResolvedConflict>, SyncError> {
    engine.conflicts().history(50).await
}

pub(crate) async fn undo(engine: &SyncEngine, op_id: &OpId) -> Result<Undo, SyncError> {
    engine.conflicts().undo(op_id).await
}

fn live(state: ServerState) -> Option<Record> {
    match state {
        ServerState::Live { record, .. } => Some(record),
        ServerState::Absent | ServerState::Deleted { .. } => None,
    }
}

/// A record as a to-do, if it is one.
pub(crate) fn todo(record: &Record) -> Option<Todo> {
    serde_json::from_value(Value::Object(record.fields().clone())).ok()
}
