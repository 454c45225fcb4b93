//! What an answer to a push means for its operation (the table of semantics 3).

use crate::op::Op;
use crate::outbox::has_landed;
use crate::transport::{PushOutcome, TransportError, TransportErrorKind};
use crate::version::ServerState;

/// The classes of semantics 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnswerClass {
    /// The server took it.
    Accepted,
    /// The server's record says already what the operation wants.
    Landed,
    /// A newer state is there.
    Conflict,
    /// The entity is not there: a conflict with a deletion for an upsert, done for a delete.
    Gone,
    /// The server will not do it.
    Refused,
    /// Other credentials are wanted.
    Auth,
    /// Nobody can be reached, or nobody is served.
    Environment,
    /// This operation alone got no usable answer.
    OpTrouble,
    /// What answered was not the server; nothing is concluded.
    ProtocolError,
}

/// Classifies one answer. `kind_pulled`: was this kind ever pulled from this server, so that a 404
/// speaks of the entity and not of a wrong address?
#[must_use]
pub fn classify(
    op: &Op,
    outcome: Result<&PushOutcome, &TransportError>,
    kind_pulled: bool,
) -> AnswerClass {
    match outcome {
        Ok(PushOutcome::Accepted {
            state: Some(ServerState::Deleted { .. }),
        }) if !op.outgoing().is_delete() => AnswerClass::Gone,
        Ok(PushOutcome::Accepted { .. }) => AnswerClass::Accepted,
        Ok(PushOutcome::Conflict {
            state: Some(state), ..
        }) if has_landed(op.outgoing(), op.outgoing_changed(), state) => AnswerClass::Landed,
        Ok(PushOutcome::Conflict { .. }) => AnswerClass::Conflict,
        Ok(PushOutcome::Gone { .. }) if kind_pulled => AnswerClass::Gone,
        Ok(PushOutcome::Gone { .. } | PushOutcome::Protocol { .. }) => AnswerClass::ProtocolError,
        Ok(PushOutcome::Refused { .. }) => AnswerClass::Refused,
        Ok(PushOutcome::Trouble { .. }) => AnswerClass::OpTrouble,
        Ok(PushOutcome::Unavailable { .. }) => AnswerClass::Environment,
        Ok(PushOutcome::Unauthorized) => AnswerClass::Auth,
        Err(error) => classify_error(error.kind()),
    }
}

/// Classifies a request that failed as a whole.
#[must_use]
pub(crate) fn classify_error(kind: TransportErrorKind) -> AnswerClass {
    match kind {
        TransportErrorKind::Offline
        | TransportErrorKind::Unavailable
        | TransportErrorKind::EpochChanged
        | TransportErrorKind::Configuration => AnswerClass::Environment,
        TransportErrorKind::Unauthorized => AnswerClass::Auth,
        TransportErrorKind::Rejected => AnswerClass::Refused,
        TransportErrorKind::Protocol
        | TransportErrorKind::TooLarge
        | TransportErrorKind::CursorExpired => AnswerClass::ProtocolError,
        TransportErrorKind::Timeout
        | TransportErrorKind::Interrupted
        | TransportErrorKind::BrokenBody
        | TransportErrorKind::Server
        | TransportErrorKind::Other => AnswerClass::OpTrouble,
    }
}
