//! The user's writes: when they fold into a waiting operation, and when they wait behind it.

use std::mem;

use super::entity::{Entity, Rules};
use crate::changed_fields::ChangedFields;
use crate::id::OpId;
use crate::op::{Change, Op, OpStatus, Precondition};
use crate::record::Record;
use crate::table::{ExistingRows, Table};
use crate::time::Timestamp;
use crate::version::ServerState;

/// What folding did with the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    /// It stays, with the new content.
    Stays,
    /// Both edits cancelled each other: the operation is gone and no other was before it.
    Vanished,
    /// Both edits of the tail cancelled each other: the head remains.
    TailVanished,
}

impl Entity {
    /// The user inserts or updates: `record` is the whole row, `payload` what of it travels.
    pub(crate) fn upsert(
        &mut self,
        record: Record,
        payload: Record,
        changed: Option<ChangedFields>,
        op_id: OpId,
        at: Timestamp,
        rules: &Rules<'_>,
    ) {
        let exists = self.row.as_ref().is_some_and(|row| !row.is_deleted());
        let changed = if exists { changed } else { None };
        let kept = self.enqueue(Change::Upsert { payload, changed }, op_id, at, rules);
        if kept != Fold::Vanished {
            self.write_row(record);
        }
    }

    /// The user deletes.
    pub(crate) fn delete(&mut self, op_id: OpId, at: &Timestamp, rules: &Rules<'_>) {
        let never_shared = self.ops.is_empty() && self.base.is_none() && self.known.is_none();
        if never_shared {
            let copied = rules.table.existing_rows == Some(ExistingRows::ServerOwned);
            let Some(row) = self.row.clone().filter(|_| copied) else {
                // Neither the server nor the outbox ever heard of this row.
                self.delete_row(at, rules.table);
                return;
            };
            // It was there before the first pull: the server has it, as far as the app knows.
            self.set_base(ServerState::Live {
                record: row,
                version: None,
            });
        }
        let kept = self.enqueue(Change::Delete, op_id, at.clone(), rules);
        if kept != Fold::Vanished {
            self.delete_row(at, rules.table);
        }
    }

    pub(super) fn enqueue(
        &mut self,
        change: Change,
        op_id: OpId,
        at: Timestamp,
        rules: &Rules<'_>,
    ) -> Fold {
        if self.base.is_none() {
            self.set_base(self.before_image());
        }
        let newest = self.ops.len().checked_sub(1);
        if let Some(last) = newest
            && rules.table.coalesce
            && self.ops[last].schema_version == self.schema_version
            && (self.ops[last].surely_not_applied() || planted!(FoldIntoSent))
        {
            let fold = self.fold(last, change, at, true, rules);
            if last > 0 {
                self.awaken_head();
            }
            return fold;
        }
        // An edit behind a deletion re-creates: all its fields are the user's.
        let after_delete = newest.is_some_and(|last| self.ops[last].written.is_delete());
        let change = match change {
            Change::Upsert { payload, .. } if after_delete => Change::Upsert {
                payload,
                changed: None,
            },
            other => other,
        };
        let (kind, id) = (self.kind.clone(), self.id.clone());
        let mut op = Op::new(op_id, kind, id, change, at);
        op.schema_version = self.schema_version;
        self.push_op(op);
        if self.ops.len() == 1 {
            self.reset(0);
        } else {
            self.awaken_head();
        }
        Fold::Stays
    }

    /// The user acted on this entity: what was set aside takes part again.
    pub(crate) fn awaken_head(&mut self) {
        let Some(head) = self.head_mut() else { return };
        awaken(head);
        let op_id = head.op_id.clone();
        self.close_conflict(&op_id);
    }

    /// What the entity was before this write, as the server knows it.
    pub(super) fn before_image(&self) -> ServerState {
        let version = self.known.clone().flatten();
        match (&self.row, &self.known) {
            (Some(row), Some(_)) if row.is_deleted() => ServerState::Deleted {
                record: Some(row.clone()),
                version,
            },
            (Some(row), Some(_)) => ServerState::Live {
                record: row.clone(),
                version,
            },
            (None, Some(_)) => ServerState::Deleted {
                record: None,
                version,
            },
            // A row that no pull and no answer brought is unknown to the server.
            (_, None) => ServerState::Absent,
        }
    }

    /// Folds a newer edit into an operation that surely was not applied (semantics 3).
    /// `by_user`: the row is written by the caller; else the fold is part of a conflict.
    pub(super) fn fold(
        &mut self,
        index: usize,
        newer: Change,
        at: Timestamp,
        by_user: bool,
        rules: &Rules<'_>,
    ) -> Fold {
        let is_head = index == 0;
        let creates = self.base.as_ref().is_none_or(|base| base.live().is_none());
        let was_delete = self.ops[index].written.is_delete();
        if newer.is_delete() && !was_delete {
            if is_head && creates && self.ops.len() == 1 {
                let Some(copy) = self.edited_copy(rules.table) else {
                    return self.vanish(by_user, rules);
                };
                self.set_base(copy);
            }
            if !is_head && self.ops[index - 1].written.is_delete() {
                self.remove_op(index);
                return Fold::TailVanished;
            }
        }
        let op_id = self.ops[index].op_id.clone();
        self.close_conflict(&op_id);
        let Some(op) = self.op_mut(index) else {
            return Fold::Stays;
        };
        awaken(op);
        if !planted!(FoldKeepsTime) {
            op.written_at = at;
        }
        let older = mem::replace(&mut op.written, Change::Delete);
        op.written = combine(older, newer);
        if op.ever_sent {
            op.next_round();
        }
        if is_head {
            self.reset(0);
        }
        Fold::Stays
    }

    /// The only operation is an edit of a row that was there before the first pull: the server has
    /// it, as far as the app knows, though what it said there is forgotten.
    fn edited_copy(&self, table: &Table) -> Option<ServerState> {
        let copied = table.existing_rows == Some(ExistingRows::ServerOwned);
        let edits = self.head().is_some_and(|head| head.changed().is_some());
        let unheard_of = self.known.is_none() && self.base == Some(ServerState::Absent);
        let row = self.row.clone();
        row.filter(|_| copied && edits && unheard_of)
            .map(|record| ServerState::Live {
                record,
                version: None,
            })
    }

    /// A create and its deletion cancel each other; the newest known server state remains.
    fn vanish(&mut self, by_user: bool, rules: &Rules<'_>) -> Fold {
        self.remove_op(0);
        if by_user {
            let base = self.base.clone();
            let unconfirmed = base
                .as_ref()
                .is_some_and(|base| base.is_deleted() && base.version().is_none());
            match self.newest_seen() {
                // Our own deletion whose version nobody told yet: a pull or fetch will.
                Some(state) if unconfirmed => self.take_state(&state, rules),
                Some(state) => self.settle(&state, rules),
                None => self.drop_shadow(),
            }
        }
        Fold::Vanished
    }

    /// Forgets any verdict: the operation goes out as written, against *base*.
    pub(super) fn reset(&mut self, index: usize) {
        let precondition = match &self.base {
            None | Some(ServerState::Absent) if planted!(CreateWithoutPrecondition) => {
                Some(Precondition::Force)
            }
            None | Some(ServerState::Absent) => Some(Precondition::IfAbsent),
            Some(base) => base
                .version()
                .cloned()
                .map(|version| Precondition::IfBase { version }),
        };
        if let Some(op) = self.op_mut(index) {
            op.verdict = None;
            op.precondition = precondition;
        }
    }

    /// Is the head an attempt to bring back what the server had deleted, or never had?
    pub(super) fn recreates(&self) -> bool {
        let Some(head) = self.head() else {
            return false;
        };
        match &head.verdict {
            Some(verdict) => verdict.recreate,
            None => {
                let base_is_live = self.base.as_ref().is_some_and(|base| base.live().is_some());
                !head.written.is_delete() && !base_is_live
            }
        }
    }
}

/// Makes an operation take part again, as if it had never failed.
pub(super) fn awaken(op: &mut Op) {
    op.status = OpStatus::Pending;
    op.try_count = 0;
    op.trouble_count = 0;
    op.next_attempt_at = None;
    op.last_error = None;
}

/// Two edits as one: latest payload, union of changed fields.
fn combine(older: Change, newer: Change) -> Change {
    match (older, newer) {
        (_, Change::Delete) => Change::Delete,
        (Change::Delete, Change::Upsert { payload, .. }) => Change::Upsert {
            payload,
            changed: None,
        },
        (
            Change::Upsert { changed: older, .. },
            Change::Upsert {
                payload,
                changed: newer,
            },
        ) => {
            let changed = match (older, newer) {
                (Some(older), Some(newer)) => {
                    Some(older.iter().chain(newer.iter()).collect::<ChangedFields>())
                }
                _ => None,
            };
            Change::Upsert { payload, changed }
        }
    }
}
