//! What is remembered about the server while an entity has operations.

use rusqlite::{Connection, Row, params};
use sync_core::store::StoreError;
use sync_core::{EntityId, Kind, Record, ServerState, Shadow, Version};

use super::outbox::json;
use super::versions::{distinct, entity_id, version};
use crate::codec::stamp_text;
use crate::error::{Context, corrupt};

const OF_ENTITY: &str = "SELECT entity_id, base_state, base_record, base_stamp, base_tag, \
     parked_state, parked_record, parked_stamp, parked_tag, schema_version \
     FROM sync_shadow WHERE kind = ?1 AND entity_id = ?2";

const IDLE: &str = "SELECT entity_id, base_state, base_record, base_stamp, base_tag, \
     parked_state, parked_record, parked_stamp, parked_tag, schema_version \
     FROM sync_shadow s WHERE s.kind = ?1 AND NOT EXISTS \
     (SELECT 1 FROM sync_outbox o WHERE o.kind = s.kind AND o.entity_id = s.entity_id) \
     AND (?3 IS NULL OR s.entity_id > ?3) ORDER BY s.entity_id LIMIT ?2";

/// The shadows of these entities.
pub(crate) fn get(
    db: &Connection,
    kind: &Kind,
    ids: &[EntityId],
) -> Result<Vec<Shadow>, StoreError> {
    let mut statement = db.prepare_cached(OF_ENTITY).context("read shadows")?;
    let mut shadows = Vec::new();
    for id in distinct(ids) {
        let mut rows = statement
            .query([kind.as_str(), id.as_str()])
            .context("read shadows")?;
        if let Some(row) = rows.next().context("read shadows")? {
            shadows.push(read(kind, row)?);
        }
    }
    Ok(shadows)
}

/// Shadows of entities that have no operation.
pub(crate) fn idle(
    db: &Connection,
    kind: &Kind,
    after: Option<&EntityId>,
    limit: u32,
) -> Result<Vec<Shadow>, StoreError> {
    let mut statement = db.prepare_cached(IDLE).context("read shadows")?;
    let mut rows = statement
        .query(params![kind.as_str(), limit, after.map(EntityId::as_str)])
        .context("read shadows")?;
    let mut shadows = Vec::new();
    while let Some(row) = rows.next().context("read shadows")? {
        shadows.push(read(kind, row)?);
    }
    Ok(shadows)
}

fn read(kind: &Kind, row: &Row<'_>) -> Result<Shadow, StoreError> {
    let id: String = row.get(0).context("read a shadow")?;
    let base = read_state(row, 1)?.ok_or_else(|| corrupt("a shadow", "no base state"))?;
    Ok(Shadow {
        kind: kind.clone(),
        entity_id: entity_id(id)?,
        base,
        parked: read_state(row, 5)?,
        schema_version: row.get(9).context("read a shadow")?,
    })
}

/// A state of four columns, the first of which is at `at`.
fn read_state(row: &Row<'_>, at: usize) -> Result<Option<ServerState>, StoreError> {
    let what = "read a shadow";
    let Some(word) = row.get::<_, Option<String>>(at).context(what)? else {
        return Ok(None);
    };
    let record = row.get::<_, Option<String>>(at + 1).context(what)?;
    let record: Option<Record> = record
        .map(|text| crate::json::read(&text).map_err(|error| corrupt("a shadow", error)))
        .transpose()?;
    let version = version(
        row.get(at + 2).context(what)?,
        row.get(at + 3).context(what)?,
    )?;
    Ok(Some(match (word.as_str(), record) {
        ("absent", None) => ServerState::Absent,
        ("live", Some(record)) => ServerState::Live { record, version },
        ("deleted", record) => ServerState::Deleted { record, version },
        _ => return Err(corrupt("a shadow", format!("a state `{word}`"))),
    }))
}

/// A state as its four columns.
struct Columns<'s> {
    word: &'static str,
    record: Option<String>,
    stamp: Option<String>,
    tag: Option<&'s str>,
}

fn columns(state: &ServerState) -> Result<Columns<'_>, StoreError> {
    let word = match state {
        ServerState::Absent => "absent",
        ServerState::Live { .. } => "live",
        ServerState::Deleted { .. } => "deleted",
    };
    let version: Option<&Version> = state.version();
    Ok(Columns {
        word,
        record: state.record().map(json).transpose()?,
        stamp: version.map(|version| stamp_text(&version.stamp)),
        tag: version.and_then(|version| version.tag.as_deref()),
    })
}

/// Inserts or replaces shadows.
pub(crate) fn put(db: &Connection, shadows: &[Shadow]) -> Result<(), StoreError> {
    let mut statement = db
        .prepare_cached(
            "INSERT OR REPLACE INTO sync_shadow (kind, entity_id, base_state, base_record, base_stamp, \
             base_tag, parked_state, parked_record, parked_stamp, parked_tag) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )
        .context("write a shadow")?;
    for shadow in shadows {
        let base = columns(&shadow.base)?;
        let parked = shadow.parked.as_ref().map(columns).transpose()?;
        let parked = parked.as_ref();
        statement
            .execute(params![
                shadow.kind.as_str(),
                shadow.entity_id.as_str(),
                base.word,
                base.record,
                base.stamp,
                base.tag,
                parked.map(|parked| parked.word),
                parked.and_then(|parked| parked.record.as_deref()),
                parked.and_then(|parked| parked.stamp.as_deref()),
                parked.and_then(|parked| parked.tag),
            ])
            .context("write a shadow")?;
    }
    Ok(())
}

/// Removes shadows.
pub(crate) fn delete(db: &Connection, kind: &Kind, ids: &[EntityId]) -> Result<(), StoreError> {
    let mut statement = db
        .prepare_cached("DELETE FROM sync_shadow WHERE kind = ?1 AND entity_id = ?2")
        .context("remove a shadow")?;
    for id in ids {
        statement
            .execute([kind.as_str(), id.as_str()])
            .context("remove a shadow")?;
    }
    Ok(())
}

/// Which of these entities have an operation or a shadow.
///
/// Most pulls find none at all, and one look at both tables tells.
pub(crate) fn pending(
    db: &Connection,
    kind: &Kind,
    ids: &[EntityId],
) -> Result<Vec<EntityId>, StoreError> {
    let work = || -> rusqlite::Result<Vec<EntityId>> {
        let any: bool = db
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM sync_outbox WHERE kind = ?1) \
                 OR EXISTS (SELECT 1 FROM sync_shadow WHERE kind = ?1)",
            )?
            .query_row([kind.as_str()], |row| row.get(0))?;
        if !any {
            return Ok(Vec::new());
        }
        let mut statement = db.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM sync_outbox WHERE kind = ?1 AND entity_id = ?2) \
             OR EXISTS (SELECT 1 FROM sync_shadow WHERE kind = ?1 AND entity_id = ?2)",
        )?;
        let mut pending = Vec::new();
        for id in distinct(ids) {
            if statement.query_row([kind.as_str(), id.as_str()], |row| row.get(0))? {
                pending.push(id.clone());
            }
        }
        Ok(pending)
    };
    work().context("look for pending operations")
}
