//! What lies in the file of a process that was killed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};
use serde_json::{Map, Value};
use sync_core::Timestamp;
use sync_core::store::CursorState;

use crate::Result;
use crate::tables::KINDS;

/// Kind and id.
pub(crate) type Key = (String, String);

/// One row of the user's.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// The compared fields.
    pub(crate) fields: Map<String, Value>,
    pub(crate) is_deleted: bool,
}

/// One queued operation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Queued {
    /// What the user wrote; `None` = deleted it.
    pub(crate) payload: Option<Value>,
    pub(crate) is_stuck: bool,
}

/// Everything that is looked at.
#[derive(Debug, Default)]
pub(crate) struct File {
    /// What SQLite itself says.
    pub(crate) integrity: String,
    pub(crate) rows: BTreeMap<Key, Row>,
    /// In the order of the queue.
    pub(crate) ops: BTreeMap<Key, Vec<Queued>>,
    pub(crate) versions: BTreeMap<Key, Timestamp>,
    pub(crate) shadows: BTreeSet<Key>,
    pub(crate) quarantined: BTreeSet<Key>,
    pub(crate) cursors: BTreeMap<String, CursorState>,
}

impl File {
    /// Reads a copy, so that the file itself stays for the next process as the last one left it.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self {
                integrity: "ok".to_owned(),
                ..Self::default()
            });
        }
        let folder = tempfile::tempdir()?;
        let copy = folder.path().join("copy.db");
        fs::copy(path, &copy)?;
        let log = path.with_extension("db-wal");
        if log.exists() {
            fs::copy(log, folder.path().join("copy.db-wal"))?;
        }
        let db = Connection::open(&copy)?;
        let mut this = Self {
            integrity: db.query_row("PRAGMA integrity_check", [], |row| row.get(0))?,
            ..Self::default()
        };
        for kind in KINDS {
            if has_table(&db, kind)? {
                this.read_rows(&db, kind)?;
            }
        }
        if has_table(&db, "sync_outbox")? {
            this.read_bookkeeping(&db)?;
        }
        Ok(this)
    }

    fn read_rows(&mut self, db: &Connection, kind: &str) -> Result<()> {
        let sql = format!("SELECT id, text, tokens, count, deleted_at IS NOT NULL FROM {kind}");
        let mut statement = db.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let tokens: String = row.get(2)?;
            let mut fields = Map::new();
            fields.insert("text".to_owned(), row.get::<_, String>(1)?.into());
            fields.insert("tokens".to_owned(), serde_json::from_str(&tokens)?);
            fields.insert("count".to_owned(), row.get::<_, i64>(3)?.into());
            let key = (kind.to_owned(), row.get(0)?);
            let is_deleted = row.get(4)?;
            self.rows.insert(key, Row { fields, is_deleted });
        }
        Ok(())
    }

    fn read_bookkeeping(&mut self, db: &Connection) -> Result<()> {
        let sql = "SELECT kind, entity_id, payload, status FROM sync_outbox ORDER BY seq";
        for (key, payload, status) in triples(db, sql)? {
            let queued = Queued {
                payload: payload
                    .map(|text| serde_json::from_str(&text))
                    .transpose()?,
                is_stuck: status.as_deref() == Some("stuck"),
            };
            self.ops.entry(key).or_default().push(queued);
        }
        let sql = "SELECT kind, entity_id, stamp, NULL FROM sync_versions WHERE removed = 0";
        for (key, stamp, _) in triples(db, sql)? {
            if let Some(stamp) = stamp {
                self.versions.insert(key, Timestamp::parse(&stamp)?);
            }
        }
        let keys = |sql: &str| Result::Ok(triples(db, sql)?.into_iter().map(|(key, ..)| key));
        self.shadows = keys("SELECT kind, entity_id, NULL, NULL FROM sync_shadow")?.collect();
        self.quarantined = keys("SELECT kind, key, NULL, NULL FROM sync_quarantine")?.collect();
        let sql = "SELECT kind, '', state, NULL FROM sync_cursors";
        for ((kind, _), state, _) in triples(db, sql)? {
            let state = state.unwrap_or_default();
            self.cursors.insert(kind, serde_json::from_str(&state)?);
        }
        Ok(())
    }

    /// The operations of one record, oldest first.
    pub(crate) fn ops_of(&self, key: &Key) -> &[Queued] {
        self.ops.get(key).map_or(&[], Vec::as_slice)
    }

    /// A row that is not deleted.
    pub(crate) fn live(&self, key: &Key) -> Option<&Row> {
        self.rows.get(key).filter(|row| !row.is_deleted)
    }
}

fn has_table(db: &Connection, name: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    let found: Option<i64> = db.query_row(sql, [name], |row| row.get(0)).optional()?;
    Ok(found.is_some())
}

/// Rows of two texts that make a key, and two more that may be null.
type Triples = Vec<(Key, Option<String>, Option<String>)>;

fn triples(db: &Connection, sql: &str) -> Result<Triples> {
    let mut statement = db.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(((row.get(0)?, row.get(1)?), row.get(2)?, row.get(3)?))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
