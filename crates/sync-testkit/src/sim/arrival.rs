//! What becomes of a request: how it arrives at the server, and what comes back.

use sync_core::transport::{Answer, PullRequest, PushOutcome, PushRequest, PushResult};
use sync_core::{EntityId, TransportError};

use super::failures::{failure, status_outcome};
use super::link::{Shared, SimLink, lock};
use super::schedule::Fate;
use super::server::{Key, SimServer};

impl SimLink {
    /// A row that this client has as the server has it, to be left out of a list from zero.
    pub(super) fn left_out(&self, server: &SimServer, request: &PullRequest) -> Option<EntityId> {
        let own = lock(&self.own);
        let is_known = |key: &Key| {
            server.record(key).is_some_and(|stored| {
                own.known
                    .contains(&(key.clone(), server.shown(stored.exact)))
            })
        };
        if request.since.is_some() {
            return None;
        }
        let mut known = own.known.iter().map(|(key, _)| key);
        known
            .find(|key| key.0 == request.kind && is_known(key))
            .map(|key| key.1.clone())
    }

    pub(super) fn arrive(
        &self,
        shared: &mut Shared,
        request: &PushRequest,
        fate: Fate,
    ) -> Result<Answer<Vec<PushResult>>, TransportError> {
        let client = self.client;
        shared.tell(|| format!("    {client} push {fate:?} {:?}", request.ops));
        match fate {
            Fate::NotLeft | Fate::Lost | Fate::Portal => return Err(failure(fate)),
            Fate::Late if Self::may_come_late(shared, request) => {
                shared.late.push_back(request.clone());
                return Err(failure(fate));
            }
            Fate::Late => return Err(failure(fate)),
            Fate::Status(status) => return self.turned_away(shared, request, status),
            _ => {}
        }
        if fate == Fate::Twice {
            push_all(shared, request);
        }
        let outcomes = push_all(shared, request);
        if matches!(fate, Fate::AnswerLost | Fate::BrokenBody) {
            return Err(failure(fate));
        }
        let muddled = fate == Fate::Muddled && request.ops.len() > 1;
        let results = request.ops.iter().zip(outcomes).enumerate();
        let results = results.map(|(place, (op, outcome))| {
            let lost = PushOutcome::Trouble {
                message: "no result".to_owned(),
            };
            let is_lost = muddled && place % 2 == 1;
            PushResult::new(op.key.clone(), if is_lost { lost } else { outcome })
        });
        let results = results.collect();
        shared.tell(|| format!("      {results:?}"));
        Ok(self.answer(shared, results))
    }

    /// A status in front of the server: of a single operation it is the answer to that.
    fn turned_away(
        &self,
        shared: &Shared,
        request: &PushRequest,
        status: u16,
    ) -> Result<Answer<Vec<PushResult>>, TransportError> {
        // Who has never seen the kind cannot tell a missing record from a wrong address.
        let is_unknown = status == 404
            && request
                .ops
                .iter()
                .all(|op| !lock(&self.own).pulled.contains(&op.kind));
        match (&request.ops[..], status_outcome(status)) {
            ([op], _) if is_unknown => {
                let outcome = PushOutcome::Gone { state: None };
                let results = vec![PushResult::new(op.key.clone(), outcome)];
                Ok(self.answer(shared, results))
            }
            (_, _) if status == 404 => Err(failure(Fate::Lost)),
            ([op], Some(outcome)) => {
                let results = vec![PushResult::new(op.key.clone(), outcome)];
                Ok(self.answer(shared, results))
            }
            _ => Err(failure(Fate::Status(status))),
        }
    }
}

/// Every operation of a request in turn.
pub(crate) fn push_all(shared: &mut Shared, request: &PushRequest) -> Vec<PushOutcome> {
    let mut outcomes = Vec::with_capacity(request.ops.len());
    for op in &request.ops {
        let outcome = shared.server.push(op);
        shared.counters.outcome(&outcome);
        outcomes.push(outcome);
    }
    outcomes
}
