//! A transport without HTTP: the server is a map in this process.
//!
//! It is written to be read beside `docs/writing-a-transport.md`, and keeps the whole contract. What
//! it does not have: batches, a live channel, page tokens and cursors of the server's own.

mod answer;
mod server;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use sync_core::ServerState;
use sync_core::transport::{
    Answer, Capabilities, FetchRequest, PullPage, PullRequest, PushOp, PushRequest, PushResult,
    Transport, TransportError, TransportErrorKind, WakeupStream,
};

pub use server::Server;

/// What a device asks of the server.
#[derive(Clone)]
pub struct Request {
    /// Who asks.
    pub token: String,
    /// What is asked.
    pub ask: Ask,
}

/// One question or order.
#[derive(Debug, Clone)]
pub enum Ask {
    /// A page of records.
    List(PullRequest),
    /// One record.
    Find(FetchRequest),
    /// One write.
    Write(PushOp),
    /// Whether anybody is there.
    Ping,
}

/// What the server says, in numbers that everybody knows from HTTP.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// 200 is done, 409 is a conflict, and so on.
    pub status: u16,
    /// A record, a list of records, or words.
    pub body: Option<serde_json::Value>,
    /// How long the server asks to wait.
    pub retry_after: Option<std::time::Duration>,
}

/// The way to the server: a socket, a pipe, a channel between threads, or just a call.
#[async_trait]
pub trait Line: Send + Sync {
    /// Carries a request there and its answer back.
    ///
    /// # Errors
    /// [`Lost`] says which of the two was lost.
    async fn carry(&self, request: Request) -> Result<Response, Lost>;
}

/// What was lost on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The request: it surely did not arrive.
    Request,
    /// The answer: the request may have arrived.
    Answer,
}

/// A [`Transport`] over a [`Line`].
pub struct InProcess {
    line: Arc<dyn Line>,
    token: String,
}

impl InProcess {
    /// A transport that signs in with this token.
    pub fn new(line: Arc<dyn Line>, token: impl Into<String>) -> Self {
        let token = token.into();
        Self { line, token }
    }

    /// One request, made once.
    async fn ask(&self, ask: Ask) -> Result<Response, TransportError> {
        let token = self.token.clone();
        let carried = self.line.carry(Request { token, ask }).await;
        let response = carried.map_err(|lost| match lost {
            Lost::Request => {
                TransportError::new(TransportErrorKind::Offline, "the server cannot be reached")
            }
            Lost::Answer => TransportError::new(
                TransportErrorKind::Interrupted,
                "the line broke before the answer came",
            ),
        })?;
        answer::check(response)
    }
}

#[async_trait]
impl Transport for InProcess {
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        let response = self.ask(Ask::List(request)).await?;
        answer::page(response).map(Answer::new)
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        if request.ops.len() > 1 {
            let message = "one operation at a time, as `max_batch` says";
            let error = TransportError::new(TransportErrorKind::Rejected, message);
            return Err(error.with_maybe_sent(false));
        }
        let mut results = Vec::new();
        for op in request.ops {
            let response = self.ask(Ask::Write(op.clone())).await?;
            let outcome = answer::outcome(&op, &response);
            results.push(PushResult::new(op.key, outcome));
        }
        Ok(Answer::new(results))
    }

    async fn fetch(&self, request: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        let id = request.id.clone();
        let response = self.ask(Ask::Find(request)).await?;
        answer::state(&id, &response).map(Answer::new)
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        self.ask(Ask::Ping).await?;
        Ok(Answer::new(()))
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        Ok(Box::pin(futures::stream::empty()))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("in-process")
    }
}

/// By hand, because a derived one would show the token.
impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess").finish_non_exhaustive()
    }
}

/// By hand, too: it is what a log would show.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("ask", &self.ask)
            .finish_non_exhaustive()
    }
}
