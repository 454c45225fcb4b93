//! Wrappers around a transport, each with one concern.
//!
//! The order is trace(retry(timeout(fence(rest)))): every attempt has its own time-out, and the trace sees
//! what the engine sees. The other way round a time-out would cut a retry short in its pause.

mod fence;
mod retry;
#[cfg(test)]
mod tests;
mod timeout;
mod trace;

use std::sync::Arc;

pub(crate) use fence::FenceLayer;
pub use retry::RetryLayer;
pub use timeout::TimeoutLayer;
pub use trace::TraceLayer;

use crate::backoff::RetryPolicy;
use crate::config::SyncConfig;
use crate::env::Env;
use crate::transport::Transport;

/// The layers that an engine puts around its transport.
pub(crate) fn standard(
    transport: Arc<dyn Transport>,
    config: &SyncConfig,
    env: &Env,
    policy: &Arc<dyn RetryPolicy>,
) -> Arc<dyn Transport> {
    let timed = TimeoutLayer::new(transport, env.clone(), config.request_timeout);
    let retried = RetryLayer::new(
        Arc::new(timed),
        env.clone(),
        policy.clone(),
        config.max_retries,
    )
    .with_longest_pause(config.backoff_max);
    Arc::new(TraceLayer::new(Arc::new(retried)))
}
