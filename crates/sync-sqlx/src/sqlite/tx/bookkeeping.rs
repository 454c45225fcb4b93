//! Cursors, conflicts, quarantine and notes: each entry is the JSON of its core type.

use rusqlite::{Connection, OptionalExtension, Params, params};
use serde::de::DeserializeOwned;
use sync_core::store::{ConflictEntry, CursorState, QuarantineEntry, ResolvedConflict, StoreError};
use sync_core::{Kind, OpId};

use super::outbox::json;
use super::versions::distinct;
use crate::error::{Context, corrupt};

fn one(
    db: &Connection,
    sql: &str,
    parameters: impl Params,
    what: &str,
) -> Result<Option<String>, StoreError> {
    db.prepare_cached(sql)
        .and_then(|mut statement| statement.query_row(parameters, |row| row.get(0)).optional())
        .context(what)
}

fn all<T: DeserializeOwned>(
    db: &Connection,
    sql: &str,
    parameters: impl Params,
    what: &str,
) -> Result<Vec<T>, StoreError> {
    let states: Vec<String> = db
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_map(parameters, |row| row.get(0))?.collect())
        .context(what)?;
    states.iter().map(|state| parse(state, what)).collect()
}

fn parse<T: DeserializeOwned>(state: &str, what: &str) -> Result<T, StoreError> {
    crate::json::read(state).map_err(|error| corrupt(what, error))
}

fn run(db: &Connection, sql: &str, parameters: impl Params, what: &str) -> Result<(), StoreError> {
    db.prepare_cached(sql)
        .and_then(|mut statement| statement.execute(parameters))
        .context(what)?;
    Ok(())
}

/// The cursor of a kind.
pub(crate) fn cursor(db: &Connection, kind: &Kind) -> Result<Option<CursorState>, StoreError> {
    let sql = "SELECT state FROM sync_cursors WHERE kind = ?1";
    one(db, sql, [kind.as_str()], "read a cursor")?
        .map(|state| parse(&state, "a cursor"))
        .transpose()
}

/// Moves or forgets a cursor.
pub(crate) fn put_cursor(
    db: &Connection,
    kind: &Kind,
    cursor: Option<&CursorState>,
) -> Result<(), StoreError> {
    match cursor {
        Some(cursor) => run(
            db,
            "INSERT OR REPLACE INTO sync_cursors (kind, state) VALUES (?1, ?2)",
            [kind.as_str(), &json(cursor)?],
            "move a cursor",
        ),
        None => run(
            db,
            "DELETE FROM sync_cursors WHERE kind = ?1",
            [kind.as_str()],
            "forget a cursor",
        ),
    }
}

/// Open conflicts, oldest first. Times are compared as instants, so not in SQL.
pub(crate) fn conflicts(
    db: &Connection,
    op: Option<&OpId>,
) -> Result<Vec<ConflictEntry>, StoreError> {
    let what = "read conflicts";
    let mut entries: Vec<ConflictEntry> = match op {
        Some(op) => all(
            db,
            "SELECT state FROM sync_conflicts WHERE op_id = ?1",
            [op.as_str()],
            what,
        )?,
        None => all(db, "SELECT state FROM sync_conflicts", [], what)?,
    };
    entries.sort_by(|a, b| (&a.detected_at, &a.op_id).cmp(&(&b.detected_at, &b.op_id)));
    Ok(entries)
}

/// Stores open conflicts.
pub(crate) fn put_conflicts(db: &Connection, entries: &[ConflictEntry]) -> Result<(), StoreError> {
    for entry in entries {
        run(
            db,
            "INSERT INTO sync_conflicts (op_id, kind, entity_id, state) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (op_id) DO UPDATE SET kind = excluded.kind, entity_id = excluded.entity_id, \
             state = excluded.state",
            [
                entry.op_id.as_str(),
                entry.kind.as_str(),
                entry.entity_id.as_str(),
                &json(entry)?,
            ],
            "store a conflict",
        )?;
    }
    Ok(())
}

/// Removes open conflicts.
pub(crate) fn delete_conflicts(db: &Connection, ops: &[OpId]) -> Result<(), StoreError> {
    for op in ops {
        run(
            db,
            "DELETE FROM sync_conflicts WHERE op_id = ?1",
            [op.as_str()],
            "remove a conflict",
        )?;
    }
    Ok(())
}

/// Resolved conflicts, newest first.
pub(crate) fn conflict_history(
    db: &Connection,
    op: Option<&OpId>,
    limit: u32,
) -> Result<Vec<ResolvedConflict>, StoreError> {
    let sql = "SELECT state FROM sync_conflict_history WHERE ?1 IS NULL OR op_id = ?1 \
               ORDER BY place DESC LIMIT ?2";
    let op = op.map(OpId::as_str);
    all(db, sql, params![op, limit], "read the resolved conflicts")
}

/// Stores resolved conflicts as the newest ones, and lets the oldest go.
pub(crate) fn put_conflict_history(
    db: &Connection,
    entries: &[ResolvedConflict],
    keep: u32,
) -> Result<(), StoreError> {
    let what = "store a resolved conflict";
    for entry in entries {
        // Replacing takes a new place.
        run(
            db,
            "INSERT OR REPLACE INTO sync_conflict_history (op_id, kind, entity_id, state) \
             VALUES (?1, ?2, ?3, ?4)",
            [
                entry.op_id.as_str(),
                entry.kind.as_str(),
                entry.entity_id.as_str(),
                &json(entry)?,
            ],
            what,
        )?;
    }
    if entries.is_empty() {
        return Ok(());
    }
    let sql = "DELETE FROM sync_conflict_history WHERE place <= \
               (SELECT place FROM sync_conflict_history ORDER BY place DESC LIMIT 1 OFFSET ?1)";
    run(db, sql, [keep], what)
}

/// Forgets the resolved conflicts of a kind.
pub(crate) fn delete_conflict_history(db: &Connection, kind: &Kind) -> Result<(), StoreError> {
    let sql = "DELETE FROM sync_conflict_history WHERE kind = ?1";
    run(db, sql, [kind.as_str()], "forget resolved conflicts")
}

/// Quarantined rows in order of key.
pub(crate) fn quarantined(
    db: &Connection,
    kind: &Kind,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<QuarantineEntry>, StoreError> {
    all(
        db,
        "SELECT state FROM sync_quarantine WHERE kind = ?1 AND (?2 IS NULL OR key > ?2) \
         ORDER BY key LIMIT ?3",
        params![kind.as_str(), after, limit],
        "read the quarantine",
    )
}

/// The quarantined rows of these keys.
pub(crate) fn quarantined_of(
    db: &Connection,
    kind: &Kind,
    keys: &[String],
) -> Result<Vec<QuarantineEntry>, StoreError> {
    let sql = "SELECT state FROM sync_quarantine WHERE kind = ?1 AND key = ?2";
    let mut found = Vec::new();
    for key in distinct(keys) {
        found.extend(all(
            db,
            sql,
            params![kind.as_str(), key],
            "read the quarantine",
        )?);
    }
    Ok(found)
}

/// How many rows of a kind are quarantined.
pub(crate) fn count_quarantined(db: &Connection, kind: &Kind) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM sync_quarantine WHERE kind = ?1";
    let count: i64 = db
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row([kind.as_str()], |row| row.get(0)))
        .context("count the quarantine")?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Quarantines rows.
pub(crate) fn put_quarantine(
    db: &Connection,
    entries: &[QuarantineEntry],
) -> Result<(), StoreError> {
    for entry in entries {
        run(
            db,
            "INSERT INTO sync_quarantine (kind, key, state, schema_version) \
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT (kind, key) DO UPDATE \
             SET state = excluded.state, schema_version = excluded.schema_version",
            params![
                entry.kind.as_str(),
                entry.key,
                json(entry)?,
                entry.schema_version
            ],
            "quarantine a row",
        )?;
    }
    Ok(())
}

/// Releases rows from quarantine.
pub(crate) fn delete_quarantine(
    db: &Connection,
    kind: &Kind,
    keys: &[String],
) -> Result<(), StoreError> {
    for key in keys {
        let sql = "DELETE FROM sync_quarantine WHERE kind = ?1 AND key = ?2";
        run(
            db,
            sql,
            [kind.as_str(), key],
            "release a row from quarantine",
        )?;
    }
    Ok(())
}

/// One note.
pub(crate) fn meta(db: &Connection, key: &str) -> Result<Option<String>, StoreError> {
    one(
        db,
        "SELECT value FROM sync_meta WHERE key = ?1",
        [key],
        "read a note",
    )
}

/// Sets or removes a note.
pub(crate) fn put_meta(db: &Connection, key: &str, value: Option<&str>) -> Result<(), StoreError> {
    match value {
        Some(value) => run(
            db,
            "INSERT OR REPLACE INTO sync_meta (key, value) VALUES (?1, ?2)",
            [key, value],
            "write a note",
        ),
        None => run(
            db,
            "DELETE FROM sync_meta WHERE key = ?1",
            [key],
            "remove a note",
        ),
    }
}
