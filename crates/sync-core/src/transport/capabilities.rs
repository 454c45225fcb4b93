//! What a server and a transport can do.

use std::collections::BTreeSet;

/// What a server declares that it does, beyond the basic protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features(BTreeSet<String>);

impl Features {
    /// Reads a comma-separated list.
    #[must_use]
    pub fn parse(list: &str) -> Self {
        let names = list.split(',').map(|name| name.trim().to_ascii_lowercase());
        Self(names.filter(|name| !name.is_empty()).collect())
    }

    /// Does it honour idempotency keys?
    #[must_use]
    pub fn idempotency(&self) -> bool {
        self.has("idempotency")
    }

    /// Does it check `If-None-Match: *`?
    #[must_use]
    pub fn if_absent(&self) -> bool {
        self.has("if-absent")
    }

    /// Does it take forced operations inside a batch?
    #[must_use]
    pub fn force(&self) -> bool {
        self.has("force")
    }

    /// Does it want the names of changed fields, and keep the fields that a body with them lacks?
    #[must_use]
    pub fn changed_fields(&self) -> bool {
        self.has("changed-fields")
    }

    /// Does it declare this feature?
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

/// What a transport can do and whom it talks to.
///
/// ```
/// # use sync_core::transport::Capabilities;
/// let batches = Capabilities::new("https://example.org/api").with_max_batch(100);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Identifies the server (base URL without secrets): cursors of one are not used at another.
    pub origin: String,
    /// The most operations that one push may carry; 1 = no batches.
    pub max_batch: u32,
    /// Is there nobody to talk to? Then a run ends at once and begins nothing.
    pub no_server: bool,
}

impl Capabilities {
    /// A server of this name that takes one operation at a time.
    #[must_use]
    pub fn new(origin: impl Into<String>) -> Self {
        Self {
            origin: origin.into(),
            max_batch: 1,
            no_server: false,
        }
    }

    /// No server at all, see [`crate::transport::Offline`].
    #[must_use]
    pub fn without_server() -> Self {
        Self {
            no_server: true,
            ..Self::new("")
        }
    }

    /// The same, taking batches of at most so many operations.
    #[must_use]
    pub fn with_max_batch(mut self, operations: u32) -> Self {
        self.max_batch = operations.max(1);
        self
    }
}
