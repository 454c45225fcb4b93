//! What an answer means: pure functions, so that each row of the table is easy to test.

use serde_json::Value;
use sync_core::transport::{
    PullPage, PushChange, PushOp, PushOutcome, TransportError, TransportErrorKind,
};
use sync_core::{EntityId, Record, ServerState};

use super::Response;

/// What the status alone decides, whatever else the answer says.
pub(super) fn check(response: Response) -> Result<Response, TransportError> {
    let (kind, what) = match response.status {
        401 => (TransportErrorKind::Unauthorized, "the token is refused"),
        408 | 429 | 503 => (TransportErrorKind::Unavailable, "nobody is served now"),
        500..=599 => (TransportErrorKind::Server, "the server failed"),
        _ => return Ok(response),
    };
    let error = TransportError::new(kind, what).with_status(response.status);
    Err(error.with_retry_after(response.retry_after))
}

/// A page: the rows exactly as they came, good or bad.
pub(super) fn page(response: Response) -> Result<PullPage, TransportError> {
    match (response.status, response.body) {
        (200..=299, Some(Value::Array(items))) => Ok(PullPage::new(items)),
        (410, _) => {
            let message = "the server cannot go on from this cursor";
            let error = TransportError::new(TransportErrorKind::CursorExpired, message);
            Err(error.with_status(410))
        }
        (status, body) => Err(unreadable(status, body.as_ref(), "a page")),
    }
}

/// One record, or that it is gone.
pub(super) fn state(id: &EntityId, response: &Response) -> Result<ServerState, TransportError> {
    match (response.status, &response.body) {
        (404 | 410, _) => Ok(ServerState::gone()),
        (200..=299, Some(body)) if names(body, id) => Ok(state_of(body)),
        (status, body) => Err(unreadable(status, body.as_ref(), "the record")),
    }
}

/// What became of one operation.
pub(super) fn outcome(op: &PushOp, response: &Response) -> PushOutcome {
    let status = response.status;
    match (status, &response.body) {
        (200..=299, None) => PushOutcome::Accepted { state: None },
        (200..=299, Some(body)) if names(body, &op.id) => {
            let state = state_of(body);
            // A live record in answer to a delete is what was there before: not a state to keep.
            let stale = matches!(op.change, PushChange::Delete) && !state.is_deleted();
            PushOutcome::Accepted {
                state: (!stale).then_some(state),
            }
        }
        (404 | 410, _) => PushOutcome::Gone { state: None },
        (409 | 412, Some(body)) if names(body, &op.id) => PushOutcome::Conflict {
            state: Some(state_of(body)),
            time: None,
        },
        (409 | 412, _) => PushOutcome::Conflict {
            state: None,
            time: None,
        },
        (400..=499, body) => PushOutcome::Refused {
            status,
            message: words(body.as_ref()),
        },
        _ => PushOutcome::Protocol {
            message: format!("the answer is not about this record (status {status})"),
        },
    }
}

/// Is this the record with this id?
fn names(body: &Value, id: &EntityId) -> bool {
    let record = Record::try_from(body.clone());
    record.is_ok_and(|record| record.id().as_ref() == Ok(id))
}

/// The state that a record describes; no tag, because this server has none.
fn state_of(body: &Value) -> ServerState {
    let record = Record::try_from(body.clone()).unwrap_or_default();
    ServerState::of(record, None)
}

/// What the server said, or that it said nothing.
fn words(body: Option<&Value>) -> String {
    let words = body.and_then(|body| body.get("message")?.as_str());
    words.unwrap_or("no reason given").to_owned()
}

/// An answer to a read that is neither what was asked for nor a failure of the whole server.
fn unreadable(status: u16, body: Option<&Value>, wanted: &str) -> TransportError {
    let error = match status {
        400..=499 => {
            let message = format!("the server refused {wanted}: {}", words(body));
            TransportError::new(TransportErrorKind::Rejected, message)
        }
        _ => {
            let message = format!("the answer is not {wanted} that was asked for");
            TransportError::new(TransportErrorKind::Protocol, message)
        }
    };
    error.with_status(status)
}
