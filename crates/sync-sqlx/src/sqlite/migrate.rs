//! The library's own tables, made and kept up to date step by step.

use rusqlite::{Connection, OptionalExtension};
use sync_core::store::{StoreError, StoreErrorKind};

use crate::error::Context;

/// Every step that this version knows, in order; a step that was published never changes.
const STEPS: &[&str] = &[
    include_str!("migrations/0001_tables.sql"),
    include_str!("migrations/0002_look_first.sql"),
    include_str!("migrations/0003_conflict_history.sql"),
    include_str!("migrations/0004_body.sql"),
];

/// The note in `sync_meta` that says which format the file has, for programs that look into it.
const FORMAT: &str = "format";

/// Brings the library's tables up to date, inside the caller's writing transaction, so that several
/// programs that open a fresh file at once do it one after another.
pub(crate) fn migrate(db: &Connection) -> Result<(), StoreError> {
    let applied = applied_steps(db).map_err(failed)?;
    if applied > STEPS.len() {
        return Err(StoreError::new(
            StoreErrorKind::Open,
            format!(
                "cannot use this file: its sync tables have format {applied}, this version of the library knows formats up to {}; update the app. The file is left as it is",
                STEPS.len()
            ),
        ));
    }
    for (index, step) in STEPS.iter().enumerate().skip(applied) {
        run_step(db, index + 1, step).map_err(failed)?;
    }
    Ok(())
}

fn applied_steps(db: &Connection) -> rusqlite::Result<usize> {
    db.execute_batch(
        "CREATE TABLE IF NOT EXISTS _sync_migrations (
            version INTEGER PRIMARY KEY,
            applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
        )",
    )?;
    let newest: Option<i64> = db
        .query_row("SELECT max(version) FROM _sync_migrations", [], |row| {
            row.get(0)
        })
        .optional()?
        .flatten();
    Ok(newest.map_or(0, |version| usize::try_from(version).unwrap_or(usize::MAX)))
}

fn run_step(db: &Connection, version: usize, sql: &str) -> rusqlite::Result<()> {
    db.execute_batch(sql)?;
    let version = i64::try_from(version).unwrap_or(i64::MAX);
    db.execute(
        "INSERT INTO _sync_migrations (version) VALUES (?1)",
        [version],
    )?;
    db.execute(
        "INSERT OR REPLACE INTO sync_meta (key, value) VALUES (?1, ?2)",
        (FORMAT, version.to_string()),
    )?;
    Ok(())
}

fn failed(error: rusqlite::Error) -> StoreError {
    let what = "make the library's own tables";
    match Err::<(), _>(error).context(what).err() {
        // What is wrong with the file is told as such; anything else is about the tables.
        Some(error)
            if !matches!(
                error.kind(),
                StoreErrorKind::Other | StoreErrorKind::Constraint
            ) =>
        {
            error
        }
        Some(error) => StoreError::new(
            StoreErrorKind::Open,
            format!("{error}; no other table may be called `sync_outbox` and the like"),
        )
        .with_source(error),
        None => StoreError::new(StoreErrorKind::Open, format!("cannot {what}")),
    }
}
