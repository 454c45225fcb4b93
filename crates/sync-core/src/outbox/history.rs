//! What became of conflicts, for the history that a person looks at.

use super::entity::{Entity, Rules};
use crate::conflict::{Conflict, Resolution};
use crate::id::OpId;
use crate::op::Op;
use crate::record::Record;
use crate::store::{Decided, ResolvedConflict, StoreError, StoreTx};
use crate::version::ServerState;

/// What saving an entity writes to the history.
#[derive(Debug, Default)]
pub(super) struct History {
    /// How many entries stay; 0 = there is no history.
    keep: u32,
    resolved: Vec<ResolvedConflict>,
    landed: Option<(OpId, Option<ServerState>)>,
}

/// What a decision leads to.
pub(super) enum LedTo {
    /// This came into force at once.
    State(ServerState),
    /// This record is sent, or a deletion.
    Sent(Option<Record>),
}

impl Entity {
    /// A conflict is resolved. A further decision about the same operation takes the place of this
    /// one.
    pub(super) fn note_resolved(
        &mut self,
        conflict: &Conflict,
        resolution: &Resolution,
        contested: &[String],
        led_to: LedTo,
        rules: &Rules<'_>,
    ) {
        self.history.keep = rules.config.conflict_history;
        if self.history.keep == 0 {
            return;
        }
        let decided = match resolution {
            Resolution::AcceptServer => Decided::Server,
            Resolution::AcceptMerged(_) => Decided::Merged,
            Resolution::Discard => Decided::Discarded,
            Resolution::AcceptClient | Resolution::Defer => Decided::Client,
        };
        let (in_force, version, result) = match led_to {
            LedTo::State(state) => (true, state.version().cloned(), state.live().cloned()),
            LedTo::Sent(record) => (false, None, record),
        };
        self.history.resolved.push(ResolvedConflict {
            op_id: conflict.op_id.clone(),
            kind: conflict.kind.clone(),
            entity_id: conflict.entity_id.clone(),
            strategy: rules.table.strategy,
            decided,
            local: conflict.local.clone(),
            server: conflict.server.clone(),
            base: conflict.base.clone(),
            changed_fields: conflict.changed_fields.clone(),
            contested_fields: contested.to_vec(),
            result,
            in_force,
            version,
            resolved_at: rules.env.now(),
            schema_version: self.schema_version,
        });
    }

    /// The server has what was decided; `state` is what it answered.
    pub(super) fn note_landed(&mut self, op: &Op, state: Option<&ServerState>, rules: &Rules<'_>) {
        if op.verdict.is_some() && rules.config.conflict_history > 0 {
            self.history.keep = rules.config.conflict_history;
            self.history.landed = Some((op.op_id.clone(), state.cloned()));
        }
    }

    pub(super) async fn save_history(&mut self, tx: &mut dyn StoreTx) -> Result<(), StoreError> {
        let History {
            keep,
            resolved,
            landed,
        } = std::mem::take(&mut self.history);
        if !resolved.is_empty() {
            tx.put_conflict_history(&resolved, keep).await?;
        }
        let Some((op_id, state)) = landed else {
            return Ok(());
        };
        let Some(mut entry) = tx.conflict_history(Some(&op_id), 1).await?.pop() else {
            return Ok(());
        };
        entry.in_force = true;
        if let Some(state) = state {
            entry.version = state.version().cloned();
            entry.result = state.live().cloned();
        }
        tx.put_conflict_history(&[entry], keep).await
    }
}
