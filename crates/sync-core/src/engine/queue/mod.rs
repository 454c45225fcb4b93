//! The queue in the app's hands: what waits and why, what was decided, what was set aside.

mod blocked;
mod conflicts;
mod discard;
mod edit;
mod export;
mod import;
mod outbox;
mod quarantine;
mod states;
mod undo;

pub use blocked::{BlockedBy, BlockedOperation};
pub use conflicts::Conflicts;
pub use discard::Discarded;
pub(super) use import::IMPORTED_FILES;
pub use import::Imported;
pub use outbox::Outbox;
pub use quarantine::Quarantine;
pub use states::EntityState;
pub use undo::Undo;

use super::SyncEngine;

impl SyncEngine {
    /// What waits to be sent, to be seen, mended, retried, given up, or carried elsewhere.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        Outbox::new(self.clone())
    }

    /// Conflicts: the open ones, and what was decided about the others.
    #[must_use]
    pub fn conflicts(&self) -> Conflicts {
        Conflicts::new(self.clone())
    }

    /// Pulled rows that could not be applied.
    #[must_use]
    pub fn quarantine(&self) -> Quarantine {
        Quarantine::new(self.clone())
    }
}
