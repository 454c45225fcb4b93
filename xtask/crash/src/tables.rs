//! The tables: one shape, one strategy each.

use serde_json::{Value, json};
use sync_core::id::InvalidId;
use sync_core::{
    Column, ColumnType, Conflict, ConflictStrategy, Kind, MergeFunction, Record, TableConfig,
    TableSchema,
};

/// Merged field by field; every write adds an element to a list, so that none may ever be missing.
pub(crate) const NOTES: &str = "notes";
/// Merged by a function that adds up, so that a write that took effect twice shows in the sum.
pub(crate) const TALLIES: &str = "tallies";
/// The server wins: a write may go, if an event says so.
pub(crate) const LABELS: &str = "labels";
/// The client wins; the server refuses some of them, which are stuck until they are discarded.
pub(crate) const FLAGS: &str = "flags";

/// All of them.
pub(crate) const KINDS: [&str; 4] = [NOTES, TALLIES, LABELS, FLAGS];

/// The longest text that the table takes: a longer one from the server goes to quarantine.
pub(crate) const LONGEST_TEXT: usize = 40;

/// The fields that are compared.
pub(crate) const FIELDS: [&str; 3] = ["text", "tokens", "count"];

/// The ids of notes that exist from the beginning, and of all tallies, labels and flags.
pub(crate) fn ids(kind: &str) -> impl Iterator<Item = String> {
    let kind = kind.to_owned();
    (0..8).map(move |number| format!("{kind}-{number}"))
}

/// The flags that the server refuses.
pub(crate) fn refused_ids() -> impl Iterator<Item = String> {
    (0..6).map(|number| format!("refused-{number}"))
}

/// What a write of this number leaves in its record.
pub(crate) fn mark(number: u64) -> String {
    format!("w{number}")
}

/// A record of the shape of all tables.
pub(crate) fn record(id: &str, text: &str, tokens: &[String]) -> Value {
    json!({"id": id, "text": text, "tokens": tokens, "count": 0})
}

/// Makes a table where it is missing.
pub(crate) fn create_sql(kind: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {kind} (
            id TEXT NOT NULL PRIMARY KEY,
            text TEXT NOT NULL CHECK (length(text) <= {LONGEST_TEXT}),
            tokens TEXT NOT NULL,
            count INTEGER NOT NULL,
            updated_at TEXT,
            deleted_at TEXT
        )"
    )
}

pub(crate) fn schema(kind: &str) -> Result<TableSchema, InvalidId> {
    let schema = TableSchema::new(Kind::new(kind)?, kind, "id")
        .column(Column::new("id", ColumnType::Text))
        .column(Column::new("text", ColumnType::Text))
        .column(Column::new("tokens", ColumnType::Json))
        .column(Column::new("count", ColumnType::Integer))
        .column(Column::new("updated_at", ColumnType::Timestamp).nullable())
        .column(Column::new("deleted_at", ColumnType::Timestamp).nullable());
    Ok(schema)
}

pub(crate) fn config(kind: &str) -> TableConfig {
    let config = TableConfig::new();
    match kind {
        TALLIES => config.merge(MergeFunction::of_conflict(add_up)),
        LABELS => config.strategy(ConflictStrategy::ServerWins),
        FLAGS => config.strategy(ConflictStrategy::ClientWins),
        _ => config,
    }
}

/// What the server has and what was added here.
fn add_up(conflict: &Conflict) -> Option<Record> {
    let count = |record: &Record| record.get("count").and_then(Value::as_i64);
    let (local, server) = (conflict.local.as_ref()?, conflict.server_record()?);
    let base = conflict.base_record().and_then(count).unwrap_or(0);
    let sum = count(server)? + count(local)? - base;
    let mut merged = server.clone();
    merged.fields_mut().insert("count".to_owned(), sum.into());
    Some(merged)
}
