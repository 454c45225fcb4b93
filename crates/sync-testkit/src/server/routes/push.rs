//! `PUT` and `DELETE` of one record.

use serde_json::Value;
use sync_rest::wire::{DeleteQuery, body_key, header};

use super::Action;
use crate::server::Shared;
use crate::server::incoming::{Incoming, read_stamp, read_stamp_text};
use crate::server::reply::Reply;
use crate::server::settings::MockServerBuilder;
use crate::server::write::{Change, Conditions, Write};

pub(super) fn serve(
    shared: &Shared,
    settings: &MockServerBuilder,
    incoming: &Incoming,
) -> Result<Reply, Reply> {
    let write = read(incoming)?;
    let outcome = shared.write(settings, incoming.key(), &write);
    Ok(Reply::of(outcome, settings.bodies, settings.etags))
}

fn read(incoming: &Incoming) -> Result<Write, Reply> {
    let request = &incoming.request;
    let (kind, id) = (
        request.kind().unwrap_or_default(),
        request.id().unwrap_or_default(),
    );
    let names_fields = request
        .body
        .as_ref()
        .is_some_and(|body| body.get(body_key::CHANGED_FIELDS).is_some());
    let deleting = matches!(request.action, Action::Delete { .. });
    let (change, base, force) = if deleting {
        let query: DeleteQuery = incoming.typed_query()?;
        let base = query
            .base_updated_at
            .as_deref()
            .map(read_stamp_text)
            .transpose()?;
        (Change::Delete, base, header::FORCE_DELETE)
    } else {
        let Some(Value::Object(fields)) = &request.body else {
            return Err(Reply::error(400, "bad_body", "a JSON object is expected"));
        };
        let base = fields
            .get(body_key::BASE_UPDATED_AT)
            .map(read_stamp)
            .transpose()?;
        // What is not the record's own must not tell this request from the same op in a batch.
        let record = fields.iter().filter(|(name, _)| !name.starts_with('_'));
        let record = record.map(|(name, value)| (name.clone(), value.clone()));
        (Change::Upsert(record.collect()), base, header::FORCE_UPDATE)
    };
    Ok(Write {
        kind: kind.to_owned(),
        id: id.to_owned(),
        change,
        names_fields,
        conditions: Conditions {
            base,
            if_match: request.header("if-match").map(str::to_owned),
            if_absent: request.header("if-none-match") == Some("*"),
            force: incoming.says_true(force),
        },
    })
}
