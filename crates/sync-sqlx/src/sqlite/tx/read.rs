//! The user's rows as records.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use serde_json::{Map, Value};
use sync_core::store::StoreError;
use sync_core::{Column, EntityId, Record};

use super::versions;
use crate::codec;
use crate::error::{Context, corrupt};
use crate::sqlite::table::Table;

/// Reads the rows of these ids, without their local-only columns.
pub(crate) fn get(
    db: &Connection,
    table: &Table,
    ids: &[EntityId],
) -> Result<Vec<Record>, StoreError> {
    read(db, table, &table.select, ids)
}

/// Reads the rows of these ids with all columns.
pub(crate) fn app_rows(
    db: &Connection,
    table: &Table,
    ids: &[EntityId],
) -> Result<Vec<Record>, StoreError> {
    read(db, table, &table.app_row, ids)
}

/// Reads all rows with all columns, in order of id.
pub(crate) fn app_rows_after(
    db: &Connection,
    table: &Table,
    after: Option<&EntityId>,
    limit: u32,
) -> Result<Vec<Record>, StoreError> {
    let after = after.map_or("", EntityId::as_str);
    let mut statement = db.prepare_cached(&table.app_rows).context("list rows")?;
    let mut rows = statement
        .query(rusqlite::params![after, table.schema.kind.as_str(), limit])
        .context("list rows")?;
    let mut records = Vec::new();
    while let Some(row) = rows.next().context("list rows")? {
        records.push(record(table, row)?);
    }
    Ok(records)
}

fn read(
    db: &Connection,
    table: &Table,
    select: &str,
    ids: &[EntityId],
) -> Result<Vec<Record>, StoreError> {
    let mut statement = db.prepare_cached(select).context("read rows")?;
    let kind = table.schema.kind.as_str();
    let mut records = Vec::with_capacity(ids.len());
    for id in versions::distinct(ids) {
        let mut rows = statement.query([id.as_str(), kind]).context("read rows")?;
        if let Some(row) = rows.next().context("read rows")? {
            records.push(record(table, row)?);
        }
    }
    Ok(records)
}

/// The columns as they come: the synced ones, the fields without a column, and perhaps the
/// local-only ones.
fn record(table: &Table, row: &Row<'_>) -> Result<Record, StoreError> {
    let what = || format!("a row of table `{}`", table.schema.table);
    let synced = table.synced.len();
    let rest = row.get_ref(synced).context("read a row")?;
    let mut fields: Map<String, Value> = match rest.as_str_or_null() {
        Ok(Some(text)) => crate::json::read(text).map_err(|error| corrupt(&what(), error))?,
        Ok(None) => Map::new(),
        Err(error) => return Err(corrupt(&what(), error)),
    };
    for place in &table.local {
        fields.remove(&table.schema.columns[*place].field);
    }
    for (at, column) in table.schema.synced().enumerate() {
        // Put when it had no column: the column, gained since, was never written.
        if !fields.contains_key(&column.field) {
            let value = row.get_ref(at).context("read a row")?;
            fields.insert(column.field.clone(), decode(table, column, value)?);
        }
    }
    if row.as_ref().column_count() > synced + 1 {
        for (at, place) in table.local.iter().enumerate() {
            let column = &table.schema.columns[*place];
            let value = row.get_ref(synced + 1 + at).context("read a row")?;
            fields.insert(column.field.clone(), decode(table, column, value)?);
        }
    }
    Ok(Record::new(fields))
}

fn decode(table: &Table, column: &Column, value: ValueRef<'_>) -> Result<Value, StoreError> {
    let what = || format!("a row of table `{}`", table.schema.table);
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => codec::from_integer(column.ty, integer),
        ValueRef::Real(real) => codec::from_real(column.ty, real),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes)
            .map_err(|error| corrupt(&what(), error))
            .and_then(|text| {
                codec::from_text(column.ty, text).map_err(|error| corrupt(&what(), error))
            })?,
        ValueRef::Blob(bytes) => codec::from_blob(bytes),
    })
}

/// Rows of which a field lies beside the table although it has a column now. The fields are read
/// here rather than by SQLite, whose JSON may not be nested as deeply.
pub(crate) fn misplaced(
    db: &Connection,
    table: &Table,
    after: Option<&EntityId>,
    limit: u32,
) -> Result<Vec<(EntityId, Vec<String>)>, StoreError> {
    let what = "list rows that lack a field";
    let after = after.map_or("", EntityId::as_str);
    let mut statement = db.prepare_cached(&table.rests).context(what)?;
    let mut rows = statement
        .query([table.schema.kind.as_str(), after])
        .context(what)?;
    let mut found = Vec::new();
    while found.len() < limit as usize {
        let Some(row) = rows.next().context(what)? else {
            break;
        };
        let rest: String = row.get(1).context(what)?;
        let rest: Map<String, Value> =
            crate::json::read(&rest).map_err(|error| corrupt("fields beside a table", error))?;
        let is_synced = |name: &String| table.schema.synced().any(|column| column.field == *name);
        let fields: Vec<String> = rest
            .into_iter()
            .map(|(name, _)| name)
            .filter(is_synced)
            .collect();
        if !fields.is_empty() {
            found.push((versions::entity_id(row.get(0).context(what)?)?, fields));
        }
    }
    Ok(found)
}
