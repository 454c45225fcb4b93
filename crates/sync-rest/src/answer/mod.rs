//! What an answer means: pure functions from status, headers and body to the values of
//! `sync_core::transport`. No I/O, no clock.
//!
//! An answer is the server's decision only if it is the server's: JSON, or empty where that is
//! allowed, and about the record that was asked for. Status 401, 408, 429 and 5xx hold whatever the
//! body, because they say nothing about the record.

mod batch;
mod body;
mod conflict;
mod head;
mod page;
mod push;
mod read;

pub(crate) use batch::batch;
pub(crate) use body::{Body, BodyBuffer, CheckedBody, too_large};
pub(crate) use head::Head;
pub(crate) use page::pull;
pub(crate) use push::push;
pub(crate) use read::{fetch, health};

use serde_json::Value;
use sync_core::transport::{TransportError, TransportErrorKind};
use sync_core::{EntityId, Record, ServerState};

use crate::route::Names;

/// Longest text of a server that is kept.
const MAX_MESSAGE_CHARS: usize = 500;

/// A failure of the request as a whole that the status alone decides.
fn status_failure(head: &Head) -> Option<TransportError> {
    let status = head.status;
    let (kind, what) = match status {
        401 => (
            TransportErrorKind::Unauthorized,
            "server asks for another sign-in",
        ),
        408 | 429 | 503 => (TransportErrorKind::Unavailable, "server is not serving now"),
        500..=599 => (TransportErrorKind::Server, "server failed"),
        _ => return None,
    };
    let error = TransportError::new(kind, format!("{what} (status {status})"));
    Some(error.with_status(status).with_retry_after(head.retry_after))
}

/// Does the status speak for itself, so that the body need not even arrive?
pub(crate) fn holds_without_body(status: u16) -> bool {
    matches!(status, 401 | 408 | 429 | 500..=599)
}

/// A success whose body says nothing.
fn broken(head: &Head, why: &str) -> TransportError {
    let message = format!(
        "server's answer could not be read: {why} (status {})",
        head.status
    );
    TransportError::new(TransportErrorKind::BrokenBody, message).with_status(head.status)
}

fn protocol_failure(head: &Head, what: &str) -> TransportError {
    let message = format!("{what} (status {})", head.status);
    TransportError::new(TransportErrorKind::Protocol, message).with_status(head.status)
}

fn rejection(head: &Head, body: &Body) -> TransportError {
    let message = format!("server rejected the request (status {})", head.status);
    TransportError::new(TransportErrorKind::Rejected, message)
        .with_status(head.status)
        .with_server_words(server_message(body.json()))
}

/// Why this is no answer of the server, if its body shows it.
fn foreign(body: &Body) -> Option<&'static str> {
    match body {
        Body::Empty | Body::Json(_) => None,
        Body::Html => Some(
            "the answer is a web page, not this server's: check the base URL, a proxy or a captive portal",
        ),
        Body::Unreadable(why) => Some(why),
    }
}

/// What a server said, in its own words and cut to size.
fn server_message(body: Option<&Value>) -> String {
    let text = match body {
        None | Some(Value::Null) => return "no reason given".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => ["message", "error", "detail", "title"]
            .iter()
            .find_map(|key| value.get(*key)?.as_str())
            .map_or_else(|| value.to_string(), str::to_owned),
    };
    text.chars().take(MAX_MESSAGE_CHARS).collect()
}

/// How a JSON value relates to the record that was asked for.
enum Found {
    /// It is that record, in canonical names.
    Record(Record),
    /// It is the record of another id.
    OtherId,
    /// It is no record.
    NoRecord,
}

fn record_in(value: &Value, id: &EntityId, names: &Names) -> Found {
    let Value::Object(fields) = value else {
        return Found::NoRecord;
    };
    let mut record = Record::new(fields.clone());
    names.to_canonical(&mut record);
    match record.id() {
        Ok(found) if found == *id => Found::Record(record),
        Ok(_) => Found::OtherId,
        Err(_) => Found::NoRecord,
    }
}

/// An error envelope may mention the id of the record that it is about; it has no stamp.
fn is_envelope(record: &Record) -> bool {
    let unstamped = matches!(record.stamp(), Err(sync_core::InvalidRecord::NoStamp));
    unstamped && record.get("error").is_some_and(|error| !error.is_null())
}

/// The state that a record from this answer describes.
fn state_of(record: Record, tag: Option<&str>) -> ServerState {
    ServerState::of(record, tag.map(str::to_owned))
}

#[cfg(test)]
mod tests;
