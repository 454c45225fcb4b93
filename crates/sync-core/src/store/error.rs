//! Failed calls to a store.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The database could not be opened or migrated.
    Open,
    /// A user's table does not fit its entity.
    Schema,
    /// A kind was used that was not given to `prepare`.
    UnknownKind,
    /// Another program kept the database locked, or a transaction of this one that does not end.
    Busy,
    /// A rule of the database forbids it.
    Constraint,
    /// The disk is full.
    Full,
    /// The database may not be written.
    ReadOnly,
    /// Something in the library's own tables, or the file itself, is not what it should be.
    Corrupt,
    /// The disk, or a limit that the system sets, kept the file from being read or written.
    Io,
    /// Anything else.
    Other,
}

/// A failed call to a store: what happened, to what, and what to do.
///
/// ```
/// # use sync_core::{StoreError, StoreErrorKind};
/// let error = StoreError::new(StoreErrorKind::Busy, "another program writes");
/// assert!(error.is_retryable());
/// ```
#[derive(Debug, Clone)]
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// A failure; the message is a lowercase fragment.
    #[must_use]
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// The same failure with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// The same failure, whose message begins with what it happened to.
    ///
    /// ```
    /// # use sync_core::{StoreError, StoreErrorKind};
    /// let error = StoreError::new(StoreErrorKind::Full, "cannot write a row: the disk is full");
    /// let error = error.concerning("app.db");
    /// assert_eq!(error.to_string(), "app.db: cannot write a row: the disk is full");
    /// ```
    #[must_use]
    pub fn concerning(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Can the same call succeed later without anybody acting?
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.kind == StoreErrorKind::Busy
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}
