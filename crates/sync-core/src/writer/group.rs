//! Group commit: writes that wait at the same time share one transaction.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, WeakShared};

use super::RecordWriter;
use super::write::Write;
use crate::error::SyncError;
use crate::event::SyncEvent;
use crate::stats::SyncStats;
use crate::store::{Store, StoreError, StoreErrorKind, StoreTx, TxMode};

/// The writes of one call, and what became of them: how many changed anything.
struct Job {
    writer: RecordWriter,
    writes: Vec<Write>,
    outcome: Mutex<Option<Result<u64, SyncError>>>,
    /// What is to be told once they are committed.
    events: Mutex<Vec<SyncEvent>>,
}

impl Job {
    async fn apply(&self, tx: &mut dyn StoreTx) -> Result<u64, SyncError> {
        let (mut changed, mut events) = (0, Vec::new());
        for write in &self.writes {
            let write = write.clone();
            changed += u64::from(self.writer.apply(tx, write, &mut events).await?);
        }
        *lock(&self.events) = events;
        Ok(changed)
    }

    /// Does these writes in a transaction of their own.
    async fn alone(&self, mut tx: Box<dyn StoreTx>) -> Result<u64, SyncError> {
        let changed = self.apply(&mut *tx).await?;
        tx.commit().await?;
        Ok(changed)
    }

    fn end(&self, outcome: Result<u64, SyncError>) {
        let events = std::mem::take(&mut *lock(&self.events));
        if outcome.is_ok() {
            let context = self.writer.engine.context();
            context.tell(events, &mut SyncStats::default());
        }
        *lock(&self.outcome) = Some(outcome);
    }
}

/// The calls of one group, `None` once it is closed. A call that nobody waits for is gone.
type Jobs = Mutex<Option<Vec<Weak<Job>>>>;
type Done = BoxFuture<'static, ()>;

/// The newest group.
struct Newest {
    jobs: Weak<Jobs>,
    /// Every call of the group drives it, so that it goes on when one of them is dropped.
    done: WeakShared<Done>,
}

/// Joins writes into groups; one group writes at a time, and meanwhile the next one gathers.
#[derive(Default)]
pub(crate) struct GroupCommit {
    newest: Mutex<Option<Newest>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl fmt::Debug for GroupCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupCommit").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl GroupCommit {
    /// Does these writes, all or none; how many changed anything?
    pub(super) async fn write(
        &self,
        writer: &RecordWriter,
        writes: Vec<Write>,
    ) -> Result<u64, SyncError> {
        let job = Arc::new(Job {
            writer: writer.clone(),
            writes,
            outcome: Mutex::new(None),
            events: Mutex::default(),
        });
        self.join(&job).await;
        let outcome = lock(&job.outcome).take();
        outcome.unwrap_or_else(|| {
            let message = "a write was not carried out: try it again";
            Err(StoreError::new(StoreErrorKind::Other, message).into())
        })
    }

    /// Joins the newest group, or begins one if that is closed.
    fn join(&self, job: &Arc<Job>) -> Shared<Done> {
        let mut newest = lock(&self.newest);
        if let Some(group) = &*newest
            && let (Some(jobs), Some(done)) = (group.jobs.upgrade(), group.done.upgrade())
            && let Some(jobs) = &mut *lock(&jobs)
        {
            jobs.push(Arc::downgrade(job));
            return done;
        }
        let jobs = Arc::new(Mutex::new(Some(vec![Arc::downgrade(job)])));
        let weak = Arc::downgrade(&jobs);
        let (store, turn) = (job.writer.engine.store(), self.turn.clone());
        let done = async move {
            let _turn = turn.lock_owned().await;
            carry_out(&*store, &jobs).await;
        };
        let done = done.boxed().shared();
        *newest = done.downgrade().map(|done| Newest { jobs: weak, done });
        done
    }
}

/// Until its transaction has begun, calls can join a group.
async fn carry_out(store: &dyn Store, jobs: &Jobs) {
    let tx = store.begin_for_app(TxMode::Write).await;
    let jobs = lock(jobs).take().unwrap_or_default();
    let jobs: Vec<Arc<Job>> = jobs.iter().filter_map(Weak::upgrade).collect();
    match (tx, &*jobs) {
        (Err(error), jobs) => {
            for job in jobs {
                job.end(Err(error.clone().into()));
            }
        }
        (Ok(_), []) => {}
        (Ok(tx), [job]) => job.end(job.alone(tx).await),
        (Ok(tx), jobs) => {
            if !together(tx, jobs).await {
                one_by_one(store, jobs).await;
            }
        }
    }
}

/// Does all writes in one transaction; `false`: one of them fails, at once or because a rule that
/// the database checks at the end forbids it, so that none was done and nobody was told anything.
async fn together(mut tx: Box<dyn StoreTx>, jobs: &[Arc<Job>]) -> bool {
    let mut changed = Vec::with_capacity(jobs.len());
    for job in jobs {
        match job.apply(&mut *tx).await {
            Ok(count) => changed.push(count),
            Err(_) => return false,
        }
    }
    let committed = tx.commit().await;
    // Of other failures, a full disk's say, nobody is to blame, and trying again helps nobody.
    if matches!(&committed, Err(error) if error.kind() == StoreErrorKind::Constraint) {
        return false;
    }
    for (job, count) in jobs.iter().zip(changed) {
        job.end(committed.clone().map(|()| count).map_err(SyncError::from));
    }
    true
}

/// Each call gets the error that is its own.
async fn one_by_one(store: &dyn Store, jobs: &[Arc<Job>]) {
    for job in jobs {
        let outcome = match store.begin_for_app(TxMode::Write).await {
            Ok(tx) => job.alone(tx).await,
            Err(error) => Err(error.into()),
        };
        job.end(outcome);
    }
}
