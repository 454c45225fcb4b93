//! Which parents are in this database, and which of them are referred to.

use std::collections::{BTreeMap, BTreeSet};

use super::{Key, Reference, References, parents_of};
use crate::id::{EntityId, Kind};
use crate::record::Record;
use crate::store::{OpQuery, StoreError, StoreTx};

/// The parents of these records that have a row.
pub(crate) async fn parents_here<'a>(
    tx: &mut dyn StoreTx,
    references: &'a [Reference],
    records: impl Iterator<Item = &'a Record> + Send,
) -> Result<BTreeSet<Key>, StoreError> {
    let mut wanted: BTreeMap<Kind, BTreeSet<EntityId>> = BTreeMap::new();
    for (kind, id) in records.flat_map(|record| parents_of(references, record)) {
        wanted.entry(kind).or_default().insert(id);
    }
    let mut here = BTreeSet::new();
    for (kind, ids) in wanted {
        let ids: Vec<EntityId> = ids.into_iter().collect();
        let rows = tx.get(&kind, &ids).await?;
        let found = rows.iter().filter_map(|row| row.id().ok());
        here.extend(found.map(|id| (kind.clone(), id)));
    }
    Ok(here)
}

/// Why a record cannot be a row yet: the parent that is not among these. Nobody is its own parent.
pub(crate) fn missing_parent(
    references: &[Reference],
    own: (&Kind, &EntityId),
    record: &Record,
    here: &BTreeSet<Key>,
) -> Option<String> {
    if planted!(OrphanApplied) {
        return None;
    }
    let mut parents = parents_of(references, record);
    let (kind, id) =
        parents.find(|parent| (&parent.0, &parent.1) != own && !here.contains(parent))?;
    Some(format!("its parent {kind}/{id} is not here yet"))
}

/// Which of these entities somebody still needs: a row refers to them, or did before the deletion
/// that waits for it in the queue.
pub(crate) async fn held_parents(
    tx: &mut dyn StoreTx,
    references: &References,
    kind: &Kind,
    ids: &[EntityId],
) -> Result<BTreeSet<EntityId>, StoreError> {
    let mut held = BTreeSet::new();
    if planted!(ParentRemovedFirst) || ids.is_empty() {
        return Ok(held);
    }
    let children = references.children(kind);
    for child in children {
        held.extend(tx.referred_to(&child.kind, &child.field, ids).await?);
    }
    held.extend(parents_of_deletions(tx, kind, children).await?);
    held.retain(|id| ids.contains(id));
    Ok(held)
}

/// The parents, of this kind, of children whose deletion has not reached the server: it may yet be
/// decided that they come back.
async fn parents_of_deletions(
    tx: &mut dyn StoreTx,
    kind: &Kind,
    children: &[Reference],
) -> Result<Vec<EntityId>, StoreError> {
    let mut parents = Vec::new();
    let kinds: BTreeSet<&Kind> = children.iter().map(|child| &child.kind).collect();
    for child in kinds {
        let queued = OpQuery {
            kinds: Some(vec![child.clone()]),
            ..OpQuery::default()
        };
        if tx.count_ops(&queued).await? == 0 {
            continue;
        }
        let ops = tx.ops(&queued).await?;
        let deleted = ops.into_iter().filter(|op| op.written.is_delete());
        let ids: Vec<EntityId> = deleted.map(|op| op.entity_id).collect();
        for shadow in tx.shadows(child, &ids).await? {
            let fields = children.iter().filter(|own| own.kind == *child);
            let record = shadow.base.record();
            let values = fields.filter_map(|own| record?.get(&own.field));
            let ids = values.filter_map(crate::record::id_of_value);
            // A tree's own deletion does not hold itself.
            parents.extend(ids.filter(|id| child != kind || *id != shadow.entity_id));
        }
    }
    Ok(parents)
}
