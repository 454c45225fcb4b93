//! What is synchronised, and how its conflicts are settled.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sync_core::{
    ConflictResolver, ConflictStrategy, InvalidId, Kind, MergeFunction, Resolution, SyncEntity,
    TableConfig, TableSchema, Timestamp, default_merge, resolve_fn,
};

/// 250 records with names in many scripts; `data/README.md` says where they come from.
pub(crate) const TERRITORIES: &str = include_str!("../data/territories.json");

/// A country or territory of the world.
#[derive(Debug, Clone, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "territories")]
pub(crate) struct Territory {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) native_name: String,
    pub(crate) script_names: BTreeMap<String, String>,
    pub(crate) languages: Vec<String>,
    pub(crate) population: i64,
    pub(crate) updated_at: Option<Timestamp>,
}

/// How a day was; the id is its date.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "daily_feeling")]
pub(crate) struct DailyFeeling {
    pub(crate) id: String,
    pub(crate) mood: i64,
    pub(crate) energy: Option<i64>,
    pub(crate) notes: String,
    pub(crate) updated_at: Option<Timestamp>,
}

impl DailyFeeling {
    pub(crate) fn new(id: &str, mood: i64, energy: Option<i64>, notes: &str) -> Self {
        Self {
            id: id.to_owned(),
            mood,
            energy,
            notes: notes.to_owned(),
            updated_at: None,
        }
    }
}

/// The same diary once for each strategy, each under a kind and in a table of its own.
pub(crate) const DIARIES: [(&str, ConflictStrategy); 6] = [
    ("daily_feeling", ConflictStrategy::AutoPreserve),
    ("daily_feeling_server_wins", ConflictStrategy::ServerWins),
    ("daily_feeling_client_wins", ConflictStrategy::ClientWins),
    (
        "daily_feeling_last_write_wins",
        ConflictStrategy::LastWriteWins,
    ),
    ("daily_feeling_merge", ConflictStrategy::Merge),
    ("daily_feeling_manual", ConflictStrategy::Manual),
];

/// The schema of a diary: that of [`DailyFeeling`] under another name.
pub(crate) fn diary_schema(kind: &str) -> Result<TableSchema, InvalidId> {
    let mut schema = DailyFeeling::schema()?;
    schema.kind = Kind::new(kind)?;
    schema.table = kind.to_owned();
    Ok(schema)
}

/// The settings of a diary.
pub(crate) fn diary_config(strategy: ConflictStrategy) -> TableConfig {
    let config = TableConfig::new();
    match strategy {
        ConflictStrategy::Merge => config.merge(both_notes()),
        ConflictStrategy::Manual => config.resolver(meet_in_the_middle()),
        _ => config.strategy(strategy),
    }
}

/// One statement for each table.
pub(crate) fn create_tables_sql() -> Vec<String> {
    let diary = DailyFeeling::create_table_sql();
    let diaries = DIARIES
        .map(|(kind, _)| diary.replace(DailyFeeling::TABLE, kind))
        .into_iter();
    diaries.chain([Territory::create_table_sql()]).collect()
}

/// A function of the app's: whatever is set here overlays the server's, but notes are joined.
fn both_notes() -> MergeFunction {
    MergeFunction::new(|local, server| {
        let mut merged = default_merge(local, server);
        if let (Some(theirs), Some(mine)) = (server["notes"].as_str(), local["notes"].as_str()) {
            merged.insert("notes".to_owned(), json!(format!("{theirs} + {mine}")));
        }
        merged
    })
}

/// A resolver of the app's; a real one would ask a person.
fn meet_in_the_middle() -> std::sync::Arc<dyn ConflictResolver> {
    resolve_fn(|conflict| async move {
        let (Some(mine), Some(theirs)) = (&conflict.local, conflict.server_record()) else {
            return Ok(Resolution::Defer);
        };
        let mood = |record: &sync_core::Record| record.get("mood").and_then(|mood| mood.as_i64());
        let (Some(my_mood), Some(their_mood)) = (mood(mine), mood(theirs)) else {
            return Ok(Resolution::Defer);
        };
        let mut agreed = theirs.clone();
        let fields = agreed.fields_mut();
        fields.insert("mood".to_owned(), json!((my_mood + their_mood) / 2));
        fields.insert("notes".to_owned(), json!("We talked"));
        Ok(Resolution::AcceptMerged(agreed))
    })
}
