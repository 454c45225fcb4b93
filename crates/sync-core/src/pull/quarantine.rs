//! Rows that could not be applied are tried again whenever their kind was pulled.

use super::PullPhase;
use super::apply::RowsDone;
use super::incoming::{Row, key_of, read};
use crate::error::SyncError;
use crate::event::SyncEvent;
use crate::id::{EntityId, Kind};
use crate::outbox::Entity;
use crate::quarantine::release;
use crate::record::Record;
use crate::stats::SyncStats;
use crate::store::{QuarantineCause, QuarantineEntry, Removal, StoreTx, TxMode};
use crate::table::Table;
use crate::version::ServerState;

const AT_A_TIME: u32 = 200;

impl PullPhase<'_> {
    /// Tries the rows again, in a tree until no further parent has come of it.
    pub(crate) async fn retry_quarantined(
        &self,
        kind: &Kind,
        table: &Table,
        stats: &mut SyncStats,
    ) -> Result<(), SyncError> {
        while self.retry_each(kind, table, stats).await? {
            if !self.context.references.form_a_tree(kind) {
                break;
            }
        }
        Ok(())
    }

    /// Tries each of them once; was one applied?
    async fn retry_each(
        &self,
        kind: &Kind,
        table: &Table,
        stats: &mut SyncStats,
    ) -> Result<bool, SyncError> {
        let mut any = false;
        let mut after: Option<String> = None;
        loop {
            let mut tx = self.context.begin(TxMode::Write).await?;
            let entries = tx.quarantined(kind, after.as_deref(), AT_A_TIME).await?;
            let Some(last) = entries.last() else {
                return Ok(any);
            };
            after = Some(last.key.clone());
            let latest = self.context.corrected_now().latest_believable();
            let held = entries.iter().filter_map(held_removal).collect();
            let rows: Vec<Row> = entries
                .into_iter()
                .filter(|entry| entry.cause == QuarantineCause::BadRow)
                .filter_map(|entry| {
                    let (id, stamp) = read(&entry.row, Some(&latest)).ok()?;
                    let record = Record::try_from(entry.row).ok()?;
                    let record = if planted!(UpcastSkipped) {
                        record
                    } else {
                        table.upcasts.record(entry.schema_version, &record).ok()?
                    };
                    let mut row = Row::new(id, stamp, record);
                    row.version.tag = entry.tag;
                    Some(row)
                })
                .collect();
            let cursor = tx.cursor(kind).await?.unwrap_or_default();
            let mut done = self
                .apply_rows(&mut *tx, kind, table, rows, &cursor)
                .await?;
            if planted!(QuarantineDropped) {
                let refused = done.refused.iter().map(|entry| EntityId::new(&entry.key));
                done.applied.extend(refused.filter_map(Result::ok));
            }
            self.retry_removals(&mut *tx, kind, table, held, &mut done)
                .await?;
            any |= !done.applied.is_empty();
            if done.applied.is_empty() && !done.handed_over {
                continue;
            }
            release(&mut *tx, kind, &done.applied).await?;
            tx.commit().await?;
            if done.upserts + done.deletes > 0 {
                done.events.push(SyncEvent::CacheUpdate {
                    kind: kind.clone(),
                    upserts: done.upserts,
                    deletes: done.deletes,
                });
            }
            self.context.tell(done.events, stats);
        }
    }

    /// Removals of which the server showed no tombstone. One whose row has operations is settled by
    /// those: they will meet the deletion themselves.
    async fn retry_removals(
        &self,
        tx: &mut dyn StoreTx,
        kind: &Kind,
        table: &Table,
        held: Vec<EntityId>,
        done: &mut RowsDone,
    ) -> Result<(), SyncError> {
        if held.is_empty() {
            return Ok(());
        }
        let busy = tx.pending(kind, &held).await?;
        let idle = held.iter().filter(|id| !busy.contains(id));
        let removals = idle.map(|id| Removal {
            id: id.clone(),
            tombstone: None,
        });
        let removals = self.unreferred(tx, kind, removals.collect()).await?;
        let report = tx.remove(kind, &removals).await?;
        done.deletes += report.written;
        let refused: Vec<usize> = report.rejected.iter().map(|own| own.index).collect();
        let removed = removals.into_iter().enumerate();
        let removed = removed.filter(|(index, _)| !refused.contains(index));
        done.applied.extend(removed.map(|(_, removal)| removal.id));
        let rules = self.context.rules(table);
        for mut entity in Entity::load(tx, table, &busy).await? {
            if !entity.ops.is_empty() {
                done.applied.push(entity.id);
                continue;
            }
            entity.pulled(ServerState::gone(), &rules);
            self.context.save(tx, &mut entity, 0).await?;
            done.events.append(&mut entity.effects.events);
            done.handed_over = true;
        }
        Ok(())
    }
}

/// The entity whose removal waits here, if that is what the entry says: a removal without a
/// tombstone is kept as null. A null that a list held bears a fingerprint.
fn held_removal(entry: &QuarantineEntry) -> Option<EntityId> {
    let is_removal = entry.row.is_null() && entry.key != key_of(&entry.row);
    EntityId::new(&entry.key).ok().filter(|_| is_removal)
}
