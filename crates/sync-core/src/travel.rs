//! Which way the records of a table travel, and how much of them.

/// Which way the records of a table travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Direction {
    /// Edits go to the server, and what others changed comes from there.
    #[default]
    Both,
    /// Nothing of it is sent, and its writers refuse what would be
    /// ([`crate::SyncError::PullOnly`]): a catalogue, a price list. Columns of this device alone can
    /// be written. Operations that were queued while it was otherwise stay as they are, are listed
    /// ([`crate::BlockedBy::PullOnly`]), and go out when it is otherwise again.
    ///
    /// ```
    /// # use sync_core::{Direction, TableConfig};
    /// let prices = TableConfig::new().direction(Direction::PullOnly);
    /// ```
    PullOnly,
    /// It is never pulled, whatever asks for it: measurements, logs. What the server answers to
    /// its pushes is applied, and a conflict is settled as everywhere, with a fetch of that one
    /// record where one is needed. A table that gains a column fills it from what is kept beside the
    /// rows alone.
    ///
    /// ```
    /// # use sync_core::{Direction, SoftDelete, TableConfig};
    /// let measurements = TableConfig::new()
    ///     .direction(Direction::PushOnly)
    ///     .soft_delete(SoftDelete::Purge);
    /// ```
    PushOnly,
}

/// How much of an update travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Payload {
    /// The whole record.
    #[default]
    Full,
    /// The id, the fields that the user changed and their names, where the server has declared
    /// `changed-fields` and keeps the fields that such a body lacks. On a server that has not, the
    /// whole record, because the rest would be lost there. Creates, re-creates, what a strategy
    /// sends as a whole, and edits whose changed fields nobody knows are sent in full too.
    ///
    /// ```
    /// # use sync_core::{Payload, TableConfig};
    /// let long_texts = TableConfig::new().payload(Payload::Changed);
    /// ```
    Changed,
}

impl Direction {
    /// Do the user's edits go to the server?
    pub(crate) fn pushes(self) -> bool {
        match self {
            Self::Both | Self::PushOnly => true,
            Self::PullOnly => false,
        }
    }

    /// Does what others changed come from the server?
    pub(crate) fn pulls(self) -> bool {
        match self {
            Self::Both | Self::PullOnly => true,
            Self::PushOnly => false,
        }
    }
}
