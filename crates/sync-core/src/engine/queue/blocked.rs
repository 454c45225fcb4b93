//! Operations that cannot go, and what each of them waits for.

use std::collections::{BTreeMap, BTreeSet};

use super::Outbox;
use crate::error::SyncError;
use crate::id::{EntityId, Kind, OpId};
use crate::op::{Op, OpStatus};
use crate::references::{Key, Obstacle, Queues};
use crate::store::{OpQuery, StoreTx, TxMode};
use crate::table::Table;

/// An operation that no run will send before somebody acts or something else comes. Nothing counts
/// against it meanwhile.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BlockedOperation {
    /// The operation.
    pub op: Op,
    /// What is in its way.
    pub by: BlockedBy,
}

/// What is in an operation's way.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum BlockedBy {
    /// An operation that is stuck, or in a conflict that waits for a decision: an older one of the
    /// same entity, the creation of a parent, or one of a child that a deletion waits for. It may be
    /// some steps away: of a child whose parent waits for a grandparent it is the grandparent's.
    Operation(Box<Op>),
    /// It refers to an entity that has no operation and that the server is not known to have,
    /// perhaps because its creation was discarded. It goes when a pull brings that entity, or somebody creates it.
    MissingParent {
        /// The entity's kind.
        kind: Kind,
        /// The entity.
        id: EntityId,
    },
    /// Its kind is not registered any more.
    UnregisteredKind,
    /// Its kind is only pulled now ([`crate::Direction::PullOnly`]): it goes when that changes, or
    /// somebody discards it.
    PullOnly,
}

impl Outbox {
    /// Every operation that is blocked, in the order of the queue, with what is in its way. One that
    /// merely waits for its turn, or for others that wait for theirs, is not among them; nor is one
    /// that is stuck itself ([`Outbox::stuck`]).
    ///
    /// ```
    /// # use sync_core::{BlockedBy, SyncEngine, SyncError};
    /// # async fn example(engine: &SyncEngine) -> Result<(), SyncError> {
    /// for blocked in engine.outbox().blocked().await? {
    ///     let what = format!("{}/{}", blocked.op.kind, blocked.op.entity_id);
    ///     match blocked.by {
    ///         BlockedBy::Operation(op) => println!("{what} waits for {}/{}", op.kind, op.entity_id),
    ///         BlockedBy::MissingParent { kind, id } => println!("{what}: {kind}/{id} is missing"),
    ///         other => println!("{what}: {other:?}"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn blocked(&self) -> Result<Vec<BlockedOperation>, SyncError> {
        let mut tx = self.engine.context().store.begin(TxMode::Read).await?;
        self.blocked_in(&mut *tx).await
    }

    pub(super) async fn blocked_in(
        &self,
        tx: &mut dyn StoreTx,
    ) -> Result<Vec<BlockedOperation>, SyncError> {
        let context = self.engine.context();
        let queues = Queues::all(tx, None).await?;
        let references = &context.references;
        let mut obstacles = queues.behind_parents(tx, references).await?;
        for (key, children) in queues.behind_children(tx, references).await? {
            obstacles.entry(key).or_default().extend(children);
        }
        let mut blocked = Vec::new();
        for (key, ops) in queues.iter() {
            let by = match context.tables.get(&key.0) {
                Some(table) if table.direction.pushes() => {
                    let is_sent = |kind: &Kind| context.table(kind).is_ok_and(Table::pushes);
                    root_of(key, &queues, &obstacles, is_sent)
                }
                Some(_) => Some(BlockedBy::PullOnly),
                None => Some(BlockedBy::UnregisteredKind),
            };
            let Some(by) = by else { continue };
            let others = ops.iter().filter(|op| !is_itself(op, &by));
            blocked.extend(others.map(|op| BlockedOperation {
                op: op.clone(),
                by: by.clone(),
            }));
        }
        blocked.sort_by_key(|blocked| blocked.op.seq);
        Ok(blocked)
    }

    /// Which operation holds this one up: the oldest one of its entity, if that is stuck or in a
    /// conflict that waits for a decision, or one of an entity that it refers to or that refers to
    /// it ([`Outbox::blocked`] says more). `None`: nothing does, or there is no such operation.
    ///
    /// # Errors
    /// [`SyncError::Store`] if the database fails.
    pub async fn blocked_by(&self, op_id: &OpId) -> Result<Option<Op>, SyncError> {
        let mut tx = self.engine.context().store.begin(TxMode::Read).await?;
        let query = OpQuery {
            op_id: Some(op_id.clone()),
            ..OpQuery::default()
        };
        let Some(op) = tx.ops(&query).await?.pop() else {
            return Ok(None);
        };
        let of_entity = OpQuery::of(&op.kind, std::slice::from_ref(&op.entity_id));
        let head = tx.ops(&of_entity).await?.into_iter().next();
        drop(tx);
        let holds_up = |head: &Op| head.op_id != *op_id && head.status != OpStatus::Pending;
        let head = head.filter(holds_up);
        if head.is_some() || !self.engine.context().references.concern(&op.kind) {
            return Ok(head);
        }
        let mut blocked = self.blocked().await?.into_iter();
        Ok(blocked
            .find(|blocked| blocked.op.op_id == *op_id)
            .and_then(|blocked| match blocked.by {
                BlockedBy::Operation(op) => Some(*op),
                BlockedBy::MissingParent { .. }
                | BlockedBy::UnregisteredKind
                | BlockedBy::PullOnly => None,
            }))
    }
}

fn is_itself(op: &Op, by: &BlockedBy) -> bool {
    matches!(by, BlockedBy::Operation(head) if head.op_id == op.op_id)
}

/// What an entity waits for in the end, if that is something that no run will clear away.
fn root_of(
    key: &Key,
    queues: &Queues,
    obstacles: &BTreeMap<Key, Vec<Obstacle>>,
    is_sent: impl Fn(&Kind) -> bool,
) -> Option<BlockedBy> {
    let mut met = BTreeSet::new();
    let mut next = vec![key.clone()];
    while let Some(key) = next.pop() {
        let head = queues.ops_of(&key).first();
        let stays = |head: &&Op| head.status != OpStatus::Pending || !is_sent(&head.kind);
        if let Some(head) = head.filter(stays) {
            return Some(BlockedBy::Operation(Box::new(head.clone())));
        }
        for obstacle in obstacles.get(&key).into_iter().flatten() {
            match obstacle {
                Obstacle::MissingParent((kind, id)) => {
                    let (kind, id) = (kind.clone(), id.clone());
                    return Some(BlockedBy::MissingParent { kind, id });
                }
                Obstacle::Operation(op) => {
                    let key = (op.kind.clone(), op.entity_id.clone());
                    if met.insert(key.clone()) {
                        next.push(key);
                    }
                }
            }
        }
    }
    None
}
