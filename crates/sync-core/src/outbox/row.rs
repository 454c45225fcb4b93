//! What saving an entity will do to its row, for those who have a word in it.

use super::entity::{Entity, RowEdit};
use crate::record::Record;
use crate::version::ServerState;

impl Entity {
    /// Will saving bring a state of the server into the row?
    pub(crate) fn takes_state(&self) -> bool {
        matches!(
            self.row_edit,
            RowEdit::Server { .. } | RowEdit::Remove { .. }
        )
    }

    /// Will saving bring a live record of the server into the row?
    pub(crate) fn takes_record(&self) -> bool {
        matches!(
            self.row_edit,
            RowEdit::Server {
                is_tombstone: false,
                ..
            }
        )
    }

    /// The user sees no row, while the server has a record that the table does not hold.
    pub(crate) fn row_is_gone(&mut self) {
        self.set_base(ServerState::Absent);
    }

    /// The record that a waiting deletion was made against.
    pub(crate) fn before_deletion(&self) -> Option<Record> {
        let deletes = self.ops.last().is_some_and(|op| op.written.is_delete());
        let live = self.base.as_ref().and_then(ServerState::live);
        live.filter(|_| deletes).cloned()
    }

    /// The record that saving will write to the table.
    pub(crate) fn row_to_write(&self) -> Option<&Record> {
        match &self.row_edit {
            RowEdit::Local(record) | RowEdit::Server { record, .. } => Some(record),
            RowEdit::Keep | RowEdit::Remove { .. } => None,
        }
    }

    /// May saving take the row out of the table? A tombstone that does not fit goes too.
    pub(crate) fn may_remove_row(&self) -> bool {
        matches!(
            self.row_edit,
            RowEdit::Remove { .. }
                | RowEdit::Server {
                    is_tombstone: true,
                    ..
                }
        )
    }

    /// Lets saving treat the row as if the table refused to write it.
    pub(crate) fn withhold(&mut self, reason: String) {
        self.not_written = Some(reason);
    }

    /// Lets saving treat the row as if the table refused to let it go.
    pub(crate) fn hold(&mut self, reason: String) {
        self.not_removed = Some(reason);
    }
}
