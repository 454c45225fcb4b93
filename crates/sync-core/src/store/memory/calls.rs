//! The calls of a transaction.

use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;

use super::rows::distinct;
use super::state::State;
use super::tx::MemoryTx;
use crate::id::{EntityId, Kind, OpId};
use crate::op::{Op, Shadow};
use crate::record::Record;
use crate::store::{
    ConflictEntry, CursorState, OpQuery, PutReport, QuarantineEntry, Removal, ResolvedConflict,
    RowWrite, StoreError, StoreTx,
};
use crate::version::Version;

#[async_trait]
impl StoreTx for MemoryTx {
    async fn get(&mut self, kind: &Kind, ids: &[EntityId]) -> Result<Vec<Record>, StoreError> {
        self.read_table(kind, |_, table, schema| table.get(schema, ids))
    }

    async fn app_rows(&mut self, kind: &Kind, ids: &[EntityId]) -> Result<Vec<Record>, StoreError> {
        self.read_table(kind, |_, table, schema| table.app_rows(schema, ids))
    }

    async fn app_rows_after(
        &mut self,
        kind: &Kind,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        self.read_table(kind, |_, table, schema| {
            table.app_rows_after(schema, after, limit)
        })
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

    async fn tombstone_rows(
        &mut self,
        kind: &Kind,
        before: &Version,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<(EntityId, Version)>, StoreError> {
        self.read_table(kind, |state, table, schema| {
            let queued = state.outbox.entities_of(kind);
            let is_busy = |id: &EntityId| queued.contains(id) || state.shadow(kind, id).is_some();
            table.tombstone_rows(schema, before, after, limit, is_busy)
        })
    }

    async fn unclaimed(
        &mut self,
        kind: &Kind,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<EntityId>, StoreError> {
        self.read_table(kind, |state, table, _| {
            let queued = state.outbox.entities_of(kind);
            table.unclaimed(after, limit, |id| queued.contains(id))
        })
    }

    async fn referred_to(
        &mut self,
        kind: &Kind,
        field: &str,
        ids: &[EntityId],
    ) -> Result<Vec<EntityId>, StoreError> {
        self.read_table(kind, |_, table, schema| {
            table.referred_to(schema, field, ids)
        })
    }

    async fn misplaced(
        &mut self,
        kind: &Kind,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<(EntityId, Vec<String>)>, StoreError> {
        self.read_table(kind, |_, table, schema| {
            table.misplaced(schema, after, limit)
        })
    }

    async fn append_ops(&mut self, ops: &[Op]) -> Result<Vec<i64>, StoreError> {
        let places = self.write(|state| Arc::make_mut(&mut state.outbox).append(ops))?;
        self.note_queues(ops.iter().map(|op| op.kind.clone()));
        Ok(places)
    }

    async fn last_seq(&mut self) -> Result<i64, StoreError> {
        self.read(|state| Ok(state.outbox.last_place()))
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
        self.note_queues(changed);
        Ok(())
    }

    async fn delete_ops(&mut self, ids: &[OpId]) -> Result<(), StoreError> {
        let changed: Vec<_> = self.write(|state| {
            let outbox = Arc::make_mut(&mut state.outbox);
            let deleted = ids.iter().filter_map(|id| outbox.delete(id));
            Ok(deleted.map(|op| op.kind.clone()).collect())
        })?;
        self.note_queues(changed);
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

    async fn idle_shadows(
        &mut self,
        kind: &Kind,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<Shadow>, StoreError> {
        self.read(|state| {
            let queued = state.outbox.entities_of(kind);
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            let shadows = state.shadows.get(kind).into_iter();
            let shadows =
                shadows.flat_map(|of_kind| of_kind.range::<EntityId, _>((from, Bound::Unbounded)));
            let idle = shadows.filter(|(id, _)| !queued.contains(id));
            Ok(idle
                .take(limit as usize)
                .map(|(_, shadow)| Shadow::clone(shadow))
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

    async fn conflict_history(
        &mut self,
        op: Option<&OpId>,
        limit: u32,
    ) -> Result<Vec<ResolvedConflict>, StoreError> {
        self.read(|state| Ok(state.history(op, limit)))
    }

    async fn put_conflict_history(
        &mut self,
        entries: &[ResolvedConflict],
        keep: u32,
    ) -> Result<(), StoreError> {
        self.write(|state| {
            state.put_history(entries, keep);
            Ok(())
        })
    }

    async fn delete_conflict_history(&mut self, kind: &Kind) -> Result<(), StoreError> {
        self.write(|state| {
            Arc::make_mut(&mut state.history).retain(|entry| entry.kind != *kind);
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

    async fn quarantined_of(
        &mut self,
        kind: &Kind,
        keys: &[String],
    ) -> Result<Vec<QuarantineEntry>, StoreError> {
        self.read(|state| {
            let of_kind = state.quarantine.get(kind);
            let found = distinct(keys).filter_map(|key| of_kind?.get(key).cloned());
            Ok(found.collect())
        })
    }

    async fn count_quarantined(&mut self, kind: &Kind) -> Result<u64, StoreError> {
        self.read(|state| Ok(state.quarantine.get(kind).map_or(0, |all| all.len() as u64)))
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
        self.publish()
    }
}
