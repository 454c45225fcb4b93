//! What is wrong with the settings of an engine and of its tables, all of it at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::config::SyncConfig;
use crate::conflict::ConflictStrategy;
use crate::error::SyncError;
use crate::id::{InvalidId, Kind};
use crate::record::ID_FIELDS;
use crate::references::References;
use crate::schema::{Column, TableSchema};
use crate::table::{BadRow, ExistingRows, SoftDelete, Table, TableConfig};
use crate::travel::{Direction, Payload};

/// A table as it was registered; a type may name its kind wrongly.
pub(super) type Registered = Result<(TableSchema, TableConfig), InvalidId>;

/// Query parameters that are the protocol's own.
const PROTOCOL_PARAMETERS: [&str; 6] = [
    "updatedSince",
    "limit",
    "includeDeleted",
    "afterId",
    "pageToken",
    "cursor",
];

/// Checks everything that an engine is told; every problem is in the one error.
pub(super) fn all(
    registered: Vec<Registered>,
    config: &SyncConfig,
    account: Option<&str>,
) -> Result<(BTreeMap<Kind, Table>, References), SyncError> {
    let mut problems = Vec::new();
    if let Err(error) = config.validate() {
        problems.push(error.to_string());
    }
    if account == Some("") {
        let text = "the account must not be empty: leave it out where there is none";
        problems.push(text.to_owned());
    }
    let tables = tables(registered, config, &mut problems);
    let references = match References::new(&tables) {
        Ok(references) => references,
        Err(found) => {
            problems.extend(found);
            References::default()
        }
    };
    problems.extend(parents_that_never_come(&tables));
    if problems.is_empty() {
        Ok((tables, references))
    } else {
        Err(SyncError::Config(problems.join("; ")))
    }
}

fn tables(
    registered: Vec<Registered>,
    config: &SyncConfig,
    problems: &mut Vec<String>,
) -> BTreeMap<Kind, Table> {
    let mut tables: BTreeMap<Kind, Table> = BTreeMap::new();
    if registered.is_empty() {
        problems.push("no table is registered: add one with `table` or `schema`".to_owned());
    }
    for entry in registered {
        let (schema, own) = match entry {
            Ok(entry) => entry,
            Err(error) => {
                problems.push(error.to_string());
                continue;
            }
        };
        let kind = schema.kind.clone();
        let found = of_schema(&schema)
            .into_iter()
            .chain(of_values(&schema, &own))
            .chain(of_filter(&own))
            .chain(of_references(&own))
            .chain(of_conflicts(&own, config.conflict_strategy))
            .chain(of_direction(&own));
        problems.extend(found.map(|problem| format!("{kind}: {problem}")));
        let table = Table::new(schema, own, config.conflict_strategy, config.page_size);
        if tables.insert(kind.clone(), table).is_some() {
            problems.push(format!(
                "kind {kind:?} is registered twice: register each kind once"
            ));
        }
    }
    tables
}

fn of_schema(schema: &TableSchema) -> Vec<String> {
    let field = &schema.id_field;
    let mut problems = Vec::new();
    if schema.id().is_none() {
        problems.push(format!("no column holds the id field {field:?}: add it"));
    }
    if !ID_FIELDS.contains(&&**field) {
        problems.push(format!(
            "the id field {field:?} must be `id`, `ID` or `uuid`"
        ));
    }
    for name in schema.columns.iter().map(|column| &column.field) {
        if name.starts_with('_') {
            problems.push(format!(
                "the field {name:?} begins with `_`: such names are messages to the server, which no record keeps. Give it another name"
            ));
        } else if name != field && ID_FIELDS.contains(&&**name) {
            problems.push(format!(
                "the field {name:?} names the id too, which is {field:?} here: give it another name"
            ));
        }
    }
    problems
}

/// Settings that no table can have, or this one cannot.
fn of_values(schema: &TableSchema, own: &TableConfig) -> Vec<String> {
    let mut problems = Vec::new();
    problems.extend(own.upcasts.problem());
    problems.extend(schema.columns.iter().filter_map(Column::merge_problem));
    if own.sync_interval == Some(Duration::ZERO) {
        problems.push("sync_interval must not be zero".to_owned());
    }
    if own.page_size == Some(0) {
        problems.push("page_size must be at least 1".to_owned());
    }
    if own.soft_delete == Some(SoftDelete::PurgeAfter(Duration::ZERO)) {
        problems.push("SoftDelete::PurgeAfter needs a time: use SoftDelete::Purge".to_owned());
    }
    if let Some(policy) = own.soft_delete
        && policy.keeps()
        && schema.tombstone().is_none()
    {
        problems.push(format!(
            "SoftDelete::{policy:?} needs a field `deleted_at` or `deletedAt` to mark deleted rows: add it, or use SoftDelete::Purge"
        ));
    }
    problems
}

fn of_filter(own: &TableConfig) -> Vec<String> {
    let mut problems = Vec::new();
    let mut met = BTreeSet::new();
    for (name, _) in &own.filter {
        if name.is_empty() {
            problems.push("a filter has no name: name the query parameter".to_owned());
        } else if PROTOCOL_PARAMETERS.contains(&&**name) {
            problems.push(format!(
                "the filter {name:?} is a parameter of the protocol: choose another name"
            ));
        } else if !met.insert(name) {
            problems.push(format!(
                "the filter {name:?} is there twice: give it one value"
            ));
        }
    }
    problems
}

fn of_references(own: &TableConfig) -> Vec<String> {
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let mut problems = Vec::new();
    for (field, kind) in &own.references {
        let before = kinds.insert(field, kind);
        if let Some(before) = before.filter(|before| before != kind) {
            problems.push(format!(
                "the field {field:?} refers to {before:?} and to {kind:?}, and an id is of one kind: use a field for each"
            ));
        }
    }
    problems
}

/// Those who decide conflicts and are never asked.
fn of_conflicts(own: &TableConfig, default: ConflictStrategy) -> Vec<String> {
    let strategy = own.strategy.unwrap_or(default);
    let mut problems = Vec::new();
    if own.resolver.is_some() && strategy != ConflictStrategy::Manual {
        problems.push(format!(
            "the resolver is never asked under ConflictStrategy::{strategy:?}: leave one of both out"
        ));
    }
    if own.merge.is_some() && strategy != ConflictStrategy::Merge {
        problems.push(format!(
            "the merge function is never called under ConflictStrategy::{strategy:?}: leave one of both out"
        ));
    }
    problems
}

/// Settings that say nothing about a table of which one half never happens.
fn of_direction(own: &TableConfig) -> Vec<String> {
    let idle: Vec<(bool, &str)> = match own.direction {
        Direction::Both => Vec::new(),
        Direction::PullOnly => vec![
            (own.strategy.is_some(), "strategy"),
            (own.resolver.is_some(), "resolver"),
            (own.merge.is_some(), "merge"),
            (own.coalesce.is_some(), "coalesce"),
            (own.payload == Payload::Changed, "Payload::Changed"),
            (
                own.existing_rows == Some(ExistingRows::Adopt),
                "ExistingRows::Adopt",
            ),
        ],
        Direction::PushOnly => vec![
            (own.page_size.is_some(), "page_size"),
            (own.sync_interval.is_some(), "sync_interval"),
            (!own.filter.is_empty(), "filter"),
            (own.bad_rows == BadRow::Fail, "BadRow::Fail"),
            (
                matches!(own.soft_delete, Some(SoftDelete::PurgeAfter(_))),
                "SoftDelete::PurgeAfter",
            ),
        ],
    };
    let (direction, half) = (
        own.direction,
        if own.direction.pulls() {
            "sent"
        } else {
            "pulled"
        },
    );
    let problem = |name| {
        format!(
            "{name} has no meaning under Direction::{direction:?}, where nothing is {half}: leave one of both out"
        )
    };
    let idle = idle.into_iter().filter(|(is_set, _)| *is_set);
    // A resolver implies its strategy, and so does a merge function: one of both is enough to say.
    let implied = own.resolver.is_some() || own.merge.is_some();
    idle.filter(|(_, name)| !implied || *name != "strategy")
        .map(|(_, name)| problem(name))
        .collect()
}

/// Pulled rows wait for their parents; those of a kind that is never pulled may never come.
fn parents_that_never_come(tables: &BTreeMap<Kind, Table>) -> Vec<String> {
    let mut problems = Vec::new();
    for (kind, table) in tables.iter().filter(|(_, table)| table.direction.pulls()) {
        for (field, parent) in &table.references {
            let parent = Kind::new(parent)
                .ok()
                .and_then(|parent| tables.get(&parent));
            if let Some(parent) = parent.filter(|parent| !parent.direction.pulls()) {
                let parent = &parent.schema.kind;
                problems.push(format!(
                    "{kind}: the field {field:?} refers to {parent:?}, which is never pulled (Direction::PushOnly), so pulled rows would wait for it for ever: pull it, or leave the reference out"
                ));
            }
        }
    }
    problems
}
