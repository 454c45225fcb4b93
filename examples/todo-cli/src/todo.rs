//! What is synchronised.

use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

/// Fields that may be missing are optional, so that rows of other programs fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
pub(crate) struct Todo {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) done: bool,
    pub(crate) notes: Option<String>,
    /// A day, as 2026-12-24.
    pub(crate) due: Option<String>,
}
