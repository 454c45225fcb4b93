//! The queue of operations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::id::{EntityId, Kind, OpId};
use crate::op::Op;
use crate::store::{OpQuery, StoreError, StoreErrorKind};

/// The operations in the order of their places.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Outbox {
    ops: BTreeMap<i64, Arc<Op>>,
    places: BTreeMap<OpId, i64>,
    /// The last place that was given away; never given again.
    last_place: i64,
}

impl Outbox {
    pub(super) fn append(&mut self, ops: &[Op]) -> Result<Vec<i64>, StoreError> {
        ops.iter().map(|op| self.append_one(op)).collect()
    }

    fn append_one(&mut self, op: &Op) -> Result<i64, StoreError> {
        if self.places.contains_key(&op.op_id) {
            let message = format!(
                "operation {} is queued already: give each operation its own id",
                op.op_id
            );
            return Err(StoreError::new(StoreErrorKind::Constraint, message));
        }
        self.last_place += 1;
        self.put(self.last_place, op);
        Ok(self.last_place)
    }

    fn put(&mut self, place: i64, op: &Op) {
        let mut op = op.clone();
        op.seq = place;
        self.places.insert(op.op_id.clone(), place);
        self.ops.insert(place, Arc::new(op));
    }

    pub(super) fn last_place(&self) -> i64 {
        self.last_place
    }

    pub(super) fn matching<'a>(&'a self, query: &'a OpQuery) -> impl Iterator<Item = &'a Op> {
        let entities = query
            .entities
            .as_ref()
            .map(|(kind, ids)| (kind, ids.iter().collect()));
        let mut has_head = BTreeSet::new();
        self.ops.values().map(|op| &**op).filter(move |op| {
            // The head is the oldest of all its entity's operations, matching or not.
            let head = !query.heads_only || has_head.insert((&op.kind, &op.entity_id));
            head && is_among(entities.as_ref(), op) && holds(query, op)
        })
    }

    pub(super) fn update(&mut self, op: &Op) -> bool {
        let place = self.places.get(&op.op_id).copied();
        if let Some(place) = place {
            self.put(place, op);
        }
        place.is_some()
    }

    pub(super) fn delete(&mut self, id: &OpId) -> Option<Arc<Op>> {
        let place = self.places.remove(id)?;
        self.ops.remove(&place)
    }

    /// Which entities of this kind have an operation.
    pub(super) fn entities_of(&self, kind: &Kind) -> BTreeSet<&EntityId> {
        let of_kind = self.ops.values().filter(|op| op.kind == *kind);
        of_kind.map(|op| &op.entity_id).collect()
    }
}

fn is_among(entities: Option<&(&Kind, BTreeSet<&EntityId>)>, op: &Op) -> bool {
    entities.is_none_or(|(kind, ids)| op.kind == **kind && ids.contains(&op.entity_id))
}

fn holds(query: &OpQuery, op: &Op) -> bool {
    let in_trouble = op.try_count > 0 || op.trouble_count > 0;
    query
        .kinds
        .as_ref()
        .is_none_or(|kinds| kinds.contains(&op.kind))
        && query.op_id.as_ref().is_none_or(|id| *id == op.op_id)
        && query.status.is_none_or(|status| status == op.status)
        && query.in_trouble.is_none_or(|wanted| wanted == in_trouble)
        && query
            .due_at
            .is_none_or(|now| is_due(op, now, query.longest_delay))
        && query.after_seq.is_none_or(|place| op.seq > place)
        && query.max_seq.is_none_or(|place| op.seq <= place)
}

fn is_due(op: &Op, now: i64, longest_delay: i64) -> bool {
    op.next_attempt_at
        .is_none_or(|at| at <= now || at > now.saturating_add(longest_delay))
}
