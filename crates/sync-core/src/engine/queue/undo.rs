//! Taking a decision about a conflict back.

use super::Conflicts;
use crate::changed_fields::{ChangedFields, ChangedFieldsDiff};
use crate::error::SyncError;
use crate::id::OpId;
use crate::op::Change;
use crate::outbox::Entity;
use crate::record::Record;
use crate::stats::SyncStats;
use crate::store::{Decided, ResolvedConflict, TxMode};
use crate::table::Table;
use crate::writer::{Write, without_tombstone};

/// What became of taking a decision back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
#[non_exhaustive]
pub enum Undo {
    /// The side that had lost is in the row again, and a new edit of it waits to be sent.
    Queued,
    /// The row says already what the side that lost wanted.
    NothingToUndo,
    /// The history does not know the operation, or not any more.
    NotInHistory,
    /// The decision never came into force: its edit was given up.
    NotInForce,
    /// Something of the entity is still under way: an edit waits, perhaps the decision itself, or
    /// the server's record is not known yet. Sync first.
    NotSettled,
    /// The record has changed since, here or on the server: what the decision led to is not there
    /// any more. [`Conflicts::history`] still has both sides, for an edit of the app's own.
    MovedOn,
}

impl Conflicts {
    /// Takes a decision back: the side that lost is put back into the row, as a new edit of the
    /// user's. After a decision for the server that is the user's edit, in the fields that it had
    /// changed; after any other one it is what the server had. So it is with deletions: what was
    /// deleted comes back, what came back is deleted.
    ///
    /// Only while the record still is what the decision led to, as far as this device knows. The new
    /// edit goes out on the condition that the server has no newer version either; if it has, that
    /// is a conflict like any other.
    ///
    /// ```
    /// # use sync_core::{SyncEngine, SyncError, Undo};
    /// # async fn example(engine: &SyncEngine) -> Result<(), SyncError> {
    /// let conflicts = engine.conflicts();
    /// if let Some(newest) = conflicts.history(1).await?.first() {
    ///     match conflicts.undo(&newest.op_id).await? {
    ///         Undo::Queued => println!("it is as it was before"),
    ///         Undo::NotSettled => println!("sync first"),
    ///         other => println!("too late: {other:?}"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SyncError::UnknownKind`], [`SyncError::RowRejected`] if the table refuses the row, or the
    /// records are of a schema version that cannot be lifted; [`SyncError::Store`]. After an error
    /// nothing has changed.
    pub async fn undo(&self, op_id: &OpId) -> Result<Undo, SyncError> {
        let mut tx = self.engine.store().begin(TxMode::Write).await?;
        let Some(past) = tx.conflict_history(Some(op_id), 1).await?.pop() else {
            return Ok(Undo::NotInHistory);
        };
        let table = self.engine.context().table(&past.kind)?;
        let writer = self.engine.records(past.kind.as_str())?;
        let entity = Entity::load_one(&mut *tx, table, &past.entity_id).await?;
        if !entity.ops.is_empty() || entity.waits_for_record() {
            return Ok(Undo::NotSettled);
        }
        if !past.in_force {
            return Ok(Undo::NotInForce);
        }
        let past = lifted(past, table)?;
        if !still_holds(&past, &entity) {
            return Ok(Undo::MovedOn);
        }
        let Some(write) = write_back(&past, &entity) else {
            return Ok(Undo::NothingToUndo);
        };
        let mut events = Vec::new();
        if !writer.apply(&mut *tx, write, &mut events).await? {
            return Ok(Undo::NothingToUndo);
        }
        tx.commit().await?;
        let context = self.engine.context();
        context.tell(events, &mut SyncStats::default());
        Ok(Undo::Queued)
    }
}

/// Is the record still what the decision led to? Where the server told no version, by its content.
fn still_holds(past: &ResolvedConflict, entity: &Entity) -> bool {
    let known = entity.known.as_ref().and_then(Option::as_ref);
    if let (Some(version), Some(known)) = (&past.version, known) {
        return version == known;
    }
    let row = entity.row.as_ref().filter(|row| !row.is_deleted());
    match (&past.result, row) {
        (Some(result), Some(row)) => {
            ChangedFieldsDiff::diff_maps(result.fields(), row.fields(), &[])
                .iter()
                .all(|name| result.get(name).is_none())
        }
        (None, None) => true,
        _ => false,
    }
}

/// The edit that puts back the side that lost; `None`: it wanted what is there.
fn write_back(past: &ResolvedConflict, entity: &Entity) -> Option<Write> {
    let row = entity.row.as_ref().filter(|row| !row.is_deleted());
    let (lost, fields) = match past.decided {
        Decided::Server | Decided::Discarded => (past.local.as_ref(), past.changed_fields.clone()),
        Decided::Client | Decided::Merged => (past.server.live(), None),
    };
    match (row, lost) {
        (None, None) => None,
        (Some(_), None) => Some(Write::Delete(past.entity_id.clone())),
        (None, Some(lost)) => Some(Write::Upsert(without_tombstone(lost.clone()))),
        (Some(row), Some(lost)) => {
            let mut record = lost.clone();
            let fields = fields.unwrap_or_else(|| differing(past, lost, row));
            for name in fields.iter() {
                record
                    .fields_mut()
                    .entry(name)
                    .or_insert(serde_json::Value::Null);
            }
            Some(Write::Change(record, fields))
        }
    }
}

/// The fields that the decision made differ from the side that lost. What that side does not have
/// and the decision did not bring is nobody's to clear.
fn differing(past: &ResolvedConflict, lost: &Record, row: &Record) -> ChangedFields {
    let differing = ChangedFieldsDiff::diff_maps(lost.fields(), row.fields(), &[]);
    let decided = |name: &&str| {
        past.result
            .as_ref()
            .is_some_and(|all| all.get(name).is_some())
    };
    let concerns = |name: &&str| lost.get(name).is_some() || decided(name);
    differing.iter().filter(concerns).collect()
}

/// The entry as one of the present version of the table's schema.
fn lifted(mut past: ResolvedConflict, table: &Table) -> Result<ResolvedConflict, SyncError> {
    let from = past.schema_version;
    if from == table.upcasts.current() {
        return Ok(past);
    }
    let cannot = |reason: String| SyncError::RowRejected {
        kind: past.kind.clone(),
        id: past.entity_id.clone(),
        reason,
    };
    let edit = past.local.clone().map(|payload| Change::Upsert {
        payload,
        changed: past.changed_fields.clone(),
    });
    let edit = edit.map(|edit| table.upcasts.change(from, &edit, past.base.live()));
    let edit = edit.transpose().map_err(cannot)?;
    let server = table.upcasts.state(from, &past.server).map_err(cannot)?;
    let result = past.result.as_ref();
    let result = result.map(|record| table.upcasts.record(from, record));
    let result = result.transpose().map_err(cannot)?;
    if let Some(Change::Upsert { payload, changed }) = edit {
        (past.local, past.changed_fields) = (Some(payload), changed);
    }
    (past.server, past.result) = (server, result);
    Ok(past)
}
