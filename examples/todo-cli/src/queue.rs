//! What waits to be sent, and conflicts, as the engine tells them.

use serde_json::Value;
use sync_core::store::OpQuery;
use sync_core::{
    Discarded, EntityId, Kind, Op, OpId, OpStatus, Record, Resolution, ServerState, SyncEngine,
    SyncEntity as _, SyncError, TxMode,
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
    engine.operations(&OpQuery::default()).await
}

/// What waits, in a word.
pub(crate) fn state(op: &Op) -> &'static str {
    match op.status {
        OpStatus::Pending => "waiting",
        OpStatus::Deferred => "conflict",
        OpStatus::Stuck => "stuck",
        _ => "unknown",
    }
}

/// Lets what was set aside take part again; how many that are.
pub(crate) async fn retry(engine: &SyncEngine) -> Result<u64, SyncError> {
    engine.retry_stuck_operations().await
}

pub(crate) async fn discard(engine: &SyncEngine, id: &EntityId) -> Result<Discarded, SyncError> {
    engine.discard(&Kind::new(Todo::KIND)?, id).await
}

/// Conflicts that wait for a decision.
pub(crate) async fn conflicts(engine: &SyncEngine) -> Result<Vec<OpenConflict>, SyncError> {
    let mut open = Vec::new();
    for entry in engine.open_conflicts().await? {
        let query = OpQuery {
            op_id: Some(entry.op_id.clone()),
            ..OpQuery::default()
        };
        let Some(op) = engine.operations(&query).await?.pop() else {
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
    engine.resolve_conflict(op_id, resolution).await
}

fn live(state: ServerState) -> Option<Record> {
    match state {
        ServerState::Live { record, .. } => Some(record),
        ServerState::Absent | ServerState::Deleted { .. } => None,
    }
}

fn todo(record: &Record) -> Option<Todo> {
    serde_json::from_value(Value::Object(record.fields().clone())).ok()
}
