//! Everything from outside that a test may want to hold still: time, ids and randomness.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;
use uuid::Uuid;

use crate::id::{EntityId, OpId};
use crate::time::Timestamp;

/// Wall time, monotonic time and waiting.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The device's wall clock. It may jump in either direction; nothing but the local half of
    /// last-write-wins and the display depends on it.
    fn now(&self) -> Timestamp;
    /// Time that only grows, from an arbitrary start.
    fn monotonic(&self) -> Duration;
    /// Completes after the duration.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// Where fresh ids and random numbers come from.
pub trait Entropy: Debug + Send + Sync + 'static {
    /// A fresh UUID for an entity or an operation; successive ones sort in order of creation.
    fn uuid(&self) -> Uuid;
    /// A uniformly distributed number, for jitter.
    fn next_u64(&self) -> u64;
}

/// The outside world of one engine. Cheap to clone.
///
/// ```
/// # use sync_core::Env;
/// let env = Env::system(); // the default; tests use `FakeEnv` of `sync-testkit`
/// assert_ne!(env.entity_id(), env.entity_id());
/// ```
#[derive(Debug, Clone)]
pub struct Env {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Env {
    /// An environment of the given parts.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { clock, entropy }
    }

    /// The machine's own clock and randomness. Waiting needs a tokio runtime with time enabled.
    #[must_use]
    pub fn system() -> Self {
        Self::new(
            Arc::new(SystemClock::default()),
            Arc::new(SystemEntropy::default()),
        )
    }

    /// The device's wall clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Time that only grows.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Waits.
    pub async fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration).await;
    }

    /// A fresh operation id.
    #[must_use]
    pub fn op_id(&self) -> OpId {
        OpId::from(self.entropy.uuid())
    }

    /// A fresh entity id.
    #[must_use]
    pub fn entity_id(&self) -> EntityId {
        EntityId::from(self.entropy.uuid())
    }

    /// A name that nobody else has.
    pub(crate) fn random_name(&self) -> String {
        self.entropy.uuid().to_string()
    }

    /// A random number.
    #[must_use]
    pub fn next_u64(&self) -> u64 {
        self.entropy.next_u64()
    }
}

impl Default for Env {
    fn default() -> Self {
        Self::system()
    }
}

#[derive(Debug)]
struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_unix_nanos(i128::try_from(since_1970.as_nanos()).unwrap_or(i128::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[derive(Debug, Default)]
struct SystemEntropy {
    random: Mutex<fastrand::Rng>,
}

impl Entropy for SystemEntropy {
    fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn next_u64(&self) -> u64 {
        self.random
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .u64(..)
    }
}
