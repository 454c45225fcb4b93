//! A table as a collection of entities.

use std::fmt;

use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};

use super::entity::EntityWriter;
use crate::entity::{SyncEntity, entity_of};
use crate::error::SyncError;
use crate::id::EntityId;
use crate::record::Record;
use crate::store::TxMode;

/// How many rows are read at once.
const PAGE: u32 = 500;

/// Reads and writes the entities of one type, over any store: for apps that need no SQL of their
/// own.
///
/// What is deleted is not there. For reading by other fields than the id, plain SQL on the table
/// is faster: [`SyncRepository::find`] looks at every row.
///
/// ```
/// # use sync_core::{SyncEngine, SyncEntity, SyncError, SyncRepository};
/// # #[derive(Clone, serde::Serialize, serde::Deserialize, SyncEntity)]
/// # #[sync(kind = "todos")]
/// # struct Todo { id: String, done: bool }
/// # async fn example(engine: SyncEngine, milk: Todo) -> Result<(), SyncError> {
/// let todos: SyncRepository<Todo> = engine.repository()?;
/// todos.create(&milk).await?;
/// todos.update(&milk, &Todo { done: true, ..milk.clone() }).await?;
/// let open = todos.find(|todo| !todo.done).await?;
/// println!("{} of {} to do", open.len(), todos.list().await?.len());
/// todos.delete(&milk.id).await?;
/// # Ok(())
/// # }
/// ```
pub struct SyncRepository<T> {
    writer: EntityWriter<T>,
}

impl<T: SyncEntity> SyncRepository<T> {
    pub(crate) fn new(writer: EntityWriter<T>) -> Self {
        Self { writer }
    }

    /// The entity with this id.
    ///
    /// # Errors
    /// As [`EntityWriter::get`].
    pub async fn get(&self, id: impl AsRef<str>) -> Result<Option<T>, SyncError> {
        self.writer.get(id).await
    }

    /// All entities, in order of id.
    ///
    /// # Errors
    /// [`SyncError::Entity`] if a row does not fit the type, [`SyncError::Store`].
    pub async fn list(&self) -> Result<Vec<T>, SyncError> {
        self.stream().try_collect().await
    }

    /// The entities that match, in order of id.
    ///
    /// # Errors
    /// As [`SyncRepository::list`].
    pub async fn find(&self, matches: impl Fn(&T) -> bool + Send) -> Result<Vec<T>, SyncError> {
        let matches = |entity: &T| std::future::ready(matches(entity));
        self.stream().try_filter(matches).try_collect().await
    }

    /// All entities one after the other, in order of id, without holding them all in memory. What
    /// is written meanwhile may be among them or not.
    #[must_use]
    pub fn stream(&self) -> BoxStream<'_, Result<T, SyncError>> {
        let kind = self.writer.kind();
        let pages = stream::try_unfold(Place::Begin, move |place| self.page(place));
        let rows = pages.map_ok(|rows| stream::iter(rows.into_iter().map(Ok)));
        let live = rows
            .try_flatten()
            .try_filter(|row: &Record| std::future::ready(!row.is_deleted()));
        live.and_then(move |row| {
            let entity = entity_of(row).map_err(|error| SyncError::entity(kind, error));
            std::future::ready(entity)
        })
        .boxed()
    }

    /// Creates an entity; as [`EntityWriter::insert`].
    ///
    /// # Errors
    /// As [`EntityWriter::insert`].
    pub async fn create(&self, entity: &T) -> Result<(), SyncError> {
        self.writer.insert(entity).await
    }

    /// Changes an entity by what differs; as [`EntityWriter::update`].
    ///
    /// # Errors
    /// As [`EntityWriter::update`].
    pub async fn update(&self, before: &T, after: &T) -> Result<bool, SyncError> {
        self.writer.update(before, after).await
    }

    /// Deletes an entity; as [`EntityWriter::delete`].
    ///
    /// # Errors
    /// As [`EntityWriter::delete`].
    pub async fn delete(&self, id: impl AsRef<str>) -> Result<bool, SyncError> {
        self.writer.delete(id).await
    }

    /// For every other way to write.
    #[must_use]
    pub fn writer(&self) -> &EntityWriter<T> {
        &self.writer
    }

    /// The rows from a place on, and the place after them.
    async fn page(&self, from: Place) -> Result<Option<(Vec<Record>, Place)>, SyncError> {
        let after = match &from {
            Place::Begin => None,
            Place::After(id) => Some(id),
            Place::End => return Ok(None),
        };
        let mut tx = self.writer.begin(TxMode::Read).await?;
        let kind = self.writer.kind();
        let rows = tx.app_rows_after(kind, after, PAGE).await?;
        let next = match rows.last().filter(|_| rows.len() == PAGE as usize) {
            Some(last) => Place::After(last.id().map_err(|source| {
                let kind = kind.clone();
                SyncError::Record { kind, source }
            })?),
            None => Place::End,
        };
        Ok(Some((rows, next)))
    }
}

/// How far a table was read.
enum Place {
    Begin,
    After(EntityId),
    End,
}

impl<T> Clone for SyncRepository<T> {
    fn clone(&self) -> Self {
        Self {
            writer: self.writer.clone(),
        }
    }
}

impl<T> fmt::Debug for SyncRepository<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SyncRepository").field(&self.writer).finish()
    }
}
