//! The answer to one operation.

use serde_json::Value;
use sync_core::transport::{PushChange, PushOp, PushOutcome, TransportError};
use sync_core::{EntityId, ServerState};

use super::{
    Body, CheckedBody, Found, Head, broken, conflict, foreign, is_envelope, record_in,
    server_message, state_of, status_failure,
};
use crate::route::Names;

/// Judges the answer to a single operation.
///
/// # Errors
/// What concerns the request and not the operation: sign-in, a busy server, a broken body.
pub(crate) fn push(
    head: &Head,
    body: &CheckedBody,
    op: &PushOp,
    names: &Names,
) -> Result<PushOutcome, TransportError> {
    if let Some(failure) = status_failure(head) {
        return Err(failure);
    }
    let body = Body::read(head, body);
    if let (true, Body::Unreadable(why)) = (head.is_success(), &body) {
        return Err(broken(head, why));
    }
    let outcome = Outcome {
        status: head.status,
        tag: head.tag.as_deref(),
        op,
        names,
    };
    Ok(match foreign(&body) {
        Some(why) => protocol(why, head.status),
        None => outcome.judge(body.json()),
    })
}

/// One operation and the status it got, alone or inside a batch.
pub(super) struct Outcome<'a> {
    pub(super) status: u16,
    pub(super) tag: Option<&'a str>,
    pub(super) op: &'a PushOp,
    pub(super) names: &'a Names,
}

impl Outcome<'_> {
    /// Judges a body that is JSON, or empty.
    pub(super) fn judge(&self, body: Option<&Value>) -> PushOutcome {
        match self.status {
            200..=299 => self.accepted(body),
            404 | 410 => PushOutcome::Gone {
                state: self.tombstone(body),
            },
            409 | 412 => conflict::conflict(body, self),
            400..=499 => PushOutcome::Refused {
                status: self.status,
                message: server_message(body),
            },
            300..=399 => protocol(
                "the answer is a redirect, which a push does not follow",
                self.status,
            ),
            _ => protocol(
                "the answer has a status that means nothing here",
                self.status,
            ),
        }
    }

    /// What is gone may still be shown as a tombstone.
    fn tombstone(&self, body: Option<&Value>) -> Option<ServerState> {
        match conflict::conflict(body, self) {
            PushOutcome::Conflict {
                state: Some(state), ..
            } if state.is_deleted() && state.record().is_some() => Some(state),
            _ => None,
        }
    }

    pub(super) fn id(&self) -> &EntityId {
        &self.op.id
    }

    fn accepted(&self, body: Option<&Value>) -> PushOutcome {
        let Some(body) = body else {
            return PushOutcome::Accepted { state: None };
        };
        match record_in(body, self.id(), self.names) {
            Found::Record(record) if !is_envelope(&record) => {
                let state = state_of(record, self.tag);
                // The live record in answer to a delete is what was there before: not a state to keep.
                let deletes = matches!(self.op.change, PushChange::Delete);
                let stale = deletes && !state.is_deleted();
                PushOutcome::Accepted {
                    state: (!stale).then_some(state),
                }
            }
            Found::Record(_) | Found::NoRecord => {
                protocol("the answer is not a record", self.status)
            }
            Found::OtherId => protocol("the answer is the record of another id", self.status),
        }
    }
}

pub(super) fn protocol(what: &str, status: u16) -> PushOutcome {
    PushOutcome::Protocol {
        message: format!("{what} (status {status})"),
    }
}
