//! Which queued operations wait for which: a child for its parent's creation, a parent's deletion
//! for its children (semantics 3, I4).

use std::collections::{BTreeMap, BTreeSet};

use super::{Key, References, parents_of, parents_of_op};
use crate::id::{EntityId, Kind};
use crate::op::{Op, Shadow};
use crate::store::{OpQuery, StoreError, StoreTx};
use crate::version::ServerState;

/// Why an entity's oldest operation cannot go yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Obstacle {
    /// This operation of another entity goes first; it is the oldest one of its entity.
    Operation(Box<Op>),
    /// Its parent has no operation, and nothing says that the server knows it.
    MissingParent(Key),
}

/// The queues of some entities, oldest operation first, with their shadows.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    ops: BTreeMap<Key, Vec<Op>>,
    shadows: BTreeMap<Key, Shadow>,
}

/// The keys by kind.
fn by_kind<'a>(keys: impl IntoIterator<Item = &'a Key>) -> BTreeMap<Kind, Vec<EntityId>> {
    let mut kinds: BTreeMap<Kind, Vec<EntityId>> = BTreeMap::new();
    for (kind, id) in keys {
        kinds.entry(kind.clone()).or_default().push(id.clone());
    }
    kinds
}

impl Queues {
    /// The queues of these entities; one without operations is left out.
    pub(crate) async fn of(
        tx: &mut dyn StoreTx,
        keys: impl IntoIterator<Item = &Key>,
    ) -> Result<Self, StoreError> {
        let mut this = Self::default();
        for (kind, ids) in by_kind(keys) {
            this.add(tx.ops(&OpQuery::of(&kind, &ids)).await?);
        }
        this.read_shadows(tx).await?;
        Ok(this)
    }

    /// The queues of all entities of these kinds; `None` = of all.
    pub(crate) async fn all(
        tx: &mut dyn StoreTx,
        kinds: Option<Vec<Kind>>,
    ) -> Result<Self, StoreError> {
        let mut this = Self::default();
        let query = OpQuery {
            kinds,
            ..OpQuery::default()
        };
        this.add(tx.ops(&query).await?);
        this.read_shadows(tx).await?;
        Ok(this)
    }

    fn add(&mut self, ops: Vec<Op>) {
        for op in ops {
            let key = (op.kind.clone(), op.entity_id.clone());
            self.ops.entry(key).or_default().push(op);
        }
    }

    async fn read_shadows(&mut self, tx: &mut dyn StoreTx) -> Result<(), StoreError> {
        for (kind, ids) in by_kind(self.ops.keys()) {
            for shadow in tx.shadows(&kind, &ids).await? {
                let key = (shadow.kind.clone(), shadow.entity_id.clone());
                self.shadows.insert(key, shadow);
            }
        }
        Ok(())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, &[Op])> {
        self.ops.iter().map(|(key, ops)| (key, ops.as_slice()))
    }

    pub(crate) fn ops_of(&self, key: &Key) -> &[Op] {
        self.ops.get(key).map_or(&[], Vec::as_slice)
    }

    fn head(&self, key: &Key) -> Option<&Op> {
        self.ops_of(key).first()
    }

    /// Does the server have the entity only after something in this queue?
    fn creates(&self, key: &Key) -> bool {
        let shadow = self.shadows.get(key);
        let mut is_there = shadow.is_some_and(|shadow| {
            let parked = shadow.parked.as_ref();
            shadow.base.live().is_some() && !parked.is_some_and(ServerState::is_deleted)
        });
        for op in self.ops_of(key) {
            let revives = op.verdict.as_ref().is_some_and(|verdict| verdict.recreate);
            if op.outgoing().is_delete() {
                is_there = false;
            } else if !is_there || revives {
                return true;
            }
        }
        false
    }

    /// Will nothing but a deletion leave this queue?
    pub(crate) fn only_deletes(&self, key: &Key) -> bool {
        let ops = self.ops_of(key);
        !ops.is_empty() && ops.iter().all(|op| op.outgoing().is_delete())
    }

    /// What keeps the oldest operations from being sent, as far as their parents go: one that is
    /// not created yet, or that nobody knows.
    pub(crate) async fn behind_parents(
        &self,
        tx: &mut dyn StoreTx,
        references: &References,
    ) -> Result<BTreeMap<Key, Vec<Obstacle>>, StoreError> {
        let mut wanted: BTreeMap<&Key, BTreeSet<Key>> = BTreeMap::new();
        for (key, ops) in &self.ops {
            let head = ops.first().filter(|head| !head.outgoing().is_delete());
            let own = references.parents(&key.0);
            let parents: BTreeSet<Key> = head
                .into_iter()
                .flat_map(|head| parents_of_op(own, head))
                .collect();
            if !parents.is_empty() {
                wanted.insert(key, parents);
            }
        }
        let parents: BTreeSet<Key> = wanted.values().flatten().cloned().collect();
        let queues = Self::of(tx, &parents).await?;
        let missing = unknown(tx, parents.iter().filter(|key| queues.head(key).is_none())).await?;
        let mut obstacles: BTreeMap<Key, Vec<Obstacle>> = BTreeMap::new();
        for (key, parents) in wanted {
            for parent in parents {
                let obstacle = match queues.head(&parent) {
                    Some(head) if queues.creates(&parent) => {
                        Obstacle::Operation(Box::new(head.clone()))
                    }
                    None if missing.contains(&parent)
                        && !self.parents_on_server(key, references).contains(&parent) =>
                    {
                        Obstacle::MissingParent(parent)
                    }
                    _ => continue,
                };
                obstacles.entry(key.clone()).or_default().push(obstacle);
            }
        }
        Ok(obstacles)
    }

    /// What keeps the deletions among these from being sent: a child's operation.
    pub(crate) async fn behind_children(
        &self,
        tx: &mut dyn StoreTx,
        references: &References,
    ) -> Result<BTreeMap<Key, Vec<Obstacle>>, StoreError> {
        let is_parent = |key: &&Key| !references.children(&key.0).is_empty();
        let deletions = self.ops.keys().filter(is_parent);
        let deletions: BTreeSet<&Key> = deletions.filter(|key| self.only_deletes(key)).collect();
        let mut obstacles: BTreeMap<Key, Vec<Obstacle>> = BTreeMap::new();
        if deletions.is_empty() {
            return Ok(obstacles);
        }
        let children = deletions.iter().flat_map(|key| references.children(&key.0));
        let kinds: BTreeSet<Kind> = children.map(|child| child.kind.clone()).collect();
        let queues = Self::all(tx, Some(kinds.into_iter().collect())).await?;
        for (key, ops) in queues.iter() {
            let Some(head) = ops.first() else { continue };
            for parent in queues.parents_now_or_before(key, references) {
                if parent != *key && deletions.contains(&parent) {
                    let obstacle = Obstacle::Operation(Box::new(head.clone()));
                    obstacles.entry(parent).or_default().push(obstacle);
                }
            }
        }
        Ok(obstacles)
    }

    /// The parents that an entity has by its operations, or had on the server before them.
    fn parents_now_or_before(&self, key: &Key, references: &References) -> BTreeSet<Key> {
        let own = references.parents(&key.0);
        let ops = self.ops_of(key).iter();
        let mut parents = self.parents_on_server(key, references);
        parents.extend(ops.flat_map(|op| parents_of_op(own, op)));
        parents
    }

    /// The parents that the server's own record names: it has them, whoever else knows of them.
    fn parents_on_server(&self, key: &Key, references: &References) -> BTreeSet<Key> {
        let own = references.parents(&key.0);
        let shadow = self.shadows.get(key).into_iter();
        let states = shadow.flat_map(|shadow| [Some(&shadow.base), shadow.parked.as_ref()]);
        let records = states.flatten().filter_map(ServerState::record);
        records.flat_map(|record| parents_of(own, record)).collect()
    }
}

/// Those of these entities, all without operations, of which nothing says that the server has them
/// or had them. A row alone proves nothing: the one whose creation was discarded may have stayed.
async fn unknown<'a>(
    tx: &mut dyn StoreTx,
    keys: impl Iterator<Item = &'a Key>,
) -> Result<BTreeSet<Key>, StoreError> {
    let mut unknown = BTreeSet::new();
    for (kind, ids) in by_kind(keys) {
        let versions = tx.versions(&kind, &ids).await?;
        let known: BTreeSet<EntityId> = versions.into_iter().map(|(id, _)| id).collect();
        let rest: Vec<EntityId> = ids.into_iter().filter(|id| !known.contains(id)).collect();
        let keys: Vec<String> = rest.iter().map(ToString::to_string).collect();
        let refused = tx.quarantined_of(&kind, &keys).await?;
        let is_refused = |id: &EntityId| {
            let mut of_server = refused.iter().filter(|entry| !entry.row.is_null());
            of_server.any(|entry| entry.key == id.as_str())
        };
        let lost = rest.into_iter().filter(|id| !is_refused(id));
        unknown.extend(lost.map(|id| (kind.clone(), id)));
    }
    Ok(unknown)
}

/// The entities whose operations make no sense without the creation of this one, parents before
/// their children; none if it is not created by its queue.
pub(crate) async fn dependants(
    tx: &mut dyn StoreTx,
    references: &References,
    key: &Key,
) -> Result<Vec<Key>, StoreError> {
    let mut found: Vec<Key> = Vec::new();
    if references.children(&key.0).is_empty() || !Queues::of(tx, [key]).await?.creates(key) {
        return Ok(found);
    }
    let mut kinds: BTreeSet<Kind> = BTreeSet::new();
    let mut parents = vec![key.0.clone()];
    while let Some(parent) = parents.pop() {
        for child in references.children(&parent) {
            if kinds.insert(child.kind.clone()) {
                parents.push(child.kind.clone());
            }
        }
    }
    let queues = Queues::all(tx, Some(kinds.into_iter().collect())).await?;
    let mut frontier = vec![key.clone()];
    while let Some(parent) = frontier.pop() {
        for (child, ops) in queues.iter() {
            let own = references.parents(&child.0);
            let mut named = ops.iter().flat_map(|op| parents_of_op(own, op));
            if child == key || found.contains(child) || !named.any(|named| named == parent) {
                continue;
            }
            found.push(child.clone());
            // What stays on the server needs its own children no less than before.
            if queues.creates(child) {
                frontier.push(child.clone());
            }
        }
    }
    // One that is found early may also be a child of one that is found late.
    found.sort_by_key(|found| references.depth(&found.0));
    Ok(found)
}
