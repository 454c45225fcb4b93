//! What a table takes and what it refuses, as far as its schema says.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::id::EntityId;
use crate::record::Record;
use crate::schema::{Column, ColumnType, TableSchema};
use crate::store::{StoreError, StoreErrorKind};

/// Every table has its id's column, every kind one table; all faults go into one message.
pub(super) fn check_schemas(tables: &[TableSchema]) -> Result<(), StoreError> {
    let mut kinds = BTreeSet::new();
    let mut faults = Vec::new();
    for table in tables {
        if !kinds.insert(&table.kind) {
            faults.push(format!(
                "kind `{}` has two tables: register it once",
                table.kind
            ));
        }
        if table.id().is_none_or(|id| id.local_only) {
            faults.push(format!(
                "table `{}` has no synced column for the id field `{}`: add it to the schema",
                table.table, table.id_field
            ));
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(StoreError::new(StoreErrorKind::Schema, faults.join("; ")))
    }
}

/// The id under which a table keeps this record, or why it has none.
pub(super) fn id_of(schema: &TableSchema, record: &Record) -> Result<EntityId, String> {
    let text = match record.get(&schema.id_field) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) if !number.is_f64() => number.to_string(),
        _ => return Err(format!("no id: expected a text in `{}`", schema.id_field)),
    };
    EntityId::new(text).map_err(|invalid| invalid.to_string())
}

/// Why the table refuses this record, if it does.
pub(super) fn refusal(
    schema: &TableSchema,
    record: &Record,
    ignores_local_only: bool,
) -> Option<String> {
    schema
        .columns
        .iter()
        .filter(|column| column.field != schema.id_field)
        .filter(|column| !(column.local_only && ignores_local_only))
        .find_map(|column| column_refusal(column, record.get(&column.field)))
}

fn column_refusal(column: &Column, value: Option<&Value>) -> Option<String> {
    match value {
        // An absent local-only field leaves its column as it is.
        None if column.nullable || column.local_only => None,
        Some(Value::Null) if column.nullable => None,
        None | Some(Value::Null) => Some(format!("column `{}` may not be null", column.name)),
        Some(value) if fits(column.ty, value) => None,
        Some(_) => Some(format!(
            "field `{}` does not fit column `{}`, which holds {:?}",
            column.field, column.name, column.ty
        )),
    }
}

fn fits(ty: ColumnType, value: &Value) -> bool {
    match ty {
        ColumnType::Text => value.is_string(),
        ColumnType::Integer => {
            value.is_i64() || value.as_f64().is_some_and(is_whole_f64) && value.is_f64()
        }
        ColumnType::Real => value.is_number(),
        ColumnType::Boolean => value.is_boolean(),
        ColumnType::Blob => value.as_str().is_some_and(is_base64),
        ColumnType::Json => true,
        ColumnType::Timestamp => value.is_string() || value.is_i64(),
    }
}

/// Is it a whole number that 64 bits hold exactly, such as `3.0`?
fn is_whole_f64(number: f64) -> bool {
    const FIRST_INEXACT: f64 = 9_007_199_254_740_992.0;
    number.fract() == 0.0 && number.abs() < FIRST_INEXACT
}

/// Is it base64 of the standard alphabet, padded?
fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    text.len().is_multiple_of(4)
        && padding <= 2
        && body
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}
