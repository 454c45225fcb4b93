//! Writers in a transaction of the app's.

use std::fmt;

use super::entity::EntityWriter;
use super::record::RecordWriter;
use super::write::Write;
use crate::changed_fields::ChangedFields;
use crate::entity::{SyncEntity, entity_of};
use crate::error::SyncError;
use crate::id::EntityId;
use crate::record::Record;
use crate::stats::SyncStats;
use crate::store::StoreTx;

/// A [`RecordWriter`] in a transaction of the app's, from [`RecordWriter::within`].
///
/// After an error the transaction must be dropped.
pub struct RecordWriterIn<'w> {
    writer: &'w RecordWriter,
    tx: &'w mut dyn StoreTx,
}

impl<'w> RecordWriterIn<'w> {
    pub(super) fn new(writer: &'w RecordWriter, tx: &'w mut dyn StoreTx) -> Self {
        Self { writer, tx }
    }

    /// As [`RecordWriter::insert`].
    ///
    /// # Errors
    /// As [`RecordWriter::insert`].
    pub async fn insert(&mut self, record: Record) -> Result<(), SyncError> {
        self.write(Write::Insert(record)).await.map(drop)
    }

    /// As [`RecordWriter::replace`].
    ///
    /// # Errors
    /// As [`RecordWriter::replace`].
    pub async fn replace(&mut self, record: Record) -> Result<bool, SyncError> {
        self.write(Write::Replace(record)).await
    }

    /// As [`RecordWriter::change`].
    ///
    /// # Errors
    /// As [`RecordWriter::change`].
    pub async fn change(
        &mut self,
        record: Record,
        changed: &ChangedFields,
    ) -> Result<bool, SyncError> {
        self.write(Write::Change(record, changed.clone())).await
    }

    /// As [`RecordWriter::upsert`].
    ///
    /// # Errors
    /// As [`RecordWriter::upsert`].
    pub async fn upsert(&mut self, record: Record) -> Result<bool, SyncError> {
        self.write(Write::Upsert(record)).await
    }

    /// As [`RecordWriter::delete`].
    ///
    /// # Errors
    /// As [`RecordWriter::delete`].
    pub async fn delete(&mut self, id: &EntityId) -> Result<bool, SyncError> {
        self.write(Write::Delete(id.clone())).await
    }

    /// As [`RecordWriter::restore`].
    ///
    /// # Errors
    /// As [`RecordWriter::restore`].
    pub async fn restore(&mut self, id: &EntityId) -> Result<bool, SyncError> {
        self.write(Write::Restore(id.clone())).await
    }

    /// As [`RecordWriter::insert_all`].
    ///
    /// # Errors
    /// As [`RecordWriter::insert_all`].
    pub async fn insert_all(
        &mut self,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<(), SyncError> {
        let writes = records.into_iter().map(Write::Insert);
        self.write_all(writes.collect()).await.map(drop)
    }

    /// As [`RecordWriter::upsert_all`].
    ///
    /// # Errors
    /// As [`RecordWriter::upsert_all`].
    pub async fn upsert_all(
        &mut self,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<u64, SyncError> {
        let writes = records.into_iter().map(Write::Upsert);
        self.write_all(writes.collect()).await
    }

    /// As [`RecordWriter::delete_all`].
    ///
    /// # Errors
    /// As [`RecordWriter::delete_all`].
    pub async fn delete_all(
        &mut self,
        ids: impl IntoIterator<Item = EntityId>,
    ) -> Result<u64, SyncError> {
        let writes = ids.into_iter().map(Write::Delete);
        self.write_all(writes.collect()).await
    }

    pub(super) async fn write(&mut self, write: Write) -> Result<bool, SyncError> {
        let mut events = Vec::new();
        let changed = self.writer.apply(self.tx, write, &mut events).await?;
        // Nobody here learns whether the app commits: rather told too early than never.
        let context = self.writer.engine.context();
        context.tell(events, &mut SyncStats::default());
        Ok(changed)
    }

    /// How many changed anything?
    async fn write_all(&mut self, writes: Vec<Write>) -> Result<u64, SyncError> {
        let mut changed = 0;
        for write in writes {
            changed += u64::from(self.write(write).await?);
        }
        Ok(changed)
    }
}

impl fmt::Debug for RecordWriterIn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordWriterIn")
            .field("kind", &self.writer.kind)
            .finish_non_exhaustive()
    }
}

/// An [`EntityWriter`] in a transaction of the app's, from [`EntityWriter::within`].
///
/// After an error the transaction must be dropped.
pub struct EntityWriterIn<'w, T> {
    writer: &'w EntityWriter<T>,
    tx: &'w mut dyn StoreTx,
}

impl<'w, T: SyncEntity> EntityWriterIn<'w, T> {
    pub(super) fn new(writer: &'w EntityWriter<T>, tx: &'w mut dyn StoreTx) -> Self {
        Self { writer, tx }
    }

    /// As [`EntityWriter::insert`].
    ///
    /// # Errors
    /// As [`EntityWriter::insert`].
    pub async fn insert(&mut self, entity: &T) -> Result<(), SyncError> {
        let record = self.writer.record(entity)?;
        self.records().insert(record).await
    }

    /// As [`EntityWriter::update`].
    ///
    /// # Errors
    /// As [`EntityWriter::update`].
    pub async fn update(&mut self, before: &T, after: &T) -> Result<bool, SyncError> {
        let write = self.writer.changes(before, after)?;
        self.records().write(write).await
    }

    /// As [`EntityWriter::update_with`].
    ///
    /// # Errors
    /// As [`EntityWriter::update_with`].
    pub async fn update_with(
        &mut self,
        id: impl AsRef<str>,
        change: impl FnOnce(&mut T) + Send,
    ) -> Result<bool, SyncError> {
        let id = EntityId::new(id)?;
        let Some(mut entity) = self.get(&id).await? else {
            let kind = self.writer.kind().clone();
            return Err(SyncError::NotFound { kind, id });
        };
        let before = self.writer.record(&entity)?;
        change(&mut entity);
        let after = self.writer.record(&entity)?;
        self.records().write(Write::Update { before, after }).await
    }

    /// As [`EntityWriter::update_fields`].
    ///
    /// # Errors
    /// As [`EntityWriter::update_fields`].
    pub async fn update_fields(
        &mut self,
        entity: &T,
        changed: &ChangedFields,
    ) -> Result<bool, SyncError> {
        let record = self.writer.record(entity)?;
        self.records().change(record, changed).await
    }

    /// As [`EntityWriter::replace`].
    ///
    /// # Errors
    /// As [`EntityWriter::replace`].
    pub async fn replace(&mut self, entity: &T) -> Result<bool, SyncError> {
        let write = Write::Entity(self.writer.whole(entity)?);
        self.records().write(write).await
    }

    /// As [`EntityWriter::upsert`].
    ///
    /// # Errors
    /// As [`EntityWriter::upsert`].
    pub async fn upsert(&mut self, entity: &T) -> Result<bool, SyncError> {
        let write = Write::UpsertEntity(self.writer.whole(entity)?);
        self.records().write(write).await
    }

    /// As [`EntityWriter::delete`].
    ///
    /// # Errors
    /// As [`EntityWriter::delete`].
    pub async fn delete(&mut self, id: impl AsRef<str>) -> Result<bool, SyncError> {
        self.records().delete(&EntityId::new(id)?).await
    }

    /// As [`EntityWriter::restore`].
    ///
    /// # Errors
    /// As [`EntityWriter::restore`].
    pub async fn restore(&mut self, id: impl AsRef<str>) -> Result<bool, SyncError> {
        self.records().restore(&EntityId::new(id)?).await
    }

    /// As [`EntityWriter::insert_all`].
    ///
    /// # Errors
    /// As [`EntityWriter::insert_all`].
    pub async fn insert_all<'e>(
        &mut self,
        entities: impl IntoIterator<Item = &'e T>,
    ) -> Result<(), SyncError> {
        let records = entities
            .into_iter()
            .map(|entity| self.writer.record(entity));
        let records = records.collect::<Result<Vec<_>, _>>()?;
        self.records().insert_all(records).await
    }

    /// As [`EntityWriter::upsert_all`].
    ///
    /// # Errors
    /// As [`EntityWriter::upsert_all`].
    pub async fn upsert_all<'e>(
        &mut self,
        entities: impl IntoIterator<Item = &'e T>,
    ) -> Result<u64, SyncError> {
        let records = entities
            .into_iter()
            .map(|entity| self.writer.record(entity));
        let records = records.collect::<Result<Vec<_>, _>>()?;
        self.records().upsert_all(records).await
    }

    /// As [`EntityWriter::delete_all`].
    ///
    /// # Errors
    /// As [`EntityWriter::delete_all`].
    pub async fn delete_all<I: AsRef<str>>(
        &mut self,
        ids: impl IntoIterator<Item = I>,
    ) -> Result<u64, SyncError> {
        let ids = ids.into_iter().map(EntityId::new);
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        self.records().delete_all(ids).await
    }

    /// As [`EntityWriter::get`], with what this transaction wrote.
    ///
    /// # Errors
    /// As [`EntityWriter::get`].
    pub async fn get(&mut self, id: impl AsRef<str>) -> Result<Option<T>, SyncError> {
        let kind = self.writer.kind();
        let rows = self.tx.app_rows(kind, &[EntityId::new(id)?]).await?;
        let live = rows.into_iter().find(|row| !row.is_deleted());
        let entity = live.map(entity_of).transpose();
        entity.map_err(|error| SyncError::entity(kind, error))
    }

    /// [`EntityWriterIn::insert`] under its name in the Dart family.
    ///
    /// # Errors
    /// As [`EntityWriter::insert`].
    pub async fn insert_and_enqueue(&mut self, entity: &T) -> Result<(), SyncError> {
        self.insert(entity).await
    }

    /// [`EntityWriterIn::replace`] under its name in the Dart family.
    ///
    /// # Errors
    /// As [`EntityWriter::replace`].
    pub async fn replace_and_enqueue(&mut self, entity: &T) -> Result<bool, SyncError> {
        self.replace(entity).await
    }

    /// [`EntityWriterIn::update`] under its name in the Dart family.
    ///
    /// # Errors
    /// As [`EntityWriter::update`].
    pub async fn replace_and_enqueue_diff(
        &mut self,
        before: &T,
        after: &T,
    ) -> Result<bool, SyncError> {
        self.update(before, after).await
    }

    /// [`EntityWriterIn::delete`] under its name in the Dart family.
    ///
    /// # Errors
    /// As [`EntityWriter::delete`].
    pub async fn delete_and_enqueue(&mut self, id: impl AsRef<str>) -> Result<bool, SyncError> {
        self.delete(id).await
    }

    fn records(&mut self) -> RecordWriterIn<'_> {
        self.writer.records.within(&mut *self.tx)
    }
}

impl<T> fmt::Debug for EntityWriterIn<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntityWriterIn")
            .field("kind", &self.writer.records.kind)
            .finish_non_exhaustive()
    }
}
