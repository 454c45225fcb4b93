//! What a request is answered with when it does not arrive, or something in front of the server
//! answers.

use sync_core::transport::PushOutcome;
use sync_core::{TransportError, TransportErrorKind};

use super::schedule::Fate;

pub(crate) fn failure(fate: Fate) -> TransportError {
    use TransportErrorKind as Kind;
    match fate {
        Fate::NotLeft => TransportError::new(Kind::Offline, "no connection"),
        Fate::BrokenBody => {
            TransportError::new(Kind::BrokenBody, "the body is broken").with_status(200)
        }
        Fate::Portal => TransportError::new(Kind::Protocol, "a page of somebody else"),
        Fate::Status(status) => {
            let kind = match status {
                401 => Kind::Unauthorized,
                408 | 429 | 503 => Kind::Unavailable,
                500.. => Kind::Server,
                _ => Kind::Rejected,
            };
            TransportError::new(kind, format!("status {status}")).with_status(status)
        }
        _ => TransportError::new(Kind::Timeout, "no answer in time"),
    }
}

/// What a status in front of the server means for one operation, as an adapter tells it.
pub(crate) fn status_outcome(status: u16) -> Option<PushOutcome> {
    match status {
        400..=499 if !matches!(status, 401 | 408 | 429) => Some(PushOutcome::Refused {
            status,
            message: format!("status {status}"),
        }),
        500 => Some(PushOutcome::Trouble {
            message: "status 500".to_owned(),
        }),
        _ => None,
    }
}
