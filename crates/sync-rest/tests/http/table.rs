//! The reference cases: what each answer to a push means, from the bytes on the wire to the class.

use serde_json::{Map, Value, json};
use sync_core::answer::{AnswerClass, classify};
use sync_core::json::same_value;
use sync_core::transport::{
    PushChange, PushOp, PushOutcome, PushRequest, Transport, TransportError, TransportErrorKind,
};
use sync_core::{
    Change, ChangedFields, Op, OpId, Precondition, Record, ServerState, Timestamp, Version,
};

use super::server::{Frozen, Reply, Server, id, kind};

const CASES: usize = 52;

fn cases() -> Vec<Value> {
    serde_json::from_str(include_str!("../cases/http.json")).unwrap()
}

#[tokio::test]
async fn every_reference_case_is_understood_as_the_law_says() {
    let cases = cases();
    assert_eq!(cases.len(), CASES);
    let mut checked = 0;
    let mut wrong = Vec::new();
    for case in &cases {
        let seen = observe(case).await;
        let found = mismatches(&case["expected"], &seen);
        wrong.extend(found.iter().map(|text| format!("{}: {text}", case["id"])));
        checked += 1;
    }
    assert_eq!(checked, CASES);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_checker_notices_each_corrupted_expectation() {
    for case in cases() {
        let seen = observe(&case).await;
        let mut paths = Vec::new();
        leaves(&case["expected"], "", &mut paths);
        assert!(!paths.is_empty(), "{} expects nothing", case["id"]);
        for path in paths {
            let mut expected = case["expected"].clone();
            let leaf = expected.pointer_mut(&path).unwrap();
            *leaf = corrupted(&path, leaf);
            let noticed = !mismatches(&expected, &seen).is_empty();
            assert!(noticed, "{} would pass with a wrong {path}", case["id"]);
        }
    }
}

/// The keys that are checked, `results` entry by entry.
fn leaves(expected: &Value, path: &str, paths: &mut Vec<String>) {
    for (key, value) in expected.as_object().unwrap() {
        match value.as_array().filter(|_| key == "results") {
            None => paths.push(format!("{path}/{key}")),
            Some(results) => {
                for (at, result) in results.iter().enumerate() {
                    leaves(result, &format!("{path}/results/{at}"), paths);
                }
            }
        }
    }
}

fn corrupted(path: &str, value: &Value) -> Value {
    match value {
        _ if path.ends_with("/time") => json!("1999-01-01T00:00:00Z"),
        Value::String(text) => json!(format!("{text}x")),
        Value::Number(number) => json!(number.as_i64().unwrap() + 1),
        Value::Object(fields) => {
            let mut fields = fields.clone();
            fields.insert("corrupt".to_owned(), json!(true));
            fields.into()
        }
        _ => json!("corrupt"),
    }
}

/// Only keys that are present are compared; null is compared too.
fn mismatches(expected: &Value, seen: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for (key, wanted) in expected.as_object().unwrap() {
        let got = seen.get(key).unwrap_or(&Value::Null);
        match (key.as_str(), wanted, got) {
            ("results", Value::Array(wanted), Value::Array(got)) => {
                if wanted.len() != got.len() {
                    wrong.push(format!("{} results instead of {}", got.len(), wanted.len()));
                }
                let pairs = wanted.iter().zip(got);
                wrong.extend(pairs.flat_map(|(wanted, got)| mismatches(wanted, got)));
            }
            ("time", Value::String(wanted), Value::String(got))
                if Timestamp::parse(wanted) == Timestamp::parse(got) => {}
            _ if same_value(wanted, got) => {}
            _ => wrong.push(format!("{key}: expected {wanted}, got {got}")),
        }
    }
    wrong
}

/// Sends the request of a case to a server that answers as the case says.
async fn observe(case: &Value) -> Value {
    let (request, reply) = (&case["request"], &case["reply"]);
    let headers = reply["headers"].as_object().unwrap();
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    let date = headers.iter().find(|(name, _)| *name == "date");
    assert!(date.is_none_or(|(_, date)| *date == "Tue, 02 Jan 2024 12:00:00 GMT"));
    let status = u16::try_from(reply["status"].as_u64().unwrap()).unwrap();
    let body = reply["body"].as_str().unwrap();
    let server = Server::always(Reply::new(status, &headers, body)).await;

    let ops = match request.get("ops") {
        Some(ops) => ops.as_array().unwrap().clone(),
        None => vec![request["op"].clone()],
    };
    let ops: Vec<(Op, PushOp)> = ops.iter().map(|op| ops_of(op, request)).collect();
    let transport = server
        .builder()
        .batch(true)
        .env(Frozen::env("2024-01-02T12:00:00Z"))
        .build()
        .unwrap();
    let push = PushRequest::new(ops.iter().map(|(_, push)| push.clone()).collect());
    let answer = transport.push(push).await;
    let (method, path) = (&request["method"], &request["path"]);
    let sent = format!(
        "{} /api{}",
        method.as_str().unwrap(),
        path.as_str().unwrap()
    );
    let line = server.only().line;
    assert_eq!(
        line.split(['?'])
            .next()
            .map(|line| line.trim_end_matches(" HTTP/1.1")),
        Some(&*sent)
    );

    let pulled = request["kind_pulled"] != json!(false);
    let batch = request.get("ops").is_some();
    match answer {
        Ok(answer) if batch => {
            let results = ops.iter().zip(&answer.value).map(|((op, push), result)| {
                assert_eq!(result.key, push.key);
                let mut seen = seen(op, Ok(&result.outcome), pulled);
                seen.insert("op_id".to_owned(), json!(push.key));
                Value::from(seen)
            });
            json!({ "results": results.collect::<Vec<_>>() })
        }
        Ok(answer) => seen(&ops[0].0, Ok(&answer.value[0].outcome), pulled).into(),
        Err(error) => {
            let mut seen = seen(&ops[0].0, Err(&error), pulled);
            if batch {
                seen.insert("resend".to_owned(), resend(error.kind()));
            }
            seen.into()
        }
    }
}

/// What the engine does with the operations of a batch that failed as a whole.
fn resend(kind: TransportErrorKind) -> Value {
    match kind {
        TransportErrorKind::Rejected => json!("singly"),
        TransportErrorKind::Server
        | TransportErrorKind::Timeout
        | TransportErrorKind::Interrupted
        | TransportErrorKind::BrokenBody => json!("halved"),
        _ => Value::Null,
    }
}

fn ops_of(op: &Value, request: &Value) -> (Op, PushOp) {
    let last = || request["path"].as_str().unwrap().rsplit('/').next();
    let entity = id(op["id"].as_str().or_else(last).unwrap());
    let op_id = OpId::new(op["op_id"].as_str().unwrap_or("o1")).unwrap();
    let changed: Option<ChangedFields> = serde_json::from_value(op["changed"].clone()).unwrap();
    let payload = op
        .get("payload")
        .map(|payload| Record::try_from(payload.clone()).unwrap());
    let (written, change) = match payload {
        Some(payload) => (
            Change::Upsert {
                payload: payload.clone(),
                changed: changed.clone(),
            },
            PushChange::Upsert {
                record: payload,
                changed,
            },
        ),
        None => (Change::Delete, PushChange::Delete),
    };
    assert_eq!(op["type"] == "delete", written.is_delete());
    let precondition = match Timestamp::from_json(&op["base_version"]) {
        Ok(stamp) => Precondition::IfBase {
            version: Version::new(stamp),
        },
        Err(_) => Precondition::IfAbsent,
    };
    let at = Timestamp::parse("2024-01-01T12:00:00Z").unwrap();
    let queued = Op::new(op_id.clone(), kind(), entity.clone(), written, at);
    let key = queued.idempotency_key();
    let push = PushOp::new(key, op_id, kind(), entity, change, precondition);
    (queued, push)
}

/// An outcome in the words of the reference cases.
fn seen(
    op: &Op,
    outcome: Result<&PushOutcome, &TransportError>,
    pulled: bool,
) -> Map<String, Value> {
    let class = class_name(classify(op, outcome, pulled));
    let (state, time, wait) = match outcome {
        Ok(PushOutcome::Accepted { state } | PushOutcome::Gone { state }) => {
            let version = state.as_ref().and_then(ServerState::version);
            let time = version.map(|version| version.stamp.clone());
            (state.as_ref(), time, None)
        }
        Ok(PushOutcome::Conflict { state, time }) => (state.as_ref(), time.clone(), None),
        Ok(PushOutcome::Unavailable { retry_after, .. }) => (None, None, *retry_after),
        Ok(_) => (None, None, None),
        Err(error) => (None, None, error.retry_after()),
    };
    let record = match state {
        Some(ServerState::Live { record, .. }) => record.clone().into(),
        Some(ServerState::Deleted { .. }) => json!("deleted"),
        _ => Value::Null,
    };
    let version = state.and_then(ServerState::version);
    let fields = json!({
        "class": class,
        "record": record,
        "version": version.map(|version| version.stamp.to_json()),
        "tag": version.and_then(|version| version.tag.clone()),
        "time": time.map(|time| time.to_rfc3339_utc()),
        "retry_after_s": wait.map(|wait| wait.as_secs()),
    });
    match fields {
        Value::Object(fields) => fields,
        _ => unreachable!("json! made an object"),
    }
}

fn class_name(class: AnswerClass) -> &'static str {
    match class {
        AnswerClass::Accepted => "accepted",
        AnswerClass::Landed => "landed",
        AnswerClass::Conflict => "conflict",
        AnswerClass::Gone => "gone",
        AnswerClass::Refused => "refused",
        AnswerClass::Auth => "auth",
        AnswerClass::Environment => "environment",
        AnswerClass::OpTrouble => "op_trouble",
        AnswerClass::ProtocolError => "protocol_error",
        other => panic!("unknown class {other:?}"),
    }
}
