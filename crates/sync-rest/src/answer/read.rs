//! Answers to reading requests.

use serde_json::Value;
use sync_core::transport::{FetchRequest, PullPage, TransportError, TransportErrorKind};
use sync_core::{Record, ServerState};

use super::{
    Body, CheckedBody, Found, Head, foreign, is_envelope, protocol_failure, record_in, rejection,
    state_of, status_failure,
};
use crate::route::KindRoute;

/// Judges a page.
///
/// # Errors
/// Everything but a page.
pub(crate) fn pull(
    head: &Head,
    body: &CheckedBody,
    route: &KindRoute,
) -> Result<PullPage, TransportError> {
    let body = readable(head, body)?;
    if head.status == 410 {
        let message = "server cannot answer from this cursor any more (status 410)";
        let error = TransportError::new(TransportErrorKind::CursorExpired, message);
        return Err(error.with_status(410));
    }
    let mut value = success(head, body)?;
    let items = match &mut value {
        Value::Array(items) if route.items_field.is_none() => Some(std::mem::take(items)),
        value => route
            .items_field
            .as_deref()
            .and_then(|field| value.get_mut(field)?.as_array_mut())
            .map(std::mem::take),
    };
    let Some(items) = items else {
        return Err(protocol_failure(
            head,
            "the answer to a pull has no list of items",
        ));
    };
    let mut page = PullPage::new(
        items
            .into_iter()
            .map(|item| canonical(item, route))
            .collect(),
    );
    page.next_page_token = token(head, value.get(&*route.next_token_field))?;
    page.next_cursor = token(head, value.get("nextCursor"))?;
    page.total = value.get("total").and_then(Value::as_u64);
    Ok(page)
}

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
    if let Some(failure) = status_failure(head) {
        return Err(failure);
    }
    let body = Body::read(head, body);
    if head.is_success() && matches!(body, Body::Unreadable) {
        let message = format!("server's answer could not be read (status {})", head.status);
        let error = TransportError::new(TransportErrorKind::BrokenBody, message);
        return Err(error.with_status(head.status));
    }
    match foreign(&body) {
        Some(why) => Err(protocol_failure(head, why)),
        None => Ok(body),
    }
}

fn success(head: &Head, body: Body) -> Result<Value, TransportError> {
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

fn canonical(item: Value, route: &KindRoute) -> Value {
    match item {
        Value::Object(fields) => {
            let mut record = Record::new(fields);
            route.names.to_canonical(&mut record);
            record.into()
        }
        other => other,
    }
}

/// A token is text; some servers count pages. Empty means none.
fn token(head: &Head, value: Option<&Value>) -> Result<Option<String>, TransportError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok((!text.is_empty()).then(|| text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(protocol_failure(
            head,
            "the page token is neither text nor number",
        )),
    }
}
