//! What an app supplies: a resolver or a merge function.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::Conflict;
use crate::record::Record;

/// What is to become of a conflict.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Resolution {
    /// The server's state comes into force, the local edit goes.
    AcceptServer,
    /// The local edit overwrites the server's record, or re-creates a deleted one.
    AcceptClient,
    /// This record is sent. Its system fields are re-taken from the server.
    AcceptMerged(Record),
    /// Decide later: nothing is sent until the conflict is resolved, the entity is edited again, or
    /// its server record changes.
    Defer,
    /// The local edit is dropped by name; the server's state comes into force.
    Discard,
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AcceptServer => "AcceptServer",
            Self::AcceptClient => "AcceptClient",
            Self::AcceptMerged(_) => "AcceptMerged",
            Self::Defer => "Defer",
            Self::Discard => "Discard",
        })
    }
}

/// What a resolver may fail with.
pub type ResolverError = Box<dyn std::error::Error + Send + Sync>;

/// Decides conflicts, perhaps by asking a person.
///
/// # Behavior
/// It may take its time: the conflict is stored, other entities go on, and the answer is applied
/// when it comes if neither the edit nor the server's record has changed meanwhile; otherwise it is
/// asked again. An error or a panic puts the conflict off with a back-off.
#[async_trait]
pub trait ConflictResolver: fmt::Debug + Send + Sync + 'static {
    /// Decides one conflict.
    ///
    /// # Errors
    /// Anything; the conflict is then put off and asked again later.
    async fn resolve(&self, conflict: &Conflict) -> Result<Resolution, ResolverError>;
}

/// Makes a resolver of an async function.
///
/// ```
/// # use sync_core::{resolve_fn, Conflict, Resolution};
/// let resolver = resolve_fn(|conflict: Conflict| async move {
///     Ok(match conflict.server_record() {
///         Some(_) => Resolution::AcceptServer,
///         None => Resolution::AcceptClient,
///     })
/// });
/// ```
pub fn resolve_fn<F, Fut>(function: F) -> Arc<dyn ConflictResolver>
where
    F: Fn(Conflict) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Resolution, ResolverError>> + Send + 'static,
{
    Arc::new(ResolveFn(function))
}

struct ResolveFn<F>(F);

impl<F> fmt::Debug for ResolveFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("resolve_fn(..)")
    }
}

#[async_trait]
impl<F, Fut> ConflictResolver for ResolveFn<F>
where
    F: Fn(Conflict) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Resolution, ResolverError>> + Send + 'static,
{
    async fn resolve(&self, conflict: &Conflict) -> Result<Resolution, ResolverError> {
        (self.0)(conflict.clone()).await
    }
}

type MergeOfConflict = dyn Fn(&Conflict) -> Option<Record> + Send + Sync;

/// How [`crate::ConflictStrategy::Merge`] merges. Cheap to clone.
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
        Self(Arc::new(function))
    }

    /// Calls the function.
    #[must_use]
    pub fn merge(&self, conflict: &Conflict) -> Option<Record> {
        (self.0)(conflict)
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
