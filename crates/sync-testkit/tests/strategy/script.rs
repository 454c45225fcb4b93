//! A server that answers one case by heart and records what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use futures::stream;
use serde_json::{Value, json};
use sync_core::transport::{
    Answer, Capabilities, Features, FetchRequest, PullPage, PullRequest, PushChange, PushOp,
    PushOutcome, PushRequest, PushResult, WakeupStream,
};
use sync_core::{
    Precondition, Record, ServerState, SyncEngine, Timestamp, Transport, TransportError,
    TransportErrorKind, Version,
};
use sync_testkit::FakeEnv;

use crate::case::{Edit, write};

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    Push(PushOp),
    Fetch,
}

#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) world: FakeEnv,
    pub(crate) date: Mutex<Option<Timestamp>>,
    /// Answers that reveal the conflict; what they answer is not part of what is expected.
    pub(crate) opening: Mutex<VecDeque<PushOutcome>>,
    pub(crate) replies: Mutex<VecDeque<Value>>,
    pub(crate) fetched: ServerState,
    /// What the user writes while the first push is under way.
    pub(crate) meanwhile: Mutex<Option<Edit>>,
    pub(crate) engine: OnceLock<SyncEngine>,
    pub(crate) opened_with: Mutex<Vec<PushOp>>,
    pub(crate) requests: Mutex<Vec<Request>>,
}

#[derive(Debug, Clone)]
pub(crate) struct ScriptedTransport(pub(crate) Arc<Script>);

impl Script {
    fn answer<T>(&self, value: T) -> Answer<T> {
        let mut answer = Answer::new(value);
        // The first push of a create is the one that reveals the conflict: no fetch before it.
        answer.features = Some(Features::parse("if-absent"));
        answer.server_date.clone_from(&self.date.lock().unwrap());
        answer
    }

    fn next_outcome(&self, op: &PushOp) -> Result<PushOutcome, TransportError> {
        if let Some(opening) = self.opening.lock().unwrap().pop_front() {
            self.opened_with.lock().unwrap().push(op.clone());
            return Ok(opening);
        }
        self.requests
            .lock()
            .unwrap()
            .push(Request::Push(op.clone()));
        match self.replies.lock().unwrap().pop_front() {
            Some(reply) => outcome(&reply),
            None => Err(TransportError::new(
                TransportErrorKind::Timeout,
                "the case has no reply to this push",
            )),
        }
    }
}

/// A state as a case writes it: `{record, version}`; `None` = no usable record.
pub(crate) fn state(side: &Value) -> Option<ServerState> {
    let version = match &side["version"] {
        Value::Null => None,
        stamp => Some(Version::new(Timestamp::from_json(stamp).unwrap())),
    };
    match &side["record"] {
        Value::Null => None,
        Value::String(deleted) => {
            assert_eq!(deleted, "deleted");
            let tombstone = version.as_ref().map(|version| {
                let stamp = version.stamp.to_json();
                record(&json!({"id": "e1", "updated_at": stamp, "deleted_at": stamp}))
            });
            Some(ServerState::Deleted {
                record: tombstone,
                version,
            })
        }
        live => {
            let record = record(live);
            let version = version.or_else(|| record.stamp().ok().map(Version::new));
            Some(match record.is_deleted() {
                true => ServerState::Deleted {
                    record: Some(record),
                    version,
                },
                false => ServerState::Live { record, version },
            })
        }
    }
}

/// When the server's side was written, for last-write-wins.
pub(crate) fn time(side: &Value) -> Option<Timestamp> {
    side["time"]
        .as_str()
        .map(|text| Timestamp::parse(text).unwrap())
}

pub(crate) fn record(value: &Value) -> Record {
    Record::try_from(value.clone()).unwrap()
}

fn outcome(reply: &Value) -> Result<PushOutcome, TransportError> {
    let status = u16::try_from(reply["status"].as_u64().expect("a reply has a status")).unwrap();
    let failed = |kind| Err(TransportError::new(kind, "as scripted").with_status(status));
    Ok(match status {
        200..300 => PushOutcome::Accepted {
            state: state(reply),
        },
        409 | 412 => PushOutcome::Conflict {
            state: state(reply),
            time: time(reply),
        },
        404 | 410 => PushOutcome::Gone {
            state: state(reply),
        },
        401 => return failed(TransportErrorKind::Unauthorized),
        408 | 429 | 503 => return failed(TransportErrorKind::Unavailable),
        400..500 => PushOutcome::Refused {
            status,
            message: "as scripted".to_owned(),
        },
        _ => return failed(TransportErrorKind::Server),
    })
}

#[async_trait]
impl Transport for ScriptedTransport {
    async fn pull(&self, _: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        Ok(self.0.answer(PullPage::default()))
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        let [op] = &request.ops[..] else {
            panic!("a batch was not asked for")
        };
        let edit = self.0.meanwhile.lock().unwrap().take();
        if let (Some(edit), Some(engine)) = (edit, self.0.engine.get()) {
            write(engine, &self.0.world, &edit).await;
        }
        let outcome = self.0.next_outcome(op)?;
        Ok(self
            .0
            .answer(vec![PushResult::new(op.key.clone(), outcome)]))
    }

    async fn fetch(&self, _: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        self.0.requests.lock().unwrap().push(Request::Fetch);
        Ok(self.0.answer(self.0.fetched.clone()))
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        Ok(self.0.answer(()))
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        Ok(Box::pin(stream::empty()))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("script")
    }
}

impl Request {
    /// The request in the form of the cases, stamps and names that begin with `_` left out.
    pub(crate) fn to_json(&self) -> Value {
        let Self::Push(op) = self else {
            return json!({"method": "GET"});
        };
        let mut request = match &op.change {
            PushChange::Upsert { record, .. } => {
                let travels = |name: &str| {
                    let stamps = ["updatedAt", "updated_at", "createdAt", "created_at"];
                    !stamps.contains(&name) && !name.starts_with('_')
                };
                let fields = record.fields().iter().filter(|(name, _)| travels(name));
                let body: serde_json::Map<_, _> = fields
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                json!({"method": "PUT", "body": body})
            }
            PushChange::Delete => json!({"method": "DELETE"}),
        };
        match &op.precondition {
            Precondition::IfBase { version } => {
                request["precondition"] = json!("if_base");
                request["base_version"] = version.stamp.to_json();
            }
            Precondition::IfAbsent => request["precondition"] = json!("if_absent"),
            Precondition::Force => request["precondition"] = json!("force"),
        }
        request
    }
}
