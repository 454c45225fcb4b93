//! What an app supplies to `ConflictStrategy::Merge`.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Conflict, ConflictSide as _, ResolverError};
use crate::entity::SyncEntity;
use crate::record::Record;

type MergeOfConflict = dyn Fn(&Conflict) -> Result<Option<Record>, ResolverError> + Send + Sync;

/// How [`crate::ConflictStrategy::Merge`] merges. Cheap to clone.
///
/// ```
/// # use sync_core::{MergeFunction, TableConfig, deep_merge};
/// let nested = TableConfig::new().merge(MergeFunction::new(deep_merge));
/// ```
#[derive(Clone)]
pub struct MergeFunction(Arc<MergeOfConflict>);

impl MergeFunction {
    /// Merges two live records; conflicts with a deletion are settled as `AutoPreserve` does.
    ///
    /// ```
    /// # use sync_core::MergeFunction;
    /// let sum_quantity = MergeFunction::new(|local, server| {
    ///     let mut merged = server.clone();
    ///     let sum = local["qty"].as_i64().unwrap_or(0) + server["qty"].as_i64().unwrap_or(0);
    ///     merged.insert("qty".to_owned(), sum.into());
    ///     merged
    /// });
    /// ```
    pub fn new<F>(function: F) -> Self
    where
        F: Fn(&Map<String, Value>, &Map<String, Value>) -> Map<String, Value>
            + Send
            + Sync
            + 'static,
    {
        Self::of_conflict(move |conflict| {
            let (local, server) = (conflict.local.as_ref()?, conflict.server_record()?);
            Some(Record::new(function(local.fields(), server.fields())))
        })
    }

    /// Merges with sight of the whole conflict, deletions included; `None` = as `AutoPreserve`.
    pub fn of_conflict<F>(function: F) -> Self
    where
        F: Fn(&Conflict) -> Option<Record> + Send + Sync + 'static,
    {
        Self(Arc::new(move |conflict| Ok(function(conflict))))
    }

    /// Merges two live entities of the app's own type; conflicts with a deletion are settled as
    /// `AutoPreserve` does. What the type does not know stays the server's. A record that does
    /// not parse as `T` puts the conflict off.
    ///
    /// ```
    /// # use sync_core::{MergeFunction, SyncEntity};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize, SyncEntity)]
    /// # #[sync(kind = "todos")]
    /// # struct Todo { id: String, title: String, done: bool }
    /// let done_wins = MergeFunction::typed(|local: &Todo, server: &Todo| Todo {
    ///     done: local.done || server.done,
    ///     ..local.clone()
    /// });
    /// ```
    pub fn typed<T, F>(function: F) -> Self
    where
        T: SyncEntity,
        F: Fn(&T, &T) -> T + Send + Sync + 'static,
    {
        Self::of_typed_conflict(move |conflict: &Conflict<T>| {
            let (local, server) = (conflict.local.as_ref()?, conflict.server_record()?);
            Some(function(local, server))
        })
    }

    /// [`MergeFunction::typed`] with sight of the whole conflict, deletions included; `None` = as
    /// `AutoPreserve`.
    pub fn of_typed_conflict<T, F>(function: F) -> Self
    where
        T: SyncEntity,
        F: Fn(&Conflict<T>) -> Option<T> + Send + Sync + 'static,
    {
        Self(Arc::new(move |conflict| {
            let typed: Conflict<T> = conflict.typed()?;
            let baseline = typed.baseline();
            let merged = function(&typed);
            let merged = merged.map(|entity| entity.merged(conflict, baseline.as_ref()));
            Ok(merged.transpose()?)
        }))
    }

    /// Calls the function; `None` = as `AutoPreserve`.
    ///
    /// # Errors
    /// If a record is not of the function's type, or the function panics: the conflict is put off.
    pub fn merge(&self, conflict: &Conflict) -> Result<Option<Record>, ResolverError> {
        let merged = catch_unwind(AssertUnwindSafe(|| (self.0)(conflict)));
        merged.unwrap_or_else(|_panic| Err("the merge function panicked".into()))
    }
}

impl Default for MergeFunction {
    /// [`crate::merge::default_merge`].
    fn default() -> Self {
        Self::new(crate::merge::default_merge)
    }
}

impl fmt::Debug for MergeFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MergeFunction(..)")
    }
}
