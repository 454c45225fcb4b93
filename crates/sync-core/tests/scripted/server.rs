//! Answers by heart, and what was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream;
use serde_json::Value;
use sync_core::transport::{
    Answer, Capabilities, Features, FetchRequest, PullPage, PullRequest, PushChange, PushOp,
    PushOutcome, PushRequest, PushResult, WakeupStream,
};
use sync_core::{
    Precondition, Record, ServerState, Timestamp, Transport, TransportError, TransportErrorKind,
    Version,
};

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Asked {
    Push(PushOp),
    Fetch,
}

/// A server that answers by heart; where it knows no answer, the network is gone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Server(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    features: String,
    pushes: VecDeque<Result<PushOutcome, TransportErrorKind>>,
    fetches: VecDeque<ServerState>,
    rows: Vec<Value>,
    asked: Vec<Asked>,
}

impl Server {
    /// What it declares to be able to do.
    pub(crate) fn declares(&self, features: &str) {
        features.clone_into(&mut self.0.lock().unwrap().features);
    }

    /// The answer to the next push for which there is none yet.
    pub(crate) fn answers(&self, outcome: PushOutcome) {
        self.0.lock().unwrap().pushes.push_back(Ok(outcome));
    }

    /// The next push for which there is no answer gets lost.
    pub(crate) fn loses_a_push(&self) {
        let lost = Err(TransportErrorKind::Timeout);
        self.0.lock().unwrap().pushes.push_back(lost);
    }

    /// Nothing is held ready any more.
    pub(crate) fn forgets(&self) {
        self.0.lock().unwrap().pushes.clear();
    }

    pub(crate) fn shows(&self, state: ServerState) {
        self.0.lock().unwrap().fetches.push_back(state);
    }

    /// What every pull brings from now on.
    pub(crate) fn lists(&self, row: Value) {
        self.0.lock().unwrap().rows = vec![row];
    }

    /// What was asked since the last call.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }

    /// The one push that was asked for since the last call.
    pub(crate) fn pushed(&self) -> PushOp {
        match &self.asked()[..] {
            [Asked::Push(op)] => op.clone(),
            other => panic!("not one push, but {other:?}"),
        }
    }

    fn answer<T>(&self, value: T) -> Answer<T> {
        let mut answer = Answer::new(value);
        answer.features = Some(Features::parse(&self.0.lock().unwrap().features));
        answer
    }
}

/// The record of a push.
pub(crate) fn sent(op: &PushOp) -> &Record {
    match &op.change {
        PushChange::Upsert { record, .. } => record,
        PushChange::Delete => panic!("a deletion has no record: {op:?}"),
    }
}

/// The stamp with this number, in seconds of a day.
pub(crate) fn stamp(number: u8) -> Timestamp {
    Timestamp::parse(&format!("2026-03-01T12:00:{number:02}Z")).unwrap()
}

pub(crate) fn if_base(number: u8) -> Precondition {
    Precondition::IfBase {
        version: Version::new(stamp(number)),
    }
}

pub(crate) fn record(value: Value) -> Record {
    Record::try_from(value).unwrap()
}

/// A live record; its stamp stands in the column of that name.
pub(crate) fn live(mut value: Value, number: u8) -> ServerState {
    value["updated_at"] = stamp(number).to_json();
    ServerState::of(record(value), None)
}

pub(crate) fn deleted(number: u8) -> ServerState {
    ServerState::Deleted {
        record: None,
        version: Some(Version::new(stamp(number))),
    }
}

pub(crate) fn accepted(state: ServerState) -> PushOutcome {
    PushOutcome::Accepted { state: Some(state) }
}

pub(crate) fn conflict(state: ServerState) -> PushOutcome {
    PushOutcome::Conflict {
        state: Some(state),
        time: None,
    }
}

pub(crate) fn refused() -> PushOutcome {
    PushOutcome::Refused {
        status: 422,
        message: "too long".to_owned(),
    }
}

#[async_trait]
impl Transport for Server {
    async fn pull(&self, _: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        let rows = self.0.lock().unwrap().rows.clone();
        Ok(self.answer(PullPage::new(rows)))
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        let [op] = &request.ops[..] else {
            panic!("a batch was not asked for")
        };
        let next = self.0.lock().unwrap().pushes.pop_front();
        let Some(next) = next else {
            let gone = TransportErrorKind::Offline;
            return Err(TransportError::new(gone, "no answer is left"));
        };
        self.0.lock().unwrap().asked.push(Asked::Push(op.clone()));
        let outcome = next.map_err(|kind| TransportError::new(kind, "lost"))?;
        Ok(self.answer(vec![PushResult::new(op.key.clone(), outcome)]))
    }

    async fn fetch(&self, _: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        let next = self.0.lock().unwrap().fetches.pop_front();
        self.0.lock().unwrap().asked.push(Asked::Fetch);
        match next {
            Some(state) => Ok(self.answer(state)),
            None => Err(TransportError::new(
                TransportErrorKind::Offline,
                "no record is left",
            )),
        }
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        Ok(self.answer(()))
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        Ok(Box::pin(stream::empty()))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("by heart")
    }
}
