//! Conflicts that wait for a decision, and those that were decided.

use std::fmt;

use crate::conflict::{Conflict, ConflictSide, OpenConflict, Resolution};
use crate::engine::SyncEngine;
use crate::error::SyncError;
use crate::id::OpId;
use crate::op::OpStatus;
use crate::outbox::{Entity, Flow};
use crate::stats::SyncStats;
use crate::store::{ConflictEntry, ResolvedConflict, StoreTx, TxMode};

/// Conflicts, from [`SyncEngine::conflicts`]: the open ones, and what was decided about the others.
/// Cheap to clone.
///
/// ```
/// # use sync_core::{Conflict, Resolution, SyncEngine, SyncEntity};
/// # #[derive(Clone, serde::Serialize, serde::Deserialize, SyncEntity)]
/// # #[sync(kind = "todos")]
/// # struct Todo { id: String, title: String }
/// # fn ask_the_user(conflict: &Conflict<Todo>) -> Resolution<Todo> { Resolution::AcceptServer }
/// # async fn example(engine: &SyncEngine) -> Result<(), Box<dyn std::error::Error>> {
/// let conflicts = engine.conflicts();
/// for open in conflicts.open().await? {
///     let todo: Conflict<Todo> = open.conflict.typed()?; // or the JSON records as they are
///     let resolution = ask_the_user(&todo);
///     if !conflicts.resolve(&todo, resolution).await? {
///         println!("{} has changed meanwhile: look again", todo.entity_id);
///     }
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

    /// The conflicts that wait for a decision, oldest first, with all their sides. What is being
    /// judged anew, and what belongs to a kind without a table, is not among them.
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn open(&self) -> Result<Vec<OpenConflict>, SyncError> {
        let context = self.engine.context();
        let mut tx = context.store.begin(TxMode::Read).await?;
        let mut open = Vec::new();
        for entry in tx.conflicts(None).await? {
            open.extend(self.load(&mut *tx, entry).await?.map(|(_, open)| open));
        }
        Ok(open)
    }

    /// One of the conflicts that wait for a decision; `None`: it does not, or not any more.
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn get(&self, op_id: &OpId) -> Result<Option<OpenConflict>, SyncError> {
        let mut tx = self.engine.context().store.begin(TxMode::Read).await?;
        let found = self.find(&mut *tx, op_id).await?;
        Ok(found.map(|(_, open)| open))
    }

    /// Decides an open conflict as it was shown; the decision is on disk when this returns, and goes
    /// out with the next run. `false`: nothing was done, for the edit or the server's record has
    /// changed since; [`Conflicts::open`] has what it looks like now, once it is judged anew.
    ///
    /// Sides and decision are JSON records, or the app's own type, [`Conflict::typed`]. Fields that
    /// the type does not know stay the server's.
    ///
    /// # Errors
    /// [`SyncError::Entity`], [`SyncError::Record`] if what it was merged to cannot be converted;
    /// [`SyncError::Store`] if the database fails. After an error it is still open.
    pub async fn resolve<R: ConflictSide>(
        &self,
        shown: &Conflict<R>,
        resolution: Resolution<R>,
    ) -> Result<bool, SyncError> {
        let decide = |now: &Conflict| {
            if !shown.is_still(now) {
                return Ok(None);
            }
            let resolution = resolution.of_records(now, shown.baseline().as_ref());
            resolution
                .map(Some)
                .map_err(|error| SyncError::entity(&shown.kind, error))
        };
        let resolve = || self.resolve_now(&shown.op_id, decide);
        self.engine.shared.between_runs(resolve).await
    }

    /// Decides an open conflict whatever its sides say by now: for a decision that was made about
    /// the record, not about what stands in it, as "everything that the server has". Otherwise
    /// [`Conflicts::resolve`] is what you want: it lets nobody overwrite what they have not seen.
    ///
    /// `false`: there is no such conflict, or a newer record of the server has been pulled that it
    /// is judged anew against.
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn resolve_by_id(
        &self,
        op_id: &OpId,
        resolution: Resolution,
    ) -> Result<bool, SyncError> {
        let resolve = || self.resolve_now(op_id, |_| Ok(Some(resolution.clone())));
        self.engine.shared.between_runs(resolve).await
    }

    /// Applies what is decided about the conflict as it is now; `None` = it is left as it is.
    async fn resolve_now(
        &self,
        op_id: &OpId,
        decide: impl FnOnce(&Conflict) -> Result<Option<Resolution>, SyncError>,
    ) -> Result<bool, SyncError> {
        let context = self.engine.context();
        let mut tx = context.begin(TxMode::Write).await?;
        let Some((mut entity, open)) = self.find(&mut *tx, op_id).await? else {
            return Ok(false);
        };
        let conflict = open.conflict;
        let Some(resolution) = decide(&conflict)? else {
            return Ok(false);
        };
        let rules = context.rules(context.table(&conflict.kind)?);
        let flow: Option<Flow> = entity.resolve(&conflict, resolution, &rules);
        if flow.is_none() {
            entity.ask_again(&conflict);
        }
        let generation = tx
            .cursor(&conflict.kind)
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

    async fn find(
        &self,
        tx: &mut dyn StoreTx,
        op_id: &OpId,
    ) -> Result<Option<(Entity, OpenConflict)>, SyncError> {
        match tx.conflicts(Some(op_id)).await?.pop() {
            Some(entry) => self.load(tx, entry).await,
            None => Ok(None),
        }
    }

    /// The entity in conflict, and the conflict as it is now.
    async fn load(
        &self,
        tx: &mut dyn StoreTx,
        entry: ConflictEntry,
    ) -> Result<Option<(Entity, OpenConflict)>, SyncError> {
        let Ok(table) = self.engine.context().table(&entry.kind) else {
            return Ok(None);
        };
        let entity = Entity::load_one(tx, table, &entry.entity_id).await?;
        let waits = entity
            .head()
            .is_some_and(|head| head.op_id == entry.op_id && head.status == OpStatus::Deferred);
        if !waits || entity.held_up().is_some() {
            return Ok(None);
        }
        let open = OpenConflict {
            conflict: entity.describe(entry.server, entry.server_time),
            reason: entry.reason,
            by_choice: entry.by_choice,
            detected_at: entry.detected_at,
        };
        Ok(Some((entity, open)))
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
