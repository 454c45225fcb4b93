//! What the server last said about each row that it wrote.

use std::collections::BTreeSet;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};
use sync_core::store::StoreError;
use sync_core::{EntityId, Kind, Version};

use crate::codec::{stamp_from_text, stamp_text};
use crate::error::{Context, corrupt};
use crate::sqlite::table::Table;

/// Notes a version: kind, id, stamp, tag, generation.
pub(crate) const UPSERT: &str = "INSERT INTO sync_versions (kind, entity_id, stamp, tag, generation) VALUES (?1, ?2, ?3, ?4, ?5) \
     ON CONFLICT (kind, entity_id) DO UPDATE SET stamp = excluded.stamp, tag = excluded.tag, \
     generation = max(generation, excluded.generation), removed = 0";

/// Notes the version of a row that was written; `statement` is [`UPSERT`].
pub(crate) fn upsert(
    statement: &mut CachedStatement<'_>,
    kind: &Kind,
    id: &EntityId,
    version: Option<&Version>,
    generation: u32,
) -> rusqlite::Result<()> {
    let stamp = version.map(|version| stamp_text(&version.stamp));
    let tag = version.and_then(|version| version.tag.as_deref());
    statement.execute(params![kind.as_str(), id.as_str(), stamp, tag, generation])?;
    Ok(())
}

/// Remembers, or forgets, the version of a row that was removed.
pub(crate) fn removed(
    db: &Connection,
    kind: &Kind,
    id: &EntityId,
    tombstone: Option<&Version>,
) -> rusqlite::Result<()> {
    match tombstone {
        Some(version) => {
            let sql = "INSERT INTO sync_versions (kind, entity_id, stamp, tag, removed) \
                       VALUES (?1, ?2, ?3, ?4, 1) ON CONFLICT (kind, entity_id) DO UPDATE \
                       SET stamp = excluded.stamp, tag = excluded.tag, removed = 1";
            db.prepare_cached(sql)?.execute(params![
                kind.as_str(),
                id.as_str(),
                stamp_text(&version.stamp),
                version.tag
            ])?;
        }
        None => {
            db.prepare_cached("DELETE FROM sync_versions WHERE kind = ?1 AND entity_id = ?2")?
                .execute([kind.as_str(), id.as_str()])?;
        }
    }
    Ok(())
}

/// The versions of these entities.
pub(crate) fn versions(
    db: &Connection,
    kind: &Kind,
    ids: &[EntityId],
) -> Result<Vec<(EntityId, Option<Version>)>, StoreError> {
    let mut statement = db
        .prepare_cached("SELECT stamp, tag FROM sync_versions WHERE kind = ?1 AND entity_id = ?2")
        .context("read versions")?;
    let mut found = Vec::with_capacity(ids.len());
    for id in distinct(ids) {
        let stored = statement
            .query_row([kind.as_str(), id.as_str()], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
            .context("read versions")?;
        if let Some((stamp, tag)) = stored {
            found.push((id.clone(), version(stamp, tag)?));
        }
    }
    Ok(found)
}

/// A version of its two columns.
pub(crate) fn version(
    stamp: Option<String>,
    tag: Option<String>,
) -> Result<Option<Version>, StoreError> {
    stamp
        .map(|stamp| match stamp_from_text(&stamp) {
            Ok(stamp) => Ok(Version::new(stamp).with_tag(tag)),
            Err(error) => Err(corrupt("a version", error)),
        })
        .transpose()
}

/// Notes that a full pull saw these entities.
pub(crate) fn mark_seen(
    db: &Connection,
    kind: &Kind,
    generation: u32,
    ids: &[EntityId],
) -> Result<(), StoreError> {
    let mark = || -> rusqlite::Result<()> {
        let mut statement = db.prepare_cached(
            "UPDATE sync_versions SET generation = ?3 \
             WHERE kind = ?1 AND entity_id = ?2 AND generation < ?3",
        )?;
        for id in ids {
            statement.execute(params![kind.as_str(), id.as_str(), generation])?;
        }
        Ok(())
    };
    mark().context("mark rows as seen")
}

/// Rows that the server wrote and that this generation did not see.
pub(crate) fn unseen(
    db: &Connection,
    table: &Table,
    generation: u32,
    after: Option<&EntityId>,
    limit: u32,
) -> Result<Vec<EntityId>, StoreError> {
    let after = after.map_or("", EntityId::as_str);
    let ids: Vec<String> = db
        .prepare_cached(&table.unseen)
        .and_then(|mut statement| {
            let parameters = params![table.schema.kind.as_str(), generation, after, limit];
            statement.query_map(parameters, first)?.collect()
        })
        .context("list unseen rows")?;
    ids.into_iter().map(entity_id).collect()
}

fn first(row: &Row<'_>) -> rusqlite::Result<String> {
    row.get(0)
}

/// An entity id that the library stored.
pub(crate) fn entity_id(text: String) -> Result<EntityId, StoreError> {
    EntityId::try_from(text).map_err(|error| corrupt("an entity id", error))
}

/// How many rows of this table the server wrote.
pub(crate) fn count_synced(db: &Connection, table: &Table) -> Result<u64, StoreError> {
    db.prepare_cached(&table.count_synced)
        .and_then(|mut statement| {
            statement.query_row([table.schema.kind.as_str()], |row| row.get(0))
        })
        .map(i64::unsigned_abs)
        .context("count synced rows")
}

/// Forgets tombstones older than this, of rows that are not there again. Stamps are compared as
/// instants, so not in SQL.
pub(crate) fn forget_tombstones(
    db: &Connection,
    table: &Table,
    before: &Version,
) -> Result<u64, StoreError> {
    let tombstones: Vec<(i64, Option<String>)> = db
        .prepare_cached(&table.tombstones)
        .and_then(|mut statement| {
            statement
                .query_map([table.schema.kind.as_str()], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?
                .collect()
        })
        .context("read tombstones")?;
    let mut forgotten = 0;
    for (rowid, stamp) in tombstones {
        if version(stamp, None)?.is_some_and(|version| before.is_newer_than(&version)) {
            db.prepare_cached("DELETE FROM sync_versions WHERE rowid = ?1")
                .and_then(|mut statement| statement.execute([rowid]))
                .context("forget a tombstone")?;
            forgotten += 1;
        }
    }
    Ok(forgotten)
}

/// Deleted rows whose version is older than this, with that version. Stamps are compared as
/// instants, so not in SQL.
pub(crate) fn tombstone_rows(
    db: &Connection,
    table: &Table,
    before: &Version,
    after: Option<&EntityId>,
    limit: u32,
) -> Result<Vec<(EntityId, Version)>, StoreError> {
    let Some(sql) = &table.tombstone_rows else {
        return Ok(Vec::new());
    };
    let what = "list old tombstone rows";
    let after = after.map_or("", EntityId::as_str);
    let mut statement = db.prepare_cached(sql).context(what)?;
    let mut rows = statement
        .query([table.schema.kind.as_str(), after])
        .context(what)?;
    let mut old = Vec::new();
    while old.len() < limit as usize {
        let Some(row) = rows.next().context(what)? else {
            break;
        };
        let stamp = row.get(1).context(what)?;
        let tag = row.get(2).context(what)?;
        if let Some(version) = version(stamp, tag)?
            && before.is_newer_than(&version)
        {
            old.push((entity_id(row.get(0).context(what)?)?, version));
        }
    }
    Ok(old)
}

/// Rows of which neither a version nor an operation is kept.
pub(crate) fn unclaimed(
    db: &Connection,
    table: &Table,
    after: Option<&EntityId>,
    limit: u32,
) -> Result<Vec<EntityId>, StoreError> {
    let after = after.map_or("", EntityId::as_str);
    let ids: Vec<String> = db
        .prepare_cached(&table.unclaimed)
        .and_then(|mut statement| {
            let parameters = params![table.schema.kind.as_str(), after, limit];
            statement.query_map(parameters, first)?.collect()
        })
        .context("list unclaimed rows")?;
    ids.into_iter().map(entity_id).collect()
}

/// What a set holds in the order asked for, each once.
pub(crate) fn distinct<T: Ord>(set: &[T]) -> impl Iterator<Item = &T> {
    let mut seen = BTreeSet::new();
    let ascends = set.windows(2).all(|pair| pair[0] < pair[1]);
    set.iter().filter(move |item| ascends || seen.insert(*item))
}
