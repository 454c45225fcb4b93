//! Runs by themselves: at an interval, sooner after a failure.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use futures::future;
use futures::stream::StreamExt;
use tokio::task::JoinHandle;

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
    /// Runs by itself from now on: at once, a moment after each edit
    /// ([`crate::SyncConfig::push_debounce`]), and every [`crate::SyncConfig::auto_interval`] (a
    /// table with a `sync_interval` of its own is pulled at that). After a failure the next run
    /// comes after the back-off, or when the server said. Needs a tokio runtime. Calling it again
    /// starts over.
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
        let due = strong.due(&last_pulled, now);
        let options = SyncOptions::default().pull_kinds(due.clone());
        let outcome = strong
            .request(Request {
                options,
                resync: None,
            })
            .await;
        let failed = !outcome.as_ref().is_ok_and(SyncReport::is_complete);
        failures = if failed { failures + 1 } else { 0 };
        if !failed {
            last_pulled.extend(due.into_iter().map(|kind| (kind, now)));
        }
        let wait = strong.pause(failures, outcome.ok().as_ref(), &last_pulled);
        // Edits wait for the back-off like everything else.
        let edits = (failures == 0).then_some(edits);
        let (env, debounce) = (
            strong.context.env.clone(),
            strong.context.config.push_debounce,
        );
        // While it waits, the task keeps no engine alive.
        drop(strong);
        match edits {
            Some(edits) => wait_or_edit(&env, wait, edits, debounce).await,
            None => env.sleep(wait).await,
        }
    }
}

/// Waits, but not longer than until the user has edited something and a moment has passed.
async fn wait_or_edit(env: &Env, wait: Duration, mut edits: ChangeStream, debounce: Duration) {
    let edited = async {
        while let Some(notice) = edits.next().await {
            match notice {
                ChangeNotice::Changed { outbox, .. } if outbox.is_empty() => {}
                _ => return env.sleep(debounce).await,
            }
        }
        std::future::pending().await
    };
    future::select(pin!(env.sleep(wait)), pin!(edited)).await;
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
    fn due(&self, last_pulled: &BTreeMap<Kind, Duration>, now: Duration) -> Vec<Kind> {
        let is_due = |kind: &&Kind| {
            last_pulled
                .get(*kind)
                .is_none_or(|last| *last + self.interval(kind) <= now)
        };
        self.context.tables.keys().filter(is_due).cloned().collect()
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
            (last + self.interval(kind)).saturating_sub(now)
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
        let back_off = self
            .context
            .retry
            .delay(failures, self.context.env.next_u64());
        // Full jitter may be next to nothing; a run is no reason to spin.
        let back_off = back_off
            .max(self.context.config.backoff_min / 10)
            .min(auto_interval);
        asked.max().map_or(back_off, |asked| asked.max(back_off))
    }
}
