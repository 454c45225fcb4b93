//! One run: push, then pull.

use super::Shared;
use super::turn::Request;
use crate::error::SyncError;
use crate::event::{SyncEvent, SyncPhase};
use crate::op::OpStatus;
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
        let push_kinds = context.kinds(request.options.push_kinds.as_ref());
        if !push_kinds.is_empty() {
            context.events.emit(SyncEvent::SyncStarted {
                phase: SyncPhase::Push,
            });
            let mut push = PushPhase::new(context, push_kinds, questions);
            report.push = push.run().await?;
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
