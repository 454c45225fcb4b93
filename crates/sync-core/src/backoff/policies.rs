//! Policies of the `backoff` crate, behind the feature of the same name.
//!
//! That crate is no longer maintained (RUSTSEC-2025-0012), so nothing here needs it; an app that
//! has such a policy already can keep it.

use std::fmt;
use std::time::Duration;

use backoff::backoff::Backoff;

use super::RetryPolicy;

/// A [`RetryPolicy`] of a policy of the `backoff` crate.
///
/// ```
/// # use sync_core::{BackoffPolicy, RetryPolicy};
/// # use std::time::Duration;
/// let policy = BackoffPolicy::new(Duration::from_secs(60), || {
///     backoff::backoff::Constant::new(Duration::from_secs(3))
/// });
/// assert_eq!(policy.delay(1, 0), Duration::from_secs(3));
/// ```
pub struct BackoffPolicy<F> {
    make: F,
    longest: Duration,
}

impl<F, B> BackoffPolicy<F>
where
    F: Fn() -> B + Send + Sync + 'static,
    B: Backoff,
{
    /// Asks a fresh policy for its delays; `longest` is used once the policy gives up, since the
    /// outbox never does.
    pub fn new(longest: Duration, make: F) -> Self {
        Self { make, longest }
    }
}

impl<F, B> RetryPolicy for BackoffPolicy<F>
where
    F: Fn() -> B + Send + Sync + 'static,
    B: Backoff,
{
    fn delay(&self, attempt: u32, _random: u64) -> Duration {
        let mut policy = (self.make)();
        let mut delay = Some(self.longest);
        for _ in 0..attempt.clamp(1, 64) {
            delay = policy.next_backoff();
        }
        delay.unwrap_or(self.longest).min(self.longest)
    }
}

impl<F> fmt::Debug for BackoffPolicy<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackoffPolicy")
            .field("longest", &self.longest)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use backoff::backoff::{Constant, Stop};

    use super::*;

    #[test]
    fn a_backoff_policy_decides_the_delay() {
        let policy = BackoffPolicy::new(Duration::from_secs(60), || {
            Constant::new(Duration::from_secs(7))
        });
        assert_eq!(policy.delay(3, 42), Duration::from_secs(7));
    }

    #[test]
    fn a_backoff_policy_that_gives_up_means_the_longest_delay() {
        let policy = BackoffPolicy::new(Duration::from_secs(60), || Stop {});
        assert_eq!(policy.delay(1, 0), Duration::from_secs(60));
    }
}
