//! Comparing and preparing contents of records.

use serde_json::Value;

use crate::changed_fields::ChangedFields;
use crate::json::same_field;
use crate::op::{Change, Op};
use crate::record::{Record, TOMBSTONE_FIELDS};
use crate::schema::TableSchema;
use crate::system_fields::is_system_field;
use crate::version::ServerState;

/// Do both records say the same, system fields aside? At the top level an absent field is null.
pub(crate) fn same_content(one: &Record, other: &Record) -> bool {
    let names = one.fields().keys().chain(other.fields().keys());
    names
        .filter(|name| !is_system_field(name))
        .all(|name| same_field(one.get(name), other.get(name)))
}

/// Do both states have the same content? Not to exist and to be deleted are the same.
pub(super) fn same_state(one: &ServerState, other: &ServerState) -> bool {
    match (one.live(), other.live()) {
        (Some(one), Some(other)) => same_content(one, other),
        (None, None) => true,
        _ => false,
    }
}

/// Does the server's state already say what this change wants, in every field that the user
/// changed?
pub(crate) fn has_landed(
    change: &Change,
    changed: Option<&ChangedFields>,
    state: &ServerState,
) -> bool {
    match (change, state.live()) {
        (Change::Delete, None) => true,
        (Change::Upsert { payload, .. }, Some(record)) => match changed {
            Some(changed) => changed
                .iter()
                .all(|field| same_field(payload.get(field), record.get(field))),
            None => payload
                .fields()
                .iter()
                .filter(|(name, _)| !is_system_field(name))
                .all(|(name, value)| same_field(Some(value), record.get(name))),
        },
        _ => false,
    }
}

/// What of a record travels: no local-only fields, no names that begin with `_`.
pub(crate) fn strip_for_server(record: &Record, schema: &TableSchema) -> Record {
    let is_shared = |name: &str| match schema.by_field(name) {
        Some(column) => !column.local_only || planted!(LocalOnlySent),
        None => !planted!(UnknownFieldsDropped),
    };
    let travels = |name: &str| {
        !name.starts_with('_')
            && !matches!(name, "deletedAtLocal" | "deleted_at_local")
            && is_shared(name)
    };
    let fields = record.fields().iter().filter(|(name, _)| travels(name));
    fields
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The operation's content as it goes out: a record that is created, or created again, must not
/// carry the mark of its own deletion, and one that is created again says so.
pub(super) fn outgoing_record(
    op: &Op,
    base: Option<&ServerState>,
    payload: &Record,
    schema: &TableSchema,
) -> Record {
    let mut record = strip_for_server(payload, schema);
    let recreates = match &op.verdict {
        Some(verdict) => verdict.recreate,
        None => base.is_some_and(ServerState::is_deleted),
    };
    let mark = tombstone_field(schema);
    for field in TOMBSTONE_FIELDS {
        if record.get(field).is_some() || (recreates && field == mark) {
            record.fields_mut().insert(field.to_owned(), Value::Null);
        }
    }
    record
}

/// The field that marks a deletion; a table without one names it as it names its stamp.
fn tombstone_field(schema: &TableSchema) -> &str {
    let own = schema.tombstone().map(|column| column.field.as_str());
    let is_camel_case = || {
        schema
            .stamp()
            .is_some_and(|column| column.field == "updatedAt")
    };
    own.unwrap_or_else(|| {
        if is_camel_case() {
            "deletedAt"
        } else {
            "deleted_at"
        }
    })
}

/// The merged record with every system field as the server has it.
pub(super) fn retake_system_fields(merged: Record, server: &Record) -> Record {
    let own = merged
        .into_fields()
        .into_iter()
        .filter(|(name, _)| !is_system_field(name));
    let servers = server
        .fields()
        .iter()
        .filter(|(name, _)| is_system_field(name));
    own.chain(servers.map(|(name, value)| (name.clone(), value.clone())))
        .collect()
}
