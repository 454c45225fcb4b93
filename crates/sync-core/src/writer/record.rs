//! Writes of JSON records.

use super::within::RecordWriterIn;
use super::write::Write;
use crate::changed_fields::ChangedFields;
use crate::engine::SyncEngine;
use crate::error::SyncError;
use crate::id::{EntityId, Kind};
use crate::record::Record;
use crate::store::StoreTx;

/// Writes JSON records of one kind; [`crate::EntityWriter`] is its typed face.
///
/// Writes that wait at the same time share one transaction, unless one of them fails: then each has
/// its own. Drop the future of a write, and it has happened wholly or not at all.
///
/// ```
/// # use sync_core::{Record, SyncEngine, SyncError};
/// # async fn example(engine: SyncEngine, milk: Record, bread: Record) -> Result<(), SyncError> {
/// let todos = engine.records("todos")?;
/// todos.insert(milk).await?;
/// todos.upsert(bread).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct RecordWriter {
    pub(super) engine: SyncEngine,
    pub(super) kind: Kind,
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
        self.write(Write::Insert(record)).await.map(drop)
    }

    /// Replaces a record; the fields that differ from the row are the user's. `false`: nothing
    /// differs, so nothing is queued.
    ///
    /// # Errors
    /// [`SyncError::NotFound`] if there is no such row; otherwise as [`RecordWriter::insert`].
    pub async fn replace(&self, record: Record) -> Result<bool, SyncError> {
        self.write(Write::Replace(record)).await
    }

    /// Changes only these fields of a record to what `record` says; fields that a pull changed in
    /// the meantime stay.
    ///
    /// # Errors
    /// [`SyncError::UnknownChangedField`] for a field that `record` does not have; otherwise as
    /// [`RecordWriter::replace`].
    pub async fn change(&self, record: Record, changed: &ChangedFields) -> Result<bool, SyncError> {
        self.write(Write::Change(record, changed.clone())).await
    }

    /// Inserts a record, or replaces the one that is there. `false`: nothing differs, so nothing
    /// is queued.
    ///
    /// # Errors
    /// As [`RecordWriter::insert`], except that the record may exist.
    pub async fn upsert(&self, record: Record) -> Result<bool, SyncError> {
        self.write(Write::Upsert(record)).await
    }

    /// Deletes a record and queues its deletion. `false`: there is no such row.
    ///
    /// # Errors
    /// [`SyncError::RowRejected`] if the table refuses it, [`SyncError::Store`].
    pub async fn delete(&self, id: &EntityId) -> Result<bool, SyncError> {
        self.write(Write::Delete(id.clone())).await
    }

    /// Brings a deleted record back and queues that: as its tombstone row keeps it
    /// ([`crate::SoftDelete::Keep`]), else, while its deletion waits to be sent, as the server knew
    /// it. `false`: it is not deleted, or nothing is left of it.
    ///
    /// # Errors
    /// As [`RecordWriter::insert`], except that the record may exist.
    pub async fn restore(&self, id: &EntityId) -> Result<bool, SyncError> {
        self.write(Write::Restore(id.clone())).await
    }

    /// [`RecordWriter::insert`] for many, in one transaction: all or none.
    ///
    /// # Errors
    /// As [`RecordWriter::insert`], for the first that fails.
    pub async fn insert_all(
        &self,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<(), SyncError> {
        let writes = records.into_iter().map(Write::Insert);
        self.write_all(writes.collect()).await.map(drop)
    }

    /// [`RecordWriter::upsert`] for many, in one transaction: all or none. Returns how many were
    /// queued.
    ///
    /// # Errors
    /// As [`RecordWriter::upsert`], for the first that fails.
    pub async fn upsert_all(
        &self,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<u64, SyncError> {
        let writes = records.into_iter().map(Write::Upsert);
        self.write_all(writes.collect()).await
    }

    /// [`RecordWriter::delete`] for many, in one transaction: all or none. Returns how many there
    /// were.
    ///
    /// # Errors
    /// As [`RecordWriter::delete`], for the first that fails.
    pub async fn delete_all(
        &self,
        ids: impl IntoIterator<Item = EntityId>,
    ) -> Result<u64, SyncError> {
        let writes = ids.into_iter().map(Write::Delete);
        self.write_all(writes.collect()).await
    }

    /// The same writer in a transaction of the app's: nothing is there before that commits.
    ///
    /// `SqliteStore::join` of `sync-sqlx` makes such a transaction of one of sqlx.
    ///
    /// ```
    /// # use sync_core::{EntityId, SyncEngine, SyncError, TxMode};
    /// # async fn example(engine: SyncEngine, id: EntityId) -> Result<(), SyncError> {
    /// let mut tx = engine.store().begin(TxMode::Write).await?;
    /// engine.records("todos")?.within(&mut *tx).delete(&id).await?;
    /// engine.records("lists")?.within(&mut *tx).delete(&id).await?;
    /// tx.commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn within<'w>(&'w self, tx: &'w mut dyn StoreTx) -> RecordWriterIn<'w> {
        RecordWriterIn::new(self, tx)
    }

    pub(super) async fn write(&self, write: Write) -> Result<bool, SyncError> {
        Ok(self.write_all(vec![write]).await? > 0)
    }

    /// All or none; how many changed anything?
    pub(super) async fn write_all(&self, writes: Vec<Write>) -> Result<u64, SyncError> {
        self.engine.group_commit().write(self, writes).await
    }
}
