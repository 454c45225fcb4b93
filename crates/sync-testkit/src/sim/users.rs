//! What users do with an engine: they write, delete and decide.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::BoxFuture;
use sync_core::json::{JsonMap, same_field};
use sync_core::store::TxMode;
use sync_core::{ChangedFields, Conflict, Record, Resolution, SyncError};

use super::client::{Client, Task, What};
use super::related::{Field, has_children, parents_are_here};
use super::schedule::Decision;
use super::server::Key;
use super::tables::SimTable;
use super::updates;

/// A write under way: did it queue anything?
pub(crate) type Writing = BoxFuture<'static, Result<bool, SyncError>>;

impl Client {
    /// Changes these fields of a row and those that stay on the device, or inserts it; nothing if what the user saw of it is no more
    /// what is there. Plain fields may have changed in the meantime: the edit does not build on
    /// them.
    pub(crate) fn write(
        &self,
        table: &SimTable,
        key: &Key,
        fields: &JsonMap,
        local: &JsonMap,
    ) -> Result<Writing, SyncError> {
        let engine = self.engine()?;
        let (records, store) = (engine.records(table.kind().as_str())?, engine.store());
        let mut named = fields.clone();
        if self.is_old() {
            updates::to_old(table.kind(), &mut named);
        }
        named.extend(local.clone());
        let changed: ChangedFields = named.keys().cloned().collect();
        let seen = self.seen.live(key).cloned();
        let builds_on = |field: &&String| table.is_built_upon(field);
        let builds_on: Vec<String> = fields.keys().filter(builds_on).cloned().collect();
        let parents: Vec<Field> = table.parents().collect();
        let mut row = seen.clone().unwrap_or_default();
        row.insert("id".to_owned(), key.1.as_str().into());
        if self.is_old() {
            updates::to_old(table.kind(), &mut row);
        }
        row.extend(named);
        let (record, key) = (Record::new(row), key.clone());
        Ok(Box::pin(async move {
            let mut tx = store.begin(TxMode::Write).await?;
            let rows = tx.get(&key.0, std::slice::from_ref(&key.1)).await?;
            let here = rows.into_iter().find(|row| !row.is_deleted());
            let is_as_seen = match (&here, &seen) {
                (None, None) => true,
                (Some(here), Some(seen)) => builds_on
                    .iter()
                    .all(|field| same_field(here.get(field), seen.get(field))),
                _ => false,
            };
            if !is_as_seen || !parents_are_here(&mut *tx, &parents, record.fields()).await? {
                return Ok(false);
            }
            let queued = if here.is_some() {
                records.within(&mut *tx).change(record, &changed).await?
            } else {
                records.within(&mut *tx).insert(record).await?;
                true
            };
            tx.commit().await?;
            Ok(queued)
        }))
    }

    /// Deletes a row, unless one of these fields refers to it.
    pub(crate) fn delete(&self, key: &Key, children: Vec<Field>) -> Result<Writing, SyncError> {
        let engine = self.engine()?;
        let (records, store) = (engine.records(key.0.as_str())?, engine.store());
        let id = key.1.clone();
        Ok(Box::pin(async move {
            if children.is_empty() {
                return records.delete(&id).await;
            }
            let mut tx = store.begin(TxMode::Write).await?;
            let deletes = !has_children(&mut *tx, &children, &id).await?
                && records.within(&mut *tx).delete(&id).await?;
            tx.commit().await?;
            Ok(deletes)
        }))
    }

    /// Begins to decide the oldest open conflict.
    pub(crate) fn begin_resolve(&mut self, decision: Decision) {
        let Some(engine) = self.engine.clone() else {
            return;
        };
        let future = Box::pin(async move {
            let conflicts = engine.conflicts();
            let Some(open) = conflicts.open().await?.into_iter().next() else {
                return Ok(None);
            };
            let shown = open.conflict;
            let merged = shown.local.as_ref().or(shown.server_record());
            let resolution = match (decision, merged) {
                (Decision::Server, _) => {
                    let server = Resolution::AcceptServer;
                    return conflicts
                        .resolve_by_id(&shown.op_id, server)
                        .await
                        .map(|_| None);
                }
                (Decision::Merged, Some(record)) => Resolution::AcceptMerged(record.clone()),
                _ => Resolution::AcceptClient,
            };
            conflicts.resolve(&shown, resolution).await.map(|_| None)
        });
        self.tasks.push(Task {
            what: What::Resolve,
            future,
            waited: BTreeMap::new(),
            queued: BTreeSet::new(),
            is_alone: false,
            server_was_at: 0,
        });
    }
}

/// A number that is the same for the same conflict.
pub(super) fn number_of(conflict: &Conflict) -> u32 {
    let text = conflict.op_id.as_str().bytes();
    text.fold(0, |sum: u32, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    })
}

/// Now this, now that, but the same for the same conflict.
pub(super) fn decide(conflict: &Conflict) -> Resolution {
    match (number_of(conflict) % 5, &conflict.local) {
        (0, _) => Resolution::AcceptServer,
        (1, _) => Resolution::AcceptClient,
        (2, Some(local)) => Resolution::AcceptMerged(local.clone()),
        (3, _) => Resolution::Discard,
        _ => Resolution::Defer,
    }
}
