//! A server in a few lines whose answers a test can foresee.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use futures::stream;
use serde_json::{Value, json};
use sync_core::transport::{
    Answer, Capabilities, Features, FetchRequest, PullPage, PullRequest, PushChange, PushOp,
    PushOutcome, PushRequest, PushResult, WakeupStream,
};
use sync_core::{
    Precondition, Record, ServerState, Timestamp, Transport, TransportError, TransportErrorKind,
};

/// 2026-01-01T00:00:00Z; the n-th change is stamped n seconds later.
const START: i64 = 1_767_225_600;

#[derive(Debug, Clone)]
pub(crate) struct Server(Arc<Mutex<State>>);

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) origin: String,
    rows: BTreeMap<String, Value>,
    changes: i64,
    hidden: BTreeSet<String>,
    /// Rows at whose fetch the connection is lost.
    pub(crate) unfetchable: BTreeSet<String>,
    /// What pushes are answered before the server looks at them.
    pub(crate) scripted: VecDeque<PushOutcome>,
    pub(crate) fetched: Vec<String>,
    pub(crate) pushed: Vec<PushOp>,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            origin: "first".to_owned(),
            rows: BTreeMap::new(),
            changes: 0,
            hidden: BTreeSet::new(),
            unfetchable: BTreeSet::new(),
            scripted: VecDeque::new(),
            fetched: Vec::new(),
            pushed: Vec::new(),
        })))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Somebody else writes this record.
    pub(crate) fn put(&self, id: &str, fields: Value) {
        self.state().store(id, fields, Value::Null);
    }

    /// Somebody else deletes this record.
    pub(crate) fn delete(&self, id: &str) {
        let mut state = self.state();
        let row = state.rows[id].clone();
        state.store(id, row, json!("2026-01-01T00:00:00Z"));
    }

    /// Pulls no longer show the record; a fetch does.
    pub(crate) fn hide(&self, id: &str) {
        self.state().hidden.insert(id.to_owned());
    }

    /// The record is shown without its stamp.
    pub(crate) fn lose_stamp(&self, id: &str) {
        let mut state = self.state();
        let row = state.rows.get_mut(id).unwrap();
        row.as_object_mut().unwrap().remove("updated_at");
    }

    /// What was fetched since somebody last asked.
    pub(crate) fn take_fetched(&self) -> Vec<String> {
        std::mem::take(&mut self.state().fetched)
    }

    /// The record is gone without a tombstone.
    pub(crate) fn forget(&self, id: &str) {
        self.state().rows.remove(id);
    }

    /// The record is again what it was, under its old stamp.
    pub(crate) fn restore(&self, older: Record) {
        let id = older.id().unwrap().to_string();
        self.state().rows.insert(id, json!(older));
    }

    /// The record as the server has it.
    pub(crate) fn get(&self, id: &str) -> Record {
        Record::try_from(self.state().rows[id].clone()).unwrap()
    }
}

fn stamp(seconds: i64) -> Value {
    Timestamp::from_unix_millis((START + seconds) * 1_000).to_json()
}

impl State {
    fn store(&mut self, id: &str, mut row: Value, deleted_at: Value) {
        self.changes += 1;
        row["id"] = json!(id);
        row["updated_at"] = stamp(self.changes);
        row["deleted_at"] = deleted_at;
        self.rows.insert(id.to_owned(), row);
    }

    fn shown(&self, id: &str) -> ServerState {
        self.rows.get(id).map_or_else(ServerState::gone, |row| {
            ServerState::of(Record::try_from(row.clone()).unwrap(), None)
        })
    }

    fn take(&mut self, op: &PushOp) -> PushOutcome {
        self.pushed.push(op.clone());
        if let Some(outcome) = self.scripted.pop_front() {
            return outcome;
        }
        let id = op.id.as_str();
        let present = self.shown(id);
        let fits = match &op.precondition {
            Precondition::IfBase { version } => present.version() == Some(version),
            Precondition::IfAbsent => present.live().is_none(),
            Precondition::Force => true,
        };
        if !fits {
            return PushOutcome::Conflict {
                state: Some(present),
                time: None,
            };
        }
        match &op.change {
            PushChange::Upsert { record, .. } => {
                self.store(id, json!(record), Value::Null);
            }
            PushChange::Delete => {
                let row = self.rows[id].clone();
                self.store(id, row, json!("2026-01-01T00:00:00Z"));
            }
        }
        PushOutcome::Accepted {
            state: Some(self.shown(id)),
        }
    }
}

fn answer<T>(value: T) -> Answer<T> {
    let mut answer = Answer::new(value);
    answer.features = Some(Features::parse("if-absent"));
    answer
}

#[async_trait]
impl Transport for Server {
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        let state = self.state();
        let place = |row: &Value| {
            let at = Timestamp::from_json(&row["updated_at"]).unwrap();
            (at, row["id"].as_str().unwrap().to_owned())
        };
        let is_behind = |row: &&Value| match (&request.since, &request.after_id) {
            (None, _) => true,
            (Some(since), None) => place(row).0 >= *since,
            (Some(since), Some(id)) => place(row) > (since.clone(), id.to_string()),
        };
        let is_shown = |row: &&Value| !state.hidden.contains(row["id"].as_str().unwrap());
        let rows = state.rows.values().filter(is_shown);
        let mut rows: Vec<Value> = rows.filter(is_behind).cloned().collect();
        rows.sort_by_key(place);
        rows.truncate(request.limit as usize);
        Ok(answer(PullPage::new(rows)))
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        let results = request.ops.iter().map(|op| {
            let outcome = self.state().take(op);
            PushResult::new(op.key.clone(), outcome)
        });
        Ok(answer(results.collect()))
    }

    async fn fetch(&self, request: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        let mut state = self.state();
        let id = request.id.as_str();
        state.fetched.push(id.to_owned());
        if state.unfetchable.contains(id) {
            let message = "as the test wants it";
            return Err(TransportError::new(TransportErrorKind::Offline, message));
        }
        Ok(answer(state.shown(id)))
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        Ok(answer(()))
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        Ok(Box::pin(stream::empty()))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(self.state().origin.clone())
    }
}
