//! Repeats of requests that failed in passing.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::backoff::RetryPolicy;
use crate::env::Env;
use crate::transport::{
    Answer, Capabilities, Features, FetchRequest, PullPage, PullRequest, PushRequest, PushResult,
    Transport, TransportError, WakeupStream,
};
use crate::version::ServerState;

/// Repeats a request whose failure says that a repeat is worth it
/// ([`TransportError::is_retryable`]), a push only where a repeat cannot take effect twice.
///
/// ```
/// # use std::sync::Arc;
/// # use std::time::Duration;
/// # use sync_core::layers::RetryLayer;
/// # use sync_core::{Env, FullJitter, Transport};
/// # fn example(mine: Arc<dyn Transport>) {
/// let policy = FullJitter::new(Duration::from_secs(1), Duration::from_secs(60), 2.0);
/// let patient = RetryLayer::new(mine, Env::system(), Arc::new(policy), 5)
///     .with_longest_pause(Duration::from_secs(30));
/// # }
/// ```
#[derive(Debug)]
pub struct RetryLayer {
    inner: Arc<dyn Transport>,
    env: Env,
    policy: Arc<dyn RetryPolicy>,
    max_attempts: u32,
    longest_pause: Duration,
    features: Mutex<Features>,
}

impl RetryLayer {
    /// Gives every call of `inner` at most so many attempts.
    #[must_use]
    pub fn new(
        inner: Arc<dyn Transport>,
        env: Env,
        policy: Arc<dyn RetryPolicy>,
        max_attempts: u32,
    ) -> Self {
        Self {
            inner,
            env,
            policy,
            max_attempts,
            longest_pause: Duration::from_secs(120),
            features: Mutex::default(),
        }
    }

    /// Repeats only where the server asks for at most this pause. Default 2 min.
    #[must_use]
    pub fn with_longest_pause(mut self, longest: Duration) -> Self {
        self.longest_pause = longest;
        self
    }

    async fn attempts<T, F>(&self, call: impl Fn() -> F + Send) -> Result<Answer<T>, TransportError>
    where
        F: Future<Output = Result<Answer<T>, TransportError>> + Send,
    {
        let mut attempt = 1;
        let mut unanswered = false;
        loop {
            match call().await {
                Err(error) if self.is_worth_a_repeat(&error, attempt) => {
                    unanswered |= error.maybe_sent();
                    let delay = self.policy.delay(attempt, self.env.next_u64());
                    let delay = error.retry_after().map_or(delay, |asked| asked.max(delay));
                    tracing::debug!(attempt, %error, ?delay, "request failed, repeating");
                    self.env.sleep(delay).await;
                    attempt += 1;
                }
                Ok(mut answer) => {
                    answer.unanswered_before |= unanswered;
                    if let Some(features) = &answer.features {
                        let mut known =
                            self.features.lock().unwrap_or_else(PoisonError::into_inner);
                        known.clone_from(features);
                    }
                    return Ok(answer);
                }
                Err(error) => return Err(error.with_unanswered_before(unanswered)),
            }
        }
    }

    /// A server that asks for a longer pause than a run may take is waited for between runs.
    fn is_worth_a_repeat(&self, error: &TransportError, attempt: u32) -> bool {
        let asks_too_much = error
            .retry_after()
            .is_some_and(|asked| asked > self.longest_pause);
        error.is_retryable() && attempt < self.max_attempts && !asks_too_much
    }

    fn is_repeatable(&self, request: &PushRequest) -> bool {
        let features = self.features.lock().unwrap_or_else(PoisonError::into_inner);
        request.is_repeatable(&features)
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Transport for RetryLayer {
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        self.attempts(|| self.inner.pull(request.clone())).await
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        // A batch that fails is made smaller rather than repeated.
        if request.ops.len() > 1 || !self.is_repeatable(&request) {
            return self.inner.push(request).await;
        }
        self.attempts(|| self.inner.push(request.clone())).await
    }

    async fn fetch(&self, request: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        self.attempts(|| self.inner.fetch(request.clone())).await
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
