//! Everything that the file holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sync_core::store::{ConflictEntry, CursorState, QuarantineEntry, ResolvedConflict};
use sync_core::{EntityId, Kind, OpId, Shadow};

use super::outbox::Outbox;
use super::rows::Table;

/// One state of the store.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) tables: BTreeMap<Kind, Table>,
    pub(super) outbox: Outbox,
    pub(super) shadows: BTreeMap<Kind, BTreeMap<EntityId, Shadow>>,
    pub(super) cursors: BTreeMap<Kind, CursorState>,
    pub(super) conflicts: BTreeMap<OpId, ConflictEntry>,
    /// Oldest first.
    #[serde(default)]
    pub(super) history: Vec<ResolvedConflict>,
    pub(super) quarantine: BTreeMap<Kind, BTreeMap<String, QuarantineEntry>>,
    pub(super) meta: BTreeMap<String, String>,
}

impl State {
    pub(super) fn has_shadow(&self, kind: &Kind, id: &EntityId) -> bool {
        self.shadows
            .get(kind)
            .is_some_and(|of_kind| of_kind.contains_key(id))
    }

    /// Has this entity something that was not sent, or not answered in full?
    pub(super) fn is_pending(&self, kind: &Kind, id: &EntityId) -> bool {
        self.outbox.has_op(kind, id) || self.has_shadow(kind, id)
    }

    /// Oldest first, then by operation: two of one moment always come in the same order.
    pub(super) fn conflicts(&self, op: Option<&OpId>) -> Vec<ConflictEntry> {
        let of_op = |entry: &&ConflictEntry| op.is_none_or(|op| *op == entry.op_id);
        let mut found: Vec<_> = self.conflicts.values().filter(of_op).cloned().collect();
        found.sort_by(|a, b| a.detected_at.cmp(&b.detected_at));
        found
    }
}

/// What a set holds in the order asked for, each once.
pub(super) fn distinct<T: Ord>(set: &[T]) -> impl Iterator<Item = &T> {
    let mut seen = std::collections::BTreeSet::new();
    set.iter().filter(move |item| seen.insert(*item))
}
