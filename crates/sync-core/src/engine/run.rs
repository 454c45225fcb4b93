//! One run: push, then pull.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::Shared;
use super::turn::Request;
use crate::error::SyncError;
use crate::event::{SyncEvent, SyncPhase};
use crate::id::Kind;
use crate::op::OpStatus;
use crate::owed;
use crate::pull::{PullPhase, ResyncRequest};
use crate::push::{OpenQuestions, PushPhase};
use crate::stats::{PhaseEnd, SyncReport};
use crate::store::{OpQuery, TxMode};

/// After the restore of a backup: what found it, everything from zero, what waits.
const ROUNDS: u32 = 3;

/// What pushing came to.
struct Pushed {
    /// Is there a server to pull from?
    reachable: bool,
    /// Kinds that cannot be pushed before they were pulled again.
    held: Vec<Kind>,
}

impl Shared {
    /// Spawns nothing: whoever polls this does the work, and dropping it stops the work.
    pub(super) async fn run(
        &self,
        request: Request,
        questions: &mut OpenQuestions,
    ) -> Result<SyncReport, SyncError> {
        let context = &self.context;
        let started = context.env.monotonic();
        let mut report = SyncReport::default();
        let found = std::mem::take(&mut *self.found.lock().unwrap_or_else(PoisonError::into_inner));
        context.tell(found, &mut report.stats);
        if context.transport.capabilities().no_server {
            self.go_nowhere(&request, &mut report).await;
        } else {
            self.rounds(request, questions, &mut report).await?;
        }
        self.count_waiting(&mut report).await?;
        report.took = context.env.monotonic().saturating_sub(started);
        context.events.emit(SyncEvent::SyncCompleted {
            took: report.took,
            stats: report.stats,
        });
        Ok(report)
    }

    /// There is no server: nothing is begun that another one would have to begin anew.
    async fn go_nowhere(&self, request: &Request, report: &mut SyncReport) {
        let why = self.context.transport.health().await.err();
        let end = PhaseEnd::Offline {
            reason: why.map_or_else(
                || "there is no server".to_owned(),
                |error| error.to_string(),
            ),
            retry_after: None,
        };
        if !self
            .context
            .push_kinds(request.options.push_kinds.as_ref())
            .is_empty()
        {
            report.push = end.clone();
        }
        if !self
            .context
            .pull_kinds(request.options.pull_kinds.as_ref())
            .is_empty()
        {
            report.pull = end;
        }
    }

    /// Push and pull, and again after the restore of a backup.
    async fn rounds(
        &self,
        request: Request,
        questions: &mut OpenQuestions,
        report: &mut SyncReport,
    ) -> Result<(), SyncError> {
        let context = &self.context;
        let mut push_kinds = context.push_kinds(request.options.push_kinds.as_ref());
        let owing = self.pull_what_is_owed(&mut push_kinds, report).await?;
        let pull_kinds = context.pull_kinds(request.options.pull_kinds.as_ref());
        let mut resync = request.resync;
        for _ in 0..ROUNDS {
            self.take_up_epoch().await?;
            let pushed = self.push(&push_kinds, questions, report).await?;
            if context.identity.other_epoch().is_some() {
                continue;
            }
            // A push that waits for a pull is no push without it, whatever the caller left out.
            let needed: BTreeSet<&Kind> = pull_kinds.iter().chain(&pushed.held).collect();
            let needed = needed.into_iter().cloned().collect();
            self.pull(needed, resync.take(), pushed.reachable, report)
                .await?;
            let waits = !pushed.held.is_empty() && report.pull.is_complete();
            if pull_kinds.is_empty() {
                // What only the push needed is no pull that somebody asked for.
                report.pull = PhaseEnd::Skipped;
            }
            if !waits && context.identity.other_epoch().is_none() {
                break;
            }
        }
        if let Some(end) = owing.filter(|_| report.push.is_complete()) {
            report.push = end;
        }
        Ok(())
    }

    async fn push(
        &self,
        kinds: &[Kind],
        questions: &mut OpenQuestions,
        report: &mut SyncReport,
    ) -> Result<Pushed, SyncError> {
        if kinds.is_empty() {
            return Ok(Pushed {
                reachable: true,
                held: Vec::new(),
            });
        }
        self.context.events.emit(SyncEvent::SyncStarted {
            phase: SyncPhase::Push,
        });
        let mut push = PushPhase::new(&self.context, kinds.to_vec(), questions);
        report.push = push.run().await?;
        report.stats.add(push.stats);
        Ok(Pushed {
            reachable: push.server_answered || !matches!(report.push, PhaseEnd::Offline { .. }),
            held: push.held,
        })
    }

    async fn pull(
        &self,
        kinds: Vec<Kind>,
        resync: Option<ResyncRequest>,
        reachable: bool,
        report: &mut SyncReport,
    ) -> Result<(), SyncError> {
        if kinds.is_empty() {
            return Ok(());
        }
        if !reachable {
            report.pull = report.push.clone();
            return Ok(());
        }
        self.context.events.emit(SyncEvent::SyncStarted {
            phase: SyncPhase::Pull,
        });
        let pull = PullPhase::new(&self.context, resync).run(kinds).await?;
        report.stats.add(pull.stats);
        report.pull = pull.end;
        report.pull_failures = pull.failures;
        Ok(())
    }

    /// Kinds of whose records the table no longer holds everything are pulled before they are
    /// pushed; one of which that fails is not pushed in this run. `Some`: why it failed.
    async fn pull_what_is_owed(
        &self,
        push_kinds: &mut Vec<Kind>,
        report: &mut SyncReport,
    ) -> Result<Option<PhaseEnd>, SyncError> {
        let owing = self.owing(push_kinds).await?;
        if owing.is_empty() {
            return Ok(None);
        }
        let pull = PullPhase::new(&self.context, None).run(owing).await?;
        report.stats.add(pull.stats);
        let still = self.owing(push_kinds).await?;
        push_kinds.retain(|kind| !still.contains(kind));
        Ok((!still.is_empty()).then_some(pull.end))
    }

    async fn owing(&self, kinds: &[Kind]) -> Result<Vec<Kind>, SyncError> {
        let mut tx = self.context.begin(TxMode::Read).await?;
        let mut owing = Vec::new();
        let pulled = kinds.iter().filter(|kind| self.context.pulls(kind));
        for kind in pulled {
            if owed::of(&mut *tx, kind).await?.is_some() {
                owing.push(kind.clone());
            }
        }
        Ok(owing)
    }

    async fn count_waiting(&self, report: &mut SyncReport) -> Result<(), SyncError> {
        self.context.remember().await?;
        let mut tx = self.context.store.begin(TxMode::Read).await?;
        let with = |status| OpQuery {
            status: Some(status),
            ..OpQuery::default()
        };
        report.pending = tx.count_ops(&OpQuery::default()).await?;
        report.stuck = tx.count_ops(&with(OpStatus::Stuck)).await?;
        report.open_conflicts = tx.count_ops(&with(OpStatus::Deferred)).await?;
        Ok(())
    }
}
