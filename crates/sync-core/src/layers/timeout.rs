//! A longest time for each request.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::{self, Either};

use crate::env::Env;
use crate::transport::{
    Answer, Capabilities, FetchRequest, PullPage, PullRequest, PushRequest, PushResult, Transport,
    TransportError, TransportErrorKind, WakeupStream,
};
use crate::version::ServerState;

/// Ends a request that takes too long; whether the server saw it is then unknown.
///
/// ```
/// # use std::sync::Arc;
/// # use std::time::Duration;
/// # use sync_core::layers::TimeoutLayer;
/// # use sync_core::{Env, Transport};
/// # fn example(mine: Arc<dyn Transport>) {
/// let impatient = TimeoutLayer::new(mine, Env::system(), Duration::from_secs(5));
/// # }
/// ```
#[derive(Debug)]
pub struct TimeoutLayer {
    inner: Arc<dyn Transport>,
    env: Env,
    longest: Duration,
}

impl TimeoutLayer {
    /// Gives every request of `inner` at most this long.
    #[must_use]
    pub fn new(inner: Arc<dyn Transport>, env: Env, longest: Duration) -> Self {
        Self {
            inner,
            env,
            longest,
        }
    }

    async fn within<T>(
        &self,
        request: impl Future<Output = Result<T, TransportError>> + Send,
    ) -> Result<T, TransportError> {
        let time_is_up = self.env.sleep(self.longest);
        match future::select(std::pin::pin!(request), std::pin::pin!(time_is_up)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err(TransportError::new(
                TransportErrorKind::Timeout,
                format!("no answer within {} ms", self.longest.as_millis()),
            )),
        }
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Transport for TimeoutLayer {
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        self.within(self.inner.pull(request)).await
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        self.within(self.inner.push(request)).await
    }

    async fn fetch(&self, request: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        self.within(self.inner.fetch(request)).await
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        self.within(self.inner.health()).await
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        self.within(self.inner.wakeups()).await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}
