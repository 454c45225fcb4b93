//! The seam's methods: each does its work in one step, large sets in slices.

use async_trait::async_trait;
use sync_core::store::{
    ConflictEntry, CursorState, OpQuery, PutReport, QuarantineEntry, Removal, ResolvedConflict,
    RowWrite, StoreError, StoreTx,
};
use sync_core::{EntityId, Kind, Op, OpId, Record, Shadow, Version};

use super::shape::newest;
use super::{SqliteTx, bookkeeping, outbox, read, rows, shadow, versions};

/// So many rows are written before other tasks of this thread get their turn.
const SLICE: usize = 1_000;

impl SqliteTx<'_> {
    /// Lets other tasks run. A call that is dropped here has done half its work: the transaction
    /// can then only be rolled back.
    async fn breathe(&mut self) {
        self.work.broken = true;
        tokio::task::yield_now().await;
        self.work.broken = false;
    }
}

#[async_trait]
impl StoreTx for SqliteTx<'_> {
    async fn get(&mut self, kind: &Kind, ids: &[EntityId]) -> Result<Vec<Record>, StoreError> {
        self.step(|db, work| read::get(db, &*work.table(kind)?, ids))
            .await
    }

    async fn app_rows(&mut self, kind: &Kind, ids: &[EntityId]) -> Result<Vec<Record>, StoreError> {
        self.step(|db, work| read::app_rows(db, &*work.table(kind)?, ids))
            .await
    }

    async fn app_rows_after(
        &mut self,
        kind: &Kind,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        self.step(|db, work| read::app_rows_after(db, &*work.table(kind)?, after, limit))
            .await
    }

    async fn put(&mut self, kind: &Kind, rows: &[RowWrite]) -> Result<PutReport, StoreError> {
        let table = self.step(|_, work| work.table(kind)).await?;
        let newest = newest(&table, rows);
        let mut report = PutReport::default();
        for (index, slice) in newest.chunks(SLICE).enumerate() {
            if index > 0 {
                self.breathe().await;
            }
            let (table, report) = (&table, &mut report);
            self.step(move |db, work| {
                let before = report.written;
                rows::put(db, table, rows, slice, report)?;
                work.written += report.written - before;
                Ok(())
            })
            .await?;
            self.note_size()?;
        }
        report
            .rejected
            .sort_unstable_by_key(|rejected| rejected.index);
        if report.written > 0 {
            note(&mut self.work.rows, kind);
        }
        Ok(report)
    }

    async fn insert(&mut self, kind: &Kind, record: &Record) -> Result<bool, StoreError> {
        self.step(|db, work| {
            let inserted = rows::insert(db, &*work.table(kind)?, record)?;
            if inserted {
                note(&mut work.rows, kind);
            }
            Ok(inserted)
        })
        .await
    }

    async fn remove(&mut self, kind: &Kind, removals: &[Removal]) -> Result<PutReport, StoreError> {
        let table = self.step(|_, work| work.table(kind)).await?;
        let places: Vec<usize> = (0..removals.len()).collect();
        let mut report = PutReport::default();
        for (index, slice) in places.chunks(SLICE).enumerate() {
            if index > 0 {
                self.breathe().await;
            }
            let (table, report) = (&table, &mut report);
            self.step(move |db, _| rows::remove(db, table, removals, slice, report))
                .await?;
        }
        if report.written > 0 {
            note(&mut self.work.rows, kind);
        }
        Ok(report)
    }

    async fn versions(
        &mut self,
        kind: &Kind,
        ids: &[EntityId],
    ) -> Result<Vec<(EntityId, Option<Version>)>, StoreError> {
        self.step(|db, work| {
            work.table(kind)?;
            versions::versions(db, kind, ids)
        })
        .await
    }

    async fn mark_seen(
        &mut self,
        kind: &Kind,
        generation: u32,
        ids: &[EntityId],
    ) -> Result<(), StoreError> {
        self.step(|db, work| {
            work.table(kind)?;
            versions::mark_seen(db, kind, generation, ids)
        })
        .await
    }

    async fn unseen(
        &mut self,
        kind: &Kind,
        generation: u32,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<EntityId>, StoreError> {
        self.step(|db, work| versions::unseen(db, &*work.table(kind)?, generation, after, limit))
            .await
    }

    async fn count_synced(&mut self, kind: &Kind) -> Result<u64, StoreError> {
        self.step(|db, work| versions::count_synced(db, &*work.table(kind)?))
            .await
    }

    async fn forget_tombstones(
        &mut self,
        kind: &Kind,
        before: &Version,
    ) -> Result<u64, StoreError> {
        self.step(|db, work| versions::forget_tombstones(db, &*work.table(kind)?, before))
            .await
    }

    async fn tombstone_rows(
        &mut self,
        kind: &Kind,
        before: &Version,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<(EntityId, Version)>, StoreError> {
        self.step(|db, work| {
            versions::tombstone_rows(db, &*work.table(kind)?, before, after, limit)
        })
        .await
    }

    async fn unclaimed(
        &mut self,
        kind: &Kind,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<EntityId>, StoreError> {
        self.step(|db, work| versions::unclaimed(db, &*work.table(kind)?, after, limit))
            .await
    }

    async fn referred_to(
        &mut self,
        kind: &Kind,
        field: &str,
        ids: &[EntityId],
    ) -> Result<Vec<EntityId>, StoreError> {
        self.step(|db, work| rows::referred_to(db, &*work.table(kind)?, field, ids))
            .await
    }

    async fn misplaced(
        &mut self,
        kind: &Kind,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<(EntityId, Vec<String>)>, StoreError> {
        self.step(|db, work| read::misplaced(db, &*work.table(kind)?, after, limit))
            .await
    }

    async fn append_ops(&mut self, ops: &[Op]) -> Result<Vec<i64>, StoreError> {
        self.step(|db, work| {
            let places = outbox::append(db, ops)?;
            ops.iter().for_each(|op| note(&mut work.outbox, &op.kind));
            Ok(places)
        })
        .await
    }

    async fn ops(&mut self, query: &OpQuery) -> Result<Vec<Op>, StoreError> {
        self.step(|db, work| outbox::query(db, &work.tables, query))
            .await
    }

    async fn count_ops(&mut self, query: &OpQuery) -> Result<u64, StoreError> {
        self.step(|db, _| outbox::count(db, query)).await
    }

    async fn last_seq(&mut self) -> Result<i64, StoreError> {
        self.step(|db, _| outbox::last_seq(db)).await
    }

    async fn update_ops(&mut self, ops: &[Op]) -> Result<(), StoreError> {
        self.step(|db, work| outbox::update(db, ops, &mut work.outbox))
            .await
    }

    async fn delete_ops(&mut self, ids: &[OpId]) -> Result<(), StoreError> {
        self.step(|db, work| outbox::delete(db, ids, &mut work.outbox))
            .await
    }

    async fn shadows(&mut self, kind: &Kind, ids: &[EntityId]) -> Result<Vec<Shadow>, StoreError> {
        self.step(|db, _| shadow::get(db, kind, ids)).await
    }

    async fn put_shadows(&mut self, shadows: &[Shadow]) -> Result<(), StoreError> {
        self.step(|db, _| shadow::put(db, shadows)).await
    }

    async fn delete_shadows(&mut self, kind: &Kind, ids: &[EntityId]) -> Result<(), StoreError> {
        self.step(|db, _| shadow::delete(db, kind, ids)).await
    }

    async fn pending(
        &mut self,
        kind: &Kind,
        ids: &[EntityId],
    ) -> Result<Vec<EntityId>, StoreError> {
        self.step(|db, _| shadow::pending(db, kind, ids)).await
    }

    async fn idle_shadows(
        &mut self,
        kind: &Kind,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<Shadow>, StoreError> {
        self.step(|db, _| shadow::idle(db, kind, after, limit))
            .await
    }

    async fn cursor(&mut self, kind: &Kind) -> Result<Option<CursorState>, StoreError> {
        self.step(|db, _| bookkeeping::cursor(db, kind)).await
    }

    async fn put_cursor(
        &mut self,
        kind: &Kind,
        cursor: Option<&CursorState>,
    ) -> Result<(), StoreError> {
        self.step(|db, _| bookkeeping::put_cursor(db, kind, cursor))
            .await
    }

    async fn conflicts(&mut self, op: Option<&OpId>) -> Result<Vec<ConflictEntry>, StoreError> {
        self.step(|db, _| bookkeeping::conflicts(db, op)).await
    }

    async fn put_conflicts(&mut self, entries: &[ConflictEntry]) -> Result<(), StoreError> {
        self.step(|db, _| bookkeeping::put_conflicts(db, entries))
            .await
    }

    async fn delete_conflicts(&mut self, ops: &[OpId]) -> Result<(), StoreError> {
        self.step(|db, _| bookkeeping::delete_conflicts(db, ops))
            .await
    }

    async fn conflict_history(
        &mut self,
        op: Option<&OpId>,
        limit: u32,
    ) -> Result<Vec<ResolvedConflict>, StoreError> {
        self.step(|db, _| bookkeeping::conflict_history(db, op, limit))
            .await
    }

    async fn put_conflict_history(
        &mut self,
        entries: &[ResolvedConflict],
        keep: u32,
    ) -> Result<(), StoreError> {
        self.step(|db, _| bookkeeping::put_conflict_history(db, entries, keep))
            .await
    }

    async fn delete_conflict_history(&mut self, kind: &Kind) -> Result<(), StoreError> {
        self.step(|db, _| bookkeeping::delete_conflict_history(db, kind))
            .await
    }

    async fn quarantined(
        &mut self,
        kind: &Kind,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<QuarantineEntry>, StoreError> {
        self.step(|db, _| bookkeeping::quarantined(db, kind, after, limit))
            .await
    }

    async fn quarantined_of(
        &mut self,
        kind: &Kind,
        keys: &[String],
    ) -> Result<Vec<QuarantineEntry>, StoreError> {
        self.step(|db, _| bookkeeping::quarantined_of(db, kind, keys))
            .await
    }

    async fn count_quarantined(&mut self, kind: &Kind) -> Result<u64, StoreError> {
        self.step(|db, _| bookkeeping::count_quarantined(db, kind))
            .await
    }

    async fn put_quarantine(&mut self, entries: &[QuarantineEntry]) -> Result<(), StoreError> {
        self.step(|db, _| bookkeeping::put_quarantine(db, entries))
            .await
    }

    async fn delete_quarantine(&mut self, kind: &Kind, keys: &[String]) -> Result<(), StoreError> {
        self.step(|db, _| bookkeeping::delete_quarantine(db, kind, keys))
            .await
    }

    async fn meta(&mut self, key: &str) -> Result<Option<String>, StoreError> {
        self.step(|db, _| bookkeeping::meta(db, key)).await
    }

    async fn put_meta(&mut self, key: &str, value: Option<&str>) -> Result<(), StoreError> {
        self.step(|db, _| bookkeeping::put_meta(db, key, value))
            .await
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        SqliteTx::commit(*self).await
    }
}

fn note(kinds: &mut std::collections::BTreeSet<Kind>, kind: &Kind) {
    if !kinds.contains(kind) {
        kinds.insert(kind.clone());
    }
}
