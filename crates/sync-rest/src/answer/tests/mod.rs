//! The rules of answers, one by one, without a network.

use std::time::Duration;

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
use serde_json::json;
use sync_core::transport::{
    FetchRequest, PushChange, PushOp, PushOutcome, PushResult, TransportError, TransportErrorKind,
};
use sync_core::{EntityId, Kind, OpId, Precondition, Record, ServerState, Timestamp};

use super::{BodyBuffer, CheckedBody, Head};
use crate::answer;
use crate::route::{KindRoute, Names};

mod batches;
mod conflicts;
mod heads;
mod pushes;
mod reads;

const NOW: &str = "2024-01-02T12:00:00Z";

fn head(status: u16, headers: &[(&str, &'static str)]) -> Head {
    let now = Timestamp::parse(NOW).unwrap();
    Head::read(status, &now, |name| {
        let found = headers.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| *value)
    })
}

fn body(text: &str) -> CheckedBody {
    let mut buffer = BodyBuffer::new(1 << 20);
    buffer.push(text.as_bytes()).unwrap();
    buffer.finish()
}

fn op(change: PushChange) -> PushOp {
    let op_id = OpId::new("o1").unwrap();
    let (kind, id) = (Kind::new("todos").unwrap(), EntityId::new("e1").unwrap());
    PushOp::new(
        "o1".to_owned(),
        op_id,
        kind,
        id,
        change,
        Precondition::Force,
    )
}

fn upsert() -> PushOp {
    op(PushChange::Upsert {
        record: Record::default(),
        changed: None,
    })
}

fn push(status: u16, text: &str, op: &PushOp) -> Result<PushOutcome, TransportError> {
    answer::push(&head(status, &[]), &body(text), op, &Names::default())
}

fn put(status: u16, text: &str) -> PushOutcome {
    push(status, text, &upsert()).unwrap()
}

fn batch(status: u16, text: &str) -> Result<Vec<PushResult>, TransportError> {
    let names = Names::default();
    answer::batch(&head(status, &[]), &body(text), &[upsert()], |_| &names)
}

fn in_batch(result: &str) -> PushOutcome {
    let text = format!(r#"{{"results":[{result}]}}"#);
    batch(200, &text).unwrap().remove(0).outcome
}

fn live(outcome: &PushOutcome) -> &Record {
    match outcome {
        PushOutcome::Accepted { state: Some(state) }
        | PushOutcome::Conflict {
            state: Some(state), ..
        } => state.live().unwrap(),
        other => panic!("no record in {other:?}"),
    }
}

#[track_caller]
fn assert_protocol(outcome: &PushOutcome) {
    assert!(
        matches!(outcome, PushOutcome::Protocol { .. }),
        "{outcome:?}"
    );
}

#[track_caller]
fn assert_fetch_wanted(outcome: &PushOutcome) {
    let no_record = matches!(outcome, PushOutcome::Conflict { state: None, .. });
    assert!(no_record, "{outcome:?}");
}
