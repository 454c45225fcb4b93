//! Conflicts in the app's own type.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Conflict, ConflictResolver, ConflictSide as _, Resolution, ResolverError, Source};
use crate::entity::{InvalidEntity, SyncEntity};

impl Conflict {
    /// The same conflict in the app's own type. Of a tombstone that is no whole entity only the
    /// version is left.
    ///
    /// # Errors
    /// If a record does not parse as `T`.
    pub fn typed<T: SyncEntity>(&self) -> Result<Conflict<T>, InvalidEntity> {
        let typed = self.try_map(T::of_record)?;
        Ok(Conflict {
            source: Source::new(self),
            ..typed
        })
    }
}

/// Makes a resolver of an async function over the app's own type.
///
/// What the type does not know stays the server's. A record that does not parse as `T` puts
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
        let typed: Conflict<T> = conflict.typed()?;
        let baseline = typed.baseline();
        let resolution = (self.function)(typed).await?;
        Ok(resolution.of_records(conflict, baseline.as_ref())?)
    }
}
