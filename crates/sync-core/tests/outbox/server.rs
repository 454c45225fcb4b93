//! A server that honours keys and preconditions, and loses what it is told to lose.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream;
use serde_json::{Value, json};
use sync_core::transport::{
    Answer, Capabilities, Features, FetchRequest, PullPage, PullRequest, PushChange, PushOp,
    PushOutcome, PushRequest, PushResult, WakeupStream,
};
use sync_core::{
    Precondition, ServerState, Timestamp, Transport, TransportError, TransportErrorKind, Version,
};

use crate::model::Intent;
use crate::world::{User, fields_of, record};

/// The values of `a`, `b` and `other`; only the first two are ever changed by the device.
pub(crate) type Fields = [u8; 3];

/// What the server has under an id, and in which version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum State {
    #[default]
    Absent,
    Live(Fields, u32),
    Deleted(u32),
}

impl State {
    pub(crate) fn version(self) -> Option<u32> {
        match self {
            Self::Absent => None,
            Self::Live(_, version) | Self::Deleted(version) => Some(version),
        }
    }
}

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fortune {
    Arrives,
    /// It never gets there, and nobody can tell.
    IsLost,
    /// It gets there and the answer is lost.
    LosesItsAnswer,
    IsRefused,
}

/// What the device learned of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Learned {
    /// That nothing left.
    NeverLeft,
    Nothing,
    Accepted(State),
    Conflict(State),
    Refused,
}

/// What the user does while a request is under way.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Edit {
    /// Inserts the entity, or changes these two fields of it.
    Write(Option<u8>, Option<u8>),
    Delete,
}

/// One request, what was learned of it, and what the user did meanwhile.
pub(crate) type Exchange = (PushOp, Option<Intent>, Learned);

#[derive(Debug, Clone, Default)]
pub(crate) struct Server(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    states: BTreeMap<String, State>,
    version: u32,
    /// What each key was answered; a refusal is not remembered.
    answered: BTreeMap<String, Learned>,
    fortunes: VecDeque<(Fortune, Option<Edit>)>,
    exchanges: Vec<Exchange>,
    user: Option<User>,
}

impl Server {
    /// Decides over the next requests; after these the network is gone.
    pub(crate) fn expect(&self, fortunes: &[(Fortune, Option<Edit>)]) {
        self.0.lock().unwrap().fortunes = fortunes.iter().copied().collect();
    }

    /// What was asked and learned since the last call.
    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        std::mem::take(&mut self.0.lock().unwrap().exchanges)
    }

    /// Who edits while requests are under way.
    pub(crate) fn watched_by(&self, user: User) {
        self.0.lock().unwrap().user = Some(user);
    }

    /// What a pull brings of this entity.
    pub(crate) fn state(&self, id: &str) -> State {
        let inner = self.0.lock().unwrap();
        inner.states.get(id).copied().unwrap_or_default()
    }

    /// Somebody else writes the field that is theirs, or deletes the record.
    pub(crate) fn foreign_edit(&self, id: &str, edit: Option<u8>) {
        let mut inner = self.0.lock().unwrap();
        if let Some(State::Live([a, b, _], _)) = inner.states.get(id).copied() {
            inner.version += 1;
            let version = inner.version;
            let state = match edit {
                Some(other) => State::Live([a, b, other], version),
                None => State::Deleted(version),
            };
            inner.states.insert(id.to_owned(), state);
        }
    }
}

impl Inner {
    fn carry_out(&mut self, op: &PushOp) -> Learned {
        if let Some(answer) = self.answered.get(&op.key) {
            return *answer;
        }
        let answer = self.judge(op);
        self.answered.insert(op.key.clone(), answer);
        answer
    }

    fn judge(&mut self, op: &PushOp) -> Learned {
        let id = op.id.as_str();
        let state = self.states.get(id).copied().unwrap_or_default();
        let is_met = match (&op.precondition, state) {
            (Precondition::Force, _) => true,
            (Precondition::IfAbsent, state) => !matches!(state, State::Live(..)),
            (Precondition::IfBase { version }, State::Live(_, is) | State::Deleted(is)) => {
                *version == self::version(is)
            }
            (Precondition::IfBase { .. }, State::Absent) => false,
        };
        if !is_met {
            return Learned::Conflict(state);
        }
        self.version += 1;
        let state = match &op.change {
            PushChange::Upsert { record, .. } => State::Live(fields_of(record), self.version),
            PushChange::Delete => State::Deleted(self.version),
        };
        self.states.insert(id.to_owned(), state);
        Learned::Accepted(state)
    }

    fn meet(&mut self, op: &PushOp, fortune: Option<Fortune>) -> Learned {
        match fortune {
            None => Learned::NeverLeft,
            Some(Fortune::Arrives) => self.carry_out(op),
            Some(Fortune::IsLost) => Learned::Nothing,
            Some(Fortune::LosesItsAnswer) => {
                self.carry_out(op);
                Learned::Nothing
            }
            // What it once answered it answers again.
            Some(Fortune::IsRefused) if self.answered.contains_key(&op.key) => self.carry_out(op),
            Some(Fortune::IsRefused) => Learned::Refused,
        }
    }
}

pub(crate) fn version(number: u32) -> Version {
    Version::new(Timestamp::from_unix_millis(
        1_700_000_000_000 + i64::from(number),
    ))
}

/// A state as pages have it.
fn row(id: &str, state: State) -> Option<Value> {
    let stamp = version(state.version()?).stamp.to_json();
    Some(match state {
        State::Live([a, b, other], _) => {
            json!({"id": id, "a": a, "b": b, "other": other, "updated_at": stamp})
        }
        _ => json!({"id": id, "updated_at": stamp, "deleted_at": stamp}),
    })
}

fn told(id: &str, state: State) -> ServerState {
    match state {
        State::Absent => ServerState::gone(),
        State::Deleted(number) => ServerState::Deleted {
            record: None,
            version: Some(version(number)),
        },
        State::Live(fields, number) => {
            let mut record = record(id, fields);
            let stamp = version(number).stamp.to_json();
            record.fields_mut().insert("updated_at".to_owned(), stamp);
            ServerState::of(record, None)
        }
    }
}

fn answer<T>(value: T) -> Answer<T> {
    let mut answer = Answer::new(value);
    answer.features = Some(Features::parse("idempotency, if-absent"));
    answer
}

#[async_trait]
impl Transport for Server {
    async fn pull(&self, _: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        let inner = self.0.lock().unwrap();
        let mut states: Vec<_> = inner.states.iter().collect();
        states.sort_by_key(|(_, state)| state.version());
        let rows = states.into_iter().filter_map(|(id, state)| row(id, *state));
        Ok(answer(PullPage::new(rows.collect())))
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        let [op] = &request.ops[..] else {
            panic!("a batch was not asked for: {}", json!(request.ops.len()))
        };
        let next = self.0.lock().unwrap().fortunes.pop_front();
        let (fortune, edit) = next.unzip();
        let user = self.0.lock().unwrap().user.clone();
        let edited = match (edit.flatten(), user) {
            (Some(edit), Some(user)) => user.edit(op.id.as_str(), edit).await,
            _ => None,
        };
        let mut inner = self.0.lock().unwrap();
        let learned = inner.meet(op, fortune);
        inner.exchanges.push((op.clone(), edited, learned));
        let id = op.id.as_str();
        let failed = |kind| Err(TransportError::new(kind, "as told"));
        let outcome = match learned {
            Learned::NeverLeft => return failed(TransportErrorKind::Offline),
            Learned::Nothing => return failed(TransportErrorKind::Timeout),
            Learned::Accepted(state) => PushOutcome::Accepted {
                state: Some(told(id, state)),
            },
            Learned::Conflict(state) => PushOutcome::Conflict {
                state: Some(told(id, state)),
                time: None,
            },
            Learned::Refused => PushOutcome::Refused {
                status: 422,
                message: "as told".to_owned(),
            },
        };
        Ok(answer(vec![PushResult::new(op.key.clone(), outcome)]))
    }

    async fn fetch(&self, request: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        panic!("nothing here needs a fetch: {request:?}")
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        Ok(answer(()))
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        Ok(Box::pin(stream::empty()))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("model")
    }
}
