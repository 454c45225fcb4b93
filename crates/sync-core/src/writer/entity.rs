//! Writes of typed entities.

use std::fmt;
use std::marker::PhantomData;

use serde_json::Value;

use super::RecordWriter;
use crate::changed_fields::{ChangedFields, ChangedFieldsDiff};
use crate::entity::SyncEntity;
use crate::error::SyncError;
use crate::id::EntityId;
use crate::record::Record;
use crate::store::{StoreTx, TxMode};

/// Writes entities of one type, each write with its queued operation in one transaction.
///
/// ```
/// # use sync_core::{EntityWriter, SyncEngine, SyncEntity, SyncError};
/// # async fn example<Todo: SyncEntity + Clone>(engine: SyncEngine, todo: Todo, edited: Todo) -> Result<(), SyncError> {
/// let todos: EntityWriter<Todo> = engine.writer()?;
/// todos.insert_and_enqueue(&todo).await?;
/// todos.replace_and_enqueue_diff(&todo, &edited).await?;
/// todos.delete_and_enqueue(edited.entity_id()).await?;
/// # Ok(())
/// # }
/// ```
pub struct EntityWriter<T> {
    records: RecordWriter,
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
    pub async fn insert_and_enqueue(&self, entity: &T) -> Result<(), SyncError> {
        self.records.insert(self.record(entity)?).await
    }

    /// [`EntityWriter::insert_and_enqueue`] within a transaction of the caller's.
    ///
    /// # Errors
    /// As [`EntityWriter::insert_and_enqueue`]; the transaction must then be dropped.
    pub async fn insert_in(&self, tx: &mut dyn StoreTx, entity: &T) -> Result<(), SyncError> {
        self.records.insert_in(tx, self.record(entity)?).await
    }

    /// Replaces an entity; the fields that differ from the row are the user's. `false`: nothing
    /// differs, so nothing is queued.
    ///
    /// When time has passed since the entity was read, prefer
    /// [`EntityWriter::replace_and_enqueue_diff`]: it changes only what the user changed.
    ///
    /// # Errors
    /// As [`RecordWriter::replace`].
    pub async fn replace_and_enqueue(&self, entity: &T) -> Result<bool, SyncError> {
        self.records.replace(self.record(entity)?).await
    }

    /// Changes an entity by what differs between `before` and `after`. `false`: nothing does.
    ///
    /// # Errors
    /// As [`RecordWriter::change`].
    pub async fn replace_and_enqueue_diff(&self, before: &T, after: &T) -> Result<bool, SyncError> {
        let (after, changed) = self.difference(before, after)?;
        self.records.change(after, &changed).await
    }

    /// [`EntityWriter::replace_and_enqueue_diff`] within a transaction of the caller's.
    ///
    /// # Errors
    /// As [`EntityWriter::replace_and_enqueue_diff`]; the transaction must then be dropped.
    pub async fn replace_diff_in(
        &self,
        tx: &mut dyn StoreTx,
        before: &T,
        after: &T,
    ) -> Result<bool, SyncError> {
        let (after, changed) = self.difference(before, after)?;
        self.records.change_in(tx, after, &changed).await
    }

    /// Changes these fields, named as in JSON, to what `entity` says.
    ///
    /// # Errors
    /// As [`RecordWriter::change`].
    pub async fn replace_and_enqueue_fields(
        &self,
        entity: &T,
        changed: &ChangedFields,
    ) -> Result<bool, SyncError> {
        self.records.change(self.record(entity)?, changed).await
    }

    /// Deletes an entity and queues its deletion. `false`: there is no such row.
    ///
    /// # Errors
    /// [`SyncError::InvalidId`]; otherwise as [`RecordWriter::delete`].
    pub async fn delete_and_enqueue(&self, id: impl AsRef<str>) -> Result<bool, SyncError> {
        self.records.delete(&EntityId::new(id)?).await
    }

    /// [`EntityWriter::delete_and_enqueue`] within a transaction of the caller's.
    ///
    /// # Errors
    /// As [`EntityWriter::delete_and_enqueue`]; the transaction must then be dropped.
    pub async fn delete_in(
        &self,
        tx: &mut dyn StoreTx,
        id: impl AsRef<str>,
    ) -> Result<bool, SyncError> {
        self.records.delete_in(tx, &EntityId::new(id)?).await
    }

    /// The entity with this id, unless it does not exist or is deleted.
    ///
    /// # Errors
    /// [`SyncError::Entity`] if the row does not fit the type, [`SyncError::Store`].
    pub async fn get(&self, id: impl AsRef<str>) -> Result<Option<T>, SyncError> {
        let kind = &self.records.kind;
        let id = EntityId::new(id)?;
        let mut tx = self
            .records
            .engine
            .context()
            .store
            .begin(TxMode::Read)
            .await?;
        let row = tx
            .get(kind, &[id])
            .await?
            .pop()
            .filter(|row| !row.is_deleted());
        let entity = row
            .map(|row| serde_json::from_value(row.into()))
            .transpose();
        entity.map_err(|error| SyncError::Entity {
            kind: kind.clone(),
            source: without_contents(&error),
        })
    }

    fn difference(&self, before: &T, after: &T) -> Result<(Record, ChangedFields), SyncError> {
        let (before, after) = (self.record(before)?, self.record(after)?);
        let changed = ChangedFieldsDiff::diff_maps(before.fields(), after.fields(), &[]);
        // A field that serialises to nothing was cleared.
        let mut after = after;
        for field in changed.iter() {
            after.fields_mut().entry(field).or_insert(Value::Null);
        }
        Ok((after, changed))
    }

    fn record(&self, entity: &T) -> Result<Record, SyncError> {
        let kind = self.records.kind.clone();
        let value = serde_json::to_value(entity).map_err(|error| SyncError::Entity {
            kind: kind.clone(),
            source: without_contents(&error),
        })?;
        Record::try_from(value).map_err(|source| SyncError::Record { kind, source })
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

/// The error as far as it names fields and types; serde repeats the value that does not fit.
fn without_contents(error: &serde_json::Error) -> serde_json::Error {
    let text = error.to_string();
    let told = if let Some((what, value)) = text.split_once(": ").filter(|_| about_a_value(&text)) {
        let form = value.split([' ', '`']).next().unwrap_or_default();
        let expected = value
            .rsplit_once(", expected ")
            .map_or("another", |(_, it)| it);
        format!("{what}: {form}, expected {expected}")
    } else if NAMING.iter().any(|start| text.starts_with(start)) {
        text
    } else {
        "a value is not what the type takes".to_owned()
    };
    serde::de::Error::custom(told)
}

/// What serde says of fields, whose names come from the type or the record.
const NAMING: [&str; 3] = ["missing field ", "duplicate field ", "unknown field "];

fn about_a_value(text: &str) -> bool {
    ["invalid type: ", "invalid value: ", "invalid length "]
        .iter()
        .any(|start| text.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "only parsed")]
    struct Diary {
        mood: u8,
        level: Level,
    }

    #[derive(Debug, serde::Deserialize)]
    enum Level {
        Low,
    }

    #[test]
    fn an_entity_that_does_not_fit_is_told_without_its_contents() {
        let told = |json: &str| {
            let error = serde_json::from_str::<serde_json::Value>(json)
                .and_then(serde_json::from_value::<Diary>)
                .unwrap_err();
            without_contents(&error).to_string()
        };
        let texts = [
            told(r#"{"mood": "s3cr3t, expected s3cr3t"}"#),
            told(r#"{"mood": 31337}"#),
            told(r#"{"mood": 1, "level": "s3cr3t"}"#),
            told(r#"{"level": "Low"}"#),
        ];
        assert_eq!(
            texts,
            [
                "invalid type: string, expected u8",
                "invalid value: integer, expected u8",
                "a value is not what the type takes",
                "missing field `mood`",
            ]
        );
    }
}
