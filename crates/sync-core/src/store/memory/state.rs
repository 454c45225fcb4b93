//! Everything that a commit makes visible, shared until it is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::outbox::Outbox;
use super::rows::Table;
use crate::id::{EntityId, Kind, OpId};
use crate::op::Shadow;
use crate::record::Record;
use crate::store::{ConflictEntry, CursorState, QuarantineEntry, ResolvedConflict};

/// One state of the store. Cloning it is cheap: each part is copied when it is first written.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct State {
    pub(super) tables: BTreeMap<Kind, Arc<Table>>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) shadows: BTreeMap<Kind, Arc<BTreeMap<EntityId, Arc<Shadow>>>>,
    pub(super) cursors: BTreeMap<Kind, CursorState>,
    pub(super) conflicts: Arc<BTreeMap<OpId, ConflictEntry>>,
    /// Oldest first.
    pub(super) history: Arc<Vec<ResolvedConflict>>,
    pub(super) quarantine: BTreeMap<Kind, Arc<BTreeMap<String, QuarantineEntry>>>,
    pub(super) meta: Arc<BTreeMap<String, String>>,
}

impl State {
    pub(super) fn rows(&self, kind: &Kind) -> Vec<Record> {
        self.tables
            .get(kind)
            .map(|table| table.all())
            .unwrap_or_default()
    }

    /// A kind's part, to be written.
    pub(super) fn part_mut<'a, P: Clone + Default>(
        parts: &'a mut BTreeMap<Kind, Arc<P>>,
        kind: &Kind,
    ) -> &'a mut P {
        Arc::make_mut(parts.entry(kind.clone()).or_default())
    }

    pub(super) fn shadow(&self, kind: &Kind, id: &EntityId) -> Option<&Arc<Shadow>> {
        self.shadows.get(kind)?.get(id)
    }

    /// Oldest first, then by operation, so that the order is always the same.
    pub(super) fn conflicts(&self, op: Option<&OpId>) -> Vec<ConflictEntry> {
        let mut found: Vec<_> = self
            .conflicts
            .values()
            .filter(|entry| op.is_none_or(|op| *op == entry.op_id))
            .cloned()
            .collect();
        found.sort_by(|a, b| a.detected_at.cmp(&b.detected_at));
        found
    }

    /// The one that was stored last first.
    pub(super) fn history(&self, op: Option<&OpId>, limit: u32) -> Vec<ResolvedConflict> {
        let newest_first = self.history.iter().rev();
        newest_first
            .filter(|entry| op.is_none_or(|op| *op == entry.op_id))
            .take(limit as usize)
            .cloned()
            .collect()
    }

    pub(super) fn put_history(&mut self, entries: &[ResolvedConflict], keep: u32) {
        if entries.is_empty() {
            return;
        }
        let history = Arc::make_mut(&mut self.history);
        for entry in entries {
            history.retain(|other| other.op_id != entry.op_id);
            history.push(entry.clone());
        }
        let too_many = history.len().saturating_sub(keep as usize);
        history.drain(..too_many);
    }
}
