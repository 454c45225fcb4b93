//! The rules: one transaction for each write, from the check of its base to the answer that is kept for its key.

use std::path::Path;

use axum::Json;
use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool};
use sqlx::{Sqlite, Transaction};
use sync_rest::wire::{PullQuery, PullResponse};

use crate::{Answer, Failure};

/// Stamps are microseconds here and in the JSON: a column that kept more digits than the JSON shows could be met by no
/// client. `clock` is the last stamp given; `answers` what each idempotency key got.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS records (
        kind TEXT NOT NULL, id TEXT NOT NULL, stamp INTEGER NOT NULL, deleted INTEGER NOT NULL, record TEXT NOT NULL,
        PRIMARY KEY (kind, id));
    CREATE INDEX IF NOT EXISTS records_by_stamp ON records (kind, stamp, id);
    CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, status INTEGER NOT NULL, body TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS clock (last INTEGER NOT NULL);
    INSERT INTO clock SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM clock);";

/// How many rows a page has at most, whatever the client asks for.
const PAGE: u32 = 500;

/// All records, in one SQLite file. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Records(SqlitePool);

/// One edit and its conditions.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) kind: String,
    pub(crate) id: String,
    /// The record as it is to be; `None` = delete.
    pub(crate) change: Option<Map<String, Value>>,
    pub(crate) key: Option<String>,
    /// The stamp that it was made against.
    pub(crate) base: Option<Value>,
    pub(crate) if_absent: bool,
    pub(crate) force: bool,
}

/// A record as it is stored, tombstones too.
#[derive(sqlx::FromRow)]
struct Stored {
    stamp: i64,
    id: String,
    deleted: bool,
    #[sqlx(json)]
    record: Value,
}

impl Records {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, sqlx::Error> {
        let file = SqliteConnectOptions::new().filename(path);
        let file = file
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let pool = SqlitePool::connect_with(file).await?;
        sqlx::raw_sql(TABLES).execute(&pool).await?;
        Ok(Self(pool))
    }

    /// One record; nothing only for what was never there.
    pub(crate) async fn get(&self, kind: &str, id: &str) -> Result<Option<Value>, Failure> {
        let row = stored(&mut self.0.begin().await?, kind, id).await?;
        Ok(row.map(|row| row.record))
    }

    /// What changed, ordered by (stamp, id): by the stamp alone, rows that share it at the end of a page would be lost.
    ///
    /// SQLite has one writer at a time, so stamps are committed in their order and nothing appears behind a client's
    /// back. Where writers overlap, commit within 5 s of the stamp, or give a `nextCursor` that follows the commits.
    pub(crate) async fn page(&self, kind: &str, pull: PullQuery) -> Result<PullResponse, Failure> {
        // The place behind which the page begins. No id is empty: (stamp, "") lies before all rows of that stamp.
        let (stamp, id) = match (pull.page_token, pull.updated_since) {
            (Some(token), _) => token
                .split_once('~')
                .and_then(|(stamp, id)| Some((stamp.parse().ok()?, id.to_owned())))
                .ok_or_else(|| Failure::refused("pageToken is not of this server"))?,
            (None, Some(since)) => {
                let since = instant(&since.into())?;
                (since.timestamp_micros(), pull.after_id.unwrap_or_default())
            }
            (None, None) => (0, String::new()),
        };
        let limit = pull.limit.unwrap_or(PAGE).clamp(1, PAGE);
        let query = sqlx::query_as(
            "SELECT stamp, id, deleted, record FROM records WHERE kind = ? AND (stamp, id) > (?, ?) AND deleted <= ?
             ORDER BY stamp, id LIMIT ?",
        );
        let query = query
            .bind(kind)
            .bind(stamp)
            .bind(id)
            .bind(pull.include_deleted.unwrap_or(false));
        // One row more than asked for tells whether there is a next page.
        let mut rows: Vec<Stored> = query.bind(limit + 1).fetch_all(&self.0).await?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let last = rows.last().filter(|_| more);
        Ok(PullResponse {
            next_page_token: last.map(|row| format!("{}~{}", row.stamp, row.id)),
            items: rows.into_iter().map(|row| row.record).collect(),
            next_cursor: None,
            total: None,
        })
    }

    /// Check, write, stamp, and the answer kept for the key: one transaction, or a crash in between would apply an edit
    /// twice or refuse its repetition. `IMMEDIATE`: nobody writes between our check and our write.
    pub(crate) async fn write(&self, write: Write) -> Result<Answer, Failure> {
        let mut tx = self.0.begin_with("BEGIN IMMEDIATE").await?;
        // A key that has got its answer gets it again: the client did not hear it.
        let kept = sqlx::query_as("SELECT status, body FROM answers WHERE key = ?");
        let kept: Option<(u16, sqlx::types::Json<Value>)> =
            kept.bind(&write.key).fetch_optional(&mut *tx).await?;
        if let Some((status, body)) = kept {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            return Ok((status, Json(body.0)));
        }
        let (status, body) = apply(&mut tx, &write).await?;
        // Only a success: after a 409 the client comes with another key, or the world has changed. Where keys come from
        // several users, they belong to (user, key). Forget them later than any device stays away.
        if let Some(key) = write.key.filter(|_| status.is_success()) {
            let keep = sqlx::query("INSERT INTO answers (key, status, body) VALUES (?, ?, ?)");
            let keep = keep.bind(key).bind(status.as_u16()).bind(body.to_string());
            keep.execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok((status, Json(body)))
    }
}

async fn apply(
    tx: &mut Transaction<'_, Sqlite>,
    write: &Write,
) -> Result<(StatusCode, Value), Failure> {
    let current = stored(tx, &write.kind, &write.id).await?;
    if let Some(refusal) = refusal(current.as_ref(), write)? {
        return Ok(refusal);
    }
    let mut record = match (&write.change, current) {
        (Some(sent), _) => sent.clone(),
        // Deleted already: that is what was asked for.
        (None, Some(row)) if row.deleted => return Ok((StatusCode::OK, row.record)),
        (None, row) => row
            .and_then(|row| row.record.as_object().cloned())
            .unwrap_or_default(),
    };
    // The stamp is the server's, strictly later than any before, also when the machine's clock was set back.
    let tick = sqlx::query_scalar("UPDATE clock SET last = max(last + 1, ?) RETURNING last");
    let stamp: i64 = tick
        .bind(Utc::now().timestamp_micros())
        .fetch_one(&mut **tx)
        .await?;
    let shown = DateTime::from_timestamp_micros(stamp).unwrap_or_default();
    let shown = shown.to_rfc3339_opts(SecondsFormat::Micros, true);
    let deleted = write.change.is_none();
    // Names with an underscore are messages to the server. Fields that it does not know are kept.
    record.retain(|name, _| !name.starts_with('_'));
    record.insert("id".into(), json!(write.id));
    record.insert("deleted_at".into(), json!(deleted.then_some(&shown)));
    record.insert("updated_at".into(), json!(shown));
    let record = Value::Object(record);
    let save = sqlx::query(
        "REPLACE INTO records (kind, id, stamp, deleted, record) VALUES (?, ?, ?, ?, ?)",
    );
    let save = save
        .bind(&write.kind)
        .bind(&write.id)
        .bind(stamp)
        .bind(deleted);
    save.bind(record.to_string()).execute(&mut **tx).await?;
    // The stored record: from it the client knows the new version without asking.
    Ok((StatusCode::OK, record))
}

/// Why the write is not done, if it is not: it was made against something else than what is here.
fn refusal(
    current: Option<&Stored>,
    write: &Write,
) -> Result<Option<(StatusCode, Value)>, Failure> {
    let sent_id = write.change.as_ref().and_then(|record| record.get("id"));
    if sent_id.is_some_and(|id| id != write.id.as_str()) {
        return Err(Failure::refused(
            "the record's id is not that of its address",
        ));
    }
    let base = write.base.as_ref().map(instant).transpose()?;
    let Some(row) = current else {
        let expected = write.change.is_none() || (base.is_some() && !write.force);
        return Ok(expected.then(|| (StatusCode::NOT_FOUND, json!({"error": "no such record"}))));
    };
    let fits = match &write.change {
        _ if write.force => true,
        None if row.deleted => true,
        // Without a base it is a create, which may revive what is deleted, but not overwrite what lives.
        Some(_) if write.if_absent || base.is_none() => row.deleted,
        // Compared as instants, not as text: `…:07Z` and `…:07.000000Z` are one version.
        _ => base.is_some() && base == DateTime::from_timestamp_micros(row.stamp),
    };
    // `current` spares the client a request: it shows what it has to merge with.
    Ok((!fits).then(|| {
        (
            StatusCode::CONFLICT,
            json!({"error": "conflict", "current": row.record}),
        )
    }))
}

async fn stored(
    tx: &mut Transaction<'_, Sqlite>,
    kind: &str,
    id: &str,
) -> Result<Option<Stored>, Failure> {
    let row =
        sqlx::query_as("SELECT stamp, id, deleted, record FROM records WHERE kind = ? AND id = ?");
    Ok(row.bind(kind).bind(id).fetch_optional(&mut **tx).await?)
}

/// A stamp. This server writes text, so it gets text back.
fn instant(stamp: &Value) -> Result<DateTime<Utc>, Failure> {
    let parsed = stamp
        .as_str()
        .and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    let parsed = parsed.ok_or_else(|| Failure::refused(format!("not a stamp: {stamp}")))?;
    Ok(parsed.to_utc())
}
