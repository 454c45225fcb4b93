//! The answer to a batch: one result for each operation, matched by its key.

use std::collections::BTreeMap;

use serde_json::Value;
use sync_core::transport::{PushOp, PushOutcome, PushResult, TransportError};

use super::push::{Outcome, protocol};
use super::{
    Body, CheckedBody, Head, broken, foreign, protocol_failure, rejection, status_failure,
};
use crate::route::Names;

/// Judges the answer to a batch; the results are in the order of the operations.
///
/// # Errors
/// A failure of the batch as a whole. 4xx says nothing about its operations.
pub(crate) fn batch<'a>(
    head: &Head,
    body: &CheckedBody,
    ops: &[PushOp],
    names_of: impl Fn(&PushOp) -> &'a Names,
) -> Result<Vec<PushResult>, TransportError> {
    if let Some(failure) = status_failure(head) {
        return Err(failure);
    }
    let body = Body::read(head, body);
    match head.status {
        200..=299 => {}
        400..=499 => return Err(rejection(head, &body)),
        _ => {
            return Err(protocol_failure(
                head,
                "the answer to a batch is a redirect",
            ));
        }
    }
    let results = match &body {
        Body::Json(Value::Object(fields)) => fields.get("results").and_then(Value::as_array),
        Body::Empty => None,
        Body::Json(_) => return Err(protocol_failure(head, "the answer to a batch is no object")),
        Body::Unreadable(why) => return Err(broken(head, why)),
        Body::Html => {
            return Err(protocol_failure(head, foreign(&body).unwrap_or_default()));
        }
    };
    let by_key = by_key(results.map_or(&[], Vec::as_slice));
    let judge = |op: &PushOp| {
        let outcome = match by_key.get(op.key.as_str()).map(Vec::as_slice) {
            Some([result]) => judge(result, head, op, names_of(op)),
            Some(_) => trouble("the batch has more than one result for this operation"),
            None => trouble("the batch has no result for this operation"),
        };
        PushResult::new(op.key.clone(), outcome)
    };
    Ok(ops.iter().map(judge).collect())
}

fn by_key(results: &[Value]) -> BTreeMap<&str, Vec<&Value>> {
    let mut by_key = BTreeMap::<_, Vec<_>>::new();
    for result in results {
        if let Some(key) = result.get("opId").and_then(Value::as_str) {
            by_key.entry(key).or_default().push(result);
        }
    }
    by_key
}

fn judge(result: &Value, head: &Head, op: &PushOp, names: &Names) -> PushOutcome {
    let status = result.get("statusCode").and_then(Value::as_u64);
    let Some(status) = status.and_then(|status| u16::try_from(status).ok()) else {
        return trouble("the result for this operation has no status");
    };
    let part = |key: &str| result.get(key).filter(|value| !value.is_null());
    let (data, error) = (part("data"), part("error"));
    let outcome = Outcome {
        status,
        tag: None,
        op,
        names,
    };
    match status {
        401 => PushOutcome::Unauthorized,
        408 | 429 | 503 => PushOutcome::Unavailable {
            status,
            retry_after: head.retry_after,
        },
        500..=599 => trouble(&format!(
            "server failed on this operation (status {status})"
        )),
        200..=299 if data.is_none() && error.is_some() => {
            protocol("the result names an error beside a success", status)
        }
        200..=299 => outcome.judge(data),
        // Some servers put the conflict into the result itself.
        409 | 412 if has_conflict_keys(result) => outcome.judge(Some(result)),
        _ => outcome.judge(error.or(data)),
    }
}

fn has_conflict_keys(result: &Value) -> bool {
    result.get("current").is_some() || result.get("serverData").is_some()
}

fn trouble(message: &str) -> PushOutcome {
    PushOutcome::Trouble {
        message: message.to_owned(),
    }
}
