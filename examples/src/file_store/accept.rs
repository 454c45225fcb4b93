//! What a table takes. A JSON file would take anything; the app's structs would not read it back.

use std::collections::BTreeSet;

use serde_json::Value;
use sync_core::{Column, ColumnType, EntityId, Record, StoreError, StoreErrorKind, TableSchema};

/// All faults go into one message: whoever mends them does it once.
pub(super) fn check_schemas(tables: &[TableSchema]) -> Result<(), StoreError> {
    let mut kinds = BTreeSet::new();
    let mut faults = Vec::new();
    for table in tables {
        if !kinds.insert(&table.kind) {
            faults.push(format!("kind `{}` has two tables", table.kind));
        }
        let id = table
            .columns
            .iter()
            .find(|column| column.field == table.id_field);
        if id.is_none_or(|id| id.local_only) {
            let (table, field) = (&table.table, &table.id_field);
            faults.push(format!(
                "`{table}` has no synced column for the id `{field}`"
            ));
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(StoreError::new(StoreErrorKind::Schema, faults.join("; ")))
}

/// The id of a record, under the name that the schema gives it.
pub(super) fn id_of(schema: &TableSchema, record: &Record) -> Result<EntityId, String> {
    let text = match record.get(&schema.id_field) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) if !number.is_f64() => number.to_string(),
        _ => return Err(format!("no id in `{}`", schema.id_field)),
    };
    EntityId::new(text).map_err(|error| error.to_string())
}

/// Why the table does not take these fields, if it does not.
pub(super) fn refusal(schema: &TableSchema, record: &Record) -> Option<String> {
    let columns = schema.columns.iter();
    let mut own = columns.filter(|column| column.field != schema.id_field);
    own.find_map(|column| {
        let fault = match record.get(&column.field) {
            // What stays on the device keeps the value that it has.
            None if column.nullable || column.local_only => return None,
            Some(Value::Null) if column.nullable => return None,
            None | Some(Value::Null) => "may not be null",
            Some(value) if fits(column, value) => return None,
            Some(_) => "is of another type",
        };
        Some(format!("`{}` {fault}", column.field))
    })
}

/// The fields that their columns do not take.
pub(super) fn misfits(schema: &TableSchema, record: &Record) -> Vec<String> {
    let columns = schema
        .synced()
        .filter(|column| column.field != schema.id_field);
    let misfits = columns.filter(|column| match record.get(&column.field) {
        None => false,
        Some(Value::Null) => !column.nullable,
        Some(value) => !fits(column, value),
    });
    misfits.map(|column| column.field.clone()).collect()
}

fn fits(column: &Column, value: &Value) -> bool {
    match column.ty {
        ColumnType::Text => value.is_string(),
        ColumnType::Integer => value.is_i64() || is_whole(value),
        ColumnType::Real => value.is_number(),
        ColumnType::Boolean => value.is_boolean(),
        ColumnType::Blob => value.as_str().is_some_and(is_base64),
        ColumnType::Timestamp => value.is_string() || value.is_i64(),
        // JSON, and types that a later version may bring.
        _ => true,
    }
}

/// Is it a number like `3.0`, which is an integer written otherwise?
fn is_whole(value: &Value) -> bool {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number = value.as_f64().filter(|_| value.is_f64());
    number.is_some_and(|number| number.fract() == 0.0 && number.abs() < EXACT)
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    text.len().is_multiple_of(4) && text.len() - body.len() <= 2 && body.bytes().all(is_sign)
}
