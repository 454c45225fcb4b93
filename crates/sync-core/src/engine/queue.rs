//! The queue in the app's hands: what waits, what is stuck, what is in conflict.

use super::SyncEngine;
use crate::conflict::Resolution;
use crate::error::SyncError;
use crate::event::SyncEvent;
use crate::id::{EntityId, Kind, OpId};
use crate::op::{Op, OpStatus};
use crate::outbox::{Entity, Flow};
use crate::owed::{self, Owed};
use crate::stats::SyncStats;
use crate::store::{ConflictEntry, OpQuery, QuarantineEntry, TxMode};

/// What was discarded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Discarded {
    /// The operations that are gone.
    pub op_ids: Vec<OpId>,
    /// Had one of them been sent without an answer, so that the server may have it all the same?
    pub maybe_applied: bool,
}

impl SyncEngine {
    /// How many operations wait, deferred and stuck ones included.
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn pending_count(&self) -> Result<u64, SyncError> {
        let mut tx = self.context().store.begin(TxMode::Read).await?;
        Ok(tx.count_ops(&OpQuery::default()).await?)
    }

    /// The waiting operations that match.
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn operations(&self, query: &OpQuery) -> Result<Vec<Op>, SyncError> {
        let mut tx = self.context().store.begin(TxMode::Read).await?;
        Ok(tx.ops(query).await?)
    }

    /// The operations that were set aside, with their reasons.
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn stuck_operations(&self) -> Result<Vec<Op>, SyncError> {
        let query = OpQuery {
            status: Some(OpStatus::Stuck),
            ..OpQuery::default()
        };
        self.operations(&query).await
    }

    /// Which operation holds this one up: the oldest one of its entity, if that is stuck or in a
    /// conflict that waits for a decision. `None`: nothing does, or there is no such operation.
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn blocked_by(&self, op_id: &OpId) -> Result<Option<Op>, SyncError> {
        let mut tx = self.context().store.begin(TxMode::Read).await?;
        let query = OpQuery {
            op_id: Some(op_id.clone()),
            ..OpQuery::default()
        };
        let Some(op) = tx.ops(&query).await?.pop() else {
            return Ok(None);
        };
        let of_entity = OpQuery::of(&op.kind, std::slice::from_ref(&op.entity_id));
        let head = tx.ops(&of_entity).await?.into_iter().next();
        let holds_up = |head: &Op| head.op_id != *op_id && head.status != OpStatus::Pending;
        Ok(head.filter(holds_up))
    }

    /// Lets one entity take part again whatever set it aside: it was refused too often, or its
    /// conflict was put off. `false`: nothing was set aside.
    ///
    /// # Errors
    /// [`SyncError::UnknownKind`], [`SyncError::Store`].
    pub async fn retry(&self, kind: &Kind, id: &EntityId) -> Result<bool, SyncError> {
        let context = self.context();
        let table = context.table(kind)?;
        let mut tx = context.store.begin(TxMode::Write).await?;
        let mut entity = Entity::load_one(&mut *tx, table, id).await?;
        let set_aside = entity
            .head()
            .is_some_and(|head| head.status != OpStatus::Pending || head.next_attempt_at.is_some());
        if set_aside {
            entity.awaken_head();
            context.save(&mut *tx, &mut entity, 0).await?;
            tx.commit().await?;
        }
        Ok(set_aside)
    }

    /// Lets all stuck operations take part again; returns how many.
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn retry_stuck_operations(&self) -> Result<u64, SyncError> {
        let query = OpQuery {
            status: Some(OpStatus::Stuck),
            ..OpQuery::default()
        };
        let mut tx = self.context().store.begin(TxMode::Write).await?;
        let mut ops = tx.ops(&query).await?;
        for op in &mut ops {
            op.status = OpStatus::Pending;
            op.try_count = 0;
            op.trouble_count = 0;
            op.next_attempt_at = None;
        }
        tx.update_ops(&ops).await?;
        tx.commit().await?;
        Ok(ops.len() as u64)
    }

    /// Discards all operations of one entity; the newest known server state comes into force.
    /// Waits for a run that is under way, so no operation is on its way to the server meanwhile;
    /// one that was sent earlier without an answer may have been applied there all the same, and
    /// the result says so.
    ///
    /// # Errors
    /// [`SyncError::UnknownKind`], [`SyncError::Store`].
    pub async fn discard(&self, kind: &Kind, id: &EntityId) -> Result<Discarded, SyncError> {
        let _no_run = self.shared.turns.exclusive().await;
        self.discard_now(kind, id).await
    }

    /// [`SyncEngine::discard`] for every entity that has a stuck operation, in the order of the
    /// queue: also what waits behind a stuck operation goes. Each entity is a transaction of its
    /// own. Kinds that are no longer registered are passed over.
    ///
    /// ```
    /// # async fn example(engine: &sync_core::SyncEngine) -> Result<(), sync_core::SyncError> {
    /// for (kind, id, discarded) in engine.discard_stuck().await? {
    ///     let note = if discarded.maybe_applied { ", but the server may have it" } else { "" };
    ///     println!("gave up {} edits of {kind}/{id}{note}", discarded.op_ids.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails; the entities before that stay discarded, which
    /// their [`SyncEvent::OperationsDiscarded`] told.
    pub async fn discard_stuck(&self) -> Result<Vec<(Kind, EntityId, Discarded)>, SyncError> {
        let _no_run = self.shared.turns.exclusive().await;
        let query = OpQuery {
            kinds: Some(self.kinds()),
            status: Some(OpStatus::Stuck),
            ..OpQuery::default()
        };
        let mut all = Vec::new();
        for op in self.operations(&query).await? {
            let discarded = self.discard_now(&op.kind, &op.entity_id).await?;
            // A second stuck operation of one entity went with the first.
            if !discarded.op_ids.is_empty() {
                all.push((op.kind, op.entity_id, discarded));
            }
        }
        Ok(all)
    }

    /// Discards while no run is under way.
    async fn discard_now(&self, kind: &Kind, id: &EntityId) -> Result<Discarded, SyncError> {
        let context = self.context();
        let table = context.table(kind)?;
        let rules = context.rules(table);
        let mut tx = context.store.begin(TxMode::Write).await?;
        let mut entity = Entity::load_one(&mut *tx, table, id).await?;
        let (op_ids, maybe_applied) = entity.discard(&rules);
        if entity.held_up().is_some() {
            // What the server has of it could not be read here: it is pulled anew.
            owed::put(&mut *tx, kind, Some(Owed::Due)).await?;
        }
        let generation = tx.cursor(kind).await?.map_or(0, |cursor| cursor.generation);
        context.save(&mut *tx, &mut entity, generation).await?;
        tx.commit().await?;
        let mut events = std::mem::take(&mut entity.effects.events);
        if !op_ids.is_empty() {
            let (kind, entity_id, op_ids) = (kind.clone(), id.clone(), op_ids.clone());
            events.push(SyncEvent::OperationsDiscarded {
                kind,
                entity_id,
                op_ids,
            });
        }
        context.tell(events, &mut SyncStats::default());
        Ok(Discarded {
            op_ids,
            maybe_applied,
        })
    }

    /// The conflicts that wait for a decision, oldest first.
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn open_conflicts(&self) -> Result<Vec<ConflictEntry>, SyncError> {
        let mut tx = self.context().store.begin(TxMode::Read).await?;
        Ok(tx.conflicts(None).await?)
    }

    /// Decides an open conflict; the decision goes out with the next run. `false`: the operation
    /// or the server's record has changed since, so the conflict is judged anew.
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn resolve_conflict(
        &self,
        op_id: &OpId,
        resolution: Resolution,
    ) -> Result<bool, SyncError> {
        let context = self.context();
        let _no_run = self.shared.turns.exclusive().await;
        let mut tx = context.store.begin(TxMode::Write).await?;
        let Some(entry) = tx.conflicts(Some(op_id)).await?.pop() else {
            return Ok(false);
        };
        let table = context.table(&entry.kind)?;
        let rules = context.rules(table);
        let mut entity = Entity::load_one(&mut *tx, table, &entry.entity_id).await?;
        let conflict = entity.describe(entry.server, entry.server_time);
        let flow: Option<Flow> = entity.resolve(&conflict, resolution, &rules);
        if flow.is_none() {
            entity.ask_again(&conflict);
        }
        let generation = tx
            .cursor(&entry.kind)
            .await?
            .map_or(0, |cursor| cursor.generation);
        context.save(&mut *tx, &mut entity, generation).await?;
        tx.commit().await?;
        context.tell(
            std::mem::take(&mut entity.effects.events),
            &mut SyncStats::default(),
        );
        Ok(flow.is_some())
    }

    /// Pulled rows of a kind that could not be applied, at most `limit`.
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn quarantined(
        &self,
        kind: &Kind,
        limit: u32,
    ) -> Result<Vec<QuarantineEntry>, SyncError> {
        let mut tx = self.context().store.begin(TxMode::Read).await?;
        Ok(tx.quarantined(kind, None, limit).await?)
    }
}
