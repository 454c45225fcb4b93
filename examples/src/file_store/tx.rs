//! One transaction: a copy of the state that takes its place at the commit.

use std::ops::Bound;

use async_trait::async_trait;
use sync_core::store::{
    ConflictEntry, CursorState, OpQuery, PutReport, QuarantineEntry, Removal, ResolvedConflict,
    RowWrite, StoreTx,
};
use sync_core::{EntityId, Kind, Op, OpId, Record, Shadow, StoreError, StoreErrorKind, Version};

use super::state::distinct;
use super::work::FileTx;

fn at_most(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

#[async_trait]
impl StoreTx for FileTx {
    async fn get(&mut self, kind: &Kind, ids: &[EntityId]) -> Result<Vec<Record>, StoreError> {
        let (_, table, schema) = self.read_table(kind)?;
        Ok(table.get(schema, ids))
    }

    async fn app_rows(&mut self, kind: &Kind, ids: &[EntityId]) -> Result<Vec<Record>, StoreError> {
        let (_, table, _) = self.read_table(kind)?;
        Ok(table.app_rows(ids))
    }

    async fn app_rows_after(
        &mut self,
        kind: &Kind,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let (_, table, _) = self.read_table(kind)?;
        Ok(table.app_rows_after(after, at_most(limit)))
    }

    async fn put(&mut self, kind: &Kind, rows: &[RowWrite]) -> Result<PutReport, StoreError> {
        let (table, schema) = self.write_table(kind)?;
        let report = table.put(schema, rows);
        self.note_rows(kind, report.written > 0);
        Ok(report)
    }

    async fn insert(&mut self, kind: &Kind, record: &Record) -> Result<bool, StoreError> {
        let (table, schema) = self.write_table(kind)?;
        let inserted = table.insert(schema, record);
        self.failed |= inserted.is_err();
        self.note_rows(kind, matches!(inserted, Ok(true)));
        inserted
    }

    async fn remove(&mut self, kind: &Kind, rows: &[Removal]) -> Result<PutReport, StoreError> {
        let (table, _) = self.write_table(kind)?;
        let report = table.remove(rows);
        self.note_rows(kind, report.written > 0);
        Ok(report)
    }

    async fn versions(
        &mut self,
        kind: &Kind,
        ids: &[EntityId],
    ) -> Result<Vec<(EntityId, Option<Version>)>, StoreError> {
        let (_, table, _) = self.read_table(kind)?;
        Ok(table.versions(ids))
    }

    async fn mark_seen(
        &mut self,
        kind: &Kind,
        generation: u32,
        ids: &[EntityId],
    ) -> Result<(), StoreError> {
        let (table, _) = self.write_table(kind)?;
        table.mark_seen(generation, ids);
        Ok(())
    }

    async fn unseen(
        &mut self,
        kind: &Kind,
        generation: u32,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<EntityId>, StoreError> {
        let (state, table, _) = self.read_table(kind)?;
        let unseen = table.unseen(generation, after);
        let idle = unseen.filter(|id| !state.outbox.has_op(kind, id));
        Ok(idle.take(at_most(limit)).cloned().collect())
    }

    async fn count_synced(&mut self, kind: &Kind) -> Result<u64, StoreError> {
        let (_, table, _) = self.read_table(kind)?;
        Ok(table.count_synced() as u64)
    }

    async fn forget_tombstones(
        &mut self,
        kind: &Kind,
        before: &Version,
    ) -> Result<u64, StoreError> {
        let (table, _) = self.write_table(kind)?;
        Ok(table.forget_tombstones(before) as u64)
    }

    async fn tombstone_rows(
        &mut self,
        kind: &Kind,
        before: &Version,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<(EntityId, Version)>, StoreError> {
        let (state, table, schema) = self.read_table(kind)?;
        let old = table.tombstones(schema, before, after);
        let idle = old.filter(|(id, _)| !state.is_pending(kind, id));
        let found = idle.take(at_most(limit));
        Ok(found
            .map(|(id, version)| (id.clone(), version.clone()))
            .collect())
    }

    async fn unclaimed(
        &mut self,
        kind: &Kind,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<EntityId>, StoreError> {
        let (state, table, _) = self.read_table(kind)?;
        let unclaimed = table.unclaimed(after);
        let idle = unclaimed.filter(|id| !state.outbox.has_op(kind, id));
        Ok(idle.take(at_most(limit)).cloned().collect())
    }

    async fn referred_to(
        &mut self,
        kind: &Kind,
        field: &str,
        ids: &[EntityId],
    ) -> Result<Vec<EntityId>, StoreError> {
        let (_, table, schema) = self.read_table(kind)?;
        Ok(table.referred_to(schema, field, ids))
    }

    async fn misplaced(
        &mut self,
        kind: &Kind,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<(EntityId, Vec<String>)>, StoreError> {
        let (_, table, schema) = self.read_table(kind)?;
        Ok(table.misplaced(schema, after, at_most(limit)))
    }

    async fn append_ops(&mut self, ops: &[Op]) -> Result<Vec<i64>, StoreError> {
        let outbox = &mut self.write()?.outbox;
        let places = ops.iter().map(|op| outbox.append(op)).collect();
        self.failed |= Result::is_err(&places);
        self.changed_outbox
            .extend(ops.iter().map(|op| op.kind.clone()));
        places
    }

    async fn ops(&mut self, query: &OpQuery) -> Result<Vec<Op>, StoreError> {
        let limit = query.limit.map_or(usize::MAX, at_most);
        Ok(self
            .state
            .outbox
            .matching(query)
            .take(limit)
            .cloned()
            .collect())
    }

    async fn count_ops(&mut self, query: &OpQuery) -> Result<u64, StoreError> {
        Ok(self.state.outbox.matching(query).count() as u64)
    }

    async fn last_seq(&mut self) -> Result<i64, StoreError> {
        Ok(self.state.outbox.last_place())
    }

    async fn update_ops(&mut self, ops: &[Op]) -> Result<(), StoreError> {
        for op in ops {
            if self.write()?.outbox.update(op) {
                self.changed_outbox.insert(op.kind.clone());
            }
        }
        Ok(())
    }

    async fn delete_ops(&mut self, ids: &[OpId]) -> Result<(), StoreError> {
        for id in ids {
            if let Some(op) = self.write()?.outbox.delete(id) {
                self.changed_outbox.insert(op.kind);
            }
        }
        Ok(())
    }

    async fn shadows(&mut self, kind: &Kind, ids: &[EntityId]) -> Result<Vec<Shadow>, StoreError> {
        let of_kind = self.state.shadows.get(kind);
        let found = distinct(ids).filter_map(|id| of_kind?.get(id).cloned());
        Ok(found.collect())
    }

    async fn put_shadows(&mut self, shadows: &[Shadow]) -> Result<(), StoreError> {
        let all = &mut self.write()?.shadows;
        for shadow in shadows {
            let of_kind = all.entry(shadow.kind.clone()).or_default();
            of_kind.insert(shadow.entity_id.clone(), shadow.clone());
        }
        Ok(())
    }

    async fn delete_shadows(&mut self, kind: &Kind, ids: &[EntityId]) -> Result<(), StoreError> {
        let of_kind = self.write()?.shadows.entry(kind.clone()).or_default();
        of_kind.retain(|id, _| !ids.contains(id));
        Ok(())
    }

    async fn pending(
        &mut self,
        kind: &Kind,
        ids: &[EntityId],
    ) -> Result<Vec<EntityId>, StoreError> {
        let pending = distinct(ids).filter(|id| self.state.is_pending(kind, id));
        Ok(pending.cloned().collect())
    }

    async fn idle_shadows(
        &mut self,
        kind: &Kind,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<Shadow>, StoreError> {
        let state = &self.state;
        let shadows = state.shadows.get(kind).into_iter().flatten();
        let idle = shadows.filter(|(id, _)| Some(*id) > after && !state.outbox.has_op(kind, id));
        Ok(idle
            .take(at_most(limit))
            .map(|(_, shadow)| shadow.clone())
            .collect())
    }

    async fn cursor(&mut self, kind: &Kind) -> Result<Option<CursorState>, StoreError> {
        Ok(self.state.cursors.get(kind).cloned())
    }

    async fn put_cursor(
        &mut self,
        kind: &Kind,
        cursor: Option<&CursorState>,
    ) -> Result<(), StoreError> {
        let cursors = &mut self.write()?.cursors;
        match cursor {
            Some(cursor) => cursors.insert(kind.clone(), cursor.clone()),
            None => cursors.remove(kind),
        };
        Ok(())
    }

    async fn conflicts(&mut self, op: Option<&OpId>) -> Result<Vec<ConflictEntry>, StoreError> {
        Ok(self.state.conflicts(op))
    }

    async fn put_conflicts(&mut self, entries: &[ConflictEntry]) -> Result<(), StoreError> {
        let by_op = entries
            .iter()
            .map(|entry| (entry.op_id.clone(), entry.clone()));
        self.write()?.conflicts.extend(by_op);
        Ok(())
    }

    async fn delete_conflicts(&mut self, ops: &[OpId]) -> Result<(), StoreError> {
        self.write()?.conflicts.retain(|op, _| !ops.contains(op));
        Ok(())
    }

    async fn conflict_history(
        &mut self,
        op: Option<&OpId>,
        limit: u32,
    ) -> Result<Vec<ResolvedConflict>, StoreError> {
        let newest_first = self.state.history.iter().rev();
        let found = newest_first.filter(|entry| op.is_none_or(|op| *op == entry.op_id));
        Ok(found.take(at_most(limit)).cloned().collect())
    }

    async fn put_conflict_history(
        &mut self,
        entries: &[ResolvedConflict],
        keep: u32,
    ) -> Result<(), StoreError> {
        let history = &mut self.write()?.history;
        if entries.is_empty() {
            return Ok(());
        }
        for entry in entries {
            history.retain(|other| other.op_id != entry.op_id);
            history.push(entry.clone());
        }
        let too_many = history.len().saturating_sub(at_most(keep));
        history.drain(..too_many);
        Ok(())
    }

    async fn delete_conflict_history(&mut self, kind: &Kind) -> Result<(), StoreError> {
        self.write()?.history.retain(|entry| entry.kind != *kind);
        Ok(())
    }

    async fn quarantined(
        &mut self,
        kind: &Kind,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<QuarantineEntry>, StoreError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let of_kind = self.state.quarantine.get(kind).into_iter();
        let behind = of_kind.flat_map(|rows| rows.range::<str, _>((from, Bound::Unbounded)));
        Ok(behind
            .take(at_most(limit))
            .map(|(_, row)| row.clone())
            .collect())
    }

    async fn quarantined_of(
        &mut self,
        kind: &Kind,
        keys: &[String],
    ) -> Result<Vec<QuarantineEntry>, StoreError> {
        let of_kind = self.state.quarantine.get(kind);
        let found = distinct(keys).filter_map(|key| of_kind?.get(key).cloned());
        Ok(found.collect())
    }

    async fn count_quarantined(&mut self, kind: &Kind) -> Result<u64, StoreError> {
        let of_kind = self.state.quarantine.get(kind);
        Ok(of_kind.map_or(0, |rows| rows.len() as u64))
    }

    async fn put_quarantine(&mut self, entries: &[QuarantineEntry]) -> Result<(), StoreError> {
        let all = &mut self.write()?.quarantine;
        for entry in entries {
            let of_kind = all.entry(entry.kind.clone()).or_default();
            of_kind.insert(entry.key.clone(), entry.clone());
        }
        Ok(())
    }

    async fn delete_quarantine(&mut self, kind: &Kind, keys: &[String]) -> Result<(), StoreError> {
        let of_kind = self.write()?.quarantine.entry(kind.clone()).or_default();
        of_kind.retain(|key, _| !keys.contains(key));
        Ok(())
    }

    async fn meta(&mut self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(self.state.meta.get(key).cloned())
    }

    async fn put_meta(&mut self, key: &str, value: Option<&str>) -> Result<(), StoreError> {
        let meta = &mut self.write()?.meta;
        match value {
            Some(value) => meta.insert(key.to_owned(), value.to_owned()),
            None => meta.remove(key),
        };
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        if self.failed {
            let message = "a call of this transaction failed: begin a new one";
            return Err(StoreError::new(StoreErrorKind::Other, message));
        }
        if self.turn.is_none() {
            return Ok(());
        }
        self.shared.commit(self.state)?;
        self.shared
            .hub
            .publish(self.changed_rows, self.changed_outbox);
        Ok(())
    }
}
