//! Writes of typed entities.

use std::fmt;
use std::marker::PhantomData;

use super::record::RecordWriter;
use super::whole::Whole;
use super::within::EntityWriterIn;
use super::write::Write;
use crate::changed_fields::ChangedFields;
use crate::engine::EntityState;
use crate::entity::{SyncEntity, record_of, replaced};
use crate::error::SyncError;
use crate::id::{EntityId, Kind};
use crate::record::Record;
use crate::store::{StoreTx, TxMode};

/// Writes entities of one type, each write with its queued operation in one transaction.
///
/// Writes that wait at the same time share one transaction, unless one of them fails: then each has
/// its own. Drop the future of a write, and it has happened wholly or not at all.
///
/// ```
/// # use sync_core::{EntityWriter, SyncEngine, SyncEntity, SyncError};
/// # async fn example<Todo: SyncEntity + Clone>(engine: SyncEngine, todo: Todo, edited: Todo) -> Result<(), SyncError> {
/// let todos: EntityWriter<Todo> = engine.writer()?;
/// todos.insert(&todo).await?;
/// todos.update(&todo, &edited).await?;
/// todos.delete(edited.entity_id()).await?;
/// todos.restore(edited.entity_id()).await?;
/// # Ok(())
/// # }
/// ```
///
/// The names of the Dart family stand beside these where they say the same:
///
/// | here | there |
/// |---|---|
/// | [`insert`](Self::insert) | [`insert_and_enqueue`](Self::insert_and_enqueue) |
/// | [`update`](Self::update) | [`replace_and_enqueue_diff`](Self::replace_and_enqueue_diff) |
/// | [`replace`](Self::replace) | [`replace_and_enqueue`](Self::replace_and_enqueue) |
/// | [`delete`](Self::delete) | [`delete_and_enqueue`](Self::delete_and_enqueue) |
pub struct EntityWriter<T> {
    pub(super) records: RecordWriter,
    entity: PhantomData<fn(&T)>,
}

impl<T: SyncEntity> EntityWriter<T> {
    pub(crate) fn new(records: RecordWriter) -> Self {
        Self {
            records,
            entity: PhantomData,
        }
    }

    /// Inserts an entity that does not exist and queues its creation.
    ///
    /// # Errors
    /// As [`RecordWriter::insert`], and [`SyncError::Entity`] if it does not serialise.
    pub async fn insert(&self, entity: &T) -> Result<(), SyncError> {
        self.records.insert(self.record(entity)?).await
    }

    /// Changes an entity by what differs between `before` and `after`; what a pull changed
    /// elsewhere in it meanwhile stays. `false`: nothing differs.
    ///
    /// # Errors
    /// As [`RecordWriter::change`], and [`SyncError::Entity`].
    pub async fn update(&self, before: &T, after: &T) -> Result<bool, SyncError> {
        let write = self.changes(before, after)?;
        self.records.write(write).await
    }

    /// Reads an entity, lets `change` edit it, and writes what differs, in one transaction.
    /// `false`: nothing differs.
    ///
    /// ```
    /// # use sync_core::{EntityWriter, SyncEntity, SyncError};
    /// # #[derive(serde::Serialize, serde::Deserialize, SyncEntity)]
    /// # #[sync(kind = "todos")]
    /// # struct Todo { id: String, done: bool }
    /// # async fn example(todos: EntityWriter<Todo>) -> Result<(), SyncError> {
    /// todos.update_with("milk", |todo| todo.done = true).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SyncError::NotFound`] if there is no such row; otherwise as [`EntityWriter::update`] and
    /// [`EntityWriter::get`].
    pub async fn update_with(
        &self,
        id: impl AsRef<str>,
        change: impl FnOnce(&mut T) + Send,
    ) -> Result<bool, SyncError> {
        let mut tx = self.begin(TxMode::Write).await?;
        let changed = self.within(&mut *tx).update_with(id, change).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// Changes these fields, named as in JSON, to what `entity` says.
    ///
    /// ```
    /// # use sync_core::{ChangedFields, EntityWriter, SyncEntity, SyncError};
    /// # async fn example<Todo: SyncEntity>(todos: EntityWriter<Todo>, edited: Todo) -> Result<(), SyncError> {
    /// let changed: ChangedFields = ["title", "done"].into_iter().collect();
    /// todos.update_fields(&edited, &changed).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`RecordWriter::change`], and [`SyncError::Entity`].
    pub async fn update_fields(
        &self,
        entity: &T,
        changed: &ChangedFields,
    ) -> Result<bool, SyncError> {
        let write = Write::ChangeEntity(self.whole(entity)?, changed.clone());
        self.records.write(write).await
    }

    /// Replaces an entity; what differs from the row, as this type reads it, is the user's.
    /// `false`: nothing differs, so nothing is queued.
    ///
    /// When time has passed since the entity was read, prefer [`EntityWriter::update`]: it changes
    /// only what the user changed.
    ///
    /// # Errors
    /// As [`RecordWriter::replace`], and [`SyncError::Entity`].
    pub async fn replace(&self, entity: &T) -> Result<bool, SyncError> {
        self.records.write(Write::Entity(self.whole(entity)?)).await
    }

    /// Inserts an entity, or replaces the one that is there. `false`: nothing differs, so nothing
    /// is queued.
    ///
    /// # Errors
    /// As [`RecordWriter::upsert`], and [`SyncError::Entity`].
    pub async fn upsert(&self, entity: &T) -> Result<bool, SyncError> {
        let write = Write::UpsertEntity(self.whole(entity)?);
        self.records.write(write).await
    }

    /// Deletes an entity and queues its deletion. `false`: there is no such row.
    ///
    /// # Errors
    /// [`SyncError::InvalidId`]; otherwise as [`RecordWriter::delete`].
    pub async fn delete(&self, id: impl AsRef<str>) -> Result<bool, SyncError> {
        self.records.delete(&EntityId::new(id)?).await
    }

    /// Brings a deleted entity back; see [`RecordWriter::restore`] for what comes back when.
    /// `false`: it is not deleted, or nothing is left of it.
    ///
    /// # Errors
    /// [`SyncError::InvalidId`]; otherwise as [`RecordWriter::restore`].
    pub async fn restore(&self, id: impl AsRef<str>) -> Result<bool, SyncError> {
        self.records.restore(&EntityId::new(id)?).await
    }

    /// [`EntityWriter::insert`] for many, in one transaction: all or none.
    ///
    /// # Errors
    /// As [`EntityWriter::insert`], for the first that fails.
    pub async fn insert_all<'e>(
        &self,
        entities: impl IntoIterator<Item = &'e T>,
    ) -> Result<(), SyncError> {
        let records = entities.into_iter().map(|entity| self.record(entity));
        self.records
            .insert_all(records.collect::<Result<Vec<_>, _>>()?)
            .await
    }

    /// [`EntityWriter::upsert`] for many, in one transaction: all or none. Returns how many were
    /// queued.
    ///
    /// # Errors
    /// As [`EntityWriter::upsert`], for the first that fails.
    pub async fn upsert_all<'e>(
        &self,
        entities: impl IntoIterator<Item = &'e T>,
    ) -> Result<u64, SyncError> {
        let wholes = entities.into_iter().map(|entity| self.whole(entity));
        let writes = wholes.map(|whole| whole.map(Write::UpsertEntity));
        self.records
            .write_all(writes.collect::<Result<Vec<_>, _>>()?)
            .await
    }

    /// [`EntityWriter::delete`] for many, in one transaction: all or none. Returns how many there
    /// were.
    ///
    /// # Errors
    /// As [`EntityWriter::delete`], for the first that fails.
    pub async fn delete_all<I: AsRef<str>>(
        &self,
        ids: impl IntoIterator<Item = I>,
    ) -> Result<u64, SyncError> {
        let ids = ids.into_iter().map(EntityId::new);
        self.records
            .delete_all(ids.collect::<Result<Vec<_>, _>>()?)
            .await
    }

    /// The same writer in a transaction of the app's: nothing is there before that commits.
    ///
    /// `SqliteStore::join` of `sync-sqlx` makes such a transaction of one of sqlx.
    ///
    /// ```
    /// # use sync_core::{SyncEngine, SyncEntity, SyncError, TxMode};
    /// # async fn example<List: SyncEntity, Todo: SyncEntity>(engine: SyncEngine, list: List, todo: Todo) -> Result<(), SyncError> {
    /// let mut tx = engine.store().begin(TxMode::Write).await?;
    /// engine.writer::<List>()?.within(&mut *tx).insert(&list).await?;
    /// engine.writer::<Todo>()?.within(&mut *tx).insert(&todo).await?;
    /// tx.commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn within<'w>(&'w self, tx: &'w mut dyn StoreTx) -> EntityWriterIn<'w, T> {
        EntityWriterIn::new(self, tx)
    }

    /// The entity with this id, unless it does not exist or is deleted.
    ///
    /// # Errors
    /// [`SyncError::InvalidId`], [`SyncError::Entity`] if the row does not fit the type,
    /// [`SyncError::Store`].
    pub async fn get(&self, id: impl AsRef<str>) -> Result<Option<T>, SyncError> {
        let mut tx = self.begin(TxMode::Read).await?;
        self.within(&mut *tx).get(id).await
    }

    /// How far the waiting edits of this entity are, see [`crate::EntityState`].
    ///
    /// ```
    /// # use sync_core::{EntityState, EntityWriter, SyncEntity, SyncError};
    /// # async fn example<Todo: SyncEntity>(todos: EntityWriter<Todo>) -> Result<(), SyncError> {
    /// let is_sent = todos.state("milk").await? == EntityState::Synced;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SyncError::InvalidId`], [`SyncError::Store`].
    pub async fn state(&self, id: impl AsRef<str>) -> Result<EntityState, SyncError> {
        let id = EntityId::new(id.as_ref())?;
        self.records.engine.state(&self.records.kind, &id).await
    }

    /// [`EntityWriter::insert`] under its name in the Dart family.
    ///
    /// # Errors
    /// As [`EntityWriter::insert`].
    pub async fn insert_and_enqueue(&self, entity: &T) -> Result<(), SyncError> {
        self.insert(entity).await
    }

    /// [`EntityWriter::replace`] under its name in the Dart family.
    ///
    /// # Errors
    /// As [`EntityWriter::replace`].
    pub async fn replace_and_enqueue(&self, entity: &T) -> Result<bool, SyncError> {
        self.replace(entity).await
    }

    /// [`EntityWriter::update`] under its name in the Dart family.
    ///
    /// # Errors
    /// As [`EntityWriter::update`].
    pub async fn replace_and_enqueue_diff(&self, before: &T, after: &T) -> Result<bool, SyncError> {
        self.update(before, after).await
    }

    /// [`EntityWriter::delete`] under its name in the Dart family.
    ///
    /// # Errors
    /// As [`EntityWriter::delete`].
    pub async fn delete_and_enqueue(&self, id: impl AsRef<str>) -> Result<bool, SyncError> {
        self.delete(id).await
    }

    pub(super) async fn begin(&self, mode: TxMode) -> Result<Box<dyn StoreTx>, SyncError> {
        Ok(self.records.engine.store().begin_for_app(mode).await?)
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.records.kind
    }

    pub(super) fn record(&self, entity: &T) -> Result<Record, SyncError> {
        record_of(entity).map_err(|error| SyncError::entity(self.kind(), error))
    }

    pub(super) fn changes(&self, before: &T, after: &T) -> Result<Write, SyncError> {
        Ok(Write::Update {
            before: self.record(before)?,
            after: self.record(after)?,
        })
    }

    pub(super) fn whole(&self, entity: &T) -> Result<Whole, SyncError> {
        Ok(Whole {
            record: self.record(entity)?,
            over: replaced::<T>,
        })
    }
}

impl<T> Clone for EntityWriter<T> {
    fn clone(&self) -> Self {
        Self {
            records: self.records.clone(),
            entity: PhantomData,
        }
    }
}

impl<T> fmt::Debug for EntityWriter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntityWriter")
            .field("kind", &self.records.kind)
            .finish_non_exhaustive()
    }
}
