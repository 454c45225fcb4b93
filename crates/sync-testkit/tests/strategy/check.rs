//! Compares what a case came to with what it expects.

use serde_json::{Value, json};
use sync_core::json::same_value;

use crate::case::Outcome;
use crate::script::Request;

/// The events that an empty list of expected ones rules out.
const OF_CONFLICTS: [&str; 4] = [
    "ConflictDetected",
    "ConflictResolved",
    "ConflictUnresolved",
    "PreconditionUnreliable",
];

/// Everything in which the outcome differs; a key that the expectation lacks is not checked.
pub(crate) fn differences(expected: &Value, outcome: &Outcome) -> Vec<String> {
    let mut found = keys(outcome);
    for (key, expected) in expected.as_object().expect("a case expects an object") {
        let difference = match key.as_str() {
            "sent" => sent(expected, outcome),
            "events" => events(expected, &outcome.events),
            "row_after" => same("row_after", &outcome.row, expected),
            "op_after" => same("op_after", &json!(outcome.op), expected),
            "server_reply_used" => {
                let used = !outcome.row.is_null() && same_value(&outcome.row, &outcome.last_reply);
                same("server_reply_used", &json!(used), expected)
            }
            unknown => Some(format!("nobody checks {unknown:?}")),
        };
        found.extend(difference);
    }
    found
}

fn same(what: &str, actual: &Value, expected: &Value) -> Option<String> {
    (!same_value(actual, expected)).then(|| format!("{what} is {actual}, expected {expected}"))
}

fn sent(expected: &Value, outcome: &Outcome) -> Option<String> {
    let actual: Vec<Value> = outcome.requests.iter().map(Request::to_json).collect();
    let fits = expected.as_array().is_some_and(|expected| {
        expected.len() == actual.len() && expected.iter().zip(&actual).all(|(e, a)| request(e, a))
    });
    if !fits {
        return Some(format!("sent is {}, expected {expected}", json!(actual)));
    }
    let unused = outcome.unused_replies;
    (unused > 0).then(|| format!("{unused} replies were not asked for"))
}

fn request(expected: &Value, actual: &Value) -> bool {
    let expected = expected.as_object();
    expected.is_some_and(|expected| {
        expected.iter().all(|(key, value)| {
            actual
                .get(key)
                .is_some_and(|actual| same_value(actual, value))
        })
    })
}

fn events(expected: &Value, actual: &[String]) -> Option<String> {
    let expected = expected.as_array()?;
    let wrong = || {
        Some(format!(
            "events are {actual:?}, expected {}",
            json!(expected)
        ))
    };
    if expected.is_empty() {
        let any = actual
            .iter()
            .any(|event| OF_CONFLICTS.contains(&event.as_str()));
        return if any { wrong() } else { None };
    }
    let mut rest = actual.iter();
    let in_order = expected
        .iter()
        .all(|name| rest.any(|event| name == event.as_str()));
    if in_order { None } else { wrong() }
}

/// One key, one request: other content, precondition or force needs another key.
fn keys(outcome: &Outcome) -> Vec<String> {
    let later = outcome.requests.iter().filter_map(|request| match request {
        Request::Push(op) => Some(op),
        Request::Fetch => None,
    });
    let pushes: Vec<_> = outcome.opening.iter().chain(later).collect();
    let mut found = Vec::new();
    for (index, one) in pushes.iter().enumerate() {
        for other in &pushes[index + 1..] {
            let same_bytes = one.change == other.change && one.precondition == other.precondition;
            if one.key == other.key && !same_bytes {
                found.push(format!("the key {} was used for two requests", one.key));
            }
        }
    }
    found
}
