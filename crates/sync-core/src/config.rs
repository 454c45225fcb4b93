//! Settings of an engine; defaults are those of semantics 8.

use std::time::Duration;

use crate::conflict::ConflictStrategy;
use crate::error::SyncError;

/// Settings of an engine, validated when it is built.
///
/// ```
/// # use sync_core::SyncConfig;
/// let config = SyncConfig::default().with_page_size(200);
/// assert!(config.validate().is_ok());
/// assert!(config.with_page_size(0).validate().is_err());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SyncConfig {
    /// Rows per page of a pull, and operations per claim of a push. Default 500.
    pub page_size: u32,
    /// Kinds pulled at the same time. Default 4.
    pub pull_concurrency: usize,
    /// Requests of different entities pushed at the same time. Default 1.
    pub push_concurrency: usize,
    /// Shortest back-off. Default 1 s.
    pub backoff_min: Duration,
    /// Longest back-off. Default 2 min.
    pub backoff_max: Duration,
    /// Growth of the back-off. Default 2.
    pub backoff_multiplier: f64,
    /// Requests per call at most, repeats included. Default 5.
    pub max_retries: u32,
    /// The longest `Retry-After` that is honoured. Default 1 h.
    pub retry_after_max: Duration,
    /// How often everything is pulled from zero and swept, per kind. Default 7 days.
    pub full_resync_interval: Duration,
    /// Strategy of tables that name none. Default `AutoPreserve`.
    pub conflict_strategy: ConflictStrategy,
    /// Rounds of one conflict in one run. Default 3.
    pub max_conflict_retries: u32,
    /// Pause before a further round. Default 500 ms.
    pub conflict_retry_delay: Duration,
    /// Refusals after which an operation is stuck. Default 5.
    pub max_outbox_try_count: u32,
    /// How many resolved conflicts are kept to be looked at and undone
    /// ([`crate::Conflicts::history`]); 0 keeps none. Default 200.
    pub conflict_history: u32,
    /// How long a run waits for resolvers at its end. Default 5 s.
    pub resolver_patience: Duration,
    /// How far a cursor stays behind the server's clock, for late commits. Default 5 s.
    pub pull_overlap: Duration,
    /// Longest time for one request as the engine sees it. Default 30 s.
    pub request_timeout: Duration,
    /// Interval of automatic runs. Default 5 min.
    pub auto_interval: Duration,
    /// Pause between an edit, or a wake-up of the server's, and the automatic run that follows from
    /// it, so that edits made together travel together. Default 250 ms.
    pub push_debounce: Duration,
    /// How long another engine or process on the same database waits for one that syncs and does
    /// not get on, because it died or sleeps, before it takes over; from 100 ms to 1 h. Longer than
    /// another program may keep the database locked. Default 10 s.
    pub lease_duration: Duration,
    /// How many events a slow listener may fall behind. Default 1024.
    pub event_capacity: usize,
}

impl Default for SyncConfig {
    fn default() -> Self {
        Self {
            page_size: 500,
            pull_concurrency: 4,
            push_concurrency: 1,
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(120),
            backoff_multiplier: 2.0,
            max_retries: 5,
            retry_after_max: Duration::from_secs(3600),
            full_resync_interval: Duration::from_secs(7 * 24 * 3600),
            conflict_strategy: ConflictStrategy::AutoPreserve,
            max_conflict_retries: 3,
            conflict_retry_delay: Duration::from_millis(500),
            max_outbox_try_count: 5,
            conflict_history: 200,
            resolver_patience: Duration::from_secs(5),
            pull_overlap: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            auto_interval: Duration::from_secs(300),
            push_debounce: Duration::from_millis(250),
            lease_duration: Duration::from_secs(10),
            event_capacity: 1024,
        }
    }
}

macro_rules! with {
    ($($field:ident: $ty:ty => $setter:ident),* $(,)?) => {
        impl SyncConfig {$(
            #[doc = concat!("The same settings with another [`", stringify!($field), "`](Self::", stringify!($field), ").")]
            #[must_use]
            pub fn $setter(mut self, value: $ty) -> Self {
                self.$field = value;
                self
            }
        )*}
    };
}
with! {
    page_size: u32 => with_page_size,
    pull_concurrency: usize => with_pull_concurrency,
    push_concurrency: usize => with_push_concurrency,
    backoff_min: Duration => with_backoff_min,
    backoff_max: Duration => with_backoff_max,
    backoff_multiplier: f64 => with_backoff_multiplier,
    max_retries: u32 => with_max_retries,
    retry_after_max: Duration => with_retry_after_max,
    full_resync_interval: Duration => with_full_resync_interval,
    conflict_strategy: ConflictStrategy => with_conflict_strategy,
    max_conflict_retries: u32 => with_max_conflict_retries,
    conflict_retry_delay: Duration => with_conflict_retry_delay,
    max_outbox_try_count: u32 => with_max_outbox_try_count,
    conflict_history: u32 => with_conflict_history,
    resolver_patience: Duration => with_resolver_patience,
    pull_overlap: Duration => with_pull_overlap,
    request_timeout: Duration => with_request_timeout,
    auto_interval: Duration => with_auto_interval,
    push_debounce: Duration => with_push_debounce,
    lease_duration: Duration => with_lease_duration,
    event_capacity: usize => with_event_capacity,
}

impl SyncConfig {
    /// The longest [`SyncConfig::lease_duration`].
    pub(crate) const LONGEST_LEASE: Duration = Duration::from_secs(3600);
    /// The shortest one: a heartbeat takes a commit.
    const SHORTEST_LEASE: Duration = Duration::from_millis(100);

    /// Checks that the settings can work; called when an engine is built.
    ///
    /// # Errors
    /// [`SyncError::Config`] naming every setting that cannot work, and what it must be.
    pub fn validate(&self) -> Result<(), SyncError> {
        let rules = [
            (self.page_size >= 1, "page_size must be at least 1"),
            (
                self.pull_concurrency >= 1,
                "pull_concurrency must be at least 1",
            ),
            (
                self.push_concurrency >= 1,
                "push_concurrency must be at least 1",
            ),
            (
                self.max_retries >= 1,
                "max_retries must be at least 1: the first request counts",
            ),
            (
                self.max_outbox_try_count >= 1,
                "max_outbox_try_count must be at least 1",
            ),
            (
                self.backoff_min <= self.backoff_max,
                "backoff_min must not exceed backoff_max",
            ),
            (
                self.backoff_multiplier >= 1.0,
                "backoff_multiplier must be at least 1",
            ),
            (
                !self.request_timeout.is_zero(),
                "request_timeout must not be zero",
            ),
            (
                !self.auto_interval.is_zero(),
                "auto_interval must not be zero",
            ),
            (
                (Self::SHORTEST_LEASE..=Self::LONGEST_LEASE).contains(&self.lease_duration),
                "lease_duration must be from 100 ms to 1 h",
            ),
            (
                self.event_capacity >= 1,
                "event_capacity must be at least 1",
            ),
        ];
        let broken: Vec<&str> = rules
            .iter()
            .filter(|(holds, _)| !holds)
            .map(|(_, rule)| *rule)
            .collect();
        if broken.is_empty() {
            Ok(())
        } else {
            Err(SyncError::Config(broken.join("; ")))
        }
    }
}
