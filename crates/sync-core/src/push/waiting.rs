//! Entities that wait for others in the same run: children for their parents, deletions of parents
//! for their children.

use std::collections::{BTreeMap, BTreeSet};

use super::{Key, PushPhase};
use crate::context::Context;
use crate::error::SyncError;
use crate::references::{Obstacle, Queues};
use crate::store::{StoreError, StoreTx, TxMode};

/// Entities that are left for later in this run.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// In the order in which they were met.
    keys: Vec<Key>,
    /// Deletions of parents whose children are through.
    childless: BTreeSet<Key>,
    /// Entities that wait for each other in a circle; one of them has to begin.
    beginners: BTreeSet<Key>,
}

impl PushPhase<'_> {
    /// Which of these may not be sent now; they are looked at again when the others are through.
    pub(super) async fn held_back(
        &mut self,
        tx: &mut dyn StoreTx,
        keys: impl IntoIterator<Item = &Key>,
    ) -> Result<BTreeSet<Key>, StoreError> {
        let references = &self.context.references;
        let concerned: Vec<&Key> = keys
            .into_iter()
            .filter(|key| references.concern(&key.0))
            .collect();
        if concerned.is_empty() || planted!(ParentOrderIgnored) {
            return Ok(BTreeSet::new());
        }
        let queues = Queues::of(tx, concerned.iter().copied()).await?;
        let mut held: BTreeSet<Key> = queues
            .behind_parents(tx, references)
            .await?
            .into_keys()
            .filter(|key| !self.waiting.beginners.contains(key))
            .collect();
        // Whose children are waiting is asked once, at the end, not for each deletion.
        let parents = concerned.iter().filter(|key| {
            !references.children(&key.0).is_empty()
                && queues.only_deletes(key)
                && !self.waiting.childless.contains(*key)
        });
        held.extend(parents.map(|key| (*key).clone()));
        let met = concerned.into_iter().filter(|key| held.contains(*key));
        self.waiting.keys.extend(met.cloned());
        Ok(held)
    }

    /// Sends what waited for others as far as those are through by now, again and again: what went
    /// may have been waited for in turn.
    pub(super) async fn send_waiting(&mut self) -> Result<(), SyncError> {
        while self.end.is_none() && !self.waiting.keys.is_empty() {
            let keys = std::mem::take(&mut self.waiting.keys);
            let obstacles = obstacles(self.context, &keys).await?;
            let (mut held, mut free): (Vec<Key>, Vec<Key>) = keys
                .into_iter()
                .partition(|key| obstacles.contains_key(key));
            if free.is_empty()
                && let Some(beginner) = first_in_circle(&held, &obstacles)
            {
                held.retain(|key| *key != beginner);
                self.waiting.beginners.insert(beginner.clone());
                free.push(beginner);
            }
            self.waiting.keys = held;
            if free.is_empty() {
                return Ok(());
            }
            self.waiting.childless.extend(free.iter().cloned());
            self.drive(free.into()).await?;
        }
        Ok(())
    }
}

async fn obstacles(
    context: &Context,
    keys: &[Key],
) -> Result<BTreeMap<Key, Vec<Obstacle>>, SyncError> {
    let references = &context.references;
    let mut tx = context.begin(TxMode::Read).await?;
    let queues = Queues::of(&mut *tx, keys).await?;
    let mut obstacles = queues.behind_parents(&mut *tx, references).await?;
    for (key, children) in queues.behind_children(&mut *tx, references).await? {
        obstacles.entry(key).or_default().extend(children);
    }
    Ok(obstacles)
}

/// The first of these that waits for nobody but for those that wait for itself: rows of one kind
/// that are each other's parents. Somebody has to begin, or none of them ever goes.
fn first_in_circle(waiting: &[Key], obstacles: &BTreeMap<Key, Vec<Obstacle>>) -> Option<Key> {
    let of = |key: &Key| -> Vec<Option<Key>> {
        let own = obstacles.get(key).into_iter().flatten();
        own.map(|obstacle| match obstacle {
            Obstacle::Operation(op) => Some((op.kind.clone(), op.entity_id.clone())),
            Obstacle::MissingParent(_) => None,
        })
        .collect()
    };
    let among: BTreeSet<&Key> = waiting.iter().collect();
    let all_behind = |start: &Key| -> Option<BTreeSet<Key>> {
        let mut behind = BTreeSet::new();
        let mut next = of(start);
        while let Some(key) = next.pop() {
            let key = key.filter(|key| among.contains(key))?;
            if behind.insert(key.clone()) {
                next.extend(of(&key));
            }
        }
        Some(behind)
    };
    let in_circle = |key: &&Key| all_behind(key).is_some_and(|behind| behind.contains(*key));
    waiting.iter().find(in_circle).cloned()
}
