//! Conflicts in the app's own type.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Conflict, ConflictResolver, Resolution, ResolverError};
use crate::entity::{InvalidEntity, SyncEntity, entity_of, record_of};
use crate::record::Record;
use crate::version::ServerState;

impl Conflict {
    /// The same conflict in the app's own type. Of a tombstone that is no whole entity only the
    /// version is left.
    ///
    /// # Errors
    /// If a record does not parse as `T`.
    pub fn typed<T: SyncEntity>(&self) -> Result<Conflict<T>, InvalidEntity> {
        let parse = |record: &Record| entity_of(record.clone());
        Ok(Conflict {
            kind: self.kind.clone(),
            entity_id: self.entity_id.clone(),
            op_id: self.op_id.clone(),
            local: self.local.as_ref().map(parse).transpose()?,
            server: typed_state(&self.server)?,
            base: typed_state(&self.base)?,
            changed_fields: self.changed_fields.clone(),
            local_time: self.local_time.clone(),
            server_time: self.server_time.clone(),
        })
    }
}

fn typed_state<T: SyncEntity>(state: &ServerState) -> Result<ServerState<T>, InvalidEntity> {
    Ok(match state {
        ServerState::Absent => ServerState::Absent,
        ServerState::Live { record, version } => ServerState::Live {
            record: entity_of(record.clone())?,
            version: version.clone(),
        },
        ServerState::Deleted { record, version } => ServerState::Deleted {
            record: record
                .as_ref()
                .and_then(|record| entity_of(record.clone()).ok()),
            version: version.clone(),
        },
    })
}

/// A merged entity over what else the record has: fields that the type does not know stay.
pub(super) fn record_of_merged<T: SyncEntity>(
    entity: &T,
    conflict: &Conflict,
) -> Result<Record, ResolverError> {
    let schema = T::schema()?;
    let known = conflict.server_record().or(conflict.local.as_ref());
    let mut merged = known.cloned().unwrap_or_default();
    for (name, value) in record_of(entity)?.into_fields() {
        let column = schema.by_field(&name);
        if !column.is_some_and(|column| column.local_only) {
            merged.fields_mut().insert(name, value);
        }
    }
    Ok(merged)
}

/// Makes a resolver of an async function over the app's own type.
///
/// Fields that the type does not know stay the server's. A record that does not parse as `T` puts
/// the conflict off, as an error does.
///
/// ```
/// # use sync_core::{Conflict, Resolution, SyncEntity, TableConfig, resolve_typed};
/// # #[derive(Clone, serde::Serialize, serde::Deserialize, SyncEntity)]
/// # #[sync(kind = "todos")]
/// # struct Todo { id: String, title: String, done: bool }
/// let todos = TableConfig::new().resolver(resolve_typed(|conflict: Conflict<Todo>| async move {
///     let (Some(mine), Some(theirs)) = (&conflict.local, conflict.server_record()) else {
///         return Ok(Resolution::Defer);
///     };
///     let title = format!("{} / {}", theirs.title, mine.title);
///     Ok(Resolution::AcceptMerged(Todo { title, ..theirs.clone() }))
/// }));
/// ```
pub fn resolve_typed<T, F, Fut>(function: F) -> Arc<dyn ConflictResolver>
where
    T: SyncEntity,
    F: Fn(Conflict<T>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Resolution<T>, ResolverError>> + Send + 'static,
{
    Arc::new(ResolveTyped {
        function,
        entity: PhantomData,
    })
}

struct ResolveTyped<T, F> {
    function: F,
    entity: PhantomData<fn(T)>,
}

impl<T, F> fmt::Debug for ResolveTyped<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("resolve_typed(..)")
    }
}

#[async_trait]
impl<T, F, Fut> ConflictResolver for ResolveTyped<T, F>
where
    T: SyncEntity,
    F: Fn(Conflict<T>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Resolution<T>, ResolverError>> + Send + 'static,
{
    async fn resolve(&self, conflict: &Conflict) -> Result<Resolution, ResolverError> {
        Ok(match (self.function)(conflict.typed()?).await? {
            Resolution::AcceptServer => Resolution::AcceptServer,
            Resolution::AcceptClient => Resolution::AcceptClient,
            Resolution::AcceptMerged(entity) => {
                Resolution::AcceptMerged(record_of_merged(&entity, conflict)?)
            }
            Resolution::Defer => Resolution::Defer,
            Resolution::Discard => Resolution::Discard,
        })
    }
}
