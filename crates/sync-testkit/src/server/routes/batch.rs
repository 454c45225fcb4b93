//! `POST /batch`.

use serde_json::Value;
use sync_rest::wire::{BatchOp, BatchOpKind, BatchRequest, BatchResponse, BatchResult};

use crate::server::Shared;
use crate::server::incoming::{Incoming, read_stamp};
use crate::server::reply::{Reply, ReplyBody};
use crate::server::settings::MockServerBuilder;
use crate::server::write::{Change, Conditions, Write};

pub(super) fn serve(
    shared: &Shared,
    settings: &MockServerBuilder,
    incoming: &Incoming,
) -> Result<Reply, Reply> {
    let body = incoming.request.body.clone().unwrap_or_default();
    let batch: BatchRequest = serde_json::from_value(body)
        .map_err(|error| Reply::error(400, "bad_batch", error.to_string()))?;
    let results = batch
        .ops
        .iter()
        .map(|op| one(shared, settings, op))
        .collect();
    Ok(Reply::json(200, BatchResponse { results }))
}

fn one(shared: &Shared, settings: &MockServerBuilder, op: &BatchOp) -> BatchResult {
    let reply = match read(op) {
        Ok(write) => {
            let outcome = shared.write(settings, Some(&op.op_id), &write);
            Reply::of(outcome, settings.bodies, true)
        }
        Err(refusal) => refusal,
    };
    let mut result = BatchResult::new(op.op_id.as_str(), reply.status);
    let tag = reply.headers.iter().find(|(name, _)| name == "etag");
    result.version = tag.map(|(_, tag)| Value::from(tag.trim_matches('"')));
    if let ReplyBody::Json(body) = reply.body {
        if reply.status < 300 {
            result.data = Some(body);
        } else {
            result.error = Some(body);
        }
    }
    result
}

fn read(op: &BatchOp) -> Result<Write, Reply> {
    let change = match (op.op_kind, &op.payload) {
        (BatchOpKind::Delete, _) => Change::Delete,
        (BatchOpKind::Upsert, Some(Value::Object(fields))) => Change::Upsert(fields.clone()),
        (BatchOpKind::Upsert, _) => {
            return Err(Reply::error(
                400,
                "bad_body",
                "a JSON object is expected as payload",
            ));
        }
    };
    Ok(Write {
        kind: op.kind.clone(),
        id: op.id.clone(),
        change,
        names_fields: op.changed_fields.is_some(),
        conditions: Conditions {
            base: op.base_updated_at.as_ref().map(read_stamp).transpose()?,
            if_match: None,
            if_absent: op.if_absent,
            force: op.force,
        },
    })
}
