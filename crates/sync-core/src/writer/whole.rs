//! Entities over rows that may have more than their type knows.

use super::RecordWriter;
use super::write::{Intent, is_live};
use crate::entity::Patched;
use crate::error::SyncError;
use crate::outbox::Entity;
use crate::record::Record;
use crate::store::StoreTx;

/// A whole entity.
#[derive(Debug, Clone)]
pub(crate) struct Whole {
    pub(super) record: Record,
    /// Lays it over a row; `None` if its type cannot read that.
    pub(super) over: fn(&Record, &Record) -> Option<Patched>,
}

impl RecordWriter {
    /// The live row as the app sees it.
    pub(super) async fn app_row(
        &self,
        tx: &mut dyn StoreTx,
        entity: &Entity,
    ) -> Result<Option<Record>, SyncError> {
        if !is_live(entity) {
            return Ok(None);
        }
        if !self.has_local_only()? {
            return Ok(entity.row.clone());
        }
        let ids = std::slice::from_ref(&entity.id);
        Ok(tx.app_rows(&self.kind, ids).await?.pop())
    }

    /// An update by what the entity changes in the row. A row that its type cannot read is replaced
    /// as it is, so that it can be mended.
    pub(super) async fn lay_over(
        &self,
        tx: &mut dyn StoreTx,
        entity: Entity,
        whole: Whole,
        intent: Intent,
    ) -> Result<bool, SyncError> {
        let row = self.app_row(tx, &entity).await?;
        let Some((record, changed)) = row.and_then(|row| (whole.over)(&row, &whole.record)) else {
            return self.update(tx, entity, whole.record, intent).await;
        };
        let changed = match intent {
            Intent::Replace => changed,
            Intent::Only(named) => {
                let is_known =
                    |name: &str| whole.record.get(name).is_some() || changed.contains(name);
                self.check_names(&entity, &named, is_known)?;
                let changed = changed.iter().filter(|name| named.contains(name));
                changed.collect()
            }
        };
        self.update(tx, entity, record, Intent::Only(changed)).await
    }
}
