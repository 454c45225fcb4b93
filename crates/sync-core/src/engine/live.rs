//! The server's live channel beside automatic runs: opened, listened to, opened again when it is lost.

use std::collections::BTreeSet;
use std::fmt;
use std::future::pending;
use std::sync::Weak;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::StreamExt;

use super::Shared;
use crate::id::Kind;
use crate::transport::{TransportError, Wakeup, WakeupStream};

/// Listens to the server and remembers which kinds it said to have changed. It keeps no engine alive.
pub(super) struct Listener {
    shared: Weak<Shared>,
    channel: Channel,
    opened_before: bool,
    /// Openings in a row of which nothing lasting came.
    failures: u32,
    /// Kinds that the server said to have changed, and that no run has pulled since.
    owed: BTreeSet<Kind>,
}

type Opening = BoxFuture<'static, Result<WakeupStream, TransportError>>;

enum Channel {
    /// Not to be opened before this, in monotonic time.
    Closed {
        until: Duration,
    },
    Opening(Opening),
    Open {
        wakeups: WakeupStream,
        since: Duration,
    },
}

impl Listener {
    pub(super) fn new(shared: Weak<Shared>) -> Self {
        Self {
            shared,
            channel: Channel::Closed {
                until: Duration::ZERO,
            },
            opened_before: false,
            failures: 0,
            owed: BTreeSet::new(),
        }
    }

    /// Kinds that the server said to have changed.
    pub(super) fn owed(&self) -> &BTreeSet<Kind> {
        &self.owed
    }

    /// A run has pulled these kinds; nothing was heard since it began.
    pub(super) fn settled(&mut self, pulled: &BTreeSet<Kind>) {
        self.owed.retain(|kind| !pulled.contains(kind));
    }

    /// Waits until the server says that a kind of this engine has changed. Cancelled, it goes on where
    /// it stopped. `may_ask`: may a request be made, to open a channel that is closed?
    pub(super) async fn hear(&mut self, may_ask: bool) {
        loop {
            let wakeup = self.next(may_ask).await;
            let Some(shared) = self.shared.upgrade() else {
                return pending().await;
            };
            let known = shared.context.pull_kinds(None);
            let before = self.owed.len();
            match wakeup {
                Wakeup::Everything => self.owed.extend(known),
                Wakeup::Kind(kind) => self.owed.extend(known.contains(&kind).then_some(kind)),
            }
            if self.owed.len() > before {
                return;
            }
        }
    }

    async fn next(&mut self, may_ask: bool) -> Wakeup {
        loop {
            match &mut self.channel {
                Channel::Closed { .. } if !may_ask => pending().await,
                Channel::Closed { until } => {
                    let until = *until;
                    let opening = open_after(until, &self.shared).await;
                    self.channel = Channel::Opening(opening);
                }
                Channel::Opening(opening) => {
                    let opened = opening.await;
                    if let Some(wakeup) = self.opened(opened) {
                        return wakeup;
                    }
                }
                Channel::Open { wakeups, since } => match wakeups.next().await {
                    Some(wakeup) => return wakeup,
                    None => {
                        let since = *since;
                        self.lost(since);
                    }
                },
            }
        }
    }

    /// What follows from an answer to the request for a channel.
    fn opened(&mut self, opened: Result<WakeupStream, TransportError>) -> Option<Wakeup> {
        let shared = self.shared.upgrade()?;
        let config = &shared.context.config;
        let now = shared.context.env.monotonic();
        let mut wakeups = match opened {
            Ok(wakeups) => wakeups,
            Err(error) => {
                tracing::debug!(%error, "the live channel did not open");
                let asked = error.retry_after().unwrap_or_default();
                self.pause(&shared, asked.min(config.retry_after_max));
                return None;
            }
        };
        let first = wakeups.next().now_or_never();
        if matches!(first, Some(None)) {
            // The server has none. It may have one after its next update.
            let until = now.saturating_add(config.auto_interval);
            self.channel = Channel::Closed { until };
            return None;
        }
        self.channel = Channel::Open {
            wakeups,
            since: now,
        };
        // What changed after the last pull and before the channel was there, nobody tells.
        if !std::mem::replace(&mut self.opened_before, true) {
            return Some(Wakeup::Everything);
        }
        first.flatten()
    }

    /// The channel has ended. One that held longer than any back-off was no failure.
    fn lost(&mut self, since: Duration) {
        let Some(shared) = self.shared.upgrade() else {
            return;
        };
        let held = shared.context.env.monotonic().saturating_sub(since);
        if held > shared.context.config.backoff_max {
            self.failures = 0;
        }
        self.pause(&shared, Duration::ZERO);
    }

    /// Closed for the back-off, or for as long as the server asked.
    fn pause(&mut self, shared: &Shared, asked: Duration) {
        self.failures = self.failures.saturating_add(1);
        let pause = shared.back_off(self.failures).max(asked);
        let until = shared.context.env.monotonic().saturating_add(pause);
        self.channel = Channel::Closed { until };
    }
}

/// Waits until then and asks for the channel.
async fn open_after(until: Duration, shared: &Weak<Shared>) -> Opening {
    let Some(strong) = shared.upgrade() else {
        return pending().await;
    };
    let env = strong.context.env.clone();
    drop(strong);
    env.sleep(until.saturating_sub(env.monotonic())).await;
    let Some(strong) = shared.upgrade() else {
        return pending().await;
    };
    let transport = strong.context.transport.clone();
    async move { transport.wakeups().await }.boxed()
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("failures", &self.failures)
            .field("owed", &self.owed)
            .finish_non_exhaustive()
    }
}
