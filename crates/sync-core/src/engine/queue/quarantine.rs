//! Pulled rows that could not be applied.

use std::fmt;

use crate::engine::SyncEngine;
use crate::error::SyncError;
use crate::id::Kind;
use crate::pull::PullPhase;
use crate::stats::SyncStats;
use crate::store::{QuarantineEntry, TxMode};

/// Pulled rows that could not be applied, from [`SyncEngine::quarantine`]. Cheap to clone.
///
/// ```
/// # use sync_core::store::QuarantineCause;
/// # async fn example(engine: &sync_core::SyncEngine, kind: &sync_core::Kind)
/// # -> Result<(), sync_core::SyncError> {
/// // What the server lost when its backup was restored: offered to the user, then dropped.
/// let quarantine = engine.quarantine();
/// for entry in quarantine.list(kind, 100).await? {
///     if entry.cause == QuarantineCause::ServerRestored {
///         println!("the server lost {}", entry.row);
///         quarantine.forget(kind, &entry.key).await?;
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Quarantine {
    engine: SyncEngine,
}

impl Quarantine {
    pub(super) fn new(engine: SyncEngine) -> Self {
        Self { engine }
    }

    /// Rows of a kind that could not be applied, at most `limit`, in order of their keys.
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn list(&self, kind: &Kind, limit: u32) -> Result<Vec<QuarantineEntry>, SyncError> {
        let mut tx = self.engine.context().store.begin(TxMode::Read).await?;
        Ok(tx.quarantined(kind, None, limit).await?)
    }

    /// How many rows of the registered kinds are set aside.
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn count(&self) -> Result<u64, SyncError> {
        let context = self.engine.context();
        let mut tx = context.store.begin(TxMode::Read).await?;
        let mut count = 0;
        for kind in context.tables.keys() {
            count += tx.count_quarantined(kind).await?;
        }
        Ok(count)
    }

    /// Tries the rows of a kind again now, without asking the server, for instance because the app
    /// has mended its table; returns how many came out. Each pull that brings something of the kind
    /// does the same. What was set aside because the server was restored from a backup stays, and
    /// so does everything until the pull that follows such a restore is through.
    ///
    /// Waits for a run that is under way.
    ///
    /// # Errors
    /// [`SyncError::UnknownKind`], [`SyncError::Store`], [`SyncError::LeaseLost`],
    /// [`SyncError::ShutDown`].
    pub async fn retry(&self, kind: &Kind) -> Result<u64, SyncError> {
        let retry = || self.retry_now(kind);
        self.engine.shared.between_runs(retry).await
    }

    async fn retry_now(&self, kind: &Kind) -> Result<u64, SyncError> {
        let context = self.engine.context();
        let table = context.table(kind)?;
        let mut tx = context.store.begin(TxMode::Read).await?;
        let cursor = tx.cursor(kind).await?;
        let before = tx.count_quarantined(kind).await?;
        drop(tx);
        if cursor.is_some_and(|cursor| cursor.is_restoring()) {
            return Ok(0);
        }
        let pull = PullPhase::new(context, None);
        pull.retry_quarantined(kind, table, &mut SyncStats::default())
            .await?;
        let mut tx = context.store.begin(TxMode::Read).await?;
        Ok(before.saturating_sub(tx.count_quarantined(kind).await?))
    }

    /// Takes an entry out by its key: the app has done with it what there was to do. `false`: there
    /// is none. A row that could not be applied comes back with the next change of its record.
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn forget(&self, kind: &Kind, key: &str) -> Result<bool, SyncError> {
        let keys = [key.to_owned()];
        let mut tx = self.engine.context().store.begin(TxMode::Write).await?;
        if tx.quarantined_of(kind, &keys).await?.is_empty() {
            return Ok(false);
        }
        tx.delete_quarantine(kind, &keys).await?;
        tx.commit().await?;
        Ok(true)
    }
}

impl fmt::Debug for Quarantine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quarantine").finish_non_exhaustive()
    }
}
