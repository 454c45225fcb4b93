//! Every request in the log, without contents.

use std::sync::Arc;

use async_trait::async_trait;
use tracing::Instrument;

use crate::transport::{
    Answer, Capabilities, FetchRequest, PullPage, PullRequest, PushRequest, PushResult, Transport,
    TransportError, WakeupStream,
};
use crate::version::ServerState;

/// Puts each request into a `tracing` span with kind, id and counts; payloads and credentials
/// never appear.
///
/// ```
/// # use std::sync::Arc;
/// # use sync_core::Transport;
/// # use sync_core::layers::TraceLayer;
/// # fn example(mine: Arc<dyn Transport>) {
/// let traced = TraceLayer::new(mine);
/// # }
/// ```
#[derive(Debug)]
pub struct TraceLayer {
    inner: Arc<dyn Transport>,
}

impl TraceLayer {
    /// Traces the requests of `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn Transport>) -> Self {
        Self { inner }
    }
}

fn logged<T>(result: Result<T, TransportError>) -> Result<T, TransportError> {
    match &result {
        Ok(_) => tracing::debug!("answered"),
        Err(error) => tracing::debug!(%error, kind = ?error.kind(), "failed"),
    }
    result
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Transport for TraceLayer {
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        let span = tracing::debug_span!("pull", kind = %request.kind, limit = request.limit);
        async { logged(self.inner.pull(request).await) }
            .instrument(span)
            .await
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        let span = tracing::debug_span!("push", operations = request.ops.len());
        async { logged(self.inner.push(request).await) }
            .instrument(span)
            .await
    }

    async fn fetch(&self, request: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        let span = tracing::debug_span!("fetch", kind = %request.kind, id = %request.id);
        async { logged(self.inner.fetch(request).await) }
            .instrument(span)
            .await
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        let span = tracing::debug_span!("health");
        async { logged(self.inner.health().await) }
            .instrument(span)
            .await
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        let span = tracing::debug_span!("wakeups");
        async { logged(self.inner.wakeups().await) }
            .instrument(span)
            .await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}
