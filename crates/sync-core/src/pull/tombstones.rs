//! What is kept of deleted records, and for how long.

use std::time::Duration;

use super::PullPhase;
use crate::error::SyncError;
use crate::id::{EntityId, Kind};
use crate::store::{CursorState, Removal, TxMode};
use crate::table::{SoftDelete, Table};
use crate::version::Version;

impl PullPhase<'_> {
    /// Under [`SoftDelete::PurgeAfter`] the rows of old deletions go; their versions stay known.
    pub(super) async fn purge_old_tombstones(
        &self,
        kind: &Kind,
        table: &Table,
    ) -> Result<(), SyncError> {
        let SoftDelete::PurgeAfter(age) = table.soft_delete else {
            return Ok(());
        };
        let before = Version::new(self.context.corrected_now().minus(age));
        let mut after: Option<EntityId> = None;
        loop {
            let mut tx = self.context.begin(TxMode::Write).await?;
            let old = tx
                .tombstone_rows(kind, &before, after.as_ref(), table.page_size)
                .await?;
            let Some((last, _)) = old.last() else {
                return Ok(());
            };
            after = Some(last.clone());
            let removals: Vec<Removal> = old
                .into_iter()
                .map(|(id, version)| Removal {
                    id,
                    tombstone: Some(version),
                })
                .collect();
            // What others still refer to stays for a later pull.
            let removals = self.unreferred(&mut *tx, kind, removals).await?;
            tx.remove(kind, &removals).await?;
            tx.commit().await?;
        }
    }

    /// A purged row's tombstone is remembered until the cursor is a day past it.
    pub(super) async fn forget_old_tombstones(
        &self,
        kind: &Kind,
        cursor: &CursorState,
    ) -> Result<(), SyncError> {
        const A_DAY: Duration = Duration::from_secs(24 * 3600);
        let Some(since) = &cursor.since else {
            return Ok(());
        };
        let mut tx = self.context.begin(TxMode::Write).await?;
        let before = Version::new(since.minus(A_DAY));
        if tx.forget_tombstones(kind, &before).await? > 0 {
            tx.commit().await?;
        }
        Ok(())
    }
}
