//! The rules: one transaction for each write, from the check of its base to the answer that is kept for its key.

use axum::Json;
use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions};
use sqlx::{Row, Sqlite, Transaction};

use sync_rest::wire::{PullQuery, PullResponse};

use crate::Answer;

/// Stamps are microseconds here and in the JSON: a column that kept more digits than the JSON shows could be met by no
/// client. `clock` is the last stamp given; `answers` what each idempotency key got.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS records (
        kind TEXT NOT NULL, id TEXT NOT NULL, stamp INTEGER NOT NULL, deleted INTEGER NOT NULL, body TEXT NOT NULL,
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

/// Why a request was not served.
#[derive(Debug)]
pub(crate) enum Error {
    /// It makes no sense: repeating it will not help.
    Refused(String),
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// One edit and its conditions.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) key: Option<String>,
    pub(crate) base: Option<String>,
    pub(crate) if_absent: bool,
    pub(crate) force: bool,
    /// `None` = delete.
    pub(crate) change: Option<Map<String, Value>>,
}

struct Stored {
    stamp: i64,
    deleted: bool,
    record: Value,
}

impl Records {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub async fn open(path: impl AsRef<std::path::Path>) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let pool = SqlitePoolOptions::new().connect_with(options).await?;
        sqlx::raw_sql(TABLES).execute(&pool).await?;
        Ok(Self(pool))
    }

    /// One record, tombstones too: 404 is only for what was never there.
    pub(crate) async fn get(&self, kind: &str, id: &str) -> Result<Option<Value>, Error> {
        let mut tx = self.0.begin().await?;
        Ok(stored(&mut tx, kind, id).await?.map(|row| row.record))
    }

    /// What changed, ordered by (stamp, id): a stamp alone would lose rows that share it at the end of a page.
    ///
    /// SQLite has one writer at a time, so stamps are committed in their order and nothing appears behind a client's
    /// back. Where writers overlap, commit within 5 s of the stamp, or give a `nextCursor` that follows the commits.
    pub(crate) async fn page(&self, kind: &str, pull: &PullQuery) -> Result<PullResponse, Error> {
        // The place behind which the page begins. Ids are not empty: ("", stamp) lies before all rows of that stamp.
        let (stamp, id) = match (&pull.page_token, &pull.updated_since) {
            (Some(token), _) => token
                .split_once('~')
                .and_then(|(stamp, id)| Some((stamp.parse().ok()?, id.to_owned())))
                .ok_or_else(|| Error::Refused("pageToken is not of this server".into()))?,
            (None, Some(since)) => (
                instant(since)?.timestamp_micros(),
                pull.after_id.clone().unwrap_or_default(),
            ),
            (None, None) => (i64::MIN, String::new()),
        };
        let limit = pull.limit.unwrap_or(PAGE).clamp(1, PAGE);
        let rows = sqlx::query(
            "SELECT stamp, id, body FROM records
             WHERE kind = ?1 AND (stamp, id) > (?2, ?3) AND (?4 OR NOT deleted) ORDER BY stamp, id LIMIT ?5",
        );
        // One row more than asked for tells whether there is a next page.
        let rows = rows
            .bind(kind)
            .bind(stamp)
            .bind(id)
            .bind(pull.include_deleted.unwrap_or_default())
            .bind(limit + 1);
        let mut rows = rows.fetch_all(&self.0).await?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let last = rows.last().filter(|_| more);
        let next_page_token =
            last.map(|row| format!("{}~{}", row.get::<i64, _>(0), row.get::<String, _>(1)));
        let items = rows
            .iter()
            .map(|row| json_of(row.get(2)))
            .collect::<Result<_, _>>()?;
        Ok(PullResponse {
            items,
            next_page_token,
            next_cursor: None,
            total: None,
        })
    }

    /// Check, write, stamp and the answer kept for the key: one transaction, or a crash between two of them would apply an
    /// edit twice or refuse its repetition. `IMMEDIATE`: nobody writes between our check and our write.
    pub(crate) async fn write(&self, write: &Write) -> Result<Answer, Error> {
        let mut tx = self.0.begin_with("BEGIN IMMEDIATE").await?;
        if let Some(answer) = answered(&mut tx, write).await? {
            return Ok(answer);
        }
        let (status, body) = apply(&mut tx, write).await?;
        // Only a success: after a 409 the client comes with another key, or the world has changed. Where keys come from
        // several users, they belong to (user, key). Forget them later than any device stays away.
        if let Some(key) = write.key.as_ref().filter(|_| status.is_success()) {
            let keep = sqlx::query("INSERT INTO answers (key, status, body) VALUES (?, ?, ?)");
            keep.bind(key)
                .bind(status.as_u16())
                .bind(body.to_string())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok((status, Json(body)))
    }
}

/// The answer that this key has got before: the client did not hear it.
async fn answered(
    tx: &mut Transaction<'_, Sqlite>,
    write: &Write,
) -> Result<Option<Answer>, Error> {
    let kept = sqlx::query("SELECT status, body FROM answers WHERE key = ?").bind(&write.key);
    let Some(row) = kept.fetch_optional(&mut **tx).await? else {
        return Ok(None);
    };
    let status = StatusCode::from_u16(row.get(0)).unwrap_or(StatusCode::OK);
    Ok(Some((status, Json(json_of(row.get(1))?))))
}

async fn apply(
    tx: &mut Transaction<'_, Sqlite>,
    write: &Write,
) -> Result<(StatusCode, Value), Error> {
    let current = stored(tx, &write.kind, &write.id).await?;
    if let Some(refusal) = refusal(current.as_ref(), write)? {
        return Ok(refusal);
    }
    let (mut record, deleted) = match (&write.change, current) {
        (Some(sent), _) => (sent.clone(), false),
        // Deleted already: that is what was asked for.
        (None, Some(row)) if row.deleted => return Ok((StatusCode::OK, row.record)),
        (None, row) => (
            row.and_then(|row| row.record.as_object().cloned())
                .unwrap_or_default(),
            true,
        ),
    };
    // The stamp is the server's, strictly later than any before, also when the machine's clock was set back.
    let tick = sqlx::query_scalar("UPDATE clock SET last = max(last + 1, ?) RETURNING last");
    let stamp: i64 = tick
        .bind(Utc::now().timestamp_micros())
        .fetch_one(&mut **tx)
        .await?;
    let shown = DateTime::from_timestamp_micros(stamp)
        .ok_or_else(|| Error::Refused("the server's clock is beyond all calendars".into()))?
        .to_rfc3339_opts(SecondsFormat::Micros, true);
    // Names with an underscore are messages to the server; fields that it does not know are kept.
    record.retain(|name, _| !name.starts_with('_'));
    record.insert("id".into(), json!(write.id));
    record.insert(
        "deleted_at".into(),
        if deleted { json!(shown) } else { Value::Null },
    );
    record.insert("updated_at".into(), json!(shown));
    let record = Value::Object(record);
    let save =
        sqlx::query("REPLACE INTO records (kind, id, stamp, deleted, body) VALUES (?, ?, ?, ?, ?)");
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
fn refusal(current: Option<&Stored>, write: &Write) -> Result<Option<(StatusCode, Value)>, Error> {
    if let Some(sent) = &write.change
        && sent.get("id").is_some_and(|id| id != write.id.as_str())
    {
        return Err(Error::Refused(
            "the record's id is not that of its address".into(),
        ));
    }
    let base = write.base.as_deref().map(instant).transpose()?;
    let Some(row) = current else {
        let unknown = write.change.is_none() || (base.is_some() && !write.force);
        return Ok(unknown.then(|| (StatusCode::NOT_FOUND, json!({"error": "no such record"}))));
    };
    // Compared as instants, not as text: `…:07Z` and `…:07.000000Z` are one version.
    let same = base.is_some_and(|base| Some(base) == DateTime::from_timestamp_micros(row.stamp));
    let fits = match &write.change {
        _ if write.force => true,
        Some(_) if write.if_absent => row.deleted,
        // Without a base it is a create, which may revive what is deleted, but not overwrite what lives.
        Some(_) if base.is_none() => row.deleted,
        None if row.deleted => true,
        _ => same,
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
) -> Result<Option<Stored>, Error> {
    let query = sqlx::query("SELECT stamp, deleted, body FROM records WHERE kind = ? AND id = ?");
    let Some(row) = query.bind(kind).bind(id).fetch_optional(&mut **tx).await? else {
        return Ok(None);
    };
    let record = json_of(row.get(2))?;
    Ok(Some(Stored {
        stamp: row.get(0),
        deleted: row.get(1),
        record,
    }))
}

fn json_of(text: &str) -> Result<Value, Error> {
    serde_json::from_str(text).map_err(|error| Error::Database(sqlx::Error::Decode(error.into())))
}

fn instant(text: &str) -> Result<DateTime<Utc>, Error> {
    let parsed = DateTime::parse_from_rfc3339(text);
    Ok(parsed
        .map_err(|error| Error::Refused(format!("not a stamp: {text:?}: {error}")))?
        .to_utc())
}
