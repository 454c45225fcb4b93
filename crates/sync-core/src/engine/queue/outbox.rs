//! What waits to be sent.

use std::fmt;

use crate::engine::SyncEngine;
use crate::error::SyncError;
use crate::id::{EntityId, Kind};
use crate::op::{Op, OpStatus};
use crate::outbox::Entity;
use crate::store::{OpQuery, TxMode};

/// What waits to be sent, from [`SyncEngine::outbox`]. Cheap to clone.
///
/// ```
/// # use sync_core::{SyncEngine, SyncError};
/// # async fn example(engine: &SyncEngine) -> Result<(), SyncError> {
/// let outbox = engine.outbox();
/// println!("{} edits wait", outbox.count().await?);
/// for op in outbox.stuck().await? {
///     let reason = op.reason().unwrap_or("unknown");
///     println!("{}/{} was refused {} times: {reason}", op.kind, op.entity_id, op.attempts());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Outbox {
    pub(super) engine: SyncEngine,
}

impl Outbox {
    pub(super) fn new(engine: SyncEngine) -> Self {
        Self { engine }
    }

    /// The operations that match, in the order of the queue; `OpQuery::default()` = all.
    ///
    /// ```
    /// # use sync_core::{EntityId, Kind, SyncEngine, SyncError};
    /// # use sync_core::store::OpQuery;
    /// # async fn example(engine: &SyncEngine, todos: &Kind, milk: EntityId) -> Result<(), SyncError> {
    /// for op in engine.outbox().list(&OpQuery::of(todos, &[milk])).await? {
    ///     println!("{:?}, next attempt: {:?}", op.payload(), op.next_attempt());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn list(&self, query: &OpQuery) -> Result<Vec<Op>, SyncError> {
        let mut tx = self.engine.context().store.begin(TxMode::Read).await?;
        Ok(tx.ops(query).await?)
    }

    /// How many operations wait, those in conflict and stuck ones included.
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn count(&self) -> Result<u64, SyncError> {
        let mut tx = self.engine.context().store.begin(TxMode::Read).await?;
        Ok(tx.count_ops(&OpQuery::default()).await?)
    }

    /// The operations that were set aside because the server refused them too often, or never gave
    /// a usable answer; [`Op::reason`] says why. They wait until somebody acts:
    /// [`Outbox::edit`], [`Outbox::retry`], [`Outbox::discard`].
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn stuck(&self) -> Result<Vec<Op>, SyncError> {
        self.list(&stuck()).await
    }

    /// Lets one entity take part again whatever set it aside: it was refused too often, or its
    /// conflict was put off. `false`: nothing was set aside.
    ///
    /// # Errors
    /// [`SyncError::UnknownKind`], [`SyncError::Store`].
    pub async fn retry(&self, kind: &Kind, id: &EntityId) -> Result<bool, SyncError> {
        let context = self.engine.context();
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
    pub async fn retry_all(&self) -> Result<u64, SyncError> {
        let mut tx = self.engine.context().store.begin(TxMode::Write).await?;
        let mut ops = tx.ops(&stuck()).await?;
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
}

fn stuck() -> OpQuery {
    OpQuery {
        status: Some(OpStatus::Stuck),
        ..OpQuery::default()
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}
