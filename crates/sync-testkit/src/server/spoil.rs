//! Answers that the work was done for, made wrong afterwards.

use serde_json::{Value, json};

use super::reply::{Reply, ReplyBody};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoil {
    EmptyBody,
    IncompleteConflict,
    WrongEntityConflict,
    MissingResult,
    DoubledResult,
    UnknownResult,
    ResultWithoutStatus,
    ResultStatus(u16),
    RepeatedToken,
}

/// The token that a page was asked for with, and the name that tokens bear in pages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageToken<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: &'a str,
}

impl Spoil {
    /// Does it to the answer; `false` if the answer is not of the kind that can be spoilt so.
    pub(crate) fn apply(self, reply: &mut Reply, page_token: Option<PageToken<'_>>) -> bool {
        match self {
            Self::EmptyBody => {
                let fits = (200..300).contains(&reply.status);
                if fits {
                    reply.status = 204;
                    reply.body = ReplyBody::Empty;
                }
                fits
            }
            Self::IncompleteConflict => on_conflicts(reply, |conflict| {
                *conflict = json!({"error": "conflict", "message": "modified on the server"});
            }),
            Self::WrongEntityConflict => on_conflicts(reply, |conflict| {
                if let Some(Value::Object(current)) = conflict.get_mut("current") {
                    for (name, value) in current.iter_mut() {
                        if sync_core::record::ID_FIELDS.contains(&name.as_str()) {
                            *value = json!("wrong-entity-id");
                        }
                    }
                }
            }),
            Self::MissingResult => on_results(reply, |results| {
                results.pop();
            }),
            Self::DoubledResult => on_results(reply, |results| {
                results.extend(results.first().cloned());
            }),
            Self::UnknownResult => on_first_result(reply, |result| {
                result["opId"] = json!("unknown-op");
            }),
            Self::ResultWithoutStatus => on_first_result(reply, |result| {
                if let Value::Object(fields) = result {
                    fields.remove("statusCode");
                }
            }),
            Self::ResultStatus(status) => on_first_result(reply, |result| {
                *result = json!({"opId": result["opId"], "statusCode": status});
            }),
            Self::RepeatedToken => match (page_token, reply.json_mut()) {
                (Some(asked), Some(Value::Object(page))) => {
                    page.insert(asked.name.to_owned(), json!(asked.value));
                    true
                }
                _ => false,
            },
        }
    }
}

/// Changes the conflict body of the answer, or those of the results of a batch.
fn on_conflicts(reply: &mut Reply, mut change: impl FnMut(&mut Value)) -> bool {
    let is_conflict = |status: u64| status == 409 || status == 412;
    if is_conflict(u64::from(reply.status)) {
        return reply.json_mut().map(change).is_some();
    }
    let mut any = false;
    on_results(reply, |results| {
        for result in results {
            if result["statusCode"].as_u64().is_some_and(is_conflict) {
                change(&mut result["error"]);
                any = true;
            }
        }
    });
    any
}

fn on_results(reply: &mut Reply, change: impl FnOnce(&mut Vec<Value>)) -> bool {
    match reply.json_mut().and_then(|body| body.get_mut("results")) {
        Some(Value::Array(results)) => {
            change(results);
            true
        }
        _ => false,
    }
}

fn on_first_result(reply: &mut Reply, change: impl FnOnce(&mut Value)) -> bool {
    on_results(reply, |results| {
        if let Some(first) = results.first_mut() {
            change(first);
        }
    })
}
