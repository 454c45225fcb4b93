//! Nothing that changes the server leaves an engine that lost its lease.

use std::sync::Arc;

use async_trait::async_trait;

use crate::lease::Lease;
use crate::transport::{
    Answer, Capabilities, FetchRequest, PullPage, PullRequest, PushRequest, PushResult, Transport,
    TransportError, TransportErrorKind, WakeupStream,
};
use crate::version::ServerState;

/// Asks before each push, repeats included, whether the lease is still ours. It is the innermost
/// layer, so that nothing lies between the question and the request.
#[derive(Debug)]
pub(crate) struct FenceLayer {
    inner: Arc<dyn Transport>,
    lease: Arc<Lease>,
}

impl FenceLayer {
    pub(crate) fn new(inner: Arc<dyn Transport>, lease: Arc<Lease>) -> Self {
        Self { inner, lease }
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Transport for FenceLayer {
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        self.inner.pull(request).await
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        if let Err(error) = self.lease.assure().await {
            let message = "not sent, because it is not sure that no other process syncs now";
            return Err(TransportError::new(TransportErrorKind::Offline, message)
                .with_maybe_sent(false)
                .with_source(error));
        }
        self.inner.push(request).await
    }

    async fn fetch(&self, request: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        self.inner.fetch(request).await
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        self.inner.health().await
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        self.inner.wakeups().await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}
