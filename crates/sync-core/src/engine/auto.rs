//! Runs by themselves: at an interval, sooner after a failure.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use futures::future::OptionFuture;
use futures::stream::StreamExt;
use tokio::task::JoinHandle;

use super::live::Listener;
use super::turn::Request;
use super::{Shared, SyncEngine, SyncOptions};
use crate::env::Env;
use crate::id::Kind;
use crate::stats::{PhaseEnd, SyncReport};
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
    /// wake-ups wait too.
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
    let mut last_pulled: BTreeMap<Kind, Duration> = BTreeMap::new();
    let mut failures = 0;
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
        let now = strong.context.env.monotonic();
        let mut pulled: BTreeSet<Kind> = strong.due(&last_pulled, now).collect();
        pulled.extend(listener.owed().cloned());
        let options = SyncOptions::default().pull_kinds(pulled.clone());
        let outcome = strong
            .request(Request {
                options,
                resync: None,
            })
            .await;
        let failed = !outcome.as_ref().is_ok_and(SyncReport::is_complete);
        failures = if failed { failures + 1 } else { 0 };
        if !failed {
            last_pulled.extend(pulled.into_iter().map(|kind| (kind, now)));
            listener.settled();
        }
        let pause = Pause {
            longest: strong.pause(failures, outcome.ok().as_ref(), &last_pulled),
            // Edits and wake-ups wait for the back-off like everything else.
            may_be_cut_short: !failed,
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
    fn interval(&self, kind: &Kind) -> Duration {
        let own = self
            .context
            .tables
            .get(kind)
            .and_then(|table| table.sync_interval);
        own.unwrap_or(self.context.config.auto_interval)
    }

    /// Kinds whose time has come.
    fn due(
        &self,
        last_pulled: &BTreeMap<Kind, Duration>,
        now: Duration,
    ) -> impl Iterator<Item = Kind> {
        let is_due = move |kind: &&Kind| {
            last_pulled
                .get(*kind)
                .is_none_or(|last| last.saturating_add(self.interval(kind)) <= now)
        };
        self.context.tables.keys().filter(is_due).cloned()
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

    /// How long until the next run.
    fn pause(
        &self,
        failures: u32,
        report: Option<&SyncReport>,
        last_pulled: &BTreeMap<Kind, Duration>,
    ) -> Duration {
        let now = self.context.env.monotonic();
        let until_due = |kind: &Kind| {
            let last = last_pulled.get(kind).copied().unwrap_or(now);
            last.saturating_add(self.interval(kind)).saturating_sub(now)
        };
        let auto_interval = self.context.config.auto_interval;
        let regular = self
            .context
            .tables
            .keys()
            .map(until_due)
            .min()
            .unwrap_or(auto_interval);
        if failures == 0 {
            return regular.max(Duration::from_millis(1));
        }
        let asked = report
            .into_iter()
            .flat_map(|report| [&report.push, &report.pull]);
        let asked = asked.filter_map(|end| match end {
            PhaseEnd::Offline { retry_after, .. } => *retry_after,
            _ => None,
        });
        let back_off = self.back_off(failures);
        asked.max().map_or(back_off, |asked| asked.max(back_off))
    }
}
