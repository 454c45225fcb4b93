//! One device's way to the server: every request can stop, get lost, and be watched.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream;
use serde_json::json;
use sync_core::transport::{
    Answer, Capabilities, FetchRequest, PullPage, PullRequest, PushChange, PushOp, PushOutcome,
    PushRequest, PushResult, WakeupStream,
};
use sync_core::{OpId, ServerState, Transport, TransportError, TransportErrorKind};

use crate::faults::{Fault, Faults};
use crate::server::Server;

#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) server: Arc<Mutex<Server>>,
    pub(crate) faults: Arc<Mutex<Faults>>,
    pub(crate) log: Arc<Mutex<Log>>,
}

/// What passed through a link.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) requests: u32,
    /// What each operation last asked for.
    pub(crate) asked: BTreeMap<OpId, PushChange>,
    pub(crate) lines: Vec<String>,
}

/// Lets everybody else act: the walk decides when this request goes on.
async fn pause() {
    tokio::task::yield_now().await;
}

impl Link {
    fn next_fault(&self) -> Fault {
        self.log.lock().unwrap().requests += 1;
        self.faults.lock().unwrap().next()
    }

    fn note(&self, line: String) {
        self.log.lock().unwrap().lines.push(line);
    }

    fn answer<T>(&self, value: T) -> Answer<T> {
        let mut answer = Answer::new(value);
        answer.features = Some(self.server.lock().unwrap().features());
        answer
    }
}

fn shown(op: &PushOp) -> String {
    let record = match &op.change {
        PushChange::Upsert { record, .. } => json!(record).to_string(),
        PushChange::Delete => "delete".to_owned(),
    };
    format!("{record} {:?} key {}", op.precondition, op.key)
}

fn failed() -> TransportError {
    TransportError::new(TransportErrorKind::Timeout, "no answer in time")
}

#[async_trait]
impl Transport for Link {
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        pause().await;
        let fault = self.next_fault();
        if fault.hits_reads() {
            self.note(format!("pull: {fault:?}"));
            return Err(failed());
        }
        let items = self.server.lock().unwrap().pull(&request);
        let since = &request.since;
        self.note(format!("pull since {since:?}: {}", json!(items)));
        pause().await;
        Ok(self.answer(PullPage::new(items)))
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        let [op] = &request.ops[..] else {
            panic!("a batch was not asked for")
        };
        self.log
            .lock()
            .unwrap()
            .asked
            .insert(op.op_id.clone(), op.change.clone());
        pause().await;
        let fault = self.next_fault();
        if fault == Fault::Lost {
            self.note(format!("push {}: {fault:?}", shown(op)));
            return Err(failed());
        }
        let refuses = fault == Fault::Refuse
            && !self.server.lock().unwrap().knows(&op.key)
            && self.faults.lock().unwrap().may_refuse(&op.op_id);
        let outcome = if refuses {
            PushOutcome::Refused {
                status: 403,
                message: "not today".to_owned(),
            }
        } else {
            self.server.lock().unwrap().push(op)
        };
        self.note(format!("push {}: {fault:?} {outcome:?}", shown(op)));
        if fault == Fault::AnswerLost {
            return Err(failed());
        }
        pause().await;
        Ok(self.answer(vec![PushResult::new(op.key.clone(), outcome)]))
    }

    async fn fetch(&self, request: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        let fault = self.next_fault();
        if fault.hits_reads() {
            self.note(format!("fetch: {fault:?}"));
            pause().await;
            return Err(failed());
        }
        let state = self.server.lock().unwrap().fetch(request.id.as_str());
        self.note(format!("fetch: {state:?}"));
        pause().await;
        Ok(self.answer(state))
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        Ok(self.answer(()))
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        Ok(Box::pin(stream::empty()))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("simulation")
    }
}
