//! How often each thing happened: a simulator that never did something proves nothing about it.

use std::collections::BTreeMap;
use std::fmt;

use sync_core::transport::PushOutcome;
use sync_core::{Resolution, SyncEvent};

use super::schedule::{Act, Asked, Fate, ServerAct, Step};

/// Every class of actions, faults and outcomes that a world of built-in tables can have.
const CLASSES: [(&str, &[&str]); 3] = [
    (
        "actions",
        &[
            "insert",
            "edit one field",
            "edit several fields",
            "re-create",
            "write a local column",
            "write it with others",
            "clear",
            "offend",
            "delete",
            "discard",
            "resolve",
            "retry",
            "write during a run",
            "die while writing",
            "sync",
            "push alone",
            "pull alone",
            "sync during a run",
            "resync",
            "resync that clears",
            "crash",
            "crash during a run",
            "process stands still",
            "process wakes",
            "switch strategy",
            "table is only pulled",
            "table is only sent",
            "table goes both ways again",
            "write refused",
            "update in part",
            "update the app",
            "database copied",
            "set the clock back",
            "set the clock forward",
            "time passes",
            "other app writes",
            "other app commits late",
            "other app deletes",
            "other app spoils",
            "other app writes an unknown field",
            "client sends an unknown field",
            "cursors expire",
            "backup",
            "restore",
            "row adopted",
            "row of the server's",
            "edit of a row that nobody sends",
            "guest",
            "guest turned away",
            "signed out",
        ],
    ),
    (
        "faults",
        &[
            "nothing left",
            "request lost",
            "answer lost",
            "request late",
            "late request arrives",
            "request twice",
            "broken body",
            "portal",
            "status 401",
            "status 403",
            "status 404",
            "status 413",
            "status 422",
            "status 429",
            "status 500",
            "status 503",
            "list leaves a row out",
            "batch muddled",
        ],
    ),
    (
        "outcomes",
        &[
            "accepted",
            "accepted without a body",
            "accepted with a tombstone",
            "conflict",
            "conflict without a record",
            "gone",
            "refused",
            "pushed",
            "conflict detected",
            "server accepted",
            "client accepted",
            "merged",
            "last write was here",
            "last write was there",
            "device's clock would have erred",
            "field kept here by rule",
            "field kept there by rule",
            "greatest kept by rule",
            "least kept by rule",
            "increments added by rule",
            "both united by rule",
            "utmost of several values",
            "sum of all increments",
            "urgent sent first",
            "urgent pulled first",
            "merge function asked",
            "merge leaves as it was returned",
            "deferred",
            "data merged",
            "contested",
            "precondition unreliable",
            "failed",
            "stuck",
            "discarded",
            "row quarantined",
            "server restored",
            "full resync",
            "cache update",
            "auth required",
            "waits for another process",
            "answer takes its time",
            "late answer",
            "question outlives a run",
            "question forgotten",
            "run complete",
            "run incomplete",
        ],
    ),
];

/// How often each thing happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters(BTreeMap<&'static str, u64>);

impl Counters {
    pub(crate) fn count(&mut self, class: &'static str) {
        *self.0.entry(class).or_default() += 1;
    }

    /// How often this happened.
    #[must_use]
    pub fn of(&self, class: &str) -> u64 {
        self.0.get(class).copied().unwrap_or(0)
    }

    /// Both together.
    pub fn add(&mut self, other: &Self) {
        for (class, count) in &other.0 {
            *self.0.entry(class).or_default() += count;
        }
    }

    /// What never happened, of everything that can.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let all = CLASSES.iter().flat_map(|(_, classes)| classes.iter());
        all.copied().filter(|class| self.of(class) == 0).collect()
    }

    pub(crate) fn step(&mut self, step: &Step) {
        match step {
            Step::User { act, .. } => self.act(*act),
            Step::DieWriting { .. } => self.count("die while writing"),
            Step::Ask { what, .. } => self.count(match what {
                Asked::Sync => "sync",
                Asked::Push => "push alone",
                Asked::Pull => "pull alone",
                Asked::Resync { clear_data: false } => "resync",
                Asked::Resync { clear_data: true } => "resync that clears",
            }),
            Step::Crash { .. } => self.count("crash"),
            Step::SwitchStrategy { .. } => self.count("switch strategy"),
            Step::Turn { .. } => {}
            Step::Update { .. } => self.count("update the app"),
            Step::SetClock { seconds, .. } if *seconds < 0 => self.count("set the clock back"),
            Step::SetClock { .. } => self.count("set the clock forward"),
            Step::Wait { .. } => self.count("time passes"),
            Step::Server { act } => self.server_act(*act),
            // Counted by what becomes of them, where that is known.
            Step::Guest { .. } | Step::StandStill { .. } | Step::Wake { .. } => {}
            Step::Go { .. } | Step::Deliver { .. } | Step::Copy { .. } => {}
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            // Counted where it is known what the row was.
            Act::Write { .. } => {}
            Act::Mark { fields: 0, .. } => self.count("write a local column"),
            Act::Mark { .. } => self.count("write it with others"),
            Act::Clear { .. } => self.count("clear"),
            Act::Offend { .. } => self.count("offend"),
            Act::Delete { .. } => self.count("delete"),
            Act::Discard { .. } => self.count("discard"),
            Act::Resolve { .. } => self.count("resolve"),
            Act::Retry => self.count("retry"),
        }
    }

    fn server_act(&mut self, act: ServerAct) {
        self.count(match act {
            ServerAct::Write {
                commits_late: false,
                ..
            } => "other app writes",
            ServerAct::Write { .. } => "other app commits late",
            ServerAct::Delete { .. } => "other app deletes",
            ServerAct::Spoil { .. } => "other app spoils",
            // Counted where it is known whether there is a record.
            ServerAct::Extend { .. } => return,
            ServerAct::ExpireCursors => "cursors expire",
            ServerAct::Backup => "backup",
            ServerAct::Restore => "restore",
        });
    }

    pub(crate) fn fate(&mut self, fate: Fate) {
        self.count(match fate {
            Fate::Arrives => return,
            Fate::NotLeft => "nothing left",
            Fate::Lost => "request lost",
            Fate::AnswerLost => "answer lost",
            Fate::Late => "request late",
            Fate::Twice => "request twice",
            Fate::BrokenBody => "broken body",
            Fate::Portal => "portal",
            Fate::LeavesOut => "list leaves a row out",
            Fate::Muddled => "batch muddled",
            Fate::Status(401) => "status 401",
            Fate::Status(403) => "status 403",
            Fate::Status(404) => "status 404",
            Fate::Status(413) => "status 413",
            Fate::Status(422) => "status 422",
            Fate::Status(429) => "status 429",
            Fate::Status(500) => "status 500",
            Fate::Status(503) => "status 503",
            Fate::Status(_) => "another status",
        });
    }

    pub(crate) fn outcome(&mut self, outcome: &PushOutcome) {
        self.count(match outcome {
            PushOutcome::Accepted { state: Some(state) } if state.is_deleted() => {
                "accepted with a tombstone"
            }
            PushOutcome::Accepted { state: Some(_) } => "accepted",
            PushOutcome::Accepted { state: None } => "accepted without a body",
            PushOutcome::Conflict { state: Some(_), .. } => "conflict",
            PushOutcome::Conflict { state: None, .. } => "conflict without a record",
            PushOutcome::Gone { .. } => "gone",
            _ => "refused",
        });
    }

    pub(crate) fn event(&mut self, event: &SyncEvent) {
        if let SyncEvent::ConflictResolved {
            contested_fields, ..
        } = event
            && !contested_fields.is_empty()
        {
            self.count("contested");
        }
        self.count(match event {
            SyncEvent::OperationPushed { .. } => "pushed",
            SyncEvent::ConflictDetected { .. } => "conflict detected",
            SyncEvent::ConflictResolved { resolution, .. } => match resolution {
                Resolution::AcceptServer | Resolution::Discard => "server accepted",
                Resolution::AcceptClient => "client accepted",
                Resolution::AcceptMerged(_) => "merged",
                _ => "another resolution",
            },
            SyncEvent::ConflictUnresolved { .. } => "deferred",
            SyncEvent::DataMerged { .. } => "data merged",
            SyncEvent::PreconditionUnreliable { .. } => "precondition unreliable",
            SyncEvent::OperationFailed {
                will_retry: false, ..
            } => "stuck",
            SyncEvent::OperationFailed { .. } => "failed",
            SyncEvent::OperationsDiscarded { .. } => "discarded",
            SyncEvent::RowQuarantined { .. } => "row quarantined",
            SyncEvent::ServerRestored { .. } => "server restored",
            SyncEvent::FullResyncStarted { .. } => "full resync",
            SyncEvent::CacheUpdate { .. } => "cache update",
            SyncEvent::AuthRequired => "auth required",
            SyncEvent::SyncWaiting => "waits for another process",
            _ => return,
        });
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (title, classes) in CLASSES {
            let shown = classes
                .iter()
                .map(|class| format!("{class} {}", self.of(class)));
            writeln!(f, "{title}: {}", shown.collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }
}
