//! The answer to a pull: a page of rows.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;
use sync_core::transport::{PullPage, TransportError, TransportErrorKind, UnreadableItem};
use sync_core::{EntityId, Record};

use super::body::exactly;
use super::read::{believable, success};
use super::{Body, CheckedBody, Head, broken, protocol_failure, status_failure};
use crate::route::{KindRoute, Names};

/// Longest page token or cursor that is taken: it goes back in an address.
const MAX_TOKEN: usize = 16 * 1024;

/// Judges a page.
///
/// # Errors
/// Everything but a page.
pub(crate) fn pull(
    head: &Head,
    body: &CheckedBody,
    route: &KindRoute,
) -> Result<PullPage, TransportError> {
    if let Some(failure) = status_failure(head) {
        return Err(failure);
    }
    let read = Body::read(head, body);
    if let (true, Body::Unreadable(why)) = (head.is_success(), &read) {
        return row_by_row(head, body, route, why);
    }
    let read = believable(head, read)?;
    if head.status == 410 {
        let message = "server cannot answer from this cursor any more (status 410)";
        let error = TransportError::new(TransportErrorKind::CursorExpired, message);
        return Err(error.with_status(410));
    }
    let mut value = success(head, read)?;
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
    page.bytes = body.size();
    Ok(page)
}

/// A page of which some rows cannot be held as they came: these are handed on in letters, so that
/// one of them does not hold up all the others.
fn row_by_row(
    head: &Head,
    body: &CheckedBody,
    route: &KindRoute,
    why: &str,
) -> Result<PullPage, TransportError> {
    let (items, others) = split(body, route).ok_or_else(|| broken(head, why))?;
    let other = |name: &str| {
        let part = others.get(name).map(|part| exactly(part));
        part.transpose().map_err(|_| broken(head, why))
    };
    let mut page = PullPage::new(Vec::with_capacity(items.len()));
    for item in items {
        match exactly(item.get()) {
            Ok(value) => page.items.push(canonical(value, route)),
            Err(reason) => {
                let id = id_of(item.get(), &route.names);
                let unreadable = UnreadableItem::new(id, item.get(), reason);
                page.unreadable.push(unreadable);
            }
        }
    }
    page.next_page_token = token(head, other(&route.next_token_field)?.as_ref())?;
    page.next_cursor = token(head, other("nextCursor")?.as_ref())?;
    page.total = other("total")?.as_ref().and_then(Value::as_u64);
    page.bytes = body.size();
    Ok(page)
}

/// A page as the letters of its rows and of its other fields.
type Split<'a> = (Vec<&'a RawValue>, BTreeMap<String, &'a str>);

fn split<'a>(body: &'a CheckedBody, route: &KindRoute) -> Option<Split<'a>> {
    let bytes = body.trimmed();
    let Some(field) = &route.items_field else {
        return Some((serde_json::from_slice(bytes).ok()?, BTreeMap::new()));
    };
    let fields: BTreeMap<String, &RawValue> = serde_json::from_slice(bytes).ok()?;
    let items = serde_json::from_str(fields.get(field)?.get()).ok()?;
    let others = fields.into_iter().map(|(name, part)| (name, part.get()));
    Some((items, others.collect()))
}

/// The id of a row of which at least that can be read.
fn id_of(item: &str, names: &Names) -> Option<EntityId> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(item).ok()?;
    let readable = fields
        .into_iter()
        .filter_map(|(name, part)| Some((name, exactly(part.get()).ok()?)));
    let mut record: Record = readable.collect();
    names.to_canonical(&mut record);
    record.id().ok()
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
        Some(Value::String(text)) if text.len() > MAX_TOKEN => Err(protocol_failure(
            head,
            "the page token or cursor is too long to be sent back",
        )),
        Some(Value::String(text)) => Ok((!text.is_empty()).then(|| text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(protocol_failure(
            head,
            "the page token is neither text nor number",
        )),
    }
}
