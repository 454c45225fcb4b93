//! Writes of JSON records.

use crate::changed_fields::{ChangedFields, ChangedFieldsDiff};
use crate::context::Saved;
use crate::engine::SyncEngine;
use crate::error::SyncError;
use crate::id::{EntityId, Kind};
use crate::json::same_field;
use crate::outbox::{Entity, strip_for_server};
use crate::record::{Record, TOMBSTONE_FIELDS};
use crate::store::{Removal, RowWrite, StoreTx, TxMode};
use crate::system_fields::is_system_field;
use crate::table::Table;

/// Writes JSON records of one kind; [`crate::EntityWriter`] is its typed face.
#[derive(Debug, Clone)]
pub struct RecordWriter {
    pub(super) engine: SyncEngine,
    pub(super) kind: Kind,
}

/// What an update is compared with.
enum Intent<'a> {
    /// The record replaces the row: whatever differs is the user's.
    Replace,
    /// Only these fields are the user's; the others stay as they are in the row.
    Only(&'a ChangedFields),
}

impl RecordWriter {
    pub(crate) fn new(engine: SyncEngine, kind: Kind) -> Self {
        Self { engine, kind }
    }

    /// Inserts a record that does not exist and queues its creation.
    ///
    /// # Errors
    /// [`SyncError::AlreadyExists`], [`SyncError::Record`] without a usable id,
    /// [`SyncError::RowRejected`] if the table refuses it, [`SyncError::Store`]. After an error
    /// neither row nor operation is there.
    pub async fn insert(&self, record: Record) -> Result<(), SyncError> {
        let mut tx = self.begin().await?;
        self.insert_in(&mut *tx, record).await?;
        Ok(tx.commit().await?)
    }

    /// [`RecordWriter::insert`] within a transaction of the caller's.
    ///
    /// # Errors
    /// As [`RecordWriter::insert`]; the transaction must then be dropped.
    pub async fn insert_in(&self, tx: &mut dyn StoreTx, record: Record) -> Result<(), SyncError> {
        let id = self.id_of(&record)?;
        let entity = Entity::load_one(tx, self.table()?, &id).await?;
        if entity.row.as_ref().is_some_and(|row| !row.is_deleted()) {
            return Err(SyncError::AlreadyExists {
                kind: self.kind.clone(),
                id,
            });
        }
        self.enqueue(tx, entity, record, None).await
    }

    /// Replaces a record; the fields that differ from the row are the user's. `false`: nothing
    /// differs, so nothing is queued.
    ///
    /// # Errors
    /// [`SyncError::NotFound`] if there is no such row; otherwise as [`RecordWriter::insert`].
    pub async fn replace(&self, record: Record) -> Result<bool, SyncError> {
        let mut tx = self.begin().await?;
        let queued = self.update(&mut *tx, record, Intent::Replace).await?;
        tx.commit().await?;
        Ok(queued)
    }

    /// Changes only these fields of a record to what `record` says; fields that a pull changed in
    /// the meantime stay.
    ///
    /// # Errors
    /// [`SyncError::UnknownChangedField`] for a field that `record` does not have; otherwise as
    /// [`RecordWriter::replace`].
    pub async fn change(&self, record: Record, changed: &ChangedFields) -> Result<bool, SyncError> {
        let mut tx = self.begin().await?;
        let queued = self.change_in(&mut *tx, record, changed).await?;
        tx.commit().await?;
        Ok(queued)
    }

    /// [`RecordWriter::change`] within a transaction of the caller's.
    ///
    /// # Errors
    /// As [`RecordWriter::change`]; the transaction must then be dropped.
    pub async fn change_in(
        &self,
        tx: &mut dyn StoreTx,
        record: Record,
        changed: &ChangedFields,
    ) -> Result<bool, SyncError> {
        self.update(tx, record, Intent::Only(changed)).await
    }

    /// [`RecordWriter::replace`] within a transaction of the caller's.
    ///
    /// # Errors
    /// As [`RecordWriter::replace`]; the transaction must then be dropped.
    pub async fn replace_in(
        &self,
        tx: &mut dyn StoreTx,
        record: Record,
    ) -> Result<bool, SyncError> {
        self.update(tx, record, Intent::Replace).await
    }

    /// Deletes a record and queues its deletion. `false`: there is no such row.
    ///
    /// # Errors
    /// [`SyncError::RowRejected`] if the table refuses it, [`SyncError::Store`].
    pub async fn delete(&self, id: &EntityId) -> Result<bool, SyncError> {
        let mut tx = self.begin().await?;
        let existed = self.delete_in(&mut *tx, id).await?;
        tx.commit().await?;
        Ok(existed)
    }

    /// [`RecordWriter::delete`] within a transaction of the caller's.
    ///
    /// # Errors
    /// As [`RecordWriter::delete`]; the transaction must then be dropped.
    pub async fn delete_in(&self, tx: &mut dyn StoreTx, id: &EntityId) -> Result<bool, SyncError> {
        let context = self.engine.context();
        let table = self.table()?;
        let rules = context.rules(table);
        let mut entity = Entity::load_one(tx, table, id).await?;
        if entity.row.as_ref().is_none_or(Record::is_deleted) {
            return Ok(false);
        }
        entity.delete(context.env.op_id(), &context.corrected_now(), &rules);
        if entity.takes_record() {
            self.give_way(tx, entity).await?;
        } else {
            self.save(tx, entity).await?;
        }
        Ok(true)
    }

    /// What the user deletes was never sent, and the server has a record under its id, which takes
    /// its place. If the table does not take that record, it waits in quarantine, and the row goes
    /// all the same.
    async fn give_way(&self, tx: &mut dyn StoreTx, mut entity: Entity) -> Result<(), SyncError> {
        self.check_account(tx).await?;
        let context = self.engine.context();
        if context.save(tx, &mut entity, 0).await? == Saved::Whole {
            return Ok(());
        }
        let removal = Removal {
            id: entity.id.clone(),
            tombstone: None,
        };
        let report = tx.remove(&self.kind, &[removal]).await?;
        if let Some(rejected) = report.rejected.into_iter().next() {
            return Err(self.rejected(entity.id, rejected.reason));
        }
        entity.row_is_gone();
        self.save(tx, entity).await
    }

    fn rejected(&self, id: EntityId, reason: String) -> SyncError {
        let kind = self.kind.clone();
        SyncError::RowRejected { kind, id, reason }
    }

    async fn check_account(&self, tx: &mut dyn StoreTx) -> Result<(), SyncError> {
        let context = self.engine.context();
        if context.identity.account().is_some() {
            context.check_account(tx).await?;
        }
        Ok(())
    }

    async fn begin(&self) -> Result<Box<dyn StoreTx>, SyncError> {
        Ok(self.engine.context().store.begin(TxMode::Write).await?)
    }

    fn table(&self) -> Result<&Table, SyncError> {
        if self.engine.is_signed_out() {
            return Err(SyncError::ShutDown);
        }
        self.engine.context().table(&self.kind)
    }

    fn id_of(&self, record: &Record) -> Result<EntityId, SyncError> {
        let kind = self.kind.clone();
        record
            .id()
            .map_err(|source| SyncError::Record { kind, source })
    }

    async fn update(
        &self,
        tx: &mut dyn StoreTx,
        record: Record,
        intent: Intent<'_>,
    ) -> Result<bool, SyncError> {
        let id = self.id_of(&record)?;
        let table = self.table()?;
        let entity = Entity::load_one(tx, table, &id).await?;
        let Some(row) = entity.row.as_ref().filter(|row| !row.is_deleted()) else {
            return Err(SyncError::NotFound {
                kind: self.kind.clone(),
                id,
            });
        };
        let local_only = |name: &str| table.schema.by_field(name).is_some_and(|c| c.local_only);
        let is_named = |name: &str| match &intent {
            Intent::Replace => true,
            Intent::Only(named) => named.contains(name),
        };
        let changed = match &intent {
            Intent::Replace => {
                // A field that the type does not have is nobody's intent.
                let present = |name: &&str| record.get(name).is_some() && !local_only(name);
                let diff = ChangedFieldsDiff::diff_maps(row.fields(), record.fields(), &[]);
                diff.iter().filter(present).collect::<ChangedFields>()
            }
            Intent::Only(changed) => {
                if let Some(field) = changed.iter().find(|field| record.get(field).is_none()) {
                    let (kind, field) = (self.kind.clone(), field.to_owned());
                    return Err(SyncError::UnknownChangedField { kind, id, field });
                }
                let differs = |name: &str| !same_field(row.get(name), record.get(name));
                let synced =
                    |name: &&str| !is_system_field(name) && !local_only(name) && differs(name);
                changed.iter().filter(synced).collect()
            }
        };
        let mut whole = row.clone();
        for (name, value) in record.into_fields() {
            // Where nothing is sent no answer comes that would bring the server's own back.
            let is_free = !changed.is_empty()
                && is_system_field(&name)
                && !TOMBSTONE_FIELDS.contains(&&*name);
            let is_own = local_only(&name) && is_named(&name);
            if changed.contains(&name) || is_free || is_own {
                whole.fields_mut().insert(name, value);
            }
        }
        if changed.is_empty() {
            let keeps_local = table.schema.columns.iter().any(|column| column.local_only);
            if keeps_local {
                let rows = [RowWrite::local(whole)];
                let report = tx.put(&self.kind, &rows).await?;
                if let Some(rejected) = report.rejected.into_iter().next() {
                    let (kind, reason) = (self.kind.clone(), rejected.reason);
                    return Err(SyncError::RowRejected { kind, id, reason });
                }
            }
            return Ok(false);
        }
        self.enqueue(tx, entity, whole, Some(changed)).await?;
        Ok(true)
    }

    async fn enqueue(
        &self,
        tx: &mut dyn StoreTx,
        mut entity: Entity,
        record: Record,
        changed: Option<ChangedFields>,
    ) -> Result<(), SyncError> {
        let context = self.engine.context();
        let table = self.table()?;
        let payload = strip_for_server(&record, &table.schema);
        let (op_id, at) = (context.env.op_id(), context.corrected_now());
        entity.upsert(record, payload, changed, op_id, at, &context.rules(table));
        self.save(tx, entity).await
    }

    async fn save(&self, tx: &mut dyn StoreTx, mut entity: Entity) -> Result<(), SyncError> {
        self.check_account(tx).await?;
        let refused = entity.save(tx, 0).await?;
        match refused.into_iter().next() {
            None => Ok(()),
            Some(refused) => Err(self.rejected(refused.id, refused.reason)),
        }
    }
}
