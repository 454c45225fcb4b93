//! Making a record fit its table.

use std::borrow::Cow;

use serde_json::{Map, Value};
use sync_core::store::RowWrite;
use sync_core::{Column, ColumnType, EntityId, Record};

use crate::codec::{self, Cell};
use crate::sqlite::table::Table;

/// A row, ready to be bound.
pub(super) struct Shaped<'r> {
    pub(super) id: EntityId,
    /// The columns that get a value, if they are not simply all synced ones.
    pub(super) given: Option<Vec<usize>>,
    pub(super) cells: Vec<Cell<'r>>,
    /// The fields that have no column, as JSON.
    pub(super) rest: Option<String>,
}

/// Makes a record fit the table, or says why it does not. The server's records leave local-only
/// columns alone.
pub(super) fn shape<'r>(
    table: &Table,
    record: &'r Record,
    from_server: bool,
) -> Result<Shaped<'r>, String> {
    let id = id_of(table, record)?;
    let mut given = None;
    let mut cells = Vec::with_capacity(table.synced.len() + 1);
    let mut placed = 0;
    for (at, &place) in table.synced.iter().enumerate() {
        let column = &table.schema.columns[place];
        let value = record.get(&column.field);
        placed += usize::from(value.is_some());
        if place == table.id && column.ty == ColumnType::Text {
            cells.push(Cell::Text(id.as_str().to_owned().into()));
        } else if value.is_none() && table.defaulted[place] {
            given.get_or_insert_with(|| table.synced[..at].to_vec());
            continue;
        } else {
            cells.push(encode(column, value)?);
        }
        if let Some(given) = &mut given {
            given.push(place);
        }
    }
    for &place in &table.local {
        let column = &table.schema.columns[place];
        if let Some(value) = record.get(&column.field) {
            placed += 1;
            if from_server {
                continue;
            }
            cells.push(encode(column, Some(value))?);
            given
                .get_or_insert_with(|| table.synced.clone())
                .push(place);
        }
    }
    let rest = if placed == record.fields().len() {
        None
    } else {
        rest_of(table, record)
    };
    Ok(Shaped {
        id,
        given,
        cells,
        rest,
    })
}

fn id_of(table: &Table, record: &Record) -> Result<EntityId, String> {
    match id_text(table, record) {
        Some(text) => EntityId::new(text).map_err(|error| error.to_string()),
        None => Err(format!(
            "no id: expected a text in `{}`",
            table.schema.id_field
        )),
    }
}

/// The id as text; it may be a number in the record.
fn id_text<'r>(table: &Table, record: &'r Record) -> Option<Cow<'r, str>> {
    match record.get(&table.schema.id_field)? {
        Value::String(text) => Some(text.into()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string().into()),
        _ => None,
    }
}

/// The places of the rows that are to be written: of a doubled id the last.
///
/// In order of id, so that rows which are neighbours in the indexes are written one after the other;
/// but rows that may refer to each other as they came, a parent before its children.
pub(crate) fn newest(table: &Table, rows: &[RowWrite]) -> Vec<usize> {
    let rows = rows.iter().enumerate();
    let mut places: Vec<_> = rows
        .map(|(place, row)| (id_text(table, &row.record), place))
        .collect();
    places.sort_unstable();
    places.dedup_by(|later, earlier| {
        let doubled = later.0.is_some() && later.0 == earlier.0;
        if doubled {
            earlier.1 = later.1;
        }
        doubled
    });
    let mut places: Vec<usize> = places.into_iter().map(|(_, place)| place).collect();
    if table.refers_to_itself {
        places.sort_unstable();
    }
    places
}

fn encode<'r>(column: &Column, value: Option<&'r Value>) -> Result<Cell<'r>, String> {
    let cell = value.map_or(Ok(Cell::Null), |value| codec::encode(column.ty, value));
    match cell {
        Ok(Cell::Null) if !column.nullable => {
            Err(format!("field `{}` is missing or null", column.field))
        }
        Ok(cell) => Ok(cell),
        Err(expected) => Err(format!("field `{}` is not {expected}", column.field)),
    }
}

fn rest_of(table: &Table, record: &Record) -> Option<String> {
    let fields = record.fields().iter();
    let rest: Map<String, Value> = fields
        .filter(|(name, _)| table.schema.by_field(name).is_none())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    (!rest.is_empty()).then(|| Value::Object(rest).to_string())
}
