//! Giving operations up, by name.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::Outbox;
use crate::error::SyncError;
use crate::event::SyncEvent;
use crate::id::{EntityId, Kind, OpId};
use crate::op::OpStatus;
use crate::outbox::Entity;
use crate::owed::{self, Owed};
use crate::references::{Key, dependants};
use crate::stats::SyncStats;
use crate::store::{OpQuery, StoreTx, TxMode};

type Gone = (Kind, EntityId, Discarded);

/// What was discarded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Discarded {
    /// The operations that are gone.
    pub op_ids: Vec<OpId>,
    /// Had one of them been sent without an answer, so that the server may have it all the same?
    pub maybe_applied: bool,
    /// Entities whose operations need the creation that was to be discarded: they refer to it, or
    /// to one of these. If there are any, nothing was discarded.
    pub dependants: Vec<(Kind, EntityId)>,
}

impl Outbox {
    /// Discards all operations of one entity; the newest known server state comes into force.
    /// Waits for a run that is under way, here or in another process, so no operation is on its way
    /// to the server meanwhile; one that was sent earlier without an answer may have been applied
    /// there all the same, and the result says so.
    ///
    /// A creation that operations of other entities need stays, and the result names those
    /// ([`Discarded::dependants`]); [`Outbox::discard_with_dependants`] takes them along.
    ///
    /// # Errors
    /// [`SyncError::UnknownKind`], [`SyncError::Store`], [`SyncError::LeaseLost`],
    /// [`SyncError::ShutDown`].
    pub async fn discard(&self, kind: &Kind, id: &EntityId) -> Result<Discarded, SyncError> {
        let discard = || self.discard_alone(kind, id);
        self.engine.shared.between_runs(discard).await
    }

    /// [`Outbox::discard`], and first the operations of all entities that need this one's
    /// creation, in one transaction: all of them go or none. Each entity comes with what went of it,
    /// this one last.
    ///
    /// ```
    /// # use sync_core::{EntityId, Kind, SyncEngine, SyncError};
    /// # async fn example(engine: &SyncEngine, lists: &Kind, id: &EntityId) -> Result<(), SyncError> {
    /// let outbox = engine.outbox();
    /// let tried = outbox.discard(lists, id).await?;
    /// if !tried.dependants.is_empty() {
    ///     println!("{} entries would go with the list", tried.dependants.len());
    ///     outbox.discard_with_dependants(lists, id).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Outbox::discard`].
    pub async fn discard_with_dependants(
        &self,
        kind: &Kind,
        id: &EntityId,
    ) -> Result<Vec<(Kind, EntityId, Discarded)>, SyncError> {
        let discard = || self.discard_all(kind, id);
        self.engine.shared.between_runs(discard).await
    }

    /// [`Outbox::discard`] for every entity that has a stuck operation, in the order of the
    /// queue: also what waits behind a stuck operation goes. Each entity is a transaction of its
    /// own. Kinds that are no longer registered are passed over. A stuck creation that others need
    /// stays, and comes with its [`Discarded::dependants`].
    ///
    /// ```
    /// # async fn example(engine: &sync_core::SyncEngine) -> Result<(), sync_core::SyncError> {
    /// for (kind, id, discarded) in engine.outbox().discard_stuck().await? {
    ///     let note = if discarded.maybe_applied { ", but the server may have it" } else { "" };
    ///     println!("gave up {} edits of {kind}/{id}{note}", discarded.op_ids.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails; the entities before that stay discarded, which
    /// their [`SyncEvent::OperationsDiscarded`] told.
    pub async fn discard_stuck(&self) -> Result<Vec<(Kind, EntityId, Discarded)>, SyncError> {
        let all = Mutex::new(Vec::new());
        let discard = || self.discard_stuck_now(&all);
        self.engine.shared.between_runs(discard).await?;
        Ok(all.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// What went is noted at once: the call may begin anew when another process was faster.
    async fn discard_stuck_now(&self, all: &Mutex<Vec<Gone>>) -> Result<(), SyncError> {
        let lock = || all.lock().unwrap_or_else(PoisonError::into_inner);
        lock().retain(|(_, _, gone)| gone.dependants.is_empty());
        for (kind, id) in self.stuck_entities().await? {
            let discarded = self.discard_alone(&kind, &id).await?;
            lock().push((kind, id, discarded));
        }
        // Some of those that others needed may have been needed by stuck ones only.
        loop {
            let needed: Vec<(usize, Gone)> = lock().iter().cloned().enumerate().collect();
            let needed = needed
                .into_iter()
                .filter(|(_, (_, _, before))| !before.dependants.is_empty());
            let mut freed = false;
            for (place, (kind, id, _)) in needed {
                let discarded = self.discard_alone(&kind, &id).await?;
                freed |= discarded.dependants.is_empty();
                if let Some((_, _, own)) = lock().get_mut(place) {
                    *own = discarded;
                }
            }
            if !freed {
                return Ok(());
            }
        }
    }

    /// [`Outbox::discard_stuck`], taking along what needs a stuck creation
    /// ([`Outbox::discard_with_dependants`]).
    ///
    /// # Errors
    /// As [`Outbox::discard_stuck`].
    pub async fn discard_stuck_with_dependants(
        &self,
    ) -> Result<Vec<(Kind, EntityId, Discarded)>, SyncError> {
        let all = Mutex::new(Vec::new());
        let discard = || self.discard_stuck_along(&all);
        self.engine.shared.between_runs(discard).await?;
        Ok(all.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    async fn discard_stuck_along(&self, all: &Mutex<Vec<Gone>>) -> Result<(), SyncError> {
        for (kind, id) in self.stuck_entities().await? {
            let discarded = self.discard_all(&kind, &id).await?;
            // One may have gone with another before its turn.
            let gone = discarded
                .into_iter()
                .filter(|(_, _, discarded)| !discarded.op_ids.is_empty());
            all.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(gone);
        }
        Ok(())
    }

    /// Registered entities with a stuck operation, each once, in the order of the queue.
    async fn stuck_entities(&self) -> Result<Vec<Key>, SyncError> {
        let query = OpQuery {
            kinds: Some(self.engine.kinds()),
            status: Some(OpStatus::Stuck),
            ..OpQuery::default()
        };
        let ops = self.list(&query).await?.into_iter();
        let mut met = BTreeSet::new();
        let keys = ops.map(|op| (op.kind, op.entity_id));
        Ok(keys.filter(|key| met.insert(key.clone())).collect())
    }

    /// Discards while no run is under way, unless somebody needs the entity.
    async fn discard_alone(&self, kind: &Kind, id: &EntityId) -> Result<Discarded, SyncError> {
        let context = self.engine.context();
        context.table(kind)?;
        let mut tx = context.begin(TxMode::Write).await?;
        let key = (kind.clone(), id.clone());
        let dependants = dependants(&mut *tx, &context.references, &key).await?;
        if !dependants.is_empty() {
            return Ok(Discarded {
                dependants,
                ..Discarded::default()
            });
        }
        let (discarded, events) = self.discard_in(&mut *tx, &key).await?;
        tx.commit().await?;
        context.tell(events, &mut SyncStats::default());
        Ok(discarded)
    }

    /// Discards while no run is under way, with all that needs the entity.
    async fn discard_all(
        &self,
        kind: &Kind,
        id: &EntityId,
    ) -> Result<Vec<(Kind, EntityId, Discarded)>, SyncError> {
        let context = self.engine.context();
        context.table(kind)?;
        let mut tx = context.begin(TxMode::Write).await?;
        let key = (kind.clone(), id.clone());
        let dependants = dependants(&mut *tx, &context.references, &key).await?;
        let mut all = Vec::with_capacity(dependants.len() + 1);
        let mut events = Vec::new();
        // Children go before their parents, as a foreign key wants it.
        for key in dependants.into_iter().rev().chain([key]) {
            let (discarded, told) = self.discard_in(&mut *tx, &key).await?;
            events.extend(told);
            all.push((key.0, key.1, discarded));
        }
        tx.commit().await?;
        context.tell(events, &mut SyncStats::default());
        Ok(all)
    }

    async fn discard_in(
        &self,
        tx: &mut dyn StoreTx,
        key: &Key,
    ) -> Result<(Discarded, Vec<SyncEvent>), SyncError> {
        let (kind, id) = key;
        let context = self.engine.context();
        let table = context.table(kind)?;
        let rules = context.rules(table);
        let mut entity = Entity::load_one(tx, table, id).await?;
        let (op_ids, maybe_applied) = entity.discard(&rules);
        if entity.held_up().is_some() {
            // What the server has of it could not be read here: it is pulled anew.
            owed::put(tx, kind, Some(Owed::Due)).await?;
        }
        // After a restore, what was known is no proof that the server still has the record.
        let cursor = tx.cursor(kind).await?;
        let cursor = cursor.filter(|cursor| !cursor.is_restoring());
        let generation = cursor.map_or(0, |cursor| cursor.generation);
        context.save(tx, &mut entity, generation).await?;
        let mut events = std::mem::take(&mut entity.effects.events);
        if !op_ids.is_empty() {
            events.push(SyncEvent::OperationsDiscarded {
                kind: kind.clone(),
                entity_id: id.clone(),
                op_ids: op_ids.clone(),
            });
        }
        let discarded = Discarded {
            op_ids,
            maybe_applied,
            dependants: Vec::new(),
        };
        Ok((discarded, events))
    }
}
