//! Which kinds refer to which (semantics 7, *References*): parents before their children.
//!
//! [`graph`] knows the kinds, [`waits`] says which operations wait for which, [`here`] says which
//! rows have no parent in this database, and which ones are parents still.

mod graph;
mod here;
mod waits;

pub(crate) use graph::{Reference, References};
pub(crate) use here::{held_parents, missing_parent, parents_here};
pub(crate) use waits::{Obstacle, Queues, dependants};

use crate::id::{EntityId, Kind};
use crate::op::{Change, Op};
use crate::record::{Record, id_of_value};

/// Why a row is not removed.
pub(crate) const HAS_CHILDREN: &str =
    "it was deleted on the server, but rows here still refer to it: it goes after them";

/// An entity, as a key.
pub(crate) type Key = (Kind, EntityId);

/// The entities that a record refers to.
pub(crate) fn parents_of<'a>(
    references: &'a [Reference],
    record: &'a Record,
) -> impl Iterator<Item = Key> + 'a {
    references.iter().filter_map(|reference| {
        let id = id_of_value(record.get(&reference.field)?)?;
        Some((reference.kind.clone(), id))
    })
}

/// The entities that an operation's record refers to, as it was written and as it goes out. A
/// deletion has no record.
pub(crate) fn parents_of_op<'a>(
    references: &'a [Reference],
    op: &'a Op,
) -> impl Iterator<Item = Key> + 'a {
    let outgoing = op.verdict.as_ref().map(|verdict| &verdict.change);
    let records = [Some(&op.written), outgoing].into_iter().flatten();
    records
        .filter_map(Change::payload)
        .flat_map(|record| parents_of(references, record))
        .filter(|parent| (&parent.0, &parent.1) != (&op.kind, &op.entity_id))
}
