use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::RetryLayer;
use crate::backoff::FullJitter;
use crate::env::Env;
use crate::transport::{
    Answer, Capabilities, FetchRequest, PullPage, PullRequest, PushRequest, PushResult, Transport,
    TransportError, TransportErrorKind, WakeupStream,
};
use crate::version::ServerState;

type Scripted = Result<Answer<Vec<PushResult>>, TransportError>;

/// Answers pushes by a script; nothing else is asked.
#[derive(Debug)]
struct Script(Mutex<VecDeque<Scripted>>);

#[async_trait]
impl Transport for Script {
    async fn pull(&self, _: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        unreachable!()
    }
    async fn push(&self, _: PushRequest) -> Scripted {
        self.0.lock().unwrap().pop_front().unwrap()
    }
    async fn fetch(&self, _: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        unreachable!()
    }
    async fn health(&self) -> Result<Answer<()>, TransportError> {
        unreachable!()
    }
    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        unreachable!()
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities::new("script")
    }
}

fn failure(kind: TransportErrorKind) -> Scripted {
    Err(TransportError::new(kind, "scripted"))
}

async fn push_through(script: impl IntoIterator<Item = Scripted>) -> (Scripted, usize) {
    let script = Arc::new(Script(Mutex::new(script.into_iter().collect())));
    let policy = FullJitter::new(Duration::ZERO, Duration::ZERO, 1.0);
    let layer = RetryLayer::new(script.clone(), Env::system(), Arc::new(policy), 3);
    let outcome = layer.push(PushRequest::new(Vec::new())).await;
    let left = script.0.lock().unwrap().len();
    (outcome, left)
}

#[tokio::test]
async fn a_repeat_that_never_left_does_not_unsend_the_attempt_before_it() {
    let script = [TransportErrorKind::Timeout, TransportErrorKind::Offline].map(failure);
    let (outcome, _) = push_through(script).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Offline);
    assert!(error.maybe_sent() && error.unanswered_before());
}

#[tokio::test]
async fn an_answer_to_a_repeat_tells_that_an_attempt_before_it_had_none() {
    let answered = || Ok(Answer::new(Vec::new()));
    let (repeated, _) = push_through([failure(TransportErrorKind::Timeout), answered()]).await;
    assert!(repeated.unwrap().unanswered_before);
    let (first, _) = push_through([answered()]).await;
    assert!(!first.unwrap().unanswered_before);
}

#[tokio::test]
async fn a_long_pause_that_the_server_asks_for_is_not_made_within_a_run() {
    let busy = TransportError::new(TransportErrorKind::Server, "scripted")
        .with_retry_after(Some(Duration::from_secs(3600)));
    let (outcome, left) = push_through([Err(busy), Ok(Answer::new(Vec::new()))]).await;
    assert!(outcome.is_err());
    assert_eq!(left, 1, "nothing was repeated");
}
