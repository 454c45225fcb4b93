//! Full resync: pull from zero without clearing, then sweep what the server no longer has.

use serde_json::Value;

use super::PullPhase;
use super::apply::set_aside;
use super::incoming::Row;
use crate::error::SyncError;
use crate::event::SyncEvent;
use crate::id::{EntityId, Kind};
use crate::op::Precondition;
use crate::outbox::Entity;
use crate::quarantine;
use crate::references::HAS_CHILDREN;
use crate::stats::SyncStats;
use crate::store::{CursorState, OpQuery, Removal, ResyncState, StoreTx, TxMode};
use crate::table::Table;
use crate::transport::{FetchRequest, TransportErrorKind};
use crate::version::ServerState;

/// Up to so many rows may go without further ado.
const HARMLESS: u64 = 20;
/// Beyond that, one row in so many.
const ONE_IN: u64 = 10;
const AT_A_TIME: u32 = 500;

/// Puts the cursor back to zero for a full resync; rows that it sees bear the new generation.
pub(super) fn begin(cursor: &mut CursorState, list_decides: bool) {
    // A resync that begins anew may not ask for less than the one that it replaces.
    let list_decides = list_decides || cursor.resync.as_ref().is_some_and(|old| old.clear_data);
    let restored = cursor.is_restoring();
    *cursor = CursorState {
        origin: cursor.origin.take(),
        pulled: cursor.pulled,
        generation: cursor.generation + 1,
        last_full_resync: cursor.last_full_resync.take(),
        filter: cursor.filter.take(),
        stamp_unit: cursor.stamp_unit,
        epoch: cursor.epoch.take(),
        restored: cursor.restored,
        resync: Some(ResyncState {
            pulled: false,
            clear_data: list_decides,
            restored,
        }),
        ..CursorState::default()
    };
}

/// A row that a resync did not see.
struct Missing {
    id: EntityId,
    /// Was it last seen before a backup was restored, so that the server may have lost it?
    is_of_before: bool,
}

impl PullPhase<'_> {
    /// Removes rows that the server no longer has, each confirmed by a fetch unless the list alone
    /// decides; suspiciously many stay, and an event says so.
    ///
    /// What was confirmed is marked as seen or gone, so a sweep that was interrupted goes on where
    /// it stopped.
    pub(super) async fn sweep(
        &self,
        kind: &Kind,
        table: &Table,
        mut cursor: CursorState,
        stats: &mut SyncStats,
    ) -> Result<(), SyncError> {
        let list_decides = cursor
            .resync
            .as_ref()
            .is_some_and(|resync| resync.clear_data);
        let candidates = self.unseen_since(kind, cursor.generation).await?;
        let of_before = self.of_before(kind, cursor.restored).await?;
        let total = self
            .context
            .begin(TxMode::Read)
            .await?
            .count_synced(kind)
            .await?;
        let found = candidates.len() as u64;
        if !list_decides && found > HARMLESS.max(total / ONE_IN) {
            let (kind, candidates, of) = (kind.clone(), found, total);
            self.context.events.emit(SyncEvent::SweepHeld {
                kind,
                candidates,
                of,
            });
        } else {
            for id in candidates {
                let missing = Missing {
                    is_of_before: of_before.contains(&id),
                    id,
                };
                if list_decides || planted!(SweepUnconfirmed) {
                    self.remove(kind, &missing, &cursor, stats).await?;
                } else {
                    self.confirm_and_remove(kind, table, &missing, &cursor, stats)
                        .await?;
                }
            }
        }
        if !list_decides {
            self.park_deletions(kind, table, &cursor, stats).await?;
        }
        self.confirm_idle(kind, table, &cursor, stats).await?;
        cursor.resync = None;
        cursor.last_full_resync = Some(self.context.env.now());
        let mut tx = self.context.begin(TxMode::Write).await?;
        tx.put_cursor(kind, Some(&cursor)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Rows that were last seen before this generation.
    pub(super) async fn unseen_since(
        &self,
        kind: &Kind,
        generation: u32,
    ) -> Result<Vec<EntityId>, SyncError> {
        let mut all: Vec<EntityId> = Vec::new();
        let mut tx = self.context.begin(TxMode::Read).await?;
        loop {
            let page = tx.unseen(kind, generation, all.last(), AT_A_TIME).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    async fn confirm_and_remove(
        &self,
        kind: &Kind,
        table: &Table,
        missing: &Missing,
        cursor: &CursorState,
        stats: &mut SyncStats,
    ) -> Result<(), SyncError> {
        let id = &missing.id;
        let Some(state) = self.ask(kind, id).await? else {
            return Ok(());
        };
        let Some(row) = row_of(id, &state) else {
            return if state.is_deleted() {
                self.remove(kind, missing, cursor, stats).await
            } else {
                self.mark_confirmed(kind, id, cursor).await
            };
        };
        let mut tx = self.context.begin(TxMode::Write).await?;
        let mut done = self
            .apply_rows(&mut *tx, kind, table, vec![row], cursor)
            .await?;
        quarantine::release(&mut *tx, kind, &done.applied).await?;
        set_aside(&mut *tx, kind, table, &mut done).await?;
        tx.mark_seen(kind, cursor.generation, std::slice::from_ref(id))
            .await?;
        tx.commit().await?;
        self.context.tell(done.events, stats);
        Ok(())
    }

    /// Fetches one entity; `None` if this one cannot be told: its row stays, the others go on.
    async fn ask(&self, kind: &Kind, id: &EntityId) -> Result<Option<ServerState>, SyncError> {
        let request = FetchRequest::new(kind.clone(), id.clone());
        match self.context.transport.fetch(request).await {
            Ok(answer) => Ok(Some(self.context.observe_state(answer))),
            Err(error)
                if error.is_environment()
                    || matches!(
                        error.kind(),
                        TransportErrorKind::Unauthorized | TransportErrorKind::EpochChanged
                    ) =>
            {
                Err(error.into())
            }
            Err(error) => {
                tracing::debug!(%kind, %id, %error, "not confirmed, so the row stays");
                Ok(None)
            }
        }
    }

    /// The server has the row, although it shows no version of it.
    async fn mark_confirmed(
        &self,
        kind: &Kind,
        id: &EntityId,
        cursor: &CursorState,
    ) -> Result<(), SyncError> {
        let mut tx = self.context.begin(TxMode::Write).await?;
        tx.mark_seen(kind, cursor.generation, std::slice::from_ref(id))
            .await?;
        Ok(tx.commit().await?)
    }

    /// Removes a row that the server no longer has, unless somebody edited it meanwhile.
    async fn remove(
        &self,
        kind: &Kind,
        missing: &Missing,
        cursor: &CursorState,
        stats: &mut SyncStats,
    ) -> Result<(), SyncError> {
        let id = &missing.id;
        let ids = std::slice::from_ref(id);
        let mut tx = self.context.begin(TxMode::Write).await?;
        let unseen_still = tx.pending(kind, ids).await?.is_empty();
        if unseen_still {
            return self.remove_unseen(tx, kind, missing, stats).await;
        } else {
            tx.mark_seen(kind, cursor.generation, ids).await?;
            let list_decides = cursor
                .resync
                .as_ref()
                .is_some_and(|resync| resync.clear_data);
            let mut events = Vec::new();
            if !list_decides {
                let table = self.context.table(kind)?;
                let mut entity = Entity::load_one(&mut *tx, table, id).await?;
                let rules = self.context.rules(table);
                self.show(&mut *tx, &mut entity, ServerState::gone(), cursor, &rules)
                    .await?;
                self.context
                    .save(&mut *tx, &mut entity, cursor.generation)
                    .await?;
                events = entity.effects.events;
            }
            tx.commit().await?;
            self.context.tell(events, stats);
        }
        Ok(())
    }

    /// Removes a row that nobody touched; what others still refer to waits in quarantine.
    async fn remove_unseen(
        &self,
        mut tx: Box<dyn StoreTx>,
        kind: &Kind,
        missing: &Missing,
        stats: &mut SyncStats,
    ) -> Result<(), SyncError> {
        let id = &missing.id;
        let mut events = Vec::new();
        if missing.is_of_before {
            events = self.export_missing(&mut *tx, kind, id).await?;
        }
        let removal = Removal {
            id: id.clone(),
            tombstone: None,
        };
        let removals = self.unreferred(&mut *tx, kind, vec![removal]).await?;
        let report = tx.remove(kind, &removals).await?;
        let reason = match report.rejected.into_iter().next() {
            _ if removals.is_empty() => Some(HAS_CHILDREN.to_owned()),
            rejected => rejected.map(|rejected| rejected.reason),
        };
        if let Some(reason) = reason {
            let mut held = vec![self.entry(kind, id.to_string(), Value::Null, reason)];
            quarantine::put(&mut *tx, kind, &mut held).await?;
            events.extend(held.iter().map(SyncEvent::quarantined));
        } else {
            quarantine::release(&mut *tx, kind, std::slice::from_ref(id)).await?;
            if report.written > 0 {
                events.push(SyncEvent::CacheUpdate {
                    kind: kind.clone(),
                    upserts: 0,
                    deletes: report.written,
                });
            }
        }
        tx.commit().await?;
        self.context.tell(events, stats);
        Ok(())
    }

    /// Rows with operations are spared; what has become of them on the server is parked.
    async fn park_deletions(
        &self,
        kind: &Kind,
        table: &Table,
        cursor: &CursorState,
        stats: &mut SyncStats,
    ) -> Result<(), SyncError> {
        let heads = OpQuery {
            kinds: Some(vec![kind.clone()]),
            heads_only: true,
            ..OpQuery::default()
        };
        let mut tx = self.context.begin(TxMode::Read).await?;
        let heads = tx.ops(&heads).await?;
        drop(tx);
        for head in heads {
            if head.precondition == Some(Precondition::IfAbsent) {
                continue;
            }
            let Some(state) = self.ask(kind, &head.entity_id).await? else {
                continue;
            };
            if !state.is_deleted() {
                continue;
            }
            let mut tx = self.context.begin(TxMode::Write).await?;
            let mut entity = Entity::load_one(&mut *tx, table, &head.entity_id).await?;
            let rules = self.context.rules(table);
            self.show(&mut *tx, &mut entity, state, cursor, &rules)
                .await?;
            if planted!(PurgePending) {
                entity.discard(&self.context.rules(table));
            }
            self.context
                .save(&mut *tx, &mut entity, cursor.generation)
                .await?;
            tx.commit().await?;
            self.context.tell(entity.effects.events, stats);
        }
        Ok(())
    }

    /// Acknowledged without a record and never seen since: the fetch tells what became of it.
    async fn confirm_idle(
        &self,
        kind: &Kind,
        table: &Table,
        cursor: &CursorState,
        stats: &mut SyncStats,
    ) -> Result<(), SyncError> {
        let mut after = None;
        loop {
            let mut tx = self.context.begin(TxMode::Read).await?;
            let idle = tx.idle_shadows(kind, after.as_ref(), AT_A_TIME).await?;
            drop(tx);
            let Some(last) = idle.last() else {
                return Ok(());
            };
            after = Some(last.entity_id.clone());
            for shadow in idle {
                let Some(state) = self.ask(kind, &shadow.entity_id).await? else {
                    continue;
                };
                let mut tx = self.context.begin(TxMode::Write).await?;
                let mut entity = Entity::load_one(&mut *tx, table, &shadow.entity_id).await?;
                let rules = self.context.rules(table);
                if cursor.is_restoring() {
                    self.meet_restored(&mut *tx, &mut entity, state, &rules)
                        .await?;
                } else {
                    entity.fetched_idle(&state, &rules);
                }
                self.context
                    .save(&mut *tx, &mut entity, cursor.generation)
                    .await?;
                tx.commit().await?;
                self.context.tell(entity.effects.events, stats);
            }
        }
    }
}

/// A fetched state as a pulled row, where it has a record and a version.
fn row_of(id: &EntityId, state: &ServerState) -> Option<Row> {
    let (record, version) = (state.record()?, state.version()?);
    let mut row = Row::new(id.clone(), version.stamp.clone(), record.clone());
    row.version.tag.clone_from(&version.tag);
    Some(row)
}
