//! A server in a few lines that honours keys; a request can be stopped before it arrives and before
//! its answer does.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use futures::stream;
use serde_json::{Value, json};
use sync_core::transport::{
    Answer, Capabilities, Features, FetchRequest, PullPage, PullRequest, PushChange, PushOutcome,
    PushRequest, PushResult, WakeupStream,
};
use sync_core::{Record, ServerState, Timestamp, Transport, TransportError, TransportErrorKind};
use tokio::task::yield_now;

/// 2026-01-01T00:00:00Z; the n-th change is stamped n seconds later.
const START: i64 = 1_767_225_600;

#[derive(Debug, Clone, Default)]
pub(crate) struct Server(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub(crate) struct State {
    rows: BTreeMap<String, Value>,
    changes: i64,
    /// How often each key took effect.
    pub(crate) applied: BTreeMap<String, u32>,
    /// What pushes are answered before the server looks at them.
    pub(crate) scripted: VecDeque<PushOutcome>,
    /// Pushes that fail so, instead of arriving.
    pub(crate) failures: VecDeque<TransportErrorKind>,
    /// No request gets on.
    pub(crate) is_down: bool,
    /// Requests that left a device, whether or not they have arrived.
    pub(crate) pushes: usize,
    pub(crate) pulls: usize,
}

impl Server {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Somebody else writes this record.
    pub(crate) fn put(&self, id: &str, text: &str) {
        self.state().store(json!({"id": id, "text": text}));
    }

    pub(crate) fn text(&self, id: &str) -> Option<String> {
        let state = self.state();
        Some(state.rows.get(id)?["text"].as_str()?.to_owned())
    }

    /// Pushes and pulls so far.
    pub(crate) fn requests(&self) -> (usize, usize) {
        let state = self.state();
        (state.pushes, state.pulls)
    }

    /// A moment on the way, and more while nothing gets on.
    async fn way(&self) {
        yield_now().await;
        while self.state().is_down {
            yield_now().await;
        }
    }

    /// Nothing took effect more than once.
    pub(crate) fn assert_once(&self) {
        let state = self.state();
        assert!(state.applied.values().all(|count| *count == 1), "{state:?}");
    }
}

impl State {
    fn store(&mut self, mut row: Value) {
        self.changes += 1;
        let at = Timestamp::from_unix_millis((START + self.changes) * 1_000);
        row["updated_at"] = at.to_json();
        self.rows
            .insert(row["id"].as_str().unwrap().to_owned(), row);
    }

    fn shown(&self, id: &str) -> ServerState {
        self.rows.get(id).map_or_else(ServerState::gone, |row| {
            ServerState::of(Record::try_from(row.clone()).unwrap(), None)
        })
    }
}

fn answer<T>(value: T) -> Answer<T> {
    let mut answer = Answer::new(value);
    answer.features = Some(Features::parse("idempotency, if-absent"));
    answer
}

#[async_trait]
impl Transport for Server {
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        self.state().pulls += 1;
        self.way().await;
        let rows = {
            let state = self.state();
            let is_news = |row: &&Value| {
                let stamp = Timestamp::from_json(&row["updated_at"]).unwrap();
                request.since.as_ref().is_none_or(|since| stamp > *since)
            };
            state.rows.values().filter(is_news).cloned().collect()
        };
        self.way().await;
        Ok(answer(PullPage::new(rows)))
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        self.state().pushes += 1;
        self.way().await;
        if let Some(kind) = self.state().failures.pop_front() {
            return Err(TransportError::new(kind, "as the test wants it"));
        }
        let mut results = Vec::new();
        for op in request.ops {
            let mut state = self.state();
            if let Some(outcome) = state.scripted.pop_front() {
                results.push(PushResult::new(op.key, outcome));
                continue;
            }
            if !state.applied.contains_key(&op.key) {
                state.applied.insert(op.key.clone(), 1);
                if let PushChange::Upsert { record, .. } = op.change {
                    state.store(Value::from(record));
                }
            }
            let shown = Some(state.shown(op.id.as_str()));
            results.push(PushResult::new(
                op.key,
                PushOutcome::Accepted { state: shown },
            ));
        }
        self.way().await;
        Ok(answer(results))
    }

    async fn fetch(&self, request: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        Ok(answer(self.state().shown(request.id.as_str())))
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        Ok(answer(()))
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        Ok(Box::pin(stream::empty()))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("lease")
    }
}
