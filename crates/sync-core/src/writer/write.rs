//! What one write does, within a transaction.

use super::RecordWriter;
use super::whole::Whole;
use crate::changed_fields::{ChangedFields, ChangedFieldsDiff};
use crate::context::Saved;
use crate::entity::patched;
use crate::error::SyncError;
use crate::event::SyncEvent;
use crate::id::EntityId;
use crate::json::same_field;
use crate::outbox::{Entity, strip_for_server};
use crate::record::{Record, TOMBSTONE_FIELDS};
use crate::store::{Removal, RowWrite, StoreTx};
use crate::system_fields::is_system_field;
use crate::table::Table;

/// One write of the user's.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    /// Inserts a record that does not exist.
    Insert(Record),
    /// The record replaces the row: whatever differs is the user's.
    Replace(Record),
    /// Only these fields are the user's; the others stay as they are in the row.
    Change(Record, ChangedFields),
    /// What differs between two versions of an entity, laid over the row.
    Update { before: Record, after: Record },
    /// Inserts a record, or replaces the one that is there.
    Upsert(Record),
    /// An entity replaces the row.
    Entity(Whole),
    /// Inserts an entity, or replaces the row.
    UpsertEntity(Whole),
    /// Only these fields of an entity are the user's.
    ChangeEntity(Whole, ChangedFields),
    /// Deletes a record.
    Delete(EntityId),
    /// Takes a deletion back.
    Restore(EntityId),
}

/// What an update is compared with.
pub(super) enum Intent {
    Replace,
    Only(ChangedFields),
}

impl RecordWriter {
    /// Does one write; did it change anything? What is to be told once that is committed is added to
    /// `events`. After an error the transaction may only be dropped.
    pub(crate) async fn apply(
        &self,
        tx: &mut dyn StoreTx,
        write: Write,
        events: &mut Vec<SyncEvent>,
    ) -> Result<bool, SyncError> {
        match write {
            Write::Insert(record) => {
                let entity = self.load(tx, self.id_of(&record)?).await?;
                if is_live(&entity) {
                    return Err(SyncError::AlreadyExists {
                        kind: self.kind.clone(),
                        id: entity.id,
                    });
                }
                self.create(tx, entity, record).await
            }
            Write::Upsert(record) => {
                let entity = self.load(tx, self.id_of(&record)?).await?;
                if is_live(&entity) {
                    self.update(tx, entity, record, Intent::Replace).await
                } else {
                    self.create(tx, entity, record).await
                }
            }
            Write::Replace(record) => {
                let entity = self.load(tx, self.id_of(&record)?).await?;
                self.update(tx, entity, record, Intent::Replace).await
            }
            Write::Change(record, changed) => {
                let entity = self.load(tx, self.id_of(&record)?).await?;
                self.update(tx, entity, record, Intent::Only(changed)).await
            }
            Write::Update { before, after } => {
                let entity = self.load(tx, self.id_of(&after)?).await?;
                let row = self.app_row(tx, &entity).await?;
                let laid = row.map(|row| patched(&row, &before, &after));
                let (record, changed) = laid.unwrap_or_else(|| (after, ChangedFields::new()));
                self.update(tx, entity, record, Intent::Only(changed)).await
            }
            Write::Entity(whole) => {
                let entity = self.load(tx, self.id_of(&whole.record)?).await?;
                self.lay_over(tx, entity, whole, Intent::Replace).await
            }
            Write::UpsertEntity(whole) => {
                let entity = self.load(tx, self.id_of(&whole.record)?).await?;
                if is_live(&entity) {
                    self.lay_over(tx, entity, whole, Intent::Replace).await
                } else {
                    self.create(tx, entity, whole.record).await
                }
            }
            Write::ChangeEntity(whole, named) => {
                let entity = self.load(tx, self.id_of(&whole.record)?).await?;
                self.lay_over(tx, entity, whole, Intent::Only(named)).await
            }
            Write::Delete(id) => {
                let entity = self.load(tx, id).await?;
                self.delete_entity(tx, entity, events).await
            }
            Write::Restore(id) => {
                let entity = self.load(tx, id).await?;
                self.restore_entity(tx, entity).await
            }
        }
    }

    pub(super) async fn load(
        &self,
        tx: &mut dyn StoreTx,
        id: EntityId,
    ) -> Result<Entity, SyncError> {
        Ok(Entity::load_one(tx, self.table()?, &id).await?)
    }

    pub(super) fn check_names(
        &self,
        entity: &Entity,
        named: &ChangedFields,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<(), SyncError> {
        match named.iter().find(|name| !is_known(name)) {
            None => Ok(()),
            Some(field) => Err(SyncError::UnknownChangedField {
                kind: self.kind.clone(),
                field: field.to_owned(),
                id: entity.id.clone(),
            }),
        }
    }

    async fn create(
        &self,
        tx: &mut dyn StoreTx,
        entity: Entity,
        record: Record,
    ) -> Result<bool, SyncError> {
        self.enqueue(tx, entity, record, None).await?;
        Ok(true)
    }

    pub(super) async fn update(
        &self,
        tx: &mut dyn StoreTx,
        entity: Entity,
        record: Record,
        intent: Intent,
    ) -> Result<bool, SyncError> {
        let table = self.table()?;
        let Some(row) = entity.row.as_ref().filter(|row| !row.is_deleted()) else {
            return Err(SyncError::NotFound {
                kind: self.kind.clone(),
                id: entity.id,
            });
        };
        let is_local_only = |name: &str| is_local_only(table, name);
        let is_named = |name: &str| match &intent {
            Intent::Replace => true,
            Intent::Only(named) => named.contains(name),
        };
        let changed = match &intent {
            Intent::Replace => {
                // A field that the type does not have is nobody's intent.
                let present = |name: &&str| record.get(name).is_some() && !is_local_only(name);
                let diff = ChangedFieldsDiff::diff_maps(row.fields(), record.fields(), &[]);
                diff.iter().filter(present).collect::<ChangedFields>()
            }
            Intent::Only(changed) => {
                self.check_names(&entity, changed, |name| record.get(name).is_some())?;
                let differs = |name: &str| !same_field(row.get(name), record.get(name));
                let synced =
                    |name: &&str| !is_system_field(name) && !is_local_only(name) && differs(name);
                changed.iter().filter(synced).collect()
            }
        };
        let mut whole = row.clone();
        for (name, value) in record.into_fields() {
            // Where nothing is sent no answer comes that would bring the server's own back.
            let is_free = !changed.is_empty()
                && is_system_field(&name)
                && !TOMBSTONE_FIELDS.contains(&&*name);
            let is_own = is_local_only(&name) && is_named(&name);
            if changed.contains(&name) || is_free || is_own {
                whole.fields_mut().insert(name, value);
            }
        }
        if changed.is_empty() {
            self.write_local_only(tx, entity.id, whole).await?;
            return Ok(false);
        }
        self.enqueue(tx, entity, whole, Some(changed)).await?;
        Ok(true)
    }

    /// Nothing that travels has changed; what stays on this device may have.
    async fn write_local_only(
        &self,
        tx: &mut dyn StoreTx,
        id: EntityId,
        whole: Record,
    ) -> Result<(), SyncError> {
        if !self.has_local_only()? {
            return Ok(());
        }
        let rows = [RowWrite::local(whole)];
        let report = tx.put(&self.kind, &rows).await?;
        match report.rejected.into_iter().next() {
            Some(rejected) => Err(self.rejected(id, rejected.reason)),
            None => Ok(()),
        }
    }

    async fn delete_entity(
        &self,
        tx: &mut dyn StoreTx,
        mut entity: Entity,
        events: &mut Vec<SyncEvent>,
    ) -> Result<bool, SyncError> {
        if !is_live(&entity) {
            return Ok(false);
        }
        self.check_direction()?;
        let context = self.engine.context();
        let rules = context.rules(self.table()?);
        entity.delete(context.env.op_id(), &context.corrected_now(), &rules);
        self.save_all(tx, entity, events).await?;
        Ok(true)
    }

    /// Saves what the user did, also where that lets a record of the server come into the row.
    pub(super) async fn save_all(
        &self,
        tx: &mut dyn StoreTx,
        entity: Entity,
        events: &mut Vec<SyncEvent>,
    ) -> Result<(), SyncError> {
        if entity.takes_record() {
            self.give_way(tx, entity, events).await
        } else {
            self.save(tx, entity).await
        }
    }

    /// What the user deletes was never sent, and the server has a record under its id, which takes
    /// its place. If the table does not take that record, it waits in quarantine, and the row goes
    /// all the same.
    async fn give_way(
        &self,
        tx: &mut dyn StoreTx,
        mut entity: Entity,
        events: &mut Vec<SyncEvent>,
    ) -> Result<(), SyncError> {
        self.check_account(tx).await?;
        let context = self.engine.context();
        // After a restore, what was known is no proof that the server still has the record.
        let cursor = tx.cursor(&self.kind).await?;
        let cursor = cursor.filter(|cursor| !cursor.is_restoring());
        let generation = cursor.map_or(0, |cursor| cursor.generation);
        let saved = context.save(tx, &mut entity, generation).await?;
        events.append(&mut entity.effects.events);
        if saved == Saved::Whole {
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

    /// The deleted record comes back as its tombstone keeps it; of a row that is gone, as the
    /// server knew it.
    async fn restore_entity(
        &self,
        tx: &mut dyn StoreTx,
        entity: Entity,
    ) -> Result<bool, SyncError> {
        if is_live(&entity) {
            return Ok(false);
        }
        let Some(record) = entity.row.clone().or_else(|| entity.before_deletion()) else {
            return Ok(false);
        };
        self.create(tx, entity, without_tombstone(record)).await
    }

    async fn enqueue(
        &self,
        tx: &mut dyn StoreTx,
        mut entity: Entity,
        record: Record,
        changed: Option<ChangedFields>,
    ) -> Result<(), SyncError> {
        self.check_direction()?;
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

    /// What is never sent is not queued; columns of this device alone may be written all the same.
    pub(super) fn check_direction(&self) -> Result<(), SyncError> {
        if self.table()?.direction.pushes() {
            return Ok(());
        }
        let kind = self.kind.clone();
        Err(SyncError::PullOnly { kind })
    }

    async fn check_account(&self, tx: &mut dyn StoreTx) -> Result<(), SyncError> {
        let context = self.engine.context();
        if context.identity.account().is_some() {
            context.check_account(tx).await?;
        }
        Ok(())
    }

    pub(super) fn has_local_only(&self) -> Result<bool, SyncError> {
        let mut columns = self.table()?.schema.columns.iter();
        Ok(columns.any(|column| column.local_only))
    }

    pub(super) fn table(&self) -> Result<&Table, SyncError> {
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

    fn rejected(&self, id: EntityId, reason: String) -> SyncError {
        let kind = self.kind.clone();
        SyncError::RowRejected { kind, id, reason }
    }
}

/// The record without the mark of its deletion.
pub(crate) fn without_tombstone(mut record: Record) -> Record {
    for (name, value) in record.fields_mut() {
        if TOMBSTONE_FIELDS.contains(&&**name) {
            *value = if value.is_boolean() {
                false.into()
            } else {
                serde_json::Value::Null
            };
        }
    }
    record
}

pub(super) fn is_live(entity: &Entity) -> bool {
    entity.row.as_ref().is_some_and(|row| !row.is_deleted())
}

fn is_local_only(table: &Table, field: &str) -> bool {
    let column = table.schema.by_field(field);
    column.is_some_and(|column| column.local_only)
}
