//! A server that speaks the protocol of `docs/protocol.md`, in one file to copy from, in whatever language you write. `pull`
//! and `push` are the rules, each with its reason. It keeps any kind of record; yours has tables, checks what it is sent,
//! and knows who asks.
//!
//! What a server may leave out is left out: batches, page tokens (`afterId` does it), cursors, events, `ETag`s, changed
//! fields, an epoch. `sync_testkit::MockServer` has all of it. Idempotency keys may be left out too, but should not.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteExecutor, SqlitePool};
use sqlx::types::Json as Column;
use sync_rest::wire::{DeleteQuery, PullQuery, PullResponse};

/// Only what is really done: a client that reads `idempotency` repeats its edits without looking first.
const FEATURES: HeaderValue = HeaderValue::from_static("idempotency, if-absent");

/// How many rows a page has at most, whatever the client asks for.
const PAGE: u32 = 500;

/// A stamp is microseconds, here and in the JSON: a column that kept more digits than the JSON shows could be met by no
/// client. `answers` is what each idempotency key got; forget it later than any device stays away.
const TABLES: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS records (
        kind TEXT, id TEXT, stamp INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (kind, id));
    CREATE INDEX IF NOT EXISTS records_by_stamp ON records (kind, stamp, id);
    CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, record TEXT NOT NULL);";

/// The whole server on this SQLite file, which is made if need be. Lay your sign-in around it.
///
/// # Errors
/// If the file cannot be opened.
pub async fn app(file: impl AsRef<std::path::Path>) -> Result<Router, sqlx::Error> {
    let file = SqliteConnectOptions::new().filename(file);
    let db = SqlitePool::connect_with(file.create_if_missing(true)).await?;
    sqlx::raw_sql(TABLES).execute(&db).await?;
    let declare = async |mut answer: Response| {
        answer.headers_mut().insert("x-sync-features", FEATURES);
        answer
    };
    Ok(Router::new()
        .route("/health", get(async || Json(json!({"status": "ok"}))))
        .route("/{kind}", get(pull))
        .route("/{kind}/{id}", get(fetch).put(push).delete(push))
        .layer(middleware::map_response(declare))
        .with_state(db))
}

/// What changed, ordered by (stamp, id): by the stamp alone, rows that share it at the end of a page would be lost.
///
/// SQLite has one writer at a time, so stamps are committed in their order and nothing appears behind a client's back.
/// Where writers overlap, commit within 5 s of the stamp, or give a `nextCursor` that follows the commits.
async fn pull(
    State(db): State<SqlitePool>,
    Path(kind): Path<String>,
    query: Result<Query<PullQuery>, QueryRejection>,
) -> Result<Json<PullResponse>, Failure> {
    let Query(query) = query.map_err(refused)?;
    let page = "SELECT record FROM records
        WHERE kind = ? AND (stamp, id) > (?, ?) AND (? OR record ->> 'deleted_at' IS NULL)
        ORDER BY stamp, id LIMIT ?";
    let page = sqlx::query_scalar(page)
        .bind(kind)
        .bind(query.updated_since.as_deref().map_or(Ok(0), micros)?)
        // No id is empty: without `afterId`, all rows of that stamp are there.
        .bind(query.after_id.unwrap_or_default())
        .bind(query.include_deleted.unwrap_or(false))
        .bind(query.limit.unwrap_or(PAGE).clamp(1, PAGE));
    let rows: Vec<Column<Value>> = page.fetch_all(&db).await?;
    let mut answer = PullResponse::default();
    answer.items.extend(rows.into_iter().map(|row| row.0));
    Ok(Json(answer))
}

/// One record, tombstones included; 404 only for what was never there.
async fn fetch(
    State(db): State<SqlitePool>,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Json<Value>, Failure> {
    let found = stored(&db, &kind, &id).await?;
    found.map(|(_, record)| Json(record)).ok_or_else(missing)
}

/// `PUT` and `DELETE`. The kept answer, the check, the write and its stamp are one transaction, or a crash in between would
/// apply an edit twice or refuse its repetition.
async fn push(
    State(db): State<SqlitePool>,
    Path((kind, id)): Path<(String, String)>,
    query: Result<Query<DeleteQuery>, QueryRejection>,
    method: Method,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Failure> {
    let deletes = method == Method::DELETE;
    let Query(query) = query.map_err(refused)?;
    let (mut record, mut base) = (Map::new(), query.base_updated_at);
    if !deletes {
        record = serde_json::from_slice(&body.map_err(refused)?).map_err(refused)?;
        let stamp = record.remove("_baseUpdatedAt").unwrap_or_default();
        base = serde_json::from_value(stamp).map_err(refused)?;
    }
    let base = base.as_deref().map(micros).transpose()?;
    let force = headers.contains_key("x-force-update") || headers.contains_key("x-force-delete");
    // An edit has a base. What has none is a creation, whether `If-None-Match` says so too or not; and force may create.
    let creates = !deletes && (force || base.is_none());

    // `IMMEDIATE`: nobody writes between our check and our write.
    let mut tx = db.begin_with("BEGIN IMMEDIATE").await?;

    // A key that has got its answer gets it again: the client did not hear it. Where keys come from several users, they
    // belong to (user, key).
    let key = headers.get("x-idempotency-key").map(HeaderValue::as_bytes);
    let kept = sqlx::query_scalar("SELECT record FROM answers WHERE key = ?").bind(key);
    if let Some(Column(record)) = kept.fetch_optional(&mut *tx).await? {
        return Ok(Json(record));
    }

    match stored(&mut *tx, &kind, &id).await? {
        None if creates => {}
        None => return Err(missing()),
        Some((stamp, current)) => {
            // Compared as instants, not as text: `…:07Z` and `…:07.000000Z` are one version.
            let seen = base == Some(stamp);
            // A creation may revive what is deleted, and to delete it again is no harm, whatever version was meant.
            let free = !current["deleted_at"].is_null() && (creates || deletes);
            if !(force || seen || free) {
                // `current` spares the client a request: it shows what it has to merge with.
                let why = json!({"error": "conflict", "current": current});
                return Err(Failure(StatusCode::CONFLICT, why));
            }
            if deletes {
                record = serde_json::from_value(current).map_err(refused)?;
            }
        }
    }
    let record = save(&mut tx, kind, id, record, deletes).await?;

    // Only a success is kept: after a 409 the client comes with another key, or the world has changed.
    if key.is_some() {
        let keep = sqlx::query("INSERT INTO answers (key, record) VALUES (?, ?)").bind(key);
        keep.bind(Column(&record)).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(Json(record))
}

/// Stores a record, or its tombstone, and gives it back: from it the client knows the new version without asking.
async fn save(
    db: &mut SqliteConnection,
    kind: String,
    id: String,
    mut record: Map<String, Value>,
    deleted: bool,
) -> Result<Value, Failure> {
    // The stamp is the server's, strictly later than any before, also when the machine's clock was set back.
    let next = "SELECT max(?, 1 + ifnull(max(stamp), 0)) FROM records WHERE kind = ?";
    let next = sqlx::query_scalar(next).bind(Utc::now().timestamp_micros());
    let stamp = next.bind(&kind).fetch_one(&mut *db).await?;
    let shown = DateTime::from_timestamp_micros(stamp).unwrap_or_default();
    let shown = shown.to_rfc3339_opts(SecondsFormat::Micros, true);
    // Names with an underscore are messages to the server. Fields that it does not know are kept.
    record.retain(|name, _| !name.starts_with('_'));
    record.insert("id".into(), json!(id));
    record.insert("deleted_at".into(), json!(deleted.then_some(&shown)));
    record.insert("updated_at".into(), json!(shown));
    let record = Value::Object(record);
    let save = sqlx::query("REPLACE INTO records (kind, id, stamp, record) VALUES (?, ?, ?, ?)");
    let save = save.bind(kind).bind(id).bind(stamp).bind(Column(&record));
    save.execute(db).await?;
    Ok(record)
}

/// A record with its stamp. Tombstones are here too, and stay as long as a device may stay away.
async fn stored(
    db: impl SqliteExecutor<'_>,
    kind: &str,
    id: &str,
) -> Result<Option<(i64, Value)>, sqlx::Error> {
    let row = sqlx::query_as("SELECT stamp, record FROM records WHERE kind = ? AND id = ?");
    let row: Option<(i64, Column<Value>)> = row.bind(kind).bind(id).fetch_optional(db).await?;
    Ok(row.map(|(stamp, Column(record))| (stamp, record)))
}

/// This server writes stamps as text, so it gets text back.
fn micros(stamp: &str) -> Result<i64, Failure> {
    let instant = DateTime::parse_from_rfc3339(stamp).map_err(refused)?;
    Ok(instant.timestamp_micros())
}

/// Why there is no success. Always JSON: a web page, or any other text, is not taken for this server's answer.
#[derive(Debug)]
struct Failure(StatusCode, Value);

/// The request makes no sense, and repeating it will not help. The client keeps the text and shows it with the operation.
fn refused(why: impl Into<axum::BoxError>) -> Failure {
    Failure(
        StatusCode::BAD_REQUEST,
        json!({"error": why.into().to_string()}),
    )
}

fn missing() -> Failure {
    Failure(StatusCode::NOT_FOUND, json!({"error": "no such record"}))
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        // Its words are for the log; a client can only try again.
        eprintln!("database: {error}");
        let why = json!({"error": "the database failed, try again"});
        Self(StatusCode::INTERNAL_SERVER_ERROR, why)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}
