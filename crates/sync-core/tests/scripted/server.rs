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
    date: Option<Timestamp>,
    max_batch: u32,
    origin: String,
    epoch: Option<String>,
    pushes: VecDeque<Result<PushOutcome, TransportError>>,
    fetches: VecDeque<Result<ServerState, TransportErrorKind>>,
    rows: Vec<Value>,
    pages: VecDeque<Result<(PullPage, Option<Timestamp>), TransportError>>,
    asked: Vec<Asked>,
    pulls: Vec<PullRequest>,
    batches: Vec<usize>,
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
        self.fails(TransportError::new(TransportErrorKind::Timeout, "lost"));
    }

    /// The next request to push for which there is no answer fails.
    pub(crate) fn fails(&self, error: TransportError) {
        self.0.lock().unwrap().pushes.push_back(Err(error));
    }

    /// It takes so many operations in one request.
    pub(crate) fn takes_batches_of(&self, operations: u32) {
        self.0.lock().unwrap().max_batch = operations;
    }

    /// How many operations the requests carried since the last call.
    pub(crate) fn batches(&self) -> Vec<usize> {
        std::mem::take(&mut self.0.lock().unwrap().batches)
    }

    /// Its own time, told with every answer.
    pub(crate) fn says_it_is(&self, date: Timestamp) {
        self.0.lock().unwrap().date = Some(date);
    }

    /// The answer to the next pull for which there is none yet.
    pub(crate) fn pages(&self, page: PullPage) {
        self.0.lock().unwrap().pages.push_back(Ok((page, None)));
    }

    /// The same, and from then on it is that late.
    pub(crate) fn pages_at(&self, date: Timestamp, page: PullPage) {
        let next = Ok((page, Some(date)));
        self.0.lock().unwrap().pages.push_back(next);
    }

    /// It answers under this epoch from now on.
    pub(crate) fn is_of_epoch(&self, epoch: &str) {
        self.0.lock().unwrap().epoch = Some(epoch.to_owned());
    }

    /// It answers under another address.
    pub(crate) fn moves_to(&self, origin: &str) {
        origin.clone_into(&mut self.0.lock().unwrap().origin);
    }

    /// The next pull for which there is no answer fails.
    pub(crate) fn fails_to_page(&self, kind: TransportErrorKind) {
        let error = TransportError::new(kind, "as told");
        self.0.lock().unwrap().pages.push_back(Err(error));
    }

    /// What pulls asked for since the last call.
    pub(crate) fn pulls(&self) -> Vec<PullRequest> {
        std::mem::take(&mut self.0.lock().unwrap().pulls)
    }

    /// Nothing is held ready any more.
    pub(crate) fn forgets(&self) {
        self.0.lock().unwrap().pushes.clear();
    }

    pub(crate) fn shows(&self, state: ServerState) {
        self.0.lock().unwrap().fetches.push_back(Ok(state));
    }

    /// The next fetch for which there is no answer fails.
    pub(crate) fn fails_to_show(&self, kind: TransportErrorKind) {
        self.0.lock().unwrap().fetches.push_back(Err(kind));
    }

    /// What every pull brings from now on.
    pub(crate) fn lists(&self, row: Value) {
        self.lists_all(vec![row]);
    }

    pub(crate) fn lists_all(&self, rows: Vec<Value>) {
        self.0.lock().unwrap().rows = rows;
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
        let inner = self.0.lock().unwrap();
        answer.features = Some(Features::parse(&inner.features));
        answer.server_date.clone_from(&inner.date);
        answer.epoch.clone_from(&inner.epoch);
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
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        let page = {
            let mut inner = self.0.lock().unwrap();
            inner.pulls.push(request);
            let usual = PullPage::new(inner.rows.clone());
            let (page, date) = inner.pages.pop_front().unwrap_or(Ok((usual, None)))?;
            inner.date = date.or(inner.date.take());
            page
        };
        Ok(self.answer(page))
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        let results = {
            let mut inner = self.0.lock().unwrap();
            if inner.pushes.is_empty() {
                let gone = TransportErrorKind::Offline;
                return Err(TransportError::new(gone, "no answer is left"));
            }
            inner.batches.push(request.ops.len());
            let mut results = Vec::new();
            for op in request.ops {
                inner.asked.push(Asked::Push(op.clone()));
                if let Some(outcome) = inner.pushes.pop_front() {
                    results.push(PushResult::new(op.key, outcome?));
                }
            }
            results
        };
        Ok(self.answer(results))
    }

    async fn fetch(&self, _: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        let next = self.0.lock().unwrap().fetches.pop_front();
        self.0.lock().unwrap().asked.push(Asked::Fetch);
        match next {
            Some(Ok(state)) => Ok(self.answer(state)),
            Some(Err(kind)) => Err(TransportError::new(kind, "as told")),
            None => {
                let gone = TransportErrorKind::Offline;
                Err(TransportError::new(gone, "no record is left"))
            }
        }
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        Ok(self.answer(()))
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        Ok(Box::pin(stream::empty()))
    }

    fn capabilities(&self) -> Capabilities {
        let inner = self.0.lock().unwrap();
        Capabilities::new(&inner.origin).with_max_batch(inner.max_batch)
    }
}
