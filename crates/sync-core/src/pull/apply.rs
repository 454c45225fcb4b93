//! Applies pages to the store: set-wise, rows with operations left alone.

use std::collections::{BTreeMap, BTreeSet};

use super::PullPhase;
use super::incoming::{Incoming, Row, Unusable, newest_of_each};
use crate::error::SyncError;
use crate::event::SyncEvent;
use crate::id::{EntityId, Kind};
use crate::outbox::{Entity, same_content};
use crate::quarantine;
use crate::record::Record;
use crate::stats::SyncStats;
use crate::store::{
    CursorState, QuarantineCause, QuarantineEntry, Removal, RowWrite, StoreError, StoreTx, TxMode,
};
use crate::table::{BadRow, Table};
use crate::upcast::{FIRST_SCHEMA_VERSION, Upcasts};

/// What a chain has done so far.
#[derive(Debug, Default)]
pub(super) struct Applied {
    rows: u64,
}

/// What became of a set of rows.
#[derive(Debug, Default)]
pub(super) struct RowsDone {
    pub(super) upserts: u64,
    pub(super) deletes: u64,
    pub(super) events: Vec<SyncEvent>,
    pub(super) refused: Vec<QuarantineEntry>,
    /// Rows that nothing is wrong with: their parents, or their children, are in the way for now.
    pub(super) waiting: Vec<QuarantineEntry>,
    /// Rows of entities that nobody here has touched.
    pub(super) applied: Vec<EntityId>,
    /// Were there others? They settle for themselves what lies in quarantine of them.
    pub(super) handed_over: bool,
}

impl PullPhase<'_> {
    /// Applies pages and their cursor in one transaction.
    pub(super) async fn apply(
        &self,
        kind: &Kind,
        table: &Table,
        pages: Vec<Incoming>,
        cursor: &CursorState,
        applied: &mut Applied,
        stats: &mut SyncStats,
    ) -> Result<(), SyncError> {
        if pages.is_empty() {
            return Ok(());
        }
        let context = self.context;
        let mut tx = context.begin(TxMode::Write).await?;
        let has_quarantine = !tx.quarantined(kind, None, 1).await?.is_empty();
        let mut rows = Vec::with_capacity(pages.iter().map(Incoming::usable).sum());
        let mut unusable = Vec::new();
        let mut progress = Vec::with_capacity(2 * pages.len());
        for page in pages {
            applied.rows += page.len() as u64;
            progress.push(SyncEvent::PullPageProcessed {
                kind: kind.clone(),
                page_size: page.page_size,
                total_done: applied.rows,
            });
            progress.push(SyncEvent::SyncProgress {
                phase: crate::event::SyncPhase::Pull,
                done: applied.rows,
                total: page.total,
            });
            rows.extend(page.rows);
            unusable.extend(page.unusable);
        }
        let mut done = self.apply_rows(&mut *tx, kind, table, rows, cursor).await?;
        if has_quarantine {
            quarantine::release(&mut *tx, kind, &done.applied).await?;
        }
        done.refused
            .extend(unusable.into_iter().map(|row| self.unusable(kind, row)));
        // The server has these rows, even if the table cannot.
        let shown = done.refused.iter().chain(&done.waiting);
        let shown = shown.map(|entry| EntityId::new(&entry.key));
        let shown: Vec<EntityId> = shown.filter_map(Result::ok).collect();
        if cursor.is_restoring() {
            self.withdraw(&mut *tx, kind, &done.refused).await?;
            self.forget_newer(&mut *tx, kind, &shown, cursor).await?;
        }
        set_aside(&mut *tx, kind, table, &mut done).await?;
        if cursor.resync.is_some() {
            tx.mark_seen(kind, cursor.generation, &shown).await?;
        }
        if done.upserts + done.deletes > 0 {
            done.events.push(SyncEvent::CacheUpdate {
                kind: kind.clone(),
                upserts: done.upserts,
                deletes: done.deletes,
            });
        }
        tx.put_cursor(kind, Some(cursor)).await?;
        tx.commit().await?;
        context.tell(done.events, stats);
        context.tell(progress, stats);
        Ok(())
    }

    /// Applies rows of one kind within a transaction.
    pub(super) async fn apply_rows(
        &self,
        tx: &mut dyn StoreTx,
        kind: &Kind,
        table: &Table,
        rows: Vec<Row>,
        cursor: &CursorState,
    ) -> Result<RowsDone, SyncError> {
        let rows = newest_of_each(rows);
        // In order, so that the store finds neighbours next to each other.
        let mut ids: Vec<EntityId> = rows.iter().map(|row| row.id.clone()).collect();
        ids.sort_unstable();
        let pending: BTreeSet<EntityId> = tx.pending(kind, &ids).await?.into_iter().collect();
        let stored: BTreeMap<_, _> = tx.versions(kind, &ids).await?.into_iter().collect();
        let mut done = RowsDone::default();
        let restoring = cursor.is_restoring();
        let (mut fresh, mut same_stamp, mut busy, mut seen) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            if pending.contains(&row.id) && !planted!(PullClobbers) {
                busy.push(row);
                continue;
            }
            match stored.get(&row.id) {
                Some(Some(version)) if version.stamp == row.version.stamp => same_stamp.push(row),
                Some(Some(version)) if version.is_newer_than(&row.version) && !restoring => {
                    seen.push(row.id);
                }
                _ => fresh.push(row),
            }
        }
        let changed = without_unchanged(tx, kind, same_stamp, &mut seen).await?;
        fresh.extend(changed);
        if restoring {
            self.export_replaced(tx, kind, &fresh, &stored, &mut done)
                .await?;
        }
        if cursor.resync.is_some() {
            let busy = busy.iter().map(|row| row.id.clone());
            let shown: Vec<EntityId> = seen.iter().cloned().chain(busy).collect();
            tx.mark_seen(kind, cursor.generation, &shown).await?;
        }
        done.applied = seen;
        done.handed_over = !busy.is_empty();
        self.write(tx, kind, table, fresh, cursor.generation, &mut done)
            .await?;
        self.hand_over(tx, kind, table, busy, cursor, &mut done)
            .await?;
        Ok(done)
    }

    /// Writes rows that nobody here has touched.
    async fn write(
        &self,
        tx: &mut dyn StoreTx,
        kind: &Kind,
        table: &Table,
        rows: Vec<Row>,
        generation: u32,
        done: &mut RowsDone,
    ) -> Result<(), StoreError> {
        let keeps = table.soft_delete.keeps();
        let (mut gone, kept): (Vec<Row>, Vec<Row>) =
            rows.into_iter().partition(|row| row.is_deleted && !keeps);
        let references = &self.context.references;
        if references.parents(kind).is_empty() {
            self.put_rows(tx, kind, kept, generation, &mut gone, done)
                .await?;
        } else {
            self.put_children(tx, kind, kept, generation, &mut gone, done)
                .await?;
        }
        if references.children(kind).is_empty() {
            self.remove_rows(tx, kind, gone, done).await
        } else {
            self.remove_parents(tx, kind, gone, done).await
        }
    }

    /// Writes rows; a tombstone that does not fit the table need not stay, and joins those that go.
    pub(super) async fn put_rows(
        &self,
        tx: &mut dyn StoreTx,
        kind: &Kind,
        rows: Vec<Row>,
        generation: u32,
        gone: &mut Vec<Row>,
        done: &mut RowsDone,
    ) -> Result<(), StoreError> {
        let mut writes = Vec::with_capacity(rows.len());
        let mut written = Vec::with_capacity(rows.len());
        for row in rows {
            written.push((row.id, row.is_deleted));
            writes.push(RowWrite::server(row.record, Some(row.version), generation));
        }
        let report = tx.put(kind, &writes).await?;
        let refused: BTreeMap<usize, String> = report
            .rejected
            .into_iter()
            .map(|rejected| (rejected.index, rejected.reason))
            .collect();
        for (index, (id, is_deleted)) in written.into_iter().enumerate() {
            match refused.get(&index) {
                Some(reason) => {
                    let row = &writes[index];
                    let record = row.record.clone();
                    match row.version().cloned() {
                        Some(version) if is_deleted => gone.push(Row {
                            id,
                            version,
                            record,
                            is_deleted,
                        }),
                        _ => done.refused.push(self.entry(
                            kind,
                            id.to_string(),
                            record.into(),
                            reason.clone(),
                        )),
                    }
                    continue;
                }
                None if is_deleted => done.deletes += 1,
                None => done.upserts += 1,
            }
            done.applied.push(id);
        }
        Ok(())
    }

    /// Removes rows; their versions stay known.
    pub(super) async fn remove_rows(
        &self,
        tx: &mut dyn StoreTx,
        kind: &Kind,
        rows: Vec<Row>,
        done: &mut RowsDone,
    ) -> Result<(), StoreError> {
        let mut records = Vec::with_capacity(rows.len());
        let mut removals = Vec::with_capacity(rows.len());
        for row in rows {
            records.push(row.record);
            removals.push(Removal {
                id: row.id,
                tombstone: Some(row.version),
            });
        }
        let report = tx.remove(kind, &removals).await?;
        done.deletes += report.written;
        let refused: BTreeSet<usize> = report.rejected.iter().map(|own| own.index).collect();
        for rejected in report.rejected {
            let key = removals[rejected.index].id.to_string();
            let row = std::mem::take(&mut records[rejected.index]);
            done.refused
                .push(self.entry(kind, key, row.into(), rejected.reason));
        }
        let removed = removals.into_iter().enumerate();
        let removed = removed.filter(|(index, _)| !refused.contains(index));
        done.applied.extend(removed.map(|(_, removal)| removal.id));
        Ok(())
    }

    /// Rows with operations or a shadow decide for themselves.
    async fn hand_over(
        &self,
        tx: &mut dyn StoreTx,
        kind: &Kind,
        table: &Table,
        rows: Vec<Row>,
        cursor: &CursorState,
        done: &mut RowsDone,
    ) -> Result<(), SyncError> {
        if rows.is_empty() {
            return Ok(());
        }
        let ids: Vec<EntityId> = rows.iter().map(|row| row.id.clone()).collect();
        let rules = self.context.rules(table);
        let entities = Entity::load(tx, table, &ids).await?;
        for (mut entity, row) in entities.into_iter().zip(rows) {
            if let Some(reason) = entity.held_up() {
                // It waits where nothing of it is lost, until the operation can be read.
                let (key, row) = (row.id.to_string(), row.record.into());
                let mut entries = vec![self.entry(kind, key, row, reason.to_owned())];
                quarantine::put(tx, kind, &mut entries).await?;
                done.events
                    .extend(entries.iter().map(SyncEvent::quarantined));
                continue;
            }
            let state = row.into_state();
            self.show(tx, &mut entity, state, cursor, &rules).await?;
            self.context
                .save(tx, &mut entity, cursor.generation)
                .await?;
            done.events.append(&mut entity.effects.events);
        }
        Ok(())
    }

    fn unusable(&self, kind: &Kind, row: Unusable) -> QuarantineEntry {
        self.entry(kind, row.key, row.row, row.reason)
    }

    pub(super) fn entry(
        &self,
        kind: &Kind,
        key: String,
        row: serde_json::Value,
        reason: String,
    ) -> QuarantineEntry {
        let since = self.context.env.now();
        let table = self.context.tables.get(kind);
        let upcasts = table.map(|table| &table.upcasts);
        QuarantineEntry {
            schema_version: upcasts.map_or(FIRST_SCHEMA_VERSION, Upcasts::current),
            kind: kind.clone(),
            key,
            row,
            tag: None,
            reason,
            since,
            cause: QuarantineCause::BadRow,
        }
    }
}

/// Sets aside what could not be applied, or fails because of it, as the table wants.
pub(super) async fn set_aside(
    tx: &mut dyn StoreTx,
    kind: &Kind,
    table: &Table,
    done: &mut RowsDone,
) -> Result<(), SyncError> {
    if let (BadRow::Fail, Some(entry)) = (table.bad_rows, done.refused.first()) {
        return Err(SyncError::BadRow {
            kind: kind.clone(),
            key: entry.key.clone(),
            reason: entry.reason.clone(),
        });
    }
    done.refused.append(&mut done.waiting);
    quarantine::put(tx, kind, &mut done.refused).await?;
    done.events
        .extend(done.refused.iter().map(SyncEvent::quarantined));
    Ok(())
}

/// Rows under a stamp that is known already: only other content is news.
async fn without_unchanged(
    tx: &mut dyn StoreTx,
    kind: &Kind,
    rows: Vec<Row>,
    seen: &mut Vec<EntityId>,
) -> Result<Vec<Row>, StoreError> {
    if rows.is_empty() {
        return Ok(rows);
    }
    let ids: Vec<EntityId> = rows.iter().map(|row| row.id.clone()).collect();
    let here: BTreeMap<EntityId, Record> = tx
        .get(kind, &ids)
        .await?
        .into_iter()
        .filter_map(|record| Some((record.id().ok()?, record)))
        .collect();
    let mut changed = Vec::new();
    for row in rows {
        let is_same = match here.get(&row.id) {
            Some(record) => {
                record.is_deleted() == row.is_deleted
                    && (row.is_deleted || same_content(record, &row.record))
            }
            None => row.is_deleted,
        };
        if is_same {
            seen.push(row.id);
        } else {
            changed.push(row);
        }
    }
    Ok(changed)
}
