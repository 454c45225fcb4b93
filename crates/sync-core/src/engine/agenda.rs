//! When automatic runs pull which kind, and how long they pause.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Shared;
use crate::error::SyncError;
use crate::id::Kind;
use crate::stats::{PhaseEnd, SyncReport};

/// What automatic runs have done so far. Times are monotonic.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// When the last run began that pulled the kind.
    pulled: BTreeMap<Kind, Duration>,
    /// Kinds whose own pull failed: how often in a row, and until when they are left alone.
    resting: BTreeMap<Kind, (u32, Duration)>,
    /// Runs in a row that failed as a whole.
    failures: u32,
}

impl Agenda {
    /// The kinds to be pulled now: those whose time has come, and these, as far as they do not rest.
    pub(super) fn due(
        &self,
        shared: &Shared,
        wanted: &BTreeSet<Kind>,
        now: Duration,
    ) -> BTreeSet<Kind> {
        let rests = |kind: &Kind| {
            let rest = self.resting.get(kind);
            rest.is_some_and(|(_, until)| *until > now)
        };
        let is_due =
            |kind: &Kind| !rests(kind) && (wanted.contains(kind) || self.next(shared, kind) <= now);
        let kinds = shared.context.pull_kinds(None).into_iter();
        kinds.filter(is_due).collect()
    }

    fn next(&self, shared: &Shared, kind: &Kind) -> Duration {
        if let Some((_, until)) = self.resting.get(kind) {
            return *until;
        }
        let began = self.pulled.get(kind);
        began.map_or(Duration::ZERO, |began| {
            began.saturating_add(shared.interval(kind))
        })
    }

    /// Notes what became of a run over these kinds; returns those that were pulled.
    pub(super) fn note(
        &mut self,
        shared: &Shared,
        mut kinds: BTreeSet<Kind>,
        began: Duration,
        outcome: &Result<SyncReport, SyncError>,
    ) -> BTreeSet<Kind> {
        let Some(report) = outcome.as_ref().ok().filter(|report| !is_general(report)) else {
            self.failures = self.failures.saturating_add(1);
            return BTreeSet::new();
        };
        self.failures = 0;
        let ended = shared.context.env.monotonic();
        kinds.retain(|kind| {
            let rest = self.resting.remove(kind);
            let failed = report.pull_failures.contains_key(kind);
            if failed {
                let failures = rest.map_or(1, |(failures, _)| failures.saturating_add(1));
                let until = ended.saturating_add(shared.back_off(failures));
                self.resting.insert(kind.clone(), (failures, until));
            } else {
                self.pulled.insert(kind.clone(), began);
            }
            !failed
        });
        kinds
    }

    /// Did the last run fail as a whole, so that nothing may be asked for before the pause is over?
    pub(super) fn backs_off(&self) -> bool {
        self.failures > 0
    }

    /// How long until the next run.
    pub(super) fn pause(&self, shared: &Shared, report: Option<&SyncReport>) -> Duration {
        if self.backs_off() {
            let back_off = shared.back_off(self.failures);
            let asked = report.and_then(longest_asked).unwrap_or_default();
            return asked.max(back_off);
        }
        let now = shared.context.env.monotonic();
        let kinds = shared.context.pull_kinds(None);
        let next = kinds.iter().map(|kind| self.next(shared, kind)).min();
        let pause = next.map_or(shared.context.config.auto_interval, |next| {
            next.saturating_sub(now)
        });
        pause.max(Duration::from_millis(1))
    }
}

/// Did more fail than the pulls of single kinds? Only these hold up nobody else.
fn is_general(report: &SyncReport) -> bool {
    let of_kinds = match report.pull {
        PhaseEnd::Failed { .. } => !report.pull_failures.is_empty(),
        _ => report.pull.is_complete(),
    };
    !(report.push.is_complete() && of_kinds)
}

/// How long the server asked to wait.
fn longest_asked(report: &SyncReport) -> Option<Duration> {
    let asked = [&report.push, &report.pull].map(|end| match end {
        PhaseEnd::Offline { retry_after, .. } => *retry_after,
        _ => None,
    });
    asked.into_iter().max().flatten()
}
