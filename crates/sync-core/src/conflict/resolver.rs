//! What an app supplies: a resolver or a merge function.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;

use super::Conflict;
use crate::record::Record;

/// What is to become of a conflict.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Resolution<R = Record> {
    /// The server's state comes into force, the local edit goes.
    AcceptServer,
    /// The local edit overwrites the server's record, or re-creates a deleted one.
    AcceptClient,
    /// This record is sent. Its system fields are re-taken from the server.
    AcceptMerged(R),
    /// Decide later: nothing is sent until the conflict is resolved, the entity is edited again, or
    /// its server record changes.
    Defer,
    /// The local edit is dropped by name; the server's state comes into force.
    Discard,
}

impl<R> fmt::Display for Resolution<R> {
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
///
/// ```
/// use async_trait::async_trait;
/// use sync_core::{Conflict, ConflictResolver, Resolution, ResolverError};
///
/// /// A deletion, by whomever, is final.
/// #[derive(Debug)]
/// struct DeletionWins;
///
/// #[async_trait]
/// impl ConflictResolver for DeletionWins {
///     async fn resolve(&self, conflict: &Conflict) -> Result<Resolution, ResolverError> {
///         Ok(match (&conflict.local, conflict.server_record()) {
///             (None, _) => Resolution::AcceptClient,
///             (_, None) => Resolution::AcceptServer,
///             (Some(mine), Some(_)) => Resolution::AcceptMerged(mine.clone()),
///         })
///     }
/// }
/// ```
#[async_trait]
pub trait ConflictResolver: fmt::Debug + Send + Sync + 'static {
    /// Decides one conflict.
    ///
    /// # Errors
    /// Anything; the conflict is then put off and asked again later.
    async fn resolve(&self, conflict: &Conflict) -> Result<Resolution, ResolverError>;
}

/// Makes a resolver of an async function over JSON records; [`crate::resolve_typed`] makes one over
/// the app's own type.
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
