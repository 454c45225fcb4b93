//! Resolvers take their time: questions stay open beside the run, answers are applied when they
//! come.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::{self, BoxFuture, Either};
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::{Key, PushPhase};
use crate::conflict::{Conflict, ConflictResolver, Resolution};
use crate::error::SyncError;
use crate::id::OpId;
use crate::outbox::Flow;

/// An answer to a question: what was asked, and what the resolver said, or why it said nothing.
struct Reply {
    key: Key,
    conflict: Conflict,
    said: Said,
}

type Said = Result<Resolution, String>;

/// A resolver at work; it stops when nobody waits for its answer any more.
struct AbortOnDrop(JoinHandle<Said>);

impl AbortOnDrop {
    async fn outcome(mut self) -> Said {
        let ended = |_| Err("the resolver was stopped before it answered".to_owned());
        (&mut self.0).await.unwrap_or_else(ended)
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Questions that resolvers have not answered yet; they outlive the run that asked.
#[derive(Default)]
pub(crate) struct OpenQuestions {
    asked: FuturesUnordered<BoxFuture<'static, Reply>>,
    ops: BTreeSet<OpId>,
}

impl std::fmt::Debug for OpenQuestions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenQuestions")
            .field("ops", &self.ops)
            .finish_non_exhaustive()
    }
}

impl OpenQuestions {
    pub(super) fn is_open(&self, op_id: &OpId) -> bool {
        self.ops.contains(op_id)
    }

    fn ask(&mut self, resolver: Arc<dyn ConflictResolver>, key: Key, conflict: Conflict) {
        self.ops.insert(conflict.op_id.clone());
        let question = conflict.clone();
        let asking = async move {
            let answer = AssertUnwindSafe(resolver.resolve(&question)).catch_unwind();
            match answer.await {
                Ok(Ok(resolution)) => Ok(resolution),
                Ok(Err(error)) => Err(format!("the resolver failed: {error}")),
                Err(_panic) => Err("the resolver panicked".to_owned()),
            }
        };
        let mut asking = Box::pin(asking);
        // On a task of its own it gets on between runs too, and may call the engine, which would
        // otherwise wait for the very run that waits for it.
        let said: BoxFuture<'static, Said> =
            match (asking.as_mut().now_or_never(), Handle::try_current()) {
                (Some(said), _) => Box::pin(future::ready(said)),
                (None, Ok(runtime)) => {
                    let task = AbortOnDrop(runtime.spawn(asking));
                    Box::pin(task.outcome())
                }
                (None, Err(_no_runtime)) => asking,
            };
        self.asked.push(Box::pin(async move {
            let said = said.await;
            Reply {
                key,
                conflict,
                said,
            }
        }));
    }

    fn answered(&mut self, reply: Reply) -> Reply {
        self.ops.remove(&reply.conflict.op_id);
        reply
    }

    /// An answer that is there already.
    fn try_next(&mut self) -> Option<Reply> {
        let reply = self.asked.next().now_or_never().flatten()?;
        Some(self.answered(reply))
    }
}

impl PushPhase<'_> {
    /// Asks the table's resolver.
    pub(super) fn ask(&mut self, key: Key, conflict: Conflict) {
        let resolver = self
            .context
            .tables
            .get(&key.0)
            .and_then(|table| table.resolver.clone());
        if let Some(resolver) = resolver
            && !self.questions.is_open(&conflict.op_id)
        {
            self.questions.ask(resolver, key, conflict);
        }
    }

    /// Applies the answers that are there; returns the entities that can go on.
    pub(super) async fn take_answers(&mut self) -> Result<Vec<Key>, SyncError> {
        let mut again = Vec::new();
        while let Some(reply) = self.questions.try_next() {
            again.extend(self.apply(reply).await?);
        }
        Ok(again)
    }

    /// At the end of the run: waits a little for the rest.
    pub(super) async fn wait_for_resolvers(&mut self) -> Result<(), SyncError> {
        let patience = self.context.config.resolver_patience;
        let env = self.context.env.clone();
        let mut time_is_up = std::pin::pin!(env.sleep(patience));
        while self.end.is_none() && !self.questions.asked.is_empty() {
            // An answer that came meanwhile has its turn before the clock has.
            tokio::task::yield_now().await;
            let reply = match future::select(self.questions.asked.next(), &mut time_is_up).await {
                Either::Left((reply, _)) => reply,
                Either::Right(_) => return Ok(()),
            };
            let Some(reply) = reply else { return Ok(()) };
            let reply = self.questions.answered(reply);
            if let Some(key) = self.apply(reply).await? {
                self.drive([key].into()).await?;
            }
        }
        Ok(())
    }

    /// Applies an answer; `Some`: the entity can go on. One about an edit that is no longer there, or
    /// is no longer in conflict, changes nothing: the entity has had its turn, or has it yet.
    async fn apply(&mut self, reply: Reply) -> Result<Option<Key>, SyncError> {
        let Reply {
            key,
            conflict,
            said,
        } = reply;
        let had_its_turn = self.attempts.contains_key(&key);
        let flow = self
            .with_entity(&key, |entity, attempt, rules| {
                let resolution = match said {
                    Ok(resolution) => resolution,
                    Err(reason) => return entity.put_off_after_failure(&conflict, &reason, rules),
                };
                match entity.resolve(&conflict, resolution, rules) {
                    Some(flow) => {
                        attempt.answered = true;
                        if flow == Flow::Again {
                            attempt.last_conflict = Some(Box::new(conflict));
                        }
                        flow
                    }
                    None if entity.ask_again(&conflict) => Flow::Again,
                    None => Flow::Stop,
                }
            })
            .await?;
        let goes_on = self.go_on(&key, flow);
        if !goes_on && !had_its_turn {
            self.attempts.remove(&key);
        }
        Ok(goes_on.then_some(key))
    }
}
