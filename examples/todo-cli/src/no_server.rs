//! The transport of those who have no server: every call says so. Writing needs none.

use async_trait::async_trait;
use sync_core::transport::{
    Answer, Capabilities, FetchRequest, PullPage, PullRequest, PushRequest, PushResult,
    WakeupStream,
};
use sync_core::{ServerState, Transport, TransportError, TransportErrorKind};

#[derive(Debug)]
pub(crate) struct NoServer;

fn nobody() -> TransportError {
    TransportError::new(
        TransportErrorKind::Offline,
        "no server is named: give --server URL",
    )
}

#[async_trait]
impl Transport for NoServer {
    async fn pull(&self, _: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        Err(nobody())
    }

    async fn push(&self, _: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        Err(nobody())
    }

    async fn fetch(&self, _: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        Err(nobody())
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        Err(nobody())
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        Err(nobody())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("none")
    }
}
