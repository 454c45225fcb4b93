//! Runs by themselves: at an interval, after edits and wake-ups, and again after a failure.

use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use futures::future::OptionFuture;
use futures::stream::StreamExt;
use tokio::task::JoinHandle;

use super::agenda::Agenda;
use super::live::Listener;
use super::turn::Request;
use super::{Shared, SyncEngine, SyncOptions};
use crate::env::Env;
use crate::id::Kind;
use crate::store::{ChangeNotice, ChangeStream};

/// The task behind automatic runs; it ends with its handle, or with the last engine.
#[derive(Debug)]
pub(super) struct AutoTask(JoinHandle<()>);

impl Drop for AutoTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl SyncEngine {
    /// Runs by itself from now on: at once, a moment after each edit and each wake-up of the server's
    /// ([`crate::SyncConfig::push_debounce`]), and every [`crate::SyncConfig::auto_interval`] (a table
    /// with a `sync_interval` of its own is pulled at that). Every such run sends the outbox; it pulls
    /// the kinds whose time has come and those that the server said to have changed.
    ///
    /// Wake-ups come over the server's live channel ([`crate::Transport::wakeups`]), which stays open
    /// meanwhile. One that is lost is opened again after the back-off, or when the server said; a
    /// server that has none is asked again at the interval. Several wake-ups at once, and those
    /// during a run, are one run.
    ///
    /// After a failure the next run comes after the back-off, or when the server said
    /// (`Retry-After`, up to [`crate::SyncConfig::retry_after_max`]), and not before: edits and
    /// wake-ups wait too. A kind whose pull alone failed is left alone for the back-off, and holds
    /// up nothing else.
    ///
    /// Needs a tokio runtime. Calling it again starts over.
    pub fn start_auto(&self) {
        let task = tokio::spawn(run_forever(Arc::downgrade(&self.shared)));
        *self
            .shared
            .auto
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(AutoTask(task));
    }

    /// Stops automatic runs; one that is under way stops at its next await.
    pub fn stop_auto(&self) {
        *self
            .shared
            .auto
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
    }
}

async fn run_forever(shared: Weak<Shared>) {
    let mut agenda = Agenda::default();
    let mut listener = Listener::new(shared.clone());
    loop {
        let Some(strong) = shared.upgrade() else {
            return;
        };
        if strong.shut_down.is_cancelled() {
            return;
        }
        // From before the run, so that an edit made while it works is not overlooked.
        let edits = strong.context.store.changes();
        let began = strong.context.env.monotonic();
        let kinds = agenda.due(&strong, listener.owed(), began);
        let options = SyncOptions::default().pull_kinds(kinds.clone());
        let outcome = strong
            .request(Request {
                options,
                resync: None,
            })
            .await;
        listener.settled(&agenda.note(&strong, kinds, began, &outcome));
        let pause = Pause {
            longest: agenda.pause(&strong, outcome.ok().as_ref()),
            // Edits and wake-ups wait for the back-off like everything else.
            may_be_cut_short: !agenda.backs_off(),
            debounce: strong.context.config.push_debounce,
        };
        let env = strong.context.env.clone();
        // While it waits, the task keeps no engine alive.
        drop(strong);
        pause.wait(&env, edits, &mut listener).await;
    }
}

/// The time until the next run.
struct Pause {
    longest: Duration,
    may_be_cut_short: bool,
    /// Between an edit or a wake-up and the run that it causes.
    debounce: Duration,
}

impl Pause {
    /// Waits, but not longer than until the user has edited something, or the server has said that
    /// something changed, and a moment has passed.
    async fn wait(self, env: &Env, edits: ChangeStream, listener: &mut Listener) {
        let mut time_is_up = pin!(env.sleep(self.longest));
        let mut edited = pin!(edited(edits));
        let mut soon = pin!(OptionFuture::default());
        let mut is_soon = false;
        loop {
            let may_be_called = self.may_be_cut_short && !is_soon;
            tokio::select! {
                biased;
                () = &mut time_is_up => return,
                Some(()) = &mut soon => return,
                () = &mut edited, if may_be_called => {}
                // What comes while it is soon is part of the same run.
                () = listener.hear(self.may_be_cut_short) => {}
            }
            if may_be_called {
                is_soon = true;
                soon.set(Some(env.sleep(self.debounce)).into());
            }
        }
    }
}

/// Completes when something was queued.
async fn edited(mut edits: ChangeStream) {
    while let Some(notice) = edits.next().await {
        match notice {
            ChangeNotice::Changed { outbox, .. } if outbox.is_empty() => {}
            _ => return,
        }
    }
    pending().await
}

impl Shared {
    pub(super) fn interval(&self, kind: &Kind) -> Duration {
        let own = self
            .context
            .tables
            .get(kind)
            .and_then(|table| table.sync_interval);
        own.unwrap_or(self.context.config.auto_interval)
    }

    /// After so many failures in a row.
    pub(super) fn back_off(&self, failures: u32) -> Duration {
        let config = &self.context.config;
        let random = self.context.env.next_u64();
        let back_off = self.context.retry.delay(failures, random);
        // Full jitter may be next to nothing; a failure is no reason to spin.
        back_off
            .max(config.backoff_min / 10)
            .min(config.auto_interval)
    }
}
