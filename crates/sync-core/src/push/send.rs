//! Sends requests and settles their answers.

use futures::stream::{self, StreamExt};

use super::drive::generation;
use super::{Key, PushPhase, Sent};
use crate::answer::{AnswerClass, classify, classify_error};
use crate::error::SyncError;
use crate::event::SyncEvent;
use crate::op::Fate;
use crate::outbox::{Attempt, Entity, FetchWhy, Flow, Found, Rules};
use crate::stats::PhaseEnd;
use crate::store::TxMode;
use crate::time::Timestamp;
use crate::transport::{
    PushOp, PushOutcome, PushRequest, PushResult, TransportError, TransportErrorKind,
};
use crate::version::ServerState;

/// So many entities in a row without a usable answer speak of the network, not of them.
const TROUBLED_ENTITIES: u32 = 3;

/// How one entity goes on after its answer.
enum After {
    Flow(Flow),
    Fetch(Option<Timestamp>),
    End(PhaseEnd),
}

impl PushPhase<'_> {
    /// Sends what was marked; returns the entities that are to be looked at again.
    pub(super) async fn send(&mut self, sends: Vec<(Key, PushOp)>) -> Result<Vec<Key>, SyncError> {
        let context = self.context;
        let batches = context.transport.capabilities().max_batch > 1;
        let forced_too = context.features().force();
        let (mut together, mut alone) = (Vec::new(), Vec::new());
        for (key, op) in sends {
            let forced = op.precondition == crate::op::Precondition::Force;
            let fits = self.batch_limits.get(&key).is_none_or(|limit| *limit > 1);
            if batches && fits && (forced_too || !forced) {
                together.push((key, op));
            } else {
                alone.push(vec![(key, op)]);
            }
        }
        if !together.is_empty() {
            alone.insert(0, together);
        }
        let requests = stream::iter(alone).map(|ops| async move {
            let (keys, ops): (Vec<Key>, Vec<PushOp>) = ops.into_iter().unzip();
            let sent: Vec<Sent> = ops.iter().map(Sent::of).collect();
            let answer = context.transport.push(PushRequest::new(ops)).await;
            let unanswered = match &answer {
                Ok(answer) => answer.unanswered_before,
                Err(error) => error.unanswered_before(),
            };
            let date = answer
                .as_ref()
                .ok()
                .and_then(|answer| answer.server_date.clone());
            let answer = answer.map(|answer| context.observe_results(answer));
            (
                keys,
                sent,
                unanswered,
                answer.map(|results| (results, date)),
            )
        });
        let mut requests =
            std::pin::pin!(requests.buffer_unordered(context.config.push_concurrency.max(1)));
        let mut again = Vec::new();
        // Every request that left is settled, even when an earlier answer ends the phase.
        while let Some((keys, sent, unanswered, answer)) = requests.next().await {
            if unanswered {
                // An attempt that the layers below repeated may have taken effect.
                for key in &keys {
                    self.attempt(key).fate_before = Fate::Unknown;
                }
            }
            match answer {
                Ok((results, date)) => {
                    self.server_answered = true;
                    again.extend(self.settle(keys, &sent, results, date.as_ref()).await?);
                }
                Err(error) => again.extend(self.push_failed(keys, sent, &error).await?),
            }
        }
        Ok(again)
    }

    /// Settles the answers of one request in one transaction.
    async fn settle(
        &mut self,
        keys: Vec<Key>,
        sent: &[Sent],
        results: Vec<PushResult>,
        date: Option<&Timestamp>,
    ) -> Result<Vec<Key>, SyncError> {
        let context = self.context;
        let mut results: std::collections::BTreeMap<String, PushOutcome> = results
            .into_iter()
            .map(|result| (result.key, result.outcome))
            .collect();
        let mut afters = Vec::with_capacity(keys.len());
        let mut events = Vec::new();
        let before = self.stats;
        let mut tx = context.begin(TxMode::Write).await?;
        for (key, sent) in keys.into_iter().zip(sent) {
            let table = context.table(&key.0)?;
            let rules = context.rules(table);
            let mut entity = Entity::load_one(&mut *tx, table, &key.1).await?;
            planted!(VerdictNotDurable => entity.recall_verdict(self.attempt(&key)););
            let outcome = results
                .remove(&sent.key)
                .unwrap_or_else(|| PushOutcome::Trouble {
                    message: "the answer has no result for this operation".to_owned(),
                });
            let after = if self.answers_another(&entity, sent, &outcome, date) {
                After::Flow(entity.doubt())
            } else {
                self.settle_one(&key, &mut entity, sent, outcome, &rules)
            };
            let generation = generation(&mut *tx, &key.0).await?;
            context.save(&mut *tx, &mut entity, generation).await?;
            events.append(&mut entity.effects.events);
            afters.push((key, after));
        }
        let proven = self.note_taken(&mut *tx, &events).await?;
        tx.commit().await?;
        self.proven.extend(proven);
        let size = afters.len() as u64;
        context.tell(events, &mut self.stats);
        context.events.emit(SyncEvent::PushBatchProcessed {
            batch_size: size,
            success_count: self.stats.pushed - before.pushed,
            error_count: self.stats.errors - before.errors,
            conflict_count: self.stats.conflicts - before.conflicts,
        });
        let mut again = Vec::new();
        for (key, after) in afters {
            match after {
                After::Flow(flow) => {
                    if self.go_on(&key, flow) {
                        again.push(key);
                    }
                }
                After::Fetch(time) => {
                    if self.end.is_none() && self.fetch(&key, FetchWhy::Conflict, time).await? {
                        again.push(key);
                    }
                }
                After::End(end) => self.stop(end),
            }
        }
        Ok(again)
    }

    fn settle_one(
        &mut self,
        key: &Key,
        entity: &mut Entity,
        sent: &Sent,
        outcome: PushOutcome,
        rules: &Rules<'_>,
    ) -> After {
        let Some(head) = entity.head().filter(|head| sent.is(head)) else {
            // Gone meanwhile: what the answer brings is treated like a pulled record.
            if let PushOutcome::Accepted { state: Some(state) } = outcome {
                return After::Flow(entity.pulled(state, rules));
            }
            return After::Flow(Flow::Stop);
        };
        let class = classify(head, Ok(&outcome), self.proven.contains(&key.0));
        self.note_trouble(key, class);
        let attempt = self.attempts.entry(key.clone()).or_default();
        act(entity, attempt, class, outcome, rules)
    }

    /// Entities without a usable answer, one after another, mean that nobody gets one.
    fn note_trouble(&mut self, key: &Key, class: AnswerClass) {
        if class != AnswerClass::OpTrouble {
            self.troubled_in_a_row = 0;
            return;
        }
        self.troubled.insert(key.clone());
        self.count_trouble_in_a_row();
    }

    fn count_trouble_in_a_row(&mut self) {
        self.troubled_in_a_row += 1;
        if self.troubled_in_a_row >= TROUBLED_ENTITIES && self.end.is_none() {
            let reason = "several operations in a row got no usable answer".to_owned();
            self.stop(PhaseEnd::Offline {
                reason,
                retry_after: None,
            });
        }
    }

    /// The request as a whole failed.
    async fn push_failed(
        &mut self,
        keys: Vec<Key>,
        sent: Vec<Sent>,
        error: &TransportError,
    ) -> Result<Vec<Key>, SyncError> {
        let class = classify_error(error.kind());
        if keys.len() > 1 {
            // What is said of a batch says nothing of its operations.
            let limit = match class {
                AnswerClass::Refused => Some(1),
                AnswerClass::OpTrouble => u32::try_from(keys.len() / 2).ok(),
                _ => None,
            };
            if let Some(limit) = limit {
                let untouched = class == AnswerClass::Refused;
                for (key, sent) in keys.iter().zip(&sent) {
                    self.batch_limits.insert(key.clone(), limit.max(1));
                    if untouched {
                        self.take_back(key, sent, error.maybe_sent()).await?;
                    }
                }
                if error.status().is_none() && !untouched {
                    // Silence speaks of the network; an answer of the batch that it met.
                    self.count_trouble_in_a_row();
                }
                return Ok(keys);
            }
        }
        let of_push = keys.into_iter().zip(sent.into_iter().map(Some));
        self.request_failed(of_push.collect(), error).await?;
        Ok(Vec::new())
    }

    /// The attempt under way did not take effect: what was known before it holds again.
    pub(super) async fn take_back(
        &mut self,
        key: &Key,
        sent: &Sent,
        was_sent: bool,
    ) -> Result<(), SyncError> {
        self.with_entity(key, |entity, attempt, _| {
            if !entity.head().is_some_and(|head| sent.is(head)) {
                return Flow::Stop;
            }
            if was_sent {
                entity.answered_negatively(attempt.fate_before);
            } else {
                entity.unmark_sent(attempt);
            }
            Flow::Stop
        })
        .await?;
        Ok(())
    }

    /// A request for these entities got no answer: they wait, or everything does. Without an
    /// operation it was a fetch.
    pub(super) async fn request_failed(
        &mut self,
        failed: Vec<(Key, Option<Sent>)>,
        error: &TransportError,
    ) -> Result<(), SyncError> {
        let class = classify_error(error.kind());
        self.server_answered |= error.status().is_some();
        let message = error.in_full();
        for (key, sent) in failed {
            let (nothing_left, reading) = (!error.maybe_sent(), sent.is_none());
            self.with_entity(&key, |entity, attempt, rules| {
                if !sent.is_none_or(|sent| entity.head().is_some_and(|head| sent.is(head))) {
                    // Gone meanwhile; what waits now was not in this request.
                    return Flow::Stop;
                }
                if nothing_left && !reading {
                    entity.unmark_sent(attempt);
                }
                match class {
                    AnswerClass::OpTrouble => entity.trouble(&message, rules),
                    AnswerClass::Refused if reading => entity.trouble(&message, rules),
                    AnswerClass::Refused => {
                        entity.answered_negatively(attempt.fate_before);
                        entity.refuse(&message, rules)
                    }
                    AnswerClass::ProtocolError => entity.protocol_error(&message),
                    AnswerClass::Auth if !reading => {
                        entity.answered_negatively(attempt.fate_before);
                        Flow::Stop
                    }
                    _ => Flow::Stop,
                }
            })
            .await?;
            let told_nothing = reading && class == AnswerClass::Refused;
            self.note_trouble(
                &key,
                if told_nothing {
                    AnswerClass::OpTrouble
                } else {
                    class
                },
            );
        }
        match class {
            _ if error.kind() == TransportErrorKind::EpochChanged => {
                self.stop(PhaseEnd::ServerRestored);
            }
            AnswerClass::Environment => {
                let retry_after = error
                    .retry_after()
                    .map(|wait| wait.min(self.context.config.retry_after_max));
                self.stop(PhaseEnd::Offline {
                    reason: error.to_string(),
                    retry_after,
                });
            }
            AnswerClass::Auth => self.stop(PhaseEnd::AuthRequired),
            _ => {}
        }
        Ok(())
    }
}

/// What an answer of this class does to the entity.
fn act(
    entity: &mut Entity,
    attempt: &mut Attempt,
    class: AnswerClass,
    outcome: PushOutcome,
    rules: &Rules<'_>,
) -> After {
    let before = attempt.fate_before;
    After::Flow(match (class, outcome) {
        (AnswerClass::Accepted | AnswerClass::Gone, PushOutcome::Accepted { state }) => {
            count_round(attempt, class == AnswerClass::Gone);
            entity.accepted(state, rules)
        }
        (
            _,
            PushOutcome::Conflict {
                state: Some(state),
                time,
            },
        ) => {
            count_round(attempt, true);
            let flow = entity.conflict(Found::answered(state.clone(), time.clone(), before), rules);
            if flow == Flow::Again {
                attempt.last_conflict = Some(Box::new(entity.describe(state, time)));
            }
            flow
        }
        (_, PushOutcome::Conflict { state: None, time }) => return After::Fetch(time),
        (AnswerClass::Gone, PushOutcome::Gone { state }) => {
            count_round(attempt, true);
            let state = state.unwrap_or_else(ServerState::gone);
            attempt.last_conflict = Some(Box::new(entity.describe(state.clone(), None)));
            entity.gone(state, rules)
        }
        (_, PushOutcome::Gone { .. }) => entity.protocol_error(
            "404 for a kind that was never pulled from this server: check its address",
        ),
        (_, PushOutcome::Refused { status, message }) => {
            entity.answered_negatively(before);
            entity.refuse(&format!("the server answered {status}: {message}"), rules)
        }
        (_, PushOutcome::Trouble { message }) => entity.trouble(&message, rules),
        (_, PushOutcome::Protocol { message }) => entity.protocol_error(&message),
        (
            _,
            PushOutcome::Unavailable {
                status,
                retry_after,
            },
        ) => {
            let reason = format!("the server answered {status}");
            let retry_after = retry_after.map(|wait| wait.min(rules.config.retry_after_max));
            return After::End(PhaseEnd::Offline {
                reason,
                retry_after,
            });
        }
        (_, PushOutcome::Unauthorized) => {
            entity.answered_negatively(before);
            return After::End(PhaseEnd::AuthRequired);
        }
        (_, PushOutcome::Accepted { .. }) => Flow::Stop,
    })
}

fn count_round(attempt: &mut Attempt, is_conflict: bool) {
    if is_conflict {
        attempt.rounds += 1;
        attempt.answered = true;
    } else {
        *attempt = Attempt::default();
    }
}
