//! One run: push, then pull.

use std::sync::PoisonError;

use super::Shared;
use super::turn::Request;
use crate::error::SyncError;
use crate::event::{SyncEvent, SyncPhase};
use crate::id::Kind;
use crate::op::OpStatus;
use crate::owed;
use crate::pull::PullPhase;
use crate::push::{OpenQuestions, PushPhase};
use crate::stats::{PhaseEnd, SyncReport};
use crate::store::{OpQuery, TxMode};

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
        let mut reachable = true;
        let found = std::mem::take(&mut *self.found.lock().unwrap_or_else(PoisonError::into_inner));
        context.tell(found, &mut report.stats);
        let mut push_kinds = context.kinds(request.options.push_kinds.as_ref());
        self.pull_what_is_owed(&mut push_kinds, &mut report).await?;
        if !push_kinds.is_empty() {
            context.events.emit(SyncEvent::SyncStarted {
                phase: SyncPhase::Push,
            });
            let mut push = PushPhase::new(context, push_kinds, questions);
            let waits = std::mem::take(&mut report.push);
            report.push = push.run().await?;
            if report.push == PhaseEnd::Completed && waits != PhaseEnd::default() {
                report.push = waits;
            }
            report.stats.add(push.stats);
            reachable = push.server_answered || !matches!(report.push, PhaseEnd::Offline { .. });
        }
        let pull_kinds = context.kinds(request.options.pull_kinds.as_ref());
        if !pull_kinds.is_empty() {
            if reachable {
                context.events.emit(SyncEvent::SyncStarted {
                    phase: SyncPhase::Pull,
                });
                let pull = PullPhase::new(context, request.resync)
                    .run(pull_kinds)
                    .await?;
                report.stats.add(pull.stats);
                report.pull = pull.end;
                report.pull_failures = pull.failures;
            } else {
                report.pull = report.push.clone();
            }
        }
        self.count_waiting(&mut report).await?;
        report.took = context.env.monotonic().saturating_sub(started);
        context.events.emit(SyncEvent::SyncCompleted {
            took: report.took,
            stats: report.stats,
        });
        Ok(report)
    }

    /// Kinds of whose records the table no longer holds everything are pulled before they are
    /// pushed; one of which that fails is not pushed in this run.
    async fn pull_what_is_owed(
        &self,
        push_kinds: &mut Vec<Kind>,
        report: &mut SyncReport,
    ) -> Result<(), SyncError> {
        let mut tx = self.context.begin(TxMode::Read).await?;
        let mut owing = Vec::new();
        for kind in &*push_kinds {
            if owed::of(&mut *tx, kind).await?.is_some() {
                owing.push(kind.clone());
            }
        }
        drop(tx);
        if owing.is_empty() {
            return Ok(());
        }
        let pull = PullPhase::new(&self.context, None).run(owing).await?;
        report.stats.add(pull.stats);
        push_kinds.retain(|kind| !pull.failures.contains_key(kind));
        if !pull.failures.is_empty() {
            report.push = pull.end;
        }
        Ok(())
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
