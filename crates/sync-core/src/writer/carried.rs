//! Edits that come from an export.

use super::RecordWriter;
use crate::error::SyncError;
use crate::event::SyncEvent;
use crate::id::EntityId;
use crate::outbox::Carried;
use crate::store::StoreTx;

/// What became of an edit from an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TakenOver {
    /// The row has it, and it waits to be sent.
    Queued,
    /// It changes nothing.
    Unchanged,
    /// Nothing was done: other edits of this record wait here.
    LeftOut,
}

impl RecordWriter {
    /// Takes over an edit; `follows`: what waits here of its record came with it. What is to be told
    /// once that is committed is added to `events`. After an error the transaction may only be
    /// dropped.
    pub(crate) async fn take_over(
        &self,
        tx: &mut dyn StoreTx,
        id: EntityId,
        carried: Carried,
        follows: bool,
        events: &mut Vec<SyncEvent>,
    ) -> Result<TakenOver, SyncError> {
        let mut entity = self.load(tx, id).await?;
        let waits = !entity.ops.is_empty();
        if waits && !follows || entity.held_up().is_some() {
            return Ok(TakenOver::LeftOut);
        }
        let context = self.engine.context();
        let (op_id, rules) = (context.env.op_id(), context.rules(self.table()?));
        let is_queued = if waits {
            entity.take_over_next(carried, op_id, &rules)
        } else {
            entity.take_over(carried, op_id, &rules)
        };
        if !is_queued {
            return Ok(TakenOver::Unchanged);
        }
        self.check_direction()?;
        self.save_all(tx, entity, events).await?;
        Ok(TakenOver::Queued)
    }
}
