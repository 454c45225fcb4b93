//! Sending the outbox: claim, mark, send, settle; no transaction is open while a request is.

mod doubt;
mod drive;
mod resolvers;
mod send;
mod taken;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use resolvers::OpenQuestions;

use crate::context::Context;
use crate::error::SyncError;
use crate::event::{SyncEvent, SyncPhase};
use crate::id::{Kind, OpId};
use crate::op::{Op, OpStatus};
use crate::outbox::{Attempt, Entity};
pub(crate) use crate::references::Key;
use crate::stats::{PhaseEnd, SyncStats};
use crate::store::{OpQuery, TxMode};
use crate::transport::PushOp;

/// The push half of one run.
pub(crate) struct PushPhase<'a> {
    context: &'a Context,
    kinds: Vec<Kind>,
    /// Operations behind this place were written during the run and wait for the next one.
    watermark: i64,
    attempts: BTreeMap<Key, Attempt>,
    /// At most so many operations of these entities go in one request.
    batch_limits: BTreeMap<Key, u32>,
    /// Entities that got no usable answer in this run.
    troubled: BTreeSet<Key>,
    /// So many entities in a row got no usable answer.
    troubled_in_a_row: u32,
    /// Kinds that wait until everything was pulled again, because the server was restored.
    pub(crate) held: Vec<Kind>,
    /// Kinds that this server surely knows: they were pulled from it, or it took operations of them.
    proven: BTreeSet<Kind>,
    questions: &'a mut OpenQuestions,
    waiting: waiting::Waiting,
    pub(crate) stats: SyncStats,
    /// Did the server answer at all, however it answered?
    pub(crate) server_answered: bool,
    end: Option<PhaseEnd>,
}

impl<'a> PushPhase<'a> {
    pub(crate) fn new(
        context: &'a Context,
        kinds: Vec<Kind>,
        questions: &'a mut OpenQuestions,
    ) -> Self {
        Self {
            context,
            kinds,
            watermark: 0,
            attempts: BTreeMap::new(),
            batch_limits: BTreeMap::new(),
            troubled: BTreeSet::new(),
            troubled_in_a_row: 0,
            held: Vec::new(),
            proven: BTreeSet::new(),
            questions,
            waiting: waiting::Waiting::default(),
            stats: SyncStats::default(),
            server_answered: false,
            end: None,
        }
    }

    /// Tries each waiting operation once.
    pub(crate) async fn run(&mut self) -> Result<PhaseEnd, SyncError> {
        self.prepare().await?;
        let classes = if planted!(UrgentSentLate) {
            vec![self.kinds.clone()]
        } else {
            self.context.priorities.classes(self.kinds.clone())
        };
        for in_trouble in [false, true] {
            for (place, kinds) in classes.iter().enumerate() {
                if place > 0 {
                    // What waited for others of its class goes before what is less urgent.
                    self.send_waiting().await?;
                }
                self.send_class(kinds, in_trouble).await?;
            }
        }
        self.send_waiting().await?;
        if self.end.is_none() {
            self.wait_for_resolvers().await?;
        }
        // A decision may have been what others waited for.
        self.send_waiting().await?;
        if self.end.is_none() {
            self.fetch_unconfirmed().await?;
        }
        self.count_troubles().await?;
        let end = if self.held.is_empty() {
            PhaseEnd::Completed
        } else {
            PhaseEnd::ServerRestored
        };
        Ok(self.end.take().unwrap_or(end))
    }

    /// Tries the waiting operations of these kinds, in the order of the queue.
    async fn send_class(&mut self, kinds: &[Kind], in_trouble: bool) -> Result<(), SyncError> {
        let mut after_seq = None;
        while self.end.is_none() {
            let mut heads = self.claim(kinds, in_trouble, after_seq).await?;
            let Some(last) = heads.last() else { break };
            after_seq = Some(last.seq);
            if planted!(OrderByClock) {
                heads.sort_by(|one, other| one.written_at.cmp(&other.written_at));
            }
            let fresh = |key: &Key| !self.attempts.contains_key(key);
            let keys: Vec<Key> = heads.into_iter().map(key_of).filter(fresh).collect();
            self.drive(keys.into()).await?;
        }
        Ok(())
    }

    /// Fixes what this run works on, and lets open conflicts take part that nobody put off.
    async fn prepare(&mut self) -> Result<(), SyncError> {
        let mut tx = self.context.begin(TxMode::Write).await?;
        for kind in std::mem::take(&mut self.kinds) {
            let cursor = tx.cursor(&kind).await?;
            let pulls = self.context.pulls(&kind);
            if self.context.was_pulled(cursor.as_ref())
                || (!pulls && taken::by_this_server(self.context, &mut *tx, &kind).await?)
            {
                self.proven.insert(kind.clone());
            }
            // What is never pulled cannot wait for it: it fetches what it needs, one by one.
            if pulls && cursor.is_some_and(|cursor| cursor.is_restoring()) {
                let waiting = OpQuery {
                    kinds: Some(vec![kind.clone()]),
                    ..OpQuery::default()
                };
                if tx.count_ops(&waiting).await? > 0 {
                    self.held.push(kind);
                }
            } else {
                self.kinds.push(kind);
            }
        }
        let all = OpQuery {
            kinds: Some(self.kinds.clone()),
            ..OpQuery::default()
        };
        let deferred = OpQuery {
            status: Some(OpStatus::Deferred),
            heads_only: true,
            ..all
        };
        let now = self.context.env.now().unix_millis();
        let longest = millis(self.context.config.backoff_max);
        for op in tx.ops(&deferred).await? {
            let entry = tx.conflicts(Some(&op.op_id)).await?.pop();
            // A time further ahead than the longest back-off comes from a clock that was wrong.
            let due = op
                .next_attempt_at
                .is_none_or(|at| at <= now || at > now.saturating_add(longest));
            let table = self.context.table(&op.kind)?;
            let can_ask = table.resolver.is_some()
                || table.strategy != crate::conflict::ConflictStrategy::Manual;
            let by_choice = entry.as_ref().is_some_and(|entry| entry.by_choice);
            if !by_choice && due && can_ask && !self.questions.is_open(&op.op_id) {
                let mut entity = Entity::load_one(&mut *tx, table, &op.entity_id).await?;
                // One that was lifted just now takes part already; what it met was not lifted.
                let waits = |head: &Op| head.status == OpStatus::Deferred;
                if entity.held_up().is_none() && entity.head().is_some_and(waits) {
                    entity.reopen_with(entry.map(|entry| entry.server));
                }
                self.context.save(&mut *tx, &mut entity, 0).await?;
            }
        }
        self.watermark = tx.last_seq().await?;
        tx.commit().await?;
        Ok(())
    }

    /// The next heads in order, healthy ones or those in trouble.
    async fn claim(
        &mut self,
        kinds: &[Kind],
        in_trouble: bool,
        after: Option<i64>,
    ) -> Result<Vec<Op>, SyncError> {
        let query = OpQuery {
            kinds: Some(kinds.to_vec()),
            heads_only: true,
            status: Some(OpStatus::Pending),
            in_trouble: Some(in_trouble),
            due_at: Some(self.context.env.now().unix_millis()),
            longest_delay: millis(self.context.config.backoff_max),
            after_seq: after,
            max_seq: Some(self.watermark),
            limit: Some(self.context.config.page_size),
            ..OpQuery::default()
        };
        let mut tx = self.context.begin(TxMode::Read).await?;
        Ok(tx.ops(&query).await?)
    }

    /// An operation that alone got no usable answer, in a run in which others got through, is
    /// perhaps poison; after several such runs it is set aside.
    async fn count_troubles(&mut self) -> Result<(), SyncError> {
        if self.stats.pushed == 0 {
            return Ok(());
        }
        for (kind, id) in std::mem::take(&mut self.troubled) {
            let table = self.context.table(&kind)?;
            let rules = self.context.rules(table);
            let mut tx = self.context.begin(TxMode::Write).await?;
            let mut entity = Entity::load_one(&mut *tx, table, &id).await?;
            entity.count_trouble(&rules);
            self.context.save(&mut *tx, &mut entity, 0).await?;
            tx.commit().await?;
            let events = std::mem::take(&mut entity.effects.events);
            self.context.tell(events, &mut self.stats);
        }
        Ok(())
    }

    fn attempt(&mut self, key: &Key) -> &mut Attempt {
        self.attempts.entry(key.clone()).or_default()
    }

    fn stop(&mut self, end: PhaseEnd) {
        if self.end.is_some() {
            return;
        }
        match &end {
            PhaseEnd::AuthRequired => self.context.events.emit(SyncEvent::AuthRequired),
            PhaseEnd::Offline { reason, .. } | PhaseEnd::Failed { reason } => {
                let (error, will_retry) = (reason.clone(), true);
                let event = SyncEvent::SyncError {
                    phase: SyncPhase::Push,
                    kind: None,
                    error,
                    will_retry,
                };
                self.context.tell(vec![event], &mut self.stats);
            }
            // The run goes on with what follows from it, and tells that.
            PhaseEnd::ServerRestored | PhaseEnd::Completed | PhaseEnd::Skipped => {}
        }
        self.end = Some(end);
    }
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn key_of(op: Op) -> Key {
    (op.kind, op.entity_id)
}

/// The operation that a request carried, to find out whether it is still the one that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sent {
    op_id: OpId,
    key: String,
}

impl Sent {
    fn of(op: &PushOp) -> Self {
        Self {
            op_id: op.op_id.clone(),
            key: op.key.clone(),
        }
    }

    /// Is this still the same operation with the same content?
    fn is(&self, op: &Op) -> bool {
        op.op_id == self.op_id && op.idempotency_key() == self.key
    }
}
