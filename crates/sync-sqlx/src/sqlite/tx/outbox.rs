//! The queue of operations.

use std::collections::BTreeSet;

use rusqlite::types::Value as Sql;
use rusqlite::{CachedStatement, Connection, Params, Row, ToSql, params_from_iter};
use serde::Serialize;
use serde::de::value::{Error as WordError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};
use sync_core::store::{OpQuery, StoreError, StoreErrorKind};
use sync_core::{Change, EntityId, Kind, Op, OpId};

use super::salvage::rebuild;
use crate::codec::{stamp_from_text, stamp_text};
use crate::error::{Context, corrupt};
use crate::sqlite::table::Tables;

const INSERT: &str = "INSERT INTO sync_outbox (op_id, kind, entity_id, op, payload, changed, \
     written_at, verdict, precondition, round, fate, ever_sent, status, try_count, trouble_count, \
     next_attempt_at, last_error, schema_version, look_first, body) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, \
     ?20)";

const UPDATE: &str = "UPDATE sync_outbox SET kind = ?2, entity_id = ?3, op = ?4, payload = ?5, \
     changed = ?6, written_at = ?7, verdict = ?8, precondition = ?9, round = ?10, fate = ?11, \
     ever_sent = ?12, status = ?13, try_count = ?14, trouble_count = ?15, next_attempt_at = ?16, \
     last_error = ?17, schema_version = ?18, look_first = ?19, body = ?20 WHERE op_id = ?1";

/// Reads operations.
macro_rules! select {
    ($conditions:literal) => {
        concat!(
            "SELECT o.seq, o.op_id, o.kind, o.entity_id, o.op, o.payload, o.changed, ",
            "o.written_at, o.verdict, o.precondition, o.round, o.fate, o.ever_sent, o.status, ",
            "o.try_count, o.trouble_count, o.next_attempt_at, o.last_error, o.schema_version, ",
            "o.look_first, o.body FROM sync_outbox o",
            $conditions
        )
    };
}

const OF_ENTITY: &str = select!(" WHERE o.kind = ?1 AND o.entity_id = ?2 ORDER BY o.seq");

/// Appends operations.
pub(crate) fn append(db: &Connection, ops: &[Op]) -> Result<Vec<i64>, StoreError> {
    let mut statement = db.prepare_cached(INSERT).context("queue an operation")?;
    ops.iter()
        .map(|op| {
            write(&mut statement, op, "queue an operation")?;
            Ok(db.last_insert_rowid())
        })
        .collect()
}

/// Replaces operations.
/// Notes the kinds of the operations that were there.
pub(crate) fn update(
    db: &Connection,
    ops: &[Op],
    kinds: &mut BTreeSet<Kind>,
) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached(UPDATE).context("update an operation")?;
    for op in ops {
        let was_there = write(&mut statement, op, "update an operation")?;
        if was_there && !kinds.contains(&op.kind) {
            kinds.insert(op.kind.clone());
        }
    }
    Ok(())
}

/// Was anything written?
fn write(statement: &mut CachedStatement<'_>, op: &Op, what: &str) -> Result<bool, StoreError> {
    let (word, payload, changed) = match &op.written {
        Change::Upsert { payload, changed } => {
            let changed = changed.as_ref().map(json).transpose()?;
            ("upsert", Some(json(payload)?), changed)
        }
        Change::Delete => ("delete", None, None),
    };
    let verdict = op.verdict.as_ref().map(json).transpose()?;
    let precondition = op.precondition.as_ref().map(json).transpose()?;
    let body = op.body.as_ref().map(word_of).transpose()?;
    let parameters: [&dyn ToSql; 20] = [
        &op.op_id.as_str(),
        &op.kind.as_str(),
        &op.entity_id.as_str(),
        &word,
        &payload,
        &changed,
        &stamp_text(&op.written_at),
        &verdict,
        &precondition,
        &op.round,
        &word_of(&op.fate)?,
        &op.ever_sent,
        &word_of(&op.status)?,
        &op.try_count,
        &op.trouble_count,
        &op.next_attempt_at,
        &op.last_error,
        &op.schema_version,
        &op.look_first,
        &body,
    ];
    let written = statement.execute(parameters).context(what)?;
    Ok(written > 0)
}

/// JSON text of a value.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| {
        StoreError::new(StoreErrorKind::Other, "cannot write a value as JSON").with_source(error)
    })
}

/// The word that serde uses for a value of a plain enum.
fn word_of<T: Serialize>(value: &T) -> Result<String, StoreError> {
    json(value).map(|quoted| quoted.trim_matches('"').to_owned())
}

fn from_word<T: DeserializeOwned>(word: &str) -> Result<T, StoreError> {
    let word: StrDeserializer<'_, WordError> = word.into_deserializer();
    T::deserialize(word).map_err(|error| corrupt("an operation", error))
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    crate::json::read(text).map_err(|error| corrupt("an operation", error))
}

fn read(row: &Row<'_>) -> Result<Op, StoreError> {
    let text = |at: usize| -> Result<Option<&str>, StoreError> {
        let value = row.get_ref(at).context("read an operation")?;
        value
            .as_str_or_null()
            .map_err(|error| corrupt("an operation", error))
    };
    let required = |at: usize| text(at).map(Option::unwrap_or_default);
    let written = match required(4)? {
        "delete" => Change::Delete,
        _ => Change::Upsert {
            payload: from_json(required(5)?)?,
            changed: text(6)?.map(from_json).transpose()?,
        },
    };
    let what = "read an operation";
    Ok(Op {
        seq: row.get(0).context(what)?,
        op_id: OpId::new(required(1)?).map_err(|error| corrupt("an operation", error))?,
        kind: Kind::new(required(2)?).map_err(|error| corrupt("an operation", error))?,
        entity_id: EntityId::new(required(3)?).map_err(|error| corrupt("an operation", error))?,
        written,
        written_at: stamp_from_text(required(7)?)
            .map_err(|error| corrupt("an operation", error))?,
        verdict: text(8)?.map(from_json).transpose()?,
        precondition: text(9)?.map(from_json).transpose()?,
        round: row.get(10).context(what)?,
        fate: from_word(required(11)?)?,
        ever_sent: row.get(12).context(what)?,
        status: from_word(required(13)?)?,
        try_count: row.get(14).context(what)?,
        trouble_count: row.get(15).context(what)?,
        next_attempt_at: row.get(16).context(what)?,
        last_error: row.get(17).context(what)?,
        schema_version: row.get(18).context(what)?,
        look_first: row.get(19).context(what)?,
        body: text(20)?.map(from_word).transpose()?,
    })
}

/// The operations that match.
pub(crate) fn query(
    db: &Connection,
    tables: &Tables,
    query: &OpQuery,
) -> Result<Vec<Op>, StoreError> {
    if let Some((kind, ids)) = &query.entities
        && let [id] = ids.as_slice()
        && *query == OpQuery::of(kind, ids)
    {
        // What each local write asks: nothing is put together for it.
        return fetch(db, tables, OF_ENTITY, [kind.as_str(), id.as_str()]);
    }
    let conditions = Conditions::of(query)?;
    let mut sql = format!("{}{} ORDER BY o.seq", select!(""), conditions.clause());
    let mut parameters = conditions.parameters;
    if let Some(limit) = query.limit {
        parameters.push(Sql::from(limit));
        sql.push_str(" LIMIT ?");
    }
    fetch(db, tables, &sql, params_from_iter(parameters))
}

fn fetch(
    db: &Connection,
    tables: &Tables,
    sql: &str,
    parameters: impl Params,
) -> Result<Vec<Op>, StoreError> {
    let mut statement = db.prepare_cached(sql).context("read operations")?;
    let mut rows = statement.query(parameters).context("read operations")?;
    let mut ops = Vec::new();
    while let Some(row) = rows.next().context("read operations")? {
        let op = read(row).or_else(|error| rebuild(db, tables, row).map_err(|_| error));
        ops.push(op?);
    }
    Ok(ops)
}

/// How many operations match.
pub(crate) fn count(db: &Connection, query: &OpQuery) -> Result<u64, StoreError> {
    let conditions = Conditions::of(query)?;
    let sql = format!("SELECT count(*) FROM sync_outbox o{}", conditions.clause());
    db.prepare_cached(&sql)
        .and_then(|mut statement| {
            statement.query_row(params_from_iter(conditions.parameters), |row| row.get(0))
        })
        .map(i64::unsigned_abs)
        .context("count operations")
}

/// The greatest place given so far, also of operations that are gone.
pub(crate) fn last_seq(db: &Connection) -> Result<i64, StoreError> {
    db.prepare_cached(
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'sync_outbox'",
    )
    .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
    .context("read the last place")
}

/// The conditions of a query; each text is fixed, so that few statements are ever prepared.
#[derive(Default)]
struct Conditions {
    terms: Vec<&'static str>,
    parameters: Vec<Sql>,
}

impl Conditions {
    fn of(query: &OpQuery) -> Result<Self, StoreError> {
        let mut this = Self::default();
        if let Some(kinds) = &query.kinds {
            this.add("o.kind IN (SELECT value FROM json_each(?))", [json(kinds)?]);
        }
        match &query.entities {
            Some((kind, ids)) if ids.len() == 1 => {
                this.add("o.kind = ?", [kind.as_str().to_owned()]);
                this.add(
                    "o.entity_id = ?",
                    ids.iter().map(|id| id.as_str().to_owned()),
                );
            }
            Some((kind, ids)) => {
                this.add("o.kind = ?", [kind.as_str().to_owned()]);
                this.add(
                    "o.entity_id IN (SELECT value FROM json_each(?))",
                    [json(ids)?],
                );
            }
            None => {}
        }
        if let Some(op_id) = &query.op_id {
            this.add("o.op_id = ?", [op_id.as_str().to_owned()]);
        }
        if query.heads_only {
            this.terms.push(
                "NOT EXISTS (SELECT 1 FROM sync_outbox h \
                 WHERE h.kind = o.kind AND h.entity_id = o.entity_id AND h.seq < o.seq)",
            );
        }
        if let Some(status) = &query.status {
            this.add("o.status = ?", [word_of(status)?]);
        }
        match query.in_trouble {
            Some(true) => this.terms.push("(o.try_count > 0 OR o.trouble_count > 0)"),
            Some(false) => this.terms.push("(o.try_count = 0 AND o.trouble_count = 0)"),
            None => {}
        }
        if let Some(due_at) = query.due_at {
            let beyond_belief = due_at.saturating_add(query.longest_delay);
            this.add(
                "(o.next_attempt_at IS NULL OR o.next_attempt_at <= ? OR o.next_attempt_at > ?)",
                [due_at, beyond_belief],
            );
        }
        if let Some(after) = query.after_seq {
            this.add("o.seq > ?", [after]);
        }
        if let Some(max) = query.max_seq {
            this.add("o.seq <= ?", [max]);
        }
        Ok(this)
    }

    fn add<T: Into<Sql>>(&mut self, term: &'static str, parameters: impl IntoIterator<Item = T>) {
        self.terms.push(term);
        self.parameters
            .extend(parameters.into_iter().map(Into::into));
    }

    fn clause(&self) -> String {
        if self.terms.is_empty() {
            return String::new();
        }
        format!(" WHERE {}", self.terms.join(" AND "))
    }
}

/// Removes operations; tells whose they were.
pub(crate) fn delete(
    db: &Connection,
    ids: &[OpId],
    kinds: &mut BTreeSet<Kind>,
) -> Result<(), StoreError> {
    let what = "remove an operation";
    let mut statement = db
        .prepare_cached("DELETE FROM sync_outbox WHERE op_id = ?1 RETURNING kind")
        .context(what)?;
    for id in ids {
        let mut rows = statement.query([id.as_str()]).context(what)?;
        while let Some(row) = rows.next().context(what)? {
            let kind: String = row.get(0).context(what)?;
            if !kinds.iter().any(|known| known.as_str() == kind) {
                kinds.insert(Kind::try_from(kind).map_err(|error| corrupt("an operation", error))?);
            }
        }
    }
    Ok(())
}
