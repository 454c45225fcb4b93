//! Writing back what became of an entity.

use serde_json::{Value, json};

use super::entity::{Entity, Refused, RowEdit};
use crate::id::EntityId;
use crate::op::{Op, Shadow};
use crate::record::STAMP_FIELDS;
use crate::store::{PutReport, Removal, RowOrigin, RowWrite, StoreError, StoreTx};
use crate::version::{ServerState, Version};

impl Entity {
    /// Writes what changed. Returns the server records that the user's table refused; a refused
    /// local write is among them too, and its transaction must then be dropped.
    pub(crate) async fn save(
        &mut self,
        tx: &mut dyn StoreTx,
        generation: u32,
    ) -> Result<Vec<Refused>, StoreError> {
        let refused = self.save_row(tx, generation).await?;
        let deleted = std::mem::take(&mut self.deleted_ops);
        if !deleted.is_empty() {
            tx.delete_ops(&deleted).await?;
        }
        let closed = std::mem::take(&mut self.closed_conflicts);
        if !closed.is_empty() {
            tx.delete_conflicts(&closed).await?;
        }
        self.save_history(tx).await?;
        if let Some(entry) = self.opened_conflict.take() {
            tx.put_conflicts(&[entry]).await?;
        }
        if std::mem::take(&mut self.ops_changed) {
            let changed: Vec<Op> = self.ops.iter().filter(|op| op.seq != 0).cloned().collect();
            tx.update_ops(&changed).await?;
        }
        if let Some(first) = self.ops.iter().position(|op| op.seq == 0) {
            let places = tx.append_ops(&self.ops[first..]).await?;
            for (op, seq) in self.ops[first..].iter_mut().zip(places) {
                op.seq = seq;
            }
        }
        self.save_shadow(tx).await?;
        Ok(refused)
    }

    async fn save_row(
        &mut self,
        tx: &mut dyn StoreTx,
        generation: u32,
    ) -> Result<Vec<Refused>, StoreError> {
        let (row, tombstone) = match std::mem::take(&mut self.row_edit) {
            RowEdit::Keep => return Ok(Vec::new()),
            RowEdit::Local(record) => (RowWrite::local(record), None),
            RowEdit::Server {
                record,
                version,
                is_tombstone,
            } => {
                let tombstone = is_tombstone.then(|| version.clone());
                (RowWrite::server(record, version, generation), tombstone)
            }
            RowEdit::Remove { tombstone } => {
                return self.remove_row(tx, tombstone).await;
            }
        };
        let rows = [row];
        let reason = match self.not_written.take() {
            Some(reason) => Some(reason),
            None => reason_of(tx.put(&self.kind, &rows).await?),
        };
        let Some(reason) = reason else {
            return Ok(Vec::new());
        };
        if let Some(version) = tombstone {
            // A tombstone that does not fit the table need not stay: the row simply goes.
            return self.remove_row(tx, version).await;
        }
        let [row] = rows;
        let mut refused = row.record;
        if let RowOrigin::Server { version, .. } = row.origin {
            let record = refused.clone();
            if version.is_none() {
                // Accepted by an answer that tells no version: the stamp in the record is that of
                // what it was made from, and must not let it be applied later as that.
                for field in STAMP_FIELDS {
                    refused.fields_mut().remove(field);
                }
            }
            let live = ServerState::Live { record, version };
            self.hold_refused(tx, live).await?;
        }
        Ok(vec![Refused {
            id: self.id.clone(),
            row: refused.into(),
            reason,
        }])
    }

    /// What the table refused is still what the server has: the next edit of the row that the user
    /// sees instead must be merged with it, and nothing older may come in its place.
    async fn hold_refused(
        &mut self,
        tx: &mut dyn StoreTx,
        refused: ServerState,
    ) -> Result<(), StoreError> {
        if self.base.is_some() {
            return Ok(());
        }
        let row = tx.get(&self.kind, std::slice::from_ref(&self.id)).await?;
        self.set_base(match row.into_iter().next() {
            Some(record) => ServerState::Live {
                record,
                version: None,
            },
            None => ServerState::Absent,
        });
        self.set_parked(Some(refused));
        Ok(())
    }

    async fn remove_row(
        &mut self,
        tx: &mut dyn StoreTx,
        tombstone: Option<Version>,
    ) -> Result<Vec<Refused>, StoreError> {
        let removal = Removal {
            id: self.id.clone(),
            tombstone: tombstone.clone(),
        };
        let reason = match self.not_removed.take() {
            Some(reason) => Some(reason),
            None => reason_of(tx.remove(&self.kind, &[removal]).await?),
        };
        let Some(reason) = reason else {
            return Ok(Vec::new());
        };
        let row = tombstone_of(&self.id, tombstone.as_ref());
        let deleted = ServerState::Deleted {
            record: None,
            version: tombstone,
        };
        self.hold_refused(tx, deleted).await?;
        Ok(vec![Refused {
            id: self.id.clone(),
            row,
            reason,
        }])
    }

    async fn save_shadow(&mut self, tx: &mut dyn StoreTx) -> Result<(), StoreError> {
        if !std::mem::take(&mut self.shadow_changed) {
            return Ok(());
        }
        let is_plain_create = matches!(self.base, Some(ServerState::Absent))
            && self.parked.is_none()
            && !self.ops.is_empty();
        match &self.base {
            Some(base) if !is_plain_create => {
                let shadow = Shadow {
                    kind: self.kind.clone(),
                    entity_id: self.id.clone(),
                    base: base.clone(),
                    parked: self.parked.clone(),
                    schema_version: self.shadow_version,
                };
                self.had_shadow = true;
                tx.put_shadows(&[shadow]).await
            }
            _ if std::mem::take(&mut self.had_shadow) => {
                tx.delete_shadows(&self.kind, std::slice::from_ref(&self.id))
                    .await
            }
            _ => Ok(()),
        }
    }
}

/// Why the only row of a call was refused.
fn reason_of(report: PutReport) -> Option<String> {
    let rejected = report.rejected.into_iter().next();
    rejected.map(|rejected| rejected.reason)
}

/// A removal as quarantine keeps it: the tombstone that the server could have shown, or null.
fn tombstone_of(id: &EntityId, version: Option<&Version>) -> Value {
    version.map_or(Value::Null, |version| {
        let stamp = version.stamp.to_json();
        json!({ "id": id.as_str(), "updated_at": stamp.clone(), "deleted_at": stamp })
    })
}
