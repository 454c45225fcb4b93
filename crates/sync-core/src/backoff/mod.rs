//! How long to wait before the next attempt.

#[cfg(feature = "backoff")]
mod policies;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

#[cfg(feature = "backoff")]
pub use policies::BackoffPolicy;

use crate::config::SyncConfig;

/// Decides how long to wait between attempts.
///
/// ```
/// use std::time::Duration;
/// use sync_core::RetryPolicy;
///
/// /// The same pause after every failure.
/// #[derive(Debug)]
/// struct Every(Duration);
///
/// impl RetryPolicy for Every {
///     fn delay(&self, _attempt: u32, _random: u64) -> Duration {
///         self.0
///     }
/// }
/// ```
pub trait RetryPolicy: Debug + Send + Sync + 'static {
    /// The wait after the `attempt`-th failure (from 1); `random` is uniform over all of `u64`.
    fn delay(&self, attempt: u32, random: u64) -> Duration;
}

/// Exponential growth with full jitter: a uniform choice between nothing and the grown delay, so
/// that clients that failed together do not return together.
///
/// ```
/// # use std::time::Duration;
/// # use sync_core::{FullJitter, RetryPolicy};
/// let policy = FullJitter::new(Duration::from_secs(1), Duration::from_secs(60), 2.0);
/// assert!(policy.delay(3, u64::MAX) <= Duration::from_secs(4));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FullJitter {
    min: Duration,
    max: Duration,
    multiplier: f64,
}

impl FullJitter {
    /// Grows from `min` by `multiplier` up to `max`.
    #[must_use]
    pub fn new(min: Duration, max: Duration, multiplier: f64) -> Self {
        Self {
            min,
            max,
            multiplier,
        }
    }

    /// As the engine's settings say.
    #[must_use]
    pub fn of(config: &SyncConfig) -> Self {
        Self::new(
            config.backoff_min,
            config.backoff_max,
            config.backoff_multiplier,
        )
    }
}

impl RetryPolicy for FullJitter {
    fn delay(&self, attempt: u32, random: u64) -> Duration {
        // Far beyond the longest delay whatever the factor; bounds the iteration.
        let attempt = attempt.clamp(1, 64) as usize;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a factor needs no double precision"
        )]
        let factor = self.multiplier as f32;
        let grown = ExponentialBuilder::new()
            .with_min_delay(self.min)
            .with_max_delay(self.max)
            .with_factor(factor)
            .with_max_times(attempt)
            .build()
            .last()
            .unwrap_or(self.max)
            .min(self.max);
        #[expect(
            clippy::cast_precision_loss,
            reason = "jitter needs no more than 53 bits"
        )]
        let share = random as f64 / u64::MAX as f64;
        grown.mul_f64(share)
    }
}
