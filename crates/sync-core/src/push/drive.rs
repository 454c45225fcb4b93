//! Brings entities forward step by step until each has had its attempt.

use std::collections::VecDeque;

use super::{Key, PushPhase, Sent};
use crate::error::SyncError;
use crate::event::SyncEvent;
use crate::id::{EntityId, Kind};
use crate::op::Shadow;
use crate::outbox::{Entity, FetchWhy, Flow, Found, Next};
use crate::store::{StoreError, StoreTx, TxMode};
use crate::time::Timestamp;
use crate::transport::{FetchRequest, PushOp};
use crate::version::ServerState;

/// What a look at some entities found to be done.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) sends: Vec<(Key, PushOp)>,
    pub(super) fetches: Vec<(Key, FetchWhy)>,
}

impl PushPhase<'_> {
    /// Works until nothing is left to do for these entities, or the phase ends. An entity whose
    /// record keeps changing on the server waits until the others are through, and then a little.
    pub(super) async fn drive(&mut self, mut queue: VecDeque<Key>) -> Result<(), SyncError> {
        let mut contended: VecDeque<Key> = VecDeque::new();
        while self.end.is_none() {
            if queue.is_empty() {
                if contended.is_empty() {
                    return Ok(());
                }
                self.context
                    .env
                    .sleep(self.context.config.conflict_retry_delay)
                    .await;
                queue.append(&mut contended);
            }
            for key in self.step(&mut queue).await? {
                let rounds = self.attempts.get(&key).map_or(0, |attempt| attempt.rounds);
                // One that used up its rounds is only to be put off.
                let list = if (2..=self.context.config.max_conflict_retries).contains(&rounds) {
                    &mut contended
                } else {
                    &mut queue
                };
                list.push_back(key);
            }
            queue.extend(self.take_answers().await?);
        }
        Ok(())
    }

    /// One look at some entities, and the requests that follow from it; returns those that are to
    /// be looked at again.
    async fn step(&mut self, queue: &mut VecDeque<Key>) -> Result<Vec<Key>, SyncError> {
        let batch = self.take(queue);
        let plan = self.look(&batch).await?;
        let mut again = Vec::new();
        for (key, why) in plan.fetches {
            if self.end.is_some() {
                break;
            }
            if self.fetch(&key, why, None).await? {
                again.push(key);
            }
        }
        if self.end.is_some() {
            // A fetch has ended the phase: what was marked does not leave any more.
            for (key, op) in plan.sends {
                self.take_back(&key, &Sent::of(&op), false).await?;
            }
            return Ok(again);
        }
        again.extend(self.send(plan.sends).await?);
        Ok(again)
    }

    /// As many entities as one request, or one round of parallel requests, can take.
    fn take(&self, queue: &mut VecDeque<Key>) -> Vec<Key> {
        let batch = self.context.transport.capabilities().max_batch;
        let limit = if batch > 1 {
            let first = queue.front().and_then(|key| self.batch_limits.get(key));
            first.copied().unwrap_or(batch).min(batch) as usize
        } else {
            self.context.config.push_concurrency
        };
        let count = limit.clamp(1, queue.len().max(1));
        queue.drain(..count.min(queue.len())).collect()
    }

    /// Looks at entities in one transaction: conflicts are judged, heads that will leave are
    /// marked, and the marks are on disk before anything leaves.
    async fn look(&mut self, keys: &[Key]) -> Result<Plan, SyncError> {
        let context = self.context;
        let features = context.features();
        let mut plan = Plan::default();
        let mut questions = Vec::new();
        let mut events = Vec::new();
        let mut tx = context.begin(TxMode::Durable).await?;
        let held = self.held_back(&mut *tx, keys).await?;
        for key in keys.iter().filter(|key| !held.contains(*key)) {
            let (kind, id) = key;
            let table = context.table(kind)?;
            let rules = context.rules(table);
            let mut entity = Entity::load_one(&mut *tx, table, id).await?;
            let watermark = self.watermark;
            let next = entity.next(self.attempt(key), &features, watermark, &rules);
            let generation = generation(&mut *tx, kind).await?;
            match next {
                Next::Nothing => {}
                Next::Fetch(why) => plan.fetches.push((key.clone(), why)),
                Next::Ask(conflict) => questions.push((key.clone(), conflict)),
                Next::Send(op, body) => {
                    if context.references.concern(kind) {
                        // What was judged just now may refer to more than what was written first.
                        context.save(&mut *tx, &mut entity, generation).await?;
                        if !self.held_back(&mut *tx, [key]).await?.is_empty() {
                            events.append(&mut entity.effects.events);
                            continue;
                        }
                    }
                    entity.mark_sent(body, self.attempt(key));
                    plan.sends.push((key.clone(), *op));
                    planted!(ParallelOps => for op in entity.send_tails(watermark, &rules) {
                        plan.sends.push((key.clone(), op));
                    });
                }
            }
            context.save(&mut *tx, &mut entity, generation).await?;
            events.append(&mut entity.effects.events);
        }
        tx.commit().await?;
        context.tell(events, &mut self.stats);
        for (key, conflict) in questions {
            self.ask(key, *conflict);
        }
        Ok(plan)
    }

    /// Fetches the server's record of an entity and judges its head by it. `true`: look again.
    pub(super) async fn fetch(
        &mut self,
        key: &Key,
        why: FetchWhy,
        time: Option<Timestamp>,
    ) -> Result<bool, SyncError> {
        let request = FetchRequest::new(key.0.clone(), key.1.clone());
        let state = match self.context.transport.fetch(request).await {
            Ok(answer) => {
                self.server_answered = true;
                self.context.observe_state(answer)
            }
            Err(error) => {
                self.request_failed(vec![(key.clone(), None)], &error)
                    .await?;
                return Ok(false);
            }
        };
        let proves_nothing = state == ServerState::gone() && !self.proven.contains(&key.0);
        let features = self.context.features();
        let flow = self
            .with_entity(key, |entity, attempt, rules| match why {
                // That a new record is not there yet is no wonder even at a wrong address.
                _ if proves_nothing && !(why == FetchWhy::Unchecked && entity.creates()) => entity
                    .protocol_error(
                        "404 for a kind that was never pulled from this server: check its address",
                    ),
                FetchWhy::UnknownBase => {
                    let flow = entity.fetched_base(state, rules);
                    attempt.checked = true;
                    attempt.rounds += 1;
                    flow
                }
                FetchWhy::Unchecked => entity.fetched_before_push(state, attempt, &features, rules),
                FetchWhy::Conflict => {
                    attempt.rounds += 1;
                    attempt.answered = true;
                    let flow = entity.conflict(
                        Found::answered(state.clone(), time.clone(), attempt.fate_before),
                        rules,
                    );
                    if flow == Flow::Again {
                        attempt.last_conflict = Some(Box::new(entity.describe(state, time)));
                    }
                    flow
                }
            })
            .await?;
        Ok(self.go_on(key, flow))
    }

    /// Changes one entity in a transaction of its own.
    pub(super) async fn with_entity(
        &mut self,
        key: &Key,
        change: impl FnOnce(&mut Entity, &mut crate::outbox::Attempt, &crate::outbox::Rules<'_>) -> Flow,
    ) -> Result<Flow, SyncError> {
        let context = self.context;
        let table = context.table(&key.0)?;
        let rules = context.rules(table);
        let mut tx = context.begin(TxMode::Write).await?;
        let mut entity = Entity::load_one(&mut *tx, table, &key.1).await?;
        let flow = change(&mut entity, self.attempt(key), &rules);
        let generation = generation(&mut *tx, &key.0).await?;
        context.save(&mut *tx, &mut entity, generation).await?;
        tx.commit().await?;
        let events: Vec<SyncEvent> = std::mem::take(&mut entity.effects.events);
        context.tell(events, &mut self.stats);
        Ok(flow)
    }

    /// Is there more to do for this entity in this run?
    pub(super) fn go_on(&mut self, key: &Key, flow: Flow) -> bool {
        match flow {
            Flow::Again | Flow::Settled => true,
            Flow::Stop => false,
            Flow::Ask(conflict) => {
                self.ask(key.clone(), *conflict);
                false
            }
        }
    }

    /// Acknowledged without a record, and a pull brought something since: the fetch decides.
    pub(super) async fn fetch_unconfirmed(&mut self) -> Result<(), SyncError> {
        for kind in self.kinds.clone() {
            let mut after = None;
            loop {
                let (waiting, last) = self.unconfirmed(&kind, after.as_ref()).await?;
                for id in waiting {
                    self.confirm(&(kind.clone(), id)).await?;
                    if self.end.is_some() {
                        return Ok(());
                    }
                }
                let Some(last) = last else { break };
                after = Some(last);
            }
        }
        Ok(())
    }

    /// A page of entities that wait for a fetch, and where the page ends.
    async fn unconfirmed(
        &mut self,
        kind: &Kind,
        after: Option<&EntityId>,
    ) -> Result<(Vec<EntityId>, Option<EntityId>), SyncError> {
        let mut tx = self.context.begin(TxMode::Read).await?;
        let page_size = self.context.config.page_size;
        let idle = tx.idle_shadows(kind, after, page_size).await?;
        let last = idle.last().map(|shadow| shadow.entity_id.clone());
        // What the table refused is known: it waits in quarantine, not for an answer.
        let keys = idle.iter().map(|shadow| shadow.entity_id.to_string());
        let keys: Vec<String> = keys.collect();
        let refused = tx.quarantined_of(kind, &keys).await?;
        let is_refused = |id: &EntityId| refused.iter().any(|entry| entry.key == id.as_str());
        let waits = |shadow: &Shadow| shadow.parked.is_some() && !is_refused(&shadow.entity_id);
        let waiting = idle.into_iter().filter(waits);
        Ok((waiting.map(|shadow| shadow.entity_id).collect(), last))
    }

    /// Fetches the record of an entity that was acknowledged without one.
    pub(super) async fn confirm(&mut self, key: &Key) -> Result<(), SyncError> {
        let request = FetchRequest::new(key.0.clone(), key.1.clone());
        match self.context.transport.fetch(request).await {
            Ok(answer) => {
                let state = self.context.observe_state(answer);
                if state == ServerState::gone() && !self.proven.contains(&key.0) {
                    return Ok(());
                }
                self.with_entity(key, |entity, _, rules| {
                    entity.fetched_idle(&state, rules);
                    Flow::Settled
                })
                .await?;
            }
            Err(error) => self.request_failed(Vec::new(), &error).await?,
        }
        Ok(())
    }
}

/// Which generation of full pulls a row belongs to that is written now.
pub(super) async fn generation(tx: &mut dyn StoreTx, kind: &Kind) -> Result<u32, StoreError> {
    Ok(tx.cursor(kind).await?.map_or(0, |cursor| cursor.generation))
}
