//! Answers to reading requests.

use serde_json::Value;
use sync_core::ServerState;
use sync_core::transport::{FetchRequest, TransportError};

use super::{
    Body, CheckedBody, Found, Head, broken, foreign, is_envelope, protocol_failure, record_in,
    rejection, state_of, status_failure,
};
use crate::route::KindRoute;

/// Judges one record.
///
/// # Errors
/// Everything but this record or its absence.
pub(crate) fn fetch(
    head: &Head,
    body: &CheckedBody,
    request: &FetchRequest,
    route: &KindRoute,
) -> Result<ServerState, TransportError> {
    let body = readable(head, body)?;
    if matches!(head.status, 404 | 410) {
        return Ok(ServerState::gone());
    }
    let value = success(head, body)?;
    match record_in(&value, &request.id, &route.names) {
        Found::Record(record) if !is_envelope(&record) => Ok(state_of(record, head.tag.as_deref())),
        Found::OtherId => Err(protocol_failure(
            head,
            "the answer is the record of another id",
        )),
        Found::Record(_) | Found::NoRecord => {
            Err(protocol_failure(head, "the answer is not a record"))
        }
    }
}

/// Judges a health check: any 2xx that is not somebody's web page.
///
/// # Errors
/// What the server said instead.
pub(crate) fn health(head: &Head, body: &CheckedBody) -> Result<(), TransportError> {
    if let Some(failure) = status_failure(head) {
        return Err(failure);
    }
    let body = Body::read(head, body);
    match head.status {
        200..=299 if matches!(body, Body::Html) => {
            Err(protocol_failure(head, foreign(&body).unwrap_or_default()))
        }
        200..=299 => Ok(()),
        400..=499 => Err(rejection(head, &body)),
        _ => Err(protocol_failure(head, "the answer is a redirect")),
    }
}

/// The body, if it can be this server's.
fn readable(head: &Head, body: &CheckedBody) -> Result<Body, TransportError> {
    match status_failure(head) {
        Some(failure) => Err(failure),
        None => believable(head, Body::read(head, body)),
    }
}

pub(super) fn believable(head: &Head, body: Body) -> Result<Body, TransportError> {
    if let (true, Body::Unreadable(why)) = (head.is_success(), &body) {
        return Err(broken(head, why));
    }
    match foreign(&body) {
        Some(why) => Err(protocol_failure(head, why)),
        None => Ok(body),
    }
}

pub(super) fn success(head: &Head, body: Body) -> Result<Value, TransportError> {
    match (head.status, body) {
        (200..=299, Body::Json(value)) => Ok(value),
        (200..=299, _) => Err(protocol_failure(head, "the answer is empty")),
        (400..=499, body) => Err(rejection(head, &body)),
        _ => Err(protocol_failure(
            head,
            "the answer is neither a success nor a refusal",
        )),
    }
}
