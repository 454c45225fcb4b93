//! The queue in the app's hands: what waits, what is stuck, what is in conflict.

use super::SyncEngine;
use crate::conflict::Resolution;
use crate::error::SyncError;
use crate::id::{EntityId, Kind, OpId};
use crate::op::{Op, OpStatus};
use crate::outbox::{Entity, Flow};
use crate::stats::SyncStats;
use crate::store::{ConflictEntry, OpQuery, QuarantineEntry, TxMode};

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
        let resolve = || self.resolve_now(op_id, resolution.clone());
        self.shared.between_runs(resolve).await
    }

    async fn resolve_now(&self, op_id: &OpId, resolution: Resolution) -> Result<bool, SyncError> {
        let context = self.context();
        let mut tx = context.begin(TxMode::Write).await?;
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

    /// Takes an entry out of quarantine by its key: the app has done with it what there was to do.
    /// `false`: there is none. An entry that could not be applied comes back with the next change
    /// of its record.
    ///
    /// ```
    /// # use sync_core::store::QuarantineCause;
    /// # async fn example(engine: &sync_core::SyncEngine, kind: &sync_core::Kind)
    /// # -> Result<(), sync_core::SyncError> {
    /// // What the server lost when its backup was restored: offered to the user, then dropped.
    /// for entry in engine.quarantined(kind, 100).await? {
    ///     if entry.cause == QuarantineCause::ServerRestored {
    ///         println!("the server lost {}", entry.row);
    ///         engine.forget_quarantined(kind, &entry.key).await?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn forget_quarantined(&self, kind: &Kind, key: &str) -> Result<bool, SyncError> {
        let keys = [key.to_owned()];
        let mut tx = self.context().store.begin(TxMode::Write).await?;
        if tx.quarantined_of(kind, &keys).await?.is_empty() {
            return Ok(false);
        }
        tx.delete_quarantine(kind, &keys).await?;
        tx.commit().await?;
        Ok(true)
    }
}
