//! A server that speaks the protocol of `docs/protocol.md`, in two files to copy from: this one is HTTP, `records.rs` the
//! rules. It keeps any kind of record; yours has tables, checks what it is sent, and knows who asks.

mod records;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde_json::{Map, Value, json};
use sync_rest::wire::{
    BatchOp, BatchOpKind, BatchRequest, BatchResponse, BatchResult, DeleteQuery, PullQuery,
    PullResponse,
};

pub use records::Records;
use records::Write;

/// Only what is really done: a client that reads `idempotency` repeats its edits without looking first.
const FEATURES: HeaderValue = HeaderValue::from_static("idempotency, if-absent, force");

/// What a request gets: a status, and JSON, for a web page is not taken for an answer.
type Answer = (StatusCode, Json<Value>);

/// The whole server; nest it under a path, or lay your sign-in around it.
pub fn app(records: Records) -> Router {
    Router::new()
        .route("/health", get(async || Json(json!({"status": "ok"}))))
        .route("/batch", post(batch))
        .route("/{kind}", get(pull))
        .route("/{kind}/{id}", get(fetch).put(put).delete(delete))
        .layer(middleware::map_response(async |mut response: Response| {
            response.headers_mut().insert("x-sync-features", FEATURES);
            response
        }))
        .with_state(records)
}

async fn pull(
    State(records): State<Records>,
    Path(kind): Path<String>,
    query: Result<Query<PullQuery>, QueryRejection>,
) -> Result<Json<PullResponse>, Failure> {
    Ok(Json(records.page(&kind, query?.0).await?))
}

async fn fetch(
    State(records): State<Records>,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Json<Value>, Failure> {
    let record = records.get(&kind, &id).await?;
    let missing = || Failure(StatusCode::NOT_FOUND, "no such record".into());
    record.map(Json).ok_or_else(missing)
}

async fn put(
    State(records): State<Records>,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Result<Answer, Failure> {
    let Json(mut body) = body?;
    let write = Write {
        base: body.remove("_baseUpdatedAt"),
        if_absent: headers.contains_key("if-none-match"),
        force: headers.contains_key("x-force-update"),
        change: Some(body),
        key: key(&headers),
        kind,
        id,
    };
    records.write(write).await
}

async fn delete(
    State(records): State<Records>,
    Path((kind, id)): Path<(String, String)>,
    query: Result<Query<DeleteQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Answer, Failure> {
    let write = Write {
        base: query?.0.base_updated_at.map(Value::from),
        if_absent: false,
        force: headers.contains_key("x-force-delete"),
        change: None,
        key: key(&headers),
        kind,
        id,
    };
    records.write(write).await
}

/// Each operation is a transaction of its own: one that is refused must not undo its neighbours.
async fn batch(
    State(records): State<Records>,
    body: Result<Json<BatchRequest>, JsonRejection>,
) -> Result<Json<BatchResponse>, Failure> {
    let mut results = Vec::new();
    for op in body?.0.ops {
        let op_id = op.op_id.clone();
        let answer = one_of_many(&records, op).await;
        let (status, Json(body)) = answer.unwrap_or_else(Failure::answer);
        let mut result = BatchResult::new(op_id, status.as_u16());
        if status.is_success() {
            result.data = Some(body);
        } else {
            result.error = Some(body);
        }
        results.push(result);
    }
    Ok(Json(BatchResponse { results }))
}

async fn one_of_many(records: &Records, op: BatchOp) -> Result<Answer, Failure> {
    let change = match (op.op_kind, op.payload) {
        (BatchOpKind::Delete, _) => None,
        (BatchOpKind::Upsert, Some(Value::Object(record))) => Some(record),
        (BatchOpKind::Upsert, _) => return Err(Failure::refused("an upsert needs a record")),
    };
    let write = Write {
        base: op.base_updated_at,
        if_absent: op.if_absent,
        force: op.force,
        change,
        key: Some(op.op_id),
        kind: op.kind,
        id: op.id,
    };
    records.write(write).await
}

fn key(headers: &HeaderMap) -> Option<String> {
    let key = headers.get("x-idempotency-key")?.to_str().ok()?;
    Some(key.to_owned())
}

/// Why there is no answer. The client keeps the text and shows it with the operation that is stuck.
#[derive(Debug)]
struct Failure(StatusCode, String);

impl Failure {
    /// The request makes no sense: repeating it will not help.
    fn refused(why: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, why.into())
    }

    fn answer(self) -> Answer {
        (self.0, Json(json!({"error": self.1})))
    }
}

impl From<QueryRejection> for Failure {
    fn from(error: QueryRejection) -> Self {
        Self(error.status(), error.body_text())
    }
}

impl From<JsonRejection> for Failure {
    fn from(error: JsonRejection) -> Self {
        Self(error.status(), error.body_text())
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        // Its words are for the log; a client can only try again.
        eprintln!("database: {error}");
        let why = "the database failed, try again".to_owned();
        Self(StatusCode::INTERNAL_SERVER_ERROR, why)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.answer().into_response()
    }
}
