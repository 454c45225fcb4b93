//! How far the edits of single entities are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::engine::SyncEngine;
use crate::error::SyncError;
use crate::id::{EntityId, Kind, OpId};
use crate::op::{Fate, Op, OpStatus};
use crate::store::{OpQuery, TxMode};
use crate::table::Table;

/// How far the waiting edits of an entity are: what an app shows beside a row. It is the state of
/// the oldest of them, which the others follow.
///
/// On SQLite the view `sync_entity_states (kind, entity_id, state)` says the same for SQL joins,
/// with two differences: an entity without operations has no entry, and what is
/// [`EntityState::Blocked`] here is `pending` or `sending` there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntityState {
    /// No edit waits: the row is what the server was last known to have, as far as it was pulled.
    Synced,
    /// An edit waits for its turn, or for its next attempt.
    Pending,
    /// An edit has left, and its answer is not there yet, or never came: it is repeated, and takes
    /// effect once.
    Sending,
    /// An edit is in a conflict that waits for a decision ([`crate::Conflicts::open`]).
    Conflict,
    /// An edit waits for something that no run will clear away ([`crate::Outbox::blocked`]).
    Blocked,
    /// An edit was set aside: the server refused it too often, or never gave a usable answer
    /// ([`crate::Outbox::stuck`]).
    Stuck,
}

impl EntityState {
    /// The state as the view `sync_entity_states` writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Conflict => "conflict",
            Self::Blocked => "blocked",
            Self::Stuck => "stuck",
        }
    }

    fn of(head: &Op, blocked: &BTreeSet<OpId>) -> Self {
        match head.status {
            OpStatus::Stuck => Self::Stuck,
            OpStatus::Deferred => Self::Conflict,
            OpStatus::Pending if blocked.contains(&head.op_id) => Self::Blocked,
            OpStatus::Pending if head.fate == Fate::Unknown => Self::Sending,
            OpStatus::Pending => Self::Pending,
        }
    }
}

impl fmt::Display for EntityState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl SyncEngine {
    /// How far the waiting edits of this entity are.
    ///
    /// ```
    /// # use sync_core::{EntityId, EntityState, Kind, SyncEngine, SyncError};
    /// # async fn example(engine: &SyncEngine, todos: &Kind, milk: &EntityId) -> Result<(), SyncError> {
    /// let mark = match engine.state(todos, milk).await? {
    ///     EntityState::Synced => "",
    ///     EntityState::Conflict | EntityState::Stuck => "!",
    ///     _ => "…",
    /// };
    /// println!("milk {mark}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SyncError::UnknownKind`] if no table is registered for the kind and nothing of it waits;
    /// [`SyncError::Store`] if the database fails.
    pub async fn state(&self, kind: &Kind, id: &EntityId) -> Result<EntityState, SyncError> {
        let states = self.states(kind, std::slice::from_ref(id)).await?;
        Ok(states
            .first()
            .map_or(EntityState::Synced, |(_, state)| *state))
    }

    /// The same for many entities of a kind, in the order of `ids`, each once, by one look at the
    /// database and a bounded number of statements.
    ///
    /// # Errors
    /// [`SyncError::UnknownKind`] if no table is registered for the kind and nothing of it waits;
    /// [`SyncError::Store`] if the database fails.
    pub async fn states(
        &self,
        kind: &Kind,
        ids: &[EntityId],
    ) -> Result<Vec<(EntityId, EntityState)>, SyncError> {
        let context = self.context();
        let mut tx = context.store.begin(TxMode::Read).await?;
        let query = OpQuery {
            heads_only: true,
            ..OpQuery::of(kind, ids)
        };
        let heads = tx.ops(&query).await?;
        if heads.is_empty() {
            // A misspelt kind must not look as if all were well.
            context.table(kind)?;
        }
        let is_pending = |head: &Op| head.status == OpStatus::Pending;
        let is_sent = context.tables.get(kind).is_some_and(Table::pushes);
        let may_be_blocked = context.references.concern(kind) || !is_sent;
        let mut blocked = BTreeSet::new();
        if may_be_blocked && heads.iter().any(is_pending) {
            let all = self.outbox().blocked_in(&mut *tx).await?;
            blocked.extend(all.into_iter().map(|blocked| blocked.op.op_id));
        }
        let mut states: BTreeMap<&EntityId, EntityState> = BTreeMap::new();
        for head in &heads {
            states.insert(&head.entity_id, EntityState::of(head, &blocked));
        }
        let mut met = BTreeSet::new();
        let distinct = ids.iter().filter(|id| met.insert(*id));
        let state = |id: &EntityId| states.get(id).copied().unwrap_or(EntityState::Synced);
        Ok(distinct.map(|id| (id.clone(), state(id))).collect())
    }
}
