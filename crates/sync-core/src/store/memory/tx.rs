//! One transaction: its own view of the state, put in place at commit.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::OwnedMutexGuard;

use super::rows::{Table, distinct};
use super::state::State;
use super::{Schemas, Shared, lock};
use crate::id::{EntityId, Kind, OpId};
use crate::op::{Op, Shadow};
use crate::record::Record;
use crate::schema::TableSchema;
use crate::store::{
    ConflictEntry, CursorState, OpQuery, PutReport, QuarantineEntry, Removal, RowWrite, StoreError,
    StoreErrorKind, StoreTx,
};
use crate::version::Version;

pub(super) struct MemoryTx {
    shared: Arc<Shared>,
    schemas: Arc<Schemas>,
    /// The turn to write; `None` = reading.
    turn: Option<OwnedMutexGuard<()>>,
    /// What was committed when this transaction began.
    begun_with: Arc<State>,
    state: Arc<State>,
    changed_rows: BTreeSet<Kind>,
    changed_outbox: BTreeSet<Kind>,
    /// A call failed: nothing of this transaction may be committed.
    failed: bool,
}

impl MemoryTx {
    pub(super) fn new(shared: Arc<Shared>, turn: Option<OwnedMutexGuard<()>>) -> Self {
        let state = shared.committed();
        Self {
            schemas: shared.schemas(),
            shared,
            turn,
            begun_with: Arc::clone(&state),
            state,
            changed_rows: BTreeSet::new(),
            changed_outbox: BTreeSet::new(),
            failed: false,
        }
    }

    fn read<T>(
        &mut self,
        call: impl FnOnce(&State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let outcome = self.shared.fail_if_asked().and_then(|()| call(&self.state));
        self.failed |= outcome.is_err();
        outcome
    }

    fn write<T>(
        &mut self,
        call: impl FnOnce(&mut State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let outcome = self
            .shared
            .fail_if_asked()
            .and_then(|()| self.check_writable())
            .and_then(|()| call(Arc::make_mut(&mut self.state)));
        self.failed |= outcome.is_err();
        outcome
    }

    fn note_rows(&mut self, kind: &Kind, changed: bool) {
        if changed {
            self.changed_rows.insert(kind.clone());
        }
    }

    fn check_writable(&self) -> Result<(), StoreError> {
        if self.turn.is_some() {
            return Ok(());
        }
        let message = "a reading transaction cannot write: begin one with `TxMode::Write`";
        Err(StoreError::new(StoreErrorKind::ReadOnly, message))
    }

    fn read_table<T>(
        &mut self,
        kind: &Kind,
        call: impl FnOnce(&State, &Table, &TableSchema) -> T,
    ) -> Result<T, StoreError> {
        let schemas = Arc::clone(&self.schemas);
        self.read(|state| {
            let schema = schema_of(&schemas, kind)?;
            let empty = Table::default();
            let table = state.tables.get(kind).map_or(&empty, |table| table);
            Ok(call(state, table, schema))
        })
    }

    fn write_table<T>(
        &mut self,
        kind: &Kind,
        call: impl FnOnce(&mut Table, &TableSchema) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let schemas = Arc::clone(&self.schemas);
        self.write(|state| {
            let schema = schema_of(&schemas, kind)?;
            call(State::part_mut(&mut state.tables, kind), schema)
        })
    }
}

fn schema_of<'a>(schemas: &'a Schemas, kind: &Kind) -> Result<&'a TableSchema, StoreError> {
    let unknown = || {
        let message = format!("kind `{kind}` has no table: register it before the engine starts");
        StoreError::new(StoreErrorKind::UnknownKind, message)
    };
    schemas
        .get(kind)
        .map(|schema| &**schema)
        .ok_or_else(unknown)
}

#[async_trait]
impl StoreTx for MemoryTx {
    async fn get(&mut self, kind: &Kind, ids: &[EntityId]) -> Result<Vec<Record>, StoreError> {
        self.read_table(kind, |_, table, schema| table.get(schema, ids))
    }

    async fn put(&mut self, kind: &Kind, rows: &[RowWrite]) -> Result<PutReport, StoreError> {
        let report = self.write_table(kind, |table, schema| Ok(table.put(schema, rows)))?;
        self.note_rows(kind, report.written > 0);
        Ok(report)
    }

    async fn insert(&mut self, kind: &Kind, record: &Record) -> Result<bool, StoreError> {
        let inserted = self.write_table(kind, |table, schema| table.insert(schema, record))?;
        self.note_rows(kind, inserted);
        Ok(inserted)
    }

    async fn remove(&mut self, kind: &Kind, rows: &[Removal]) -> Result<PutReport, StoreError> {
        let report = self.write_table(kind, |table, _| Ok(table.remove(rows)))?;
        self.note_rows(kind, report.written > 0);
        Ok(report)
    }

    async fn versions(
        &mut self,
        kind: &Kind,
        ids: &[EntityId],
    ) -> Result<Vec<(EntityId, Option<Version>)>, StoreError> {
        self.read_table(kind, |_, table, _| table.versions(ids))
    }

    async fn mark_seen(
        &mut self,
        kind: &Kind,
        generation: u32,
        ids: &[EntityId],
    ) -> Result<(), StoreError> {
        self.write_table(kind, |table, _| {
            table.mark_seen(generation, ids);
            Ok(())
        })
    }

    async fn unseen(
        &mut self,
        kind: &Kind,
        generation: u32,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<EntityId>, StoreError> {
        self.read_table(kind, |state, table, _| {
            let queued = state.outbox.entities_of(kind);
            table.unseen(generation, after, limit, |id| queued.contains(id))
        })
    }

    async fn count_synced(&mut self, kind: &Kind) -> Result<u64, StoreError> {
        self.read_table(kind, |_, table, _| table.count_synced())
    }

    async fn forget_tombstones(
        &mut self,
        kind: &Kind,
        before: &Version,
    ) -> Result<u64, StoreError> {
        self.write_table(kind, |table, _| Ok(table.forget_tombstones(before)))
    }

    async fn append_ops(&mut self, ops: &[Op]) -> Result<Vec<i64>, StoreError> {
        let places = self.write(|state| Arc::make_mut(&mut state.outbox).append(ops))?;
        self.changed_outbox
            .extend(ops.iter().map(|op| op.kind.clone()));
        Ok(places)
    }

    async fn ops(&mut self, query: &OpQuery) -> Result<Vec<Op>, StoreError> {
        let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
        self.read(|state| Ok(state.outbox.matching(query).take(limit).cloned().collect()))
    }

    async fn count_ops(&mut self, query: &OpQuery) -> Result<u64, StoreError> {
        self.read(|state| Ok(state.outbox.matching(query).count() as u64))
    }

    async fn update_ops(&mut self, ops: &[Op]) -> Result<(), StoreError> {
        let changed: Vec<_> = self.write(|state| {
            let outbox = Arc::make_mut(&mut state.outbox);
            Ok(ops
                .iter()
                .filter(|op| outbox.update(op))
                .map(|op| op.kind.clone())
                .collect())
        })?;
        self.changed_outbox.extend(changed);
        Ok(())
    }

    async fn delete_ops(&mut self, ids: &[OpId]) -> Result<(), StoreError> {
        let changed: Vec<_> = self.write(|state| {
            let outbox = Arc::make_mut(&mut state.outbox);
            let deleted = ids.iter().filter_map(|id| outbox.delete(id));
            Ok(deleted.map(|op| op.kind.clone()).collect())
        })?;
        self.changed_outbox.extend(changed);
        Ok(())
    }

    async fn shadows(&mut self, kind: &Kind, ids: &[EntityId]) -> Result<Vec<Shadow>, StoreError> {
        self.read(|state| {
            let found = distinct(ids).filter_map(|id| state.shadow(kind, id));
            Ok(found.map(|shadow| Shadow::clone(shadow)).collect())
        })
    }

    async fn put_shadows(&mut self, shadows: &[Shadow]) -> Result<(), StoreError> {
        self.write(|state| {
            for shadow in shadows {
                State::part_mut(&mut state.shadows, &shadow.kind)
                    .insert(shadow.entity_id.clone(), Arc::new(shadow.clone()));
            }
            Ok(())
        })
    }

    async fn delete_shadows(&mut self, kind: &Kind, ids: &[EntityId]) -> Result<(), StoreError> {
        self.write(|state| {
            let shadows = State::part_mut(&mut state.shadows, kind);
            for id in ids {
                shadows.remove(id);
            }
            Ok(())
        })
    }

    async fn pending(
        &mut self,
        kind: &Kind,
        ids: &[EntityId],
    ) -> Result<Vec<EntityId>, StoreError> {
        self.read(|state| {
            let queued = state.outbox.entities_of(kind);
            let is_pending =
                |id: &&EntityId| queued.contains(id) || state.shadow(kind, id).is_some();
            Ok(distinct(ids).filter(is_pending).cloned().collect())
        })
    }

    async fn idle_shadows(&mut self, kind: &Kind, limit: u32) -> Result<Vec<Shadow>, StoreError> {
        self.read(|state| {
            let queued = state.outbox.entities_of(kind);
            let shadows = state
                .shadows
                .get(kind)
                .into_iter()
                .flat_map(|of_kind| of_kind.values());
            let idle = shadows.filter(|shadow| !queued.contains(&shadow.entity_id));
            Ok(idle
                .take(limit as usize)
                .map(|shadow| Shadow::clone(shadow))
                .collect())
        })
    }

    async fn cursor(&mut self, kind: &Kind) -> Result<Option<CursorState>, StoreError> {
        self.read(|state| Ok(state.cursors.get(kind).cloned()))
    }

    async fn put_cursor(
        &mut self,
        kind: &Kind,
        cursor: Option<&CursorState>,
    ) -> Result<(), StoreError> {
        self.write(|state| {
            match cursor {
                Some(cursor) => state.cursors.insert(kind.clone(), cursor.clone()),
                None => state.cursors.remove(kind),
            };
            Ok(())
        })
    }

    async fn conflicts(&mut self, op: Option<&OpId>) -> Result<Vec<ConflictEntry>, StoreError> {
        self.read(|state| Ok(state.conflicts(op)))
    }

    async fn put_conflicts(&mut self, entries: &[ConflictEntry]) -> Result<(), StoreError> {
        self.write(|state| {
            let by_op = entries
                .iter()
                .map(|entry| (entry.op_id.clone(), entry.clone()));
            Arc::make_mut(&mut state.conflicts).extend(by_op);
            Ok(())
        })
    }

    async fn delete_conflicts(&mut self, ops: &[OpId]) -> Result<(), StoreError> {
        self.write(|state| {
            let conflicts = Arc::make_mut(&mut state.conflicts);
            for op in ops {
                conflicts.remove(op);
            }
            Ok(())
        })
    }

    async fn quarantined(
        &mut self,
        kind: &Kind,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<QuarantineEntry>, StoreError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.read(|state| {
            let of_kind = state.quarantine.get(kind).into_iter();
            let rest =
                of_kind.flat_map(|entries| entries.range::<str, _>((from, Bound::Unbounded)));
            Ok(rest
                .take(limit as usize)
                .map(|(_, entry)| entry.clone())
                .collect())
        })
    }

    async fn put_quarantine(&mut self, entries: &[QuarantineEntry]) -> Result<(), StoreError> {
        self.write(|state| {
            for entry in entries {
                State::part_mut(&mut state.quarantine, &entry.kind)
                    .insert(entry.key.clone(), entry.clone());
            }
            Ok(())
        })
    }

    async fn delete_quarantine(&mut self, kind: &Kind, keys: &[String]) -> Result<(), StoreError> {
        self.write(|state| {
            let entries = State::part_mut(&mut state.quarantine, kind);
            for key in keys {
                entries.remove(key);
            }
            Ok(())
        })
    }

    async fn meta(&mut self, key: &str) -> Result<Option<String>, StoreError> {
        self.read(|state| Ok(state.meta.get(key).cloned()))
    }

    async fn put_meta(&mut self, key: &str, value: Option<&str>) -> Result<(), StoreError> {
        self.write(|state| {
            let meta = Arc::make_mut(&mut state.meta);
            match value {
                Some(value) => meta.insert(key.to_owned(), value.to_owned()),
                None => meta.remove(key),
            };
            Ok(())
        })
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.shared.fail_if_asked()?;
        if self.failed {
            let message = "a call of this transaction failed: drop it and begin a new one";
            return Err(StoreError::new(StoreErrorKind::Other, message));
        }
        if self.turn.is_none() {
            return Ok(());
        }
        {
            let mut committed = lock(&self.shared.committed);
            if !Arc::ptr_eq(&committed, &self.begun_with) {
                let message = "the store was restored meanwhile: begin a new transaction";
                return Err(StoreError::new(StoreErrorKind::Other, message));
            }
            *committed = self.state;
        }
        self.shared
            .hub
            .publish(self.changed_rows, self.changed_outbox);
        Ok(())
    }
}
