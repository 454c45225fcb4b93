//! Has it arrived? What became of that which was queued at the time of a call.

use std::collections::BTreeSet;

use super::turn::Request;
use super::{SyncEngine, SyncOptions};
use crate::error::SyncError;
use crate::id::{EntityId, Kind, OpId};
use crate::op::{Op, OpStatus};
use crate::stats::{PhaseEnd, SyncReport};
use crate::store::{OpQuery, TxMode};

/// How far that has come which was queued when somebody asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Delivery {
    /// The server has it, or a strategy decided that it need not have it.
    Synced,
    /// Something was set aside and waits until somebody acts: see
    /// [`crate::Outbox::stuck`].
    Stuck,
    /// Something is in a conflict that waits for a decision: see [`crate::Conflicts::open`].
    Conflict,
    /// Something else has to come first: the operations belong to a kind that is not registered or
    /// is only pulled ([`crate::Direction::PullOnly`]), or to an entity that refers to one that the server does not have yet: see
    /// [`crate::Outbox::blocked`].
    Blocked,
    /// The server cannot be reached, serves nobody now, or wants other credentials.
    Offline,
    /// The server refused it, or gave no usable answer; it is tried again without anybody acting.
    Retrying,
}

impl Delivery {
    /// Of several, the one that says most: who is offline knows nothing of the rest, and what
    /// waits for somebody comes before what goes on by itself.
    fn rank(self) -> u8 {
        match self {
            Self::Synced => 0,
            Self::Retrying => 1,
            Self::Blocked => 2,
            Self::Conflict => 3,
            Self::Stuck => 4,
            Self::Offline => 5,
        }
    }
}

impl SyncEngine {
    /// Has the server got what was queued of this entity? If something waits, the outbox is sent
    /// first. What is queued after the call is not waited for. Tries once: what is
    /// [`Delivery::Offline`] or [`Delivery::Retrying`] goes out with a later run.
    ///
    /// ```
    /// # use sync_core::{Delivery, EntityId, Kind, SyncEngine, SyncError};
    /// # async fn example(engine: &SyncEngine, order: &EntityId) -> Result<(), SyncError> {
    /// match engine.synced(&Kind::new("orders")?, order).await? {
    ///     Delivery::Synced => println!("the kitchen has it"),
    ///     Delivery::Offline => println!("it goes out as soon as there is a connection"),
    ///     Delivery::Stuck => println!("the kitchen does not take it, please look at it"),
    ///     other => println!("not yet: {other:?}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`SyncEngine::sync`].
    pub async fn synced(&self, kind: &Kind, id: &EntityId) -> Result<Delivery, SyncError> {
        let mut query = OpQuery::of(kind, std::slice::from_ref(id));
        query.heads_only = true;
        if self.heads(&query).await?.is_empty() {
            return Ok(Delivery::Synced);
        }
        query.max_seq = Some(self.last_seq().await?);
        let report = self.run_for(SyncOptions::default().no_pull()).await?;
        let heads = self.heads(&query).await?;
        self.worst(&heads, &report).await
    }

    /// Has the server got everything that was queued, and is everything here that the server has?
    /// Runs once, and tells of several obstacles the gravest: offline, stuck, in conflict,
    /// blocked. What is queued after the call is not waited for.
    ///
    /// ```
    /// # use sync_core::{Delivery, SyncEngine, SyncError};
    /// # async fn example(engine: &SyncEngine) -> Result<(), SyncError> {
    /// if engine.caught_up().await? == Delivery::Synced {
    ///     println!("this device may be switched off");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`SyncEngine::sync`].
    pub async fn caught_up(&self) -> Result<Delivery, SyncError> {
        let query = OpQuery {
            heads_only: true,
            max_seq: Some(self.last_seq().await?),
            ..OpQuery::default()
        };
        let report = self.run_for(SyncOptions::default()).await?;
        let run = [&report.push, &report.pull].map(how_it_ended);
        let heads = self.heads(&query).await?;
        let queue = self.worst(&heads, &report).await?;
        let all = run.into_iter().chain([queue]);
        Ok(all
            .max_by_key(|delivery| delivery.rank())
            .unwrap_or(Delivery::Synced))
    }

    async fn run_for(&self, options: SyncOptions) -> Result<SyncReport, SyncError> {
        let resync = None;
        self.shared.request(Request { options, resync }).await
    }

    async fn last_seq(&self) -> Result<i64, SyncError> {
        let mut tx = self.context().store.begin(TxMode::Read).await?;
        Ok(tx.last_seq().await?)
    }

    async fn heads(&self, query: &OpQuery) -> Result<Vec<Op>, SyncError> {
        let mut tx = self.context().store.begin(TxMode::Read).await?;
        Ok(tx.ops(query).await?)
    }

    async fn worst(&self, heads: &[Op], report: &SyncReport) -> Result<Delivery, SyncError> {
        if heads.is_empty() {
            return Ok(Delivery::Synced);
        }
        let blocked = self.outbox().blocked().await?.into_iter();
        let blocked: BTreeSet<OpId> = blocked.map(|blocked| blocked.op.op_id).collect();
        let states = heads.iter().map(|head| state_of(head, &blocked, report));
        Ok(states
            .max_by_key(|delivery| delivery.rank())
            .unwrap_or(Delivery::Synced))
    }
}

/// Why this oldest operation of an entity still waits after a run.
fn state_of(head: &Op, blocked: &BTreeSet<OpId>, report: &SyncReport) -> Delivery {
    match head.status {
        OpStatus::Stuck => Delivery::Stuck,
        OpStatus::Deferred => Delivery::Conflict,
        OpStatus::Pending if blocked.contains(&head.op_id) => Delivery::Blocked,
        OpStatus::Pending => match how_it_ended(&report.push) {
            Delivery::Synced => Delivery::Retrying,
            other => other,
        },
    }
}

fn how_it_ended(end: &PhaseEnd) -> Delivery {
    match end {
        PhaseEnd::Completed | PhaseEnd::Skipped => Delivery::Synced,
        PhaseEnd::Offline { .. } | PhaseEnd::AuthRequired => Delivery::Offline,
        PhaseEnd::ServerRestored | PhaseEnd::Failed { .. } => Delivery::Retrying,
    }
}
