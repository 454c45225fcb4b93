//! A server that speaks the protocol of `docs/protocol.md`, in two files to copy from: this one is HTTP, [`records`] the
//! rules. It keeps any kind of record; yours has tables, checks what it is sent, and knows who asks.

mod records;

use std::net::SocketAddr;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

pub use records::Records;
use records::Write;
use sync_rest::wire::{
    BatchOp, BatchOpKind, BatchRequest, BatchResponse, BatchResult, DeleteQuery, PullQuery,
    PullResponse,
};

/// Only what is really done: a client that reads `idempotency` repeats its edits without looking first.
const FEATURES: HeaderValue = HeaderValue::from_static("idempotency, if-absent, force");

/// What a request gets: a status, and always JSON, for a web page is not taken for an answer.
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

/// Serves until the future is dropped.
///
/// # Errors
/// If the listener fails.
pub async fn serve(listener: TcpListener, records: Records) -> std::io::Result<()> {
    axum::serve(listener, app(records)).await
}

/// Opens a listener and says where it is: port 0 takes a free one.
///
/// # Errors
/// If the address is taken or not allowed.
pub async fn listen(address: &str) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn pull(
    State(records): State<Records>,
    Path(kind): Path<String>,
    query: Result<Query<PullQuery>, QueryRejection>,
) -> Result<Json<PullResponse>, Failure> {
    let Query(pull) = query.map_err(|error| Failure::refused(error.body_text()))?;
    Ok(Json(records.page(&kind, &pull).await?))
}

async fn fetch(
    State(records): State<Records>,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Json<Value>, Failure> {
    let record = records.get(&kind, &id).await?;
    record
        .map(Json)
        .ok_or(Failure(StatusCode::NOT_FOUND, "no such record".into()))
}

async fn put(
    State(records): State<Records>,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Result<Answer, Failure> {
    let Json(mut body) = body.map_err(|error| Failure(error.status(), error.body_text()))?;
    let write = Write {
        kind,
        id,
        key: text(&headers, "x-idempotency-key"),
        base: base(body.remove("_baseUpdatedAt"))?,
        if_absent: headers.contains_key("if-none-match"),
        force: headers.contains_key("x-force-update"),
        change: Some(body),
    };
    Ok(records.write(&write).await?)
}

async fn delete(
    State(records): State<Records>,
    Path((kind, id)): Path<(String, String)>,
    query: Result<Query<DeleteQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Answer, Failure> {
    let Query(query) = query.map_err(|error| Failure::refused(error.body_text()))?;
    let write = Write {
        kind,
        id,
        key: text(&headers, "x-idempotency-key"),
        base: query.base_updated_at,
        if_absent: false,
        force: headers.contains_key("x-force-delete"),
        change: None,
    };
    Ok(records.write(&write).await?)
}

/// Each operation is a transaction of its own: one that is refused must not undo its neighbours.
async fn batch(
    State(records): State<Records>,
    body: Result<Json<BatchRequest>, JsonRejection>,
) -> Result<Json<BatchResponse>, Failure> {
    let Json(batch) = body.map_err(|error| Failure(error.status(), error.body_text()))?;
    let mut results = Vec::with_capacity(batch.ops.len());
    for op in batch.ops {
        let op_id = op.op_id.clone();
        let (status, Json(body)) = match one_of_many(&records, op).await {
            Ok(answer) => answer,
            Err(failure) => failure.answer(),
        };
        let (data, error) = if status.is_success() {
            (Some(body), None)
        } else {
            (None, Some(body))
        };
        results.push(BatchResult {
            op_id,
            status_code: status.as_u16(),
            data,
            version: None,
            error,
        });
    }
    Ok(Json(BatchResponse { results }))
}

async fn one_of_many(records: &Records, op: BatchOp) -> Result<Answer, Failure> {
    let change = match (op.op_kind, op.payload) {
        (BatchOpKind::Upsert, Some(Value::Object(payload))) => Some(payload),
        (BatchOpKind::Upsert, _) => {
            return Err(Failure::refused("an upsert has a record as its payload"));
        }
        (BatchOpKind::Delete, _) => None,
    };
    let write = Write {
        kind: op.kind,
        id: op.id,
        key: Some(op.op_id),
        base: base(op.base_updated_at)?,
        if_absent: op.if_absent,
        force: op.force,
        change,
    };
    Ok(records.write(&write).await?)
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The stamp that an edit was made against. This server writes text only, so it gets text back.
fn base(value: Option<Value>) -> Result<Option<String>, Failure> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(stamp)) => Ok(Some(stamp)),
        Some(_) => Err(Failure::refused("the base's stamp must be text")),
    }
}

/// Why there is no answer. The client keeps the text and shows it with the operation that is stuck.
#[derive(Debug)]
struct Failure(StatusCode, String);

impl Failure {
    fn refused(why: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, why.into())
    }

    fn answer(self) -> Answer {
        (self.0, Json(json!({"error": self.1})))
    }
}

impl From<records::Error> for Failure {
    fn from(error: records::Error) -> Self {
        match error {
            records::Error::Refused(why) => Self::refused(why),
            records::Error::Database(error) => {
                // Its words are for the log; a client can only try again.
                eprintln!("database: {error}");
                Self(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the database failed, try again".into(),
                )
            }
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.answer().into_response()
    }
}
