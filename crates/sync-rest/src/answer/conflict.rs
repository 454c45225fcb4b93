//! The body of a 409 or 412, in each form that servers send it.

use serde_json::Value;
use sync_core::transport::PushOutcome;
use sync_core::{Record, ServerState, Timestamp};

use super::push::{Outcome, protocol};
use super::{Found, is_envelope, record_in, state_of};

/// Reads `current` (null = deleted), else `serverData`, else the body itself if it is this record.
/// JSON without any of them is a conflict whose record has to be fetched.
pub(super) fn conflict(body: Option<&Value>, outcome: &Outcome<'_>) -> PushOutcome {
    let Some(body) = body else {
        return PushOutcome::Conflict {
            state: None,
            time: None,
        };
    };
    let state = match shown(body, outcome) {
        Shown::Deleted => Some(ServerState::gone()),
        Shown::Record(record) => Some(state_of(record, outcome.tag)),
        Shown::OtherId => {
            return protocol(
                "the conflict shows the record of another id",
                outcome.status,
            );
        }
        Shown::Nothing => None,
    };
    let stamp = || Some(state.as_ref()?.version()?.stamp.clone());
    let time = server_timestamp(body).or_else(stamp);
    PushOutcome::Conflict { state, time }
}

enum Shown {
    Deleted,
    Record(Record),
    OtherId,
    Nothing,
}

fn shown(body: &Value, outcome: &Outcome<'_>) -> Shown {
    for key in ["current", "serverData"] {
        match body.get(key) {
            Some(Value::Null) if key == "current" => return Shown::Deleted,
            Some(value) => match record_in(value, outcome.id(), outcome.names) {
                Found::Record(record) => return Shown::Record(record),
                Found::OtherId => return Shown::OtherId,
                Found::NoRecord => {}
            },
            None => {}
        }
    }
    match record_in(body, outcome.id(), outcome.names) {
        Found::Record(record) if !is_envelope(&record) => Shown::Record(record),
        Found::Record(_) | Found::OtherId | Found::NoRecord => Shown::Nothing,
    }
}

fn server_timestamp(body: &Value) -> Option<Timestamp> {
    Timestamp::from_json(body.get("serverTimestamp")?).ok()
}
