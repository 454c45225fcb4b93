//! Conflicts that wait for a decision, and those that were decided.

use std::fmt;

use crate::conflict::Resolution;
use crate::engine::SyncEngine;
use crate::error::SyncError;
use crate::id::OpId;
use crate::outbox::{Entity, Flow};
use crate::stats::SyncStats;
use crate::store::{ConflictEntry, ResolvedConflict, TxMode};

/// Conflicts, from [`SyncEngine::conflicts`]: the open ones, and what was decided about the others.
/// Cheap to clone.
///
/// ```
/// # use sync_core::{Resolution, SyncEngine, SyncError};
/// # async fn example(engine: &SyncEngine) -> Result<(), SyncError> {
/// let conflicts = engine.conflicts();
/// for open in conflicts.open().await? {
///     println!("{}/{}: {}", open.kind, open.entity_id, open.reason);
///     conflicts.resolve(&open.op_id, Resolution::AcceptServer).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Conflicts {
    pub(super) engine: SyncEngine,
}

impl Conflicts {
    pub(super) fn new(engine: SyncEngine) -> Self {
        Self { engine }
    }

    /// The conflicts that wait for a decision, oldest first.
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn open(&self) -> Result<Vec<ConflictEntry>, SyncError> {
        let mut tx = self.engine.context().store.begin(TxMode::Read).await?;
        Ok(tx.conflicts(None).await?)
    }

    /// Decides an open conflict; the decision is on disk when this returns, and goes out with the
    /// next run. `false`: the operation or the server's record has changed since, so the conflict
    /// is judged anew.
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn resolve(&self, op_id: &OpId, resolution: Resolution) -> Result<bool, SyncError> {
        let resolve = || self.resolve_now(op_id, resolution.clone());
        self.engine.shared.between_runs(resolve).await
    }

    async fn resolve_now(&self, op_id: &OpId, resolution: Resolution) -> Result<bool, SyncError> {
        let context = self.engine.context();
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

    /// The conflicts that were resolved, the newest decision first, at most `limit`. The newest
    /// [`crate::SyncConfig::conflict_history`] of all kinds are kept. A decision that was judged
    /// anew, because the server's record or the edit had changed meanwhile, is replaced.
    ///
    /// ```
    /// # use sync_core::{SyncEngine, SyncError};
    /// # async fn example(engine: &SyncEngine) -> Result<(), SyncError> {
    /// for past in engine.conflicts().history(20).await? {
    ///     println!("{} {}/{}: {:?}", past.resolved_at, past.kind, past.entity_id, past.decided);
    ///     println!("lost something: {:?}", past.contested_fields);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn history(&self, limit: u32) -> Result<Vec<ResolvedConflict>, SyncError> {
        let mut tx = self.engine.context().store.begin(TxMode::Read).await?;
        Ok(tx.conflict_history(None, limit).await?)
    }
}

impl fmt::Debug for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conflicts").finish_non_exhaustive()
    }
}
