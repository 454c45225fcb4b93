//! What a run did.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::id::Kind;

/// Counts of one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncStats {
    /// Operations that the server took.
    pub pushed: u64,
    /// Records that pulls brought.
    pub pulled: u64,
    /// Conflicts that were found.
    pub conflicts: u64,
    /// Conflicts that were decided.
    pub conflicts_resolved: u64,
    /// Failures of any kind.
    pub errors: u64,
}

impl SyncStats {
    pub(crate) fn add(&mut self, other: Self) {
        self.pushed += other.pushed;
        self.pulled += other.pulled;
        self.conflicts += other.conflicts;
        self.conflicts_resolved += other.conflicts_resolved;
        self.errors += other.errors;
    }
}

impl fmt::Display for SyncStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pushed,
            pulled,
            conflicts,
            conflicts_resolved,
            errors,
        } = self;
        write!(
            f,
            "pushed {pushed}, pulled {pulled}, conflicts {conflicts}, resolved {conflicts_resolved}, errors {errors}"
        )
    }
}

/// How a half of a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum PhaseEnd {
    /// It was not asked for.
    #[default]
    Skipped,
    /// It did all there was to do.
    Completed,
    /// It stopped because nobody could be reached or nobody was served.
    Offline {
        /// What happened.
        reason: String,
        /// How long the server asked to wait.
        retry_after: Option<Duration>,
    },
    /// It stopped because the server wants other credentials.
    AuthRequired,
    /// It stopped because the server was restored from a backup; nothing is sent before everything
    /// was pulled again.
    ServerRestored,
    /// It stopped, or part of it did, for another reason.
    Failed {
        /// What happened.
        reason: String,
    },
}

impl PhaseEnd {
    /// Did this half do all there was to do?
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self, Self::Completed | Self::Skipped)
    }
}

/// What one run did, in full.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct SyncReport {
    /// The counts.
    pub stats: SyncStats,
    /// How the push ended.
    pub push: PhaseEnd,
    /// How the pull ended.
    pub pull: PhaseEnd,
    /// Per kind: why its pull failed.
    pub pull_failures: BTreeMap<Kind, String>,
    /// How long it took.
    pub took: Duration,
    /// Operations still waiting afterwards, deferred and stuck ones included.
    pub pending: u64,
    /// Of these, how many are stuck.
    pub stuck: u64,
    /// Of these, how many are in a conflict that waits for a decision.
    pub open_conflicts: u64,
}

impl SyncReport {
    /// Did both halves do all there was to do?
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.push.is_complete() && self.pull.is_complete()
    }
}
