//! Does a user's table fit its entity? Every difference is named, with what to do about it.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};
use sync_core::store::{StoreError, StoreErrorKind};
use sync_core::{Column, ColumnType, TableSchema};

use super::table::Table;
use crate::error::Context;

/// Checks all tables and prepares them.
pub(crate) fn check(db: &Connection, schemas: &[TableSchema]) -> Result<Vec<Table>, StoreError> {
    let mut differences = Vec::new();
    let mut tables = Vec::new();
    let mut kinds = BTreeSet::new();
    for schema in schemas {
        if !kinds.insert(&schema.kind) {
            differences.push(format!(
                "kind `{}` is given twice: register it once",
                schema.kind
            ));
        }
        let found = inspect(db, &schema.table).context("look at the tables")?;
        let before = differences.len();
        let table = compare(schema, &found, &mut |difference| {
            differences.push(format!("table `{}`: {difference}", schema.table));
        });
        if let (Some(table), true) = (table, differences.len() == before) {
            tables.push(table);
        }
    }
    if differences.is_empty() {
        return Ok(tables);
    }
    Err(StoreError::new(
        StoreErrorKind::Schema,
        format!(
            "{} in the tables that are to be synchronised; change the tables by a migration of the app, or the entities:\n- {}",
            if differences.len() == 1 {
                "1 difference"
            } else {
                "differences"
            },
            differences.join("\n- ")
        ),
    ))
}

/// What the database says about a table.
struct Found {
    is: Option<String>,
    columns: Vec<FoundColumn>,
    /// Columns that are unique by themselves.
    unique: BTreeSet<String>,
    refers_to_itself: bool,
}

struct FoundColumn {
    name: String,
    declared: String,
    not_null: bool,
    has_default: bool,
    generated: bool,
}

impl Found {
    fn column(&self, name: &str) -> Option<&FoundColumn> {
        self.columns
            .iter()
            .find(|column| column.name.eq_ignore_ascii_case(name))
    }
}

fn inspect(db: &Connection, table: &str) -> rusqlite::Result<Found> {
    let is = db
        .query_row(
            "SELECT type FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type IN ('table', 'view')",
            [table],
            |row| row.get(0),
        )
        .optional()?;
    let mut keys = BTreeSet::new();
    let columns = db
        .prepare(
            "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, hidden, pk FROM pragma_table_xinfo(?1)",
        )?
        .query_map([table], |row| {
            let column = FoundColumn {
                name: row.get(0)?,
                declared: row.get::<_, String>(1)?.to_ascii_uppercase(),
                not_null: row.get(2)?,
                has_default: row.get(3)?,
                generated: row.get::<_, i64>(4)? != 0,
            };
            if row.get::<_, i64>(5)? > 0 {
                keys.insert(column.name.to_ascii_lowercase());
            }
            Ok(column)
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut unique: BTreeSet<String> = db
        .prepare(
            "SELECT lower(min(c.name)) FROM pragma_index_list(?1) i, pragma_index_info(i.name) c \
             WHERE i.\"unique\" AND NOT i.partial GROUP BY i.name HAVING count(*) = 1 AND min(c.name) IS NOT NULL",
        )?
        .query_map([table], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    if keys.len() == 1 {
        unique.extend(keys);
    }
    let refers_to_itself = db.query_row(
        "SELECT EXISTS (SELECT 1 FROM pragma_foreign_key_list(?1) WHERE \"table\" = ?1 COLLATE NOCASE)",
        [table],
        |row| row.get(0),
    )?;
    Ok(Found {
        is,
        columns,
        unique,
        refers_to_itself,
    })
}

fn compare(schema: &TableSchema, found: &Found, report: &mut dyn FnMut(String)) -> Option<Table> {
    match found.is.as_deref() {
        Some("table") => {}
        Some(_) => {
            report("is a view; name the table itself".to_owned());
            return None;
        }
        None => {
            report("does not exist; create it before the store is prepared".to_owned());
            return None;
        }
    }
    let id = schema
        .columns
        .iter()
        .position(|column| column.field == schema.id_field);
    match id.and_then(|place| schema.columns.get(place)) {
        Some(column) if column.local_only => report(format!(
            "column `{}` holds the id but is local-only; let it be synced",
            column.name
        )),
        None => report(format!(
            "no column is described for the id field `{}`",
            schema.id_field
        )),
        Some(column) if !found.unique.contains(&column.name.to_ascii_lowercase()) => {
            report(format!(
                "column `{}` holds the id but is not unique; make it PRIMARY KEY or UNIQUE",
                column.name
            ))
        }
        Some(_) => {}
    }
    for column in &schema.columns {
        match found.column(&column.name) {
            Some(found) => compare_column(column, found, report),
            None => report(format!(
                "column `{}` is missing; {}",
                column.name,
                add_column(column)
            )),
        }
    }
    compare_others(schema, found, report);
    let defaulted = schema.columns.iter().map(|column| {
        let found = found.column(&column.name);
        found.is_some_and(|found| found.not_null && found.has_default)
    });
    Some(Table::new(
        schema.clone(),
        id?,
        defaulted.collect(),
        found.refers_to_itself,
    ))
}

fn add_column(column: &Column) -> String {
    let declared = match column.ty {
        ColumnType::Integer | ColumnType::Boolean => "INTEGER",
        ColumnType::Real => "REAL",
        ColumnType::Blob => "BLOB",
        _ => "TEXT",
    };
    let rule = if column.nullable {
        ""
    } else {
        " NOT NULL DEFAULT …"
    };
    format!("add it: {} {declared}{rule}", column.name)
}

fn compare_column(column: &Column, found: &FoundColumn, report: &mut dyn FnMut(String)) {
    let name = &column.name;
    if found.generated {
        report(format!(
            "column `{name}` is generated and cannot be written; make it an ordinary one"
        ));
    }
    if let Some(wanted) = wrong_type(column.ty, &found.declared) {
        report(format!(
            "column `{name}` is declared `{}`, which does not keep every {:?} value; declare it {wanted}",
            found.declared, column.ty
        ));
    }
    if column.nullable && found.not_null {
        report(format!(
            "column `{name}` is NOT NULL but its field may be null; drop one of the two"
        ));
    }
    if column.local_only && found.not_null && !found.has_default {
        report(needs_default(name));
    }
}

fn needs_default(name: &str) -> String {
    format!(
        "column `{name}` stays on this device, so a row from the server has no value for it; let it be null or give it a DEFAULT"
    )
}

/// The column for the rest, and the columns that only the app knows.
fn compare_others(schema: &TableSchema, found: &Found, report: &mut dyn FnMut(String)) {
    if let Some(extra) = &schema.extra_column {
        match found.column(extra) {
            None => report(format!(
                "column `{extra}` for further fields is missing; add it: {extra} TEXT"
            )),
            Some(column) => {
                if let Some(wanted) = wrong_type(ColumnType::Json, &column.declared) {
                    report(format!(
                        "column `{extra}` holds further fields as JSON; declare it {wanted}"
                    ));
                }
                if column.not_null {
                    report(format!(
                        "column `{extra}` for further fields is NOT NULL; let it be null"
                    ));
                }
            }
        }
    }
    let described = |name: &str| {
        let mut names = schema
            .columns
            .iter()
            .map(|column| &column.name)
            .chain(&schema.extra_column);
        names.any(|described| described.eq_ignore_ascii_case(name))
    };
    let others = found
        .columns
        .iter()
        .filter(|column| !described(&column.name));
    for column in
        others.filter(|column| column.not_null && !column.has_default && !column.generated)
    {
        report(needs_default(&column.name));
    }
}

/// How SQLite treats values of a column, by its declared type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Affinity {
    Integer,
    Text,
    None,
    Real,
    Numeric,
}

/// SQLite's own rules, in their order.
fn affinity(declared: &str) -> Affinity {
    let has = |parts: &[&str]| parts.iter().any(|part| declared.contains(part));
    if has(&["INT"]) {
        Affinity::Integer
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        Affinity::Text
    } else if declared.is_empty() || has(&["BLOB"]) || declared == "ANY" {
        Affinity::None
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        Affinity::Real
    } else {
        Affinity::Numeric
    }
}

/// What the column should be declared as, if it would change values of this type.
///
/// Numeric affinity turns text that looks like a number into one. That cannot happen to dates and
/// UUIDs, and the names that people use for these have it.
fn wrong_type(ty: ColumnType, declared: &str) -> Option<&'static str> {
    use Affinity::{Integer, None as Untyped, Numeric, Real, Text};
    let affinity = affinity(declared);
    let date = ["DATE", "TIME"]
        .iter()
        .any(|word| declared.starts_with(word));
    let uuid = matches!(declared, "UUID" | "GUID");
    let json = matches!(declared, "JSON" | "JSONB");
    let (fits, wanted) = match ty {
        ColumnType::Text => (matches!(affinity, Text | Untyped) || date || uuid, "TEXT"),
        ColumnType::Timestamp => (matches!(affinity, Text | Untyped) || date, "TEXT"),
        ColumnType::Json => (matches!(affinity, Text | Untyped) || json, "TEXT"),
        ColumnType::Integer => (matches!(affinity, Integer | Numeric | Untyped), "INTEGER"),
        ColumnType::Boolean => (matches!(affinity, Integer | Numeric | Untyped), "INTEGER"),
        ColumnType::Real => (matches!(affinity, Real | Numeric | Untyped), "REAL"),
        ColumnType::Blob => (affinity == Untyped, "BLOB"),
        _ => (false, "as a type that this version of the library knows"),
    };
    (!fits).then_some(wanted)
}
