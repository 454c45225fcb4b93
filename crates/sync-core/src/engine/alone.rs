//! What one engine of a database may do at a time: a run, and what must not meet one.

use super::Shared;
use super::turn::Request;
use crate::error::SyncError;
use crate::push::OpenQuestions;
use crate::stats::SyncReport;

/// So often a call begins anew that lost the lease under way. Who loses it more often does not get
/// on in the lease's time, and its caller should know.
const LOSSES: u32 = 3;

impl Shared {
    /// A run while no other engine or process runs; what was done before a lease was lost stays
    /// done, and the next attempt goes on from there.
    pub(super) async fn run_alone(
        &self,
        request: Request,
        questions: &mut OpenQuestions,
    ) -> Result<SyncReport, SyncError> {
        let mut losses = 0;
        loop {
            let run = self.run(request.clone(), questions);
            match self.context.alone(run).await {
                Err(SyncError::LeaseLost) if losses < LOSSES => losses += 1,
                outcome => return outcome,
            }
        }
    }

    /// Waits until no run is under way, of this engine or another one, and does this work.
    pub(super) async fn between_runs<T, F>(&self, work: impl Fn() -> F) -> Result<T, SyncError>
    where
        F: Future<Output = Result<T, SyncError>>,
    {
        let working = async {
            let _no_run = self.turns.exclusive().await;
            let mut losses = 0;
            loop {
                match self.context.alone(work()).await {
                    Err(SyncError::LeaseLost) if losses < LOSSES => losses += 1,
                    outcome => return outcome,
                }
            }
        };
        tokio::select! {
            biased;
            () = self.shut_down.cancelled() => Err(SyncError::ShutDown),
            outcome = working => outcome,
        }
    }
}
