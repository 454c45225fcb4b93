//! One run at a time: calls made meanwhile are served together by one follow-up run.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Shared, SyncOptions};
use crate::error::SyncError;
use crate::id::Kind;
use crate::pull::ResyncRequest;
use crate::push::OpenQuestions;
use crate::stats::SyncReport;

/// What a call asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Request {
    pub(super) options: SyncOptions,
    pub(super) resync: Option<ResyncRequest>,
}

type Outcome = Result<SyncReport, Arc<SyncError>>;

/// One waiting call.
#[derive(Debug)]
struct Ticket {
    request: Request,
    outcome: Mutex<Option<Outcome>>,
}

/// Who is waiting, and whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Turns {
    waiting: Mutex<Vec<Arc<Ticket>>>,
    turn: tokio::sync::Mutex<OpenQuestions>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Turns {
    /// Waits until no run is under way and keeps others out while the guard lives.
    pub(super) async fn exclusive(&self) -> tokio::sync::MutexGuard<'_, OpenQuestions> {
        self.turn.lock().await
    }

    pub(super) async fn wait_for_end(&self) {
        drop(self.turn.lock().await);
    }
}

/// Calls that the present run serves; if it is cancelled they wait on.
struct Served<'a> {
    turns: &'a Turns,
    tickets: Vec<Arc<Ticket>>,
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        let unserved = self
            .tickets
            .drain(..)
            .filter(|ticket| lock(&ticket.outcome).is_none());
        let mut waiting = lock(&self.turns.waiting);
        let later = std::mem::take(&mut *waiting);
        waiting.extend(unserved);
        waiting.extend(later);
    }
}

impl Shared {
    /// Waits for a run that covers this request; if it is this call's turn, it does the run, for
    /// everybody who waits.
    pub(super) async fn request(&self, request: Request) -> Result<SyncReport, SyncError> {
        if self.shut_down.is_cancelled() {
            return Err(SyncError::ShutDown);
        }
        let ticket = Arc::new(Ticket {
            request,
            outcome: Mutex::new(None),
        });
        lock(&self.turns.waiting).push(ticket.clone());
        let _leaves = Leaves {
            turns: &self.turns,
            ticket: &ticket,
        };
        let mut questions = tokio::select! {
            biased;
            () = self.shut_down.cancelled() => return Err(SyncError::ShutDown),
            guard = self.turns.turn.lock() => guard,
        };
        if let Some(outcome) = lock(&ticket.outcome).take() {
            return outcome.map_err(SyncError::Run);
        }
        let mut served = Served {
            turns: &self.turns,
            tickets: std::mem::take(&mut *lock(&self.turns.waiting)),
        };
        let union = served
            .tickets
            .iter()
            .map(|ticket| ticket.request.clone())
            .reduce(join);
        let outcome = tokio::select! {
            biased;
            () = self.shut_down.cancelled() => return Err(SyncError::ShutDown),
            outcome = self.run_alone(union.unwrap_or_default(), &mut questions) => outcome,
        };
        let outcome = outcome.map_err(Arc::new);
        if planted!(LostWakeUp) {
            served.tickets.append(&mut lock(&self.turns.waiting));
        }
        for other in &served.tickets {
            *lock(&other.outcome) = Some(outcome.clone());
        }
        outcome.map_err(SyncError::Run)
    }
}

/// A call that is cancelled while it waits asks for nothing any more.
struct Leaves<'a> {
    turns: &'a Turns,
    ticket: &'a Arc<Ticket>,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        lock(&self.turns.waiting).retain(|ticket| !Arc::ptr_eq(ticket, self.ticket));
    }
}

/// One request that covers both.
fn join(one: Request, other: Request) -> Request {
    let kinds = |one: Option<BTreeSet<Kind>>, other: Option<BTreeSet<Kind>>| match (one, other) {
        (Some(one), Some(other)) => Some(one.into_iter().chain(other).collect()),
        _ => None,
    };
    let resync = match (one.resync, other.resync) {
        (Some(one), Some(other)) => Some(ResyncRequest {
            clear_data: one.clear_data || other.clear_data,
        }),
        (one, other) => one.or(other),
    };
    Request {
        options: SyncOptions {
            push_kinds: kinds(one.options.push_kinds, other.options.push_kinds),
            pull_kinds: kinds(one.options.pull_kinds, other.options.pull_kinds),
        },
        resync,
    }
}
