//! The queue.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sync_core::store::OpQuery;
use sync_core::{EntityId, Kind, Op, OpId, StoreError, StoreErrorKind};

/// The operations in the order of their places.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Outbox {
    ops: BTreeMap<i64, Op>,
    /// The last place that was given away. It is in the file, so that no place is given twice.
    last_place: i64,
}

impl Outbox {
    pub(super) fn append(&mut self, op: &Op) -> Result<i64, StoreError> {
        if self.place_of(&op.op_id).is_some() {
            let message = format!("operation {} is queued already", op.op_id);
            return Err(StoreError::new(StoreErrorKind::Constraint, message));
        }
        self.last_place += 1;
        self.put(self.last_place, op);
        Ok(self.last_place)
    }

    /// Replaces an operation where it stands; `false` if it is not there.
    pub(super) fn update(&mut self, op: &Op) -> bool {
        let place = self.place_of(&op.op_id);
        if let Some(place) = place {
            self.put(place, op);
        }
        place.is_some()
    }

    pub(super) fn delete(&mut self, id: &OpId) -> Option<Op> {
        let place = self.place_of(id)?;
        self.ops.remove(&place)
    }

    pub(super) fn last_place(&self) -> i64 {
        self.last_place
    }

    pub(super) fn has_op(&self, kind: &Kind, id: &EntityId) -> bool {
        let mut ops = self.ops.values();
        ops.any(|op| op.kind == *kind && op.entity_id == *id)
    }

    pub(super) fn matching<'a>(&'a self, query: &'a OpQuery) -> impl Iterator<Item = &'a Op> {
        let mut seen = BTreeSet::new();
        self.ops.values().filter(move |op| {
            // Asked of every operation: the head is the oldest of all, not the oldest that matches.
            let is_head = seen.insert((&op.kind, &op.entity_id));
            (is_head || !query.heads_only) && holds(query, op)
        })
    }

    /// A queue is short, so looking through it is quick enough.
    fn place_of(&self, id: &OpId) -> Option<i64> {
        let mut ops = self.ops.iter();
        ops.find(|(_, op)| op.op_id == *id).map(|(place, _)| *place)
    }

    fn put(&mut self, place: i64, op: &Op) {
        let mut op = op.clone();
        op.seq = place;
        self.ops.insert(place, op);
    }
}

/// Every condition that is set must hold.
fn holds(query: &OpQuery, op: &Op) -> bool {
    let is_in_trouble = op.try_count > 0 || op.trouble_count > 0;
    [
        is_none_or(&query.kinds, |kinds| kinds.contains(&op.kind)),
        is_none_or(&query.entities, |(kind, ids)| {
            op.kind == *kind && ids.contains(&op.entity_id)
        }),
        is_none_or(&query.op_id, |id| op.op_id == *id),
        is_none_or(&query.status, |status| op.status == *status),
        is_none_or(&query.in_trouble, |wanted| is_in_trouble == *wanted),
        is_none_or(&query.due_at, |now| is_due(op, *now, query.longest_delay)),
        is_none_or(&query.after_seq, |place| op.seq > *place),
        is_none_or(&query.max_seq, |place| op.seq <= *place),
    ]
    .into_iter()
    .all(|holds| holds)
}

fn is_none_or<T>(condition: &Option<T>, holds: impl FnOnce(&T) -> bool) -> bool {
    condition.as_ref().is_none_or(holds)
}

/// Further ahead than any delay can be: the clock was wrong, so it counts as now.
fn is_due(op: &Op, now: i64, longest_delay: i64) -> bool {
    let is_due = |at: i64| at <= now || at > now.saturating_add(longest_delay);
    op.next_attempt_at.is_none_or(is_due)
}
