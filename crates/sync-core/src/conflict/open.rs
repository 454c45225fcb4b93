//! Conflicts that nothing has decided yet.

use super::Conflict;
use crate::entity::{InvalidEntity, SyncEntity};
use crate::record::Record;
use crate::time::Timestamp;

/// A conflict that waits for a decision, from [`crate::Conflicts::open`]: with JSON records, or as
/// `OpenConflict<Todo>` with the app's own type.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OpenConflict<R = Record> {
    /// All that is known of it: the user's edit, the server's record, and what both were made of.
    pub conflict: Conflict<R>,
    /// Why it is open.
    pub reason: String,
    /// Was it put off by choice, so that it is not asked again by itself?
    pub by_choice: bool,
    /// When it was found, by the device's clock.
    pub detected_at: Timestamp,
}

impl OpenConflict {
    /// The same conflict in the app's own type, see [`Conflict::typed`].
    ///
    /// # Errors
    /// If a record does not parse as `T`.
    pub fn typed<T: SyncEntity>(&self) -> Result<OpenConflict<T>, InvalidEntity> {
        Ok(OpenConflict {
            conflict: self.conflict.typed()?,
            reason: self.reason.clone(),
            by_choice: self.by_choice,
            detected_at: self.detected_at.clone(),
        })
    }
}
