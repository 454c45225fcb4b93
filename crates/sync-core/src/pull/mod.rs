//! Bringing changes: pages of each kind, applied with their cursor in one transaction.

mod apply;
mod chain;
mod incoming;
mod quarantine;
mod related;
mod restored;
mod resync;
mod tombstones;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future;
use futures::stream::{self, StreamExt};

use self::apply::Applied;
use self::chain::{Chain, Step};
use self::incoming::Incoming;
use crate::context::Context;
use crate::error::SyncError;
use crate::event::{FullResyncReason, SyncEvent, SyncPhase};
use crate::id::Kind;
use crate::owed::{self, Owed};
use crate::stats::{PhaseEnd, SyncStats};
use crate::store::{CursorState, TxMode};
use crate::table::Table;
use crate::time::Timestamp;
use crate::transport::{PullPage, PullRequest, TransportError, TransportErrorKind};

pub(crate) use self::restored::begin_restore;

/// Pages share a transaction up to so many rows, or bytes of the answers that brought them.
const ROWS_PER_TRANSACTION: usize = 5_000;
const BYTES_PER_TRANSACTION: u64 = 16 * 1024 * 1024;

/// A full resync that somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResyncRequest {
    pub(crate) clear_data: bool,
}

/// The pull half of one run.
pub(crate) struct PullPhase<'a> {
    context: &'a Context,
    resync: Option<ResyncRequest>,
}

/// What pulling one kind came to.
#[derive(Debug)]
struct KindOutcome {
    kind: Kind,
    stats: SyncStats,
    failure: Option<SyncError>,
}

/// What pulling came to.
#[derive(Debug, Default)]
pub(crate) struct PullOutcome {
    pub(crate) stats: SyncStats,
    pub(crate) end: PhaseEnd,
    pub(crate) failures: BTreeMap<Kind, String>,
}

impl<'a> PullPhase<'a> {
    pub(crate) fn new(context: &'a Context, resync: Option<ResyncRequest>) -> Self {
        Self { context, resync }
    }

    /// Pulls the kinds, the most urgent first, some at the same time, parents before their children;
    /// what fails for one does not touch the others.
    pub(crate) async fn run(&self, kinds: Vec<Kind>) -> Result<PullOutcome, SyncError> {
        let mut total = PullOutcome {
            end: PhaseEnd::Completed,
            ..PullOutcome::default()
        };
        let classes = if planted!(UrgentPulledLate) {
            vec![kinds.clone()]
        } else {
            self.context.priorities.classes(kinds.clone())
        };
        let classes = classes.into_iter();
        for level in classes.flat_map(|class| self.context.references.levels(class)) {
            let pulls = stream::iter(level).map(|kind| self.pull_kind(kind));
            let outcomes: Vec<KindOutcome> = pulls
                .buffer_unordered(self.context.config.pull_concurrency)
                .collect()
                .await;
            self.count(&mut total, outcomes)?;
        }
        let outcomes = self.settle_related(&kinds).await;
        self.count(&mut total, outcomes)?;
        if total.end == PhaseEnd::AuthRequired {
            self.context.events.emit(SyncEvent::AuthRequired);
        }
        Ok(total)
    }

    fn count(&self, total: &mut PullOutcome, outcomes: Vec<KindOutcome>) -> Result<(), SyncError> {
        let is_lost = |outcome: &KindOutcome| matches!(outcome.failure, Some(SyncError::LeaseLost));
        if outcomes.iter().any(is_lost) {
            return Err(SyncError::LeaseLost);
        }
        for outcome in outcomes {
            total.stats.add(outcome.stats);
            let Some(error) = outcome.failure else {
                continue;
            };
            tracing::debug!(kind = %outcome.kind, %error, "pull failed");
            let longest = self.context.config.retry_after_max;
            total.end = worse(std::mem::take(&mut total.end), end_of(&error, longest));
            if epoch_changed(&error) {
                continue;
            }
            // Reports are logged, so they are without the server's words; the event has them.
            total
                .failures
                .insert(outcome.kind.clone(), error.to_string());
            let event = SyncEvent::SyncError {
                phase: SyncPhase::Pull,
                kind: Some(outcome.kind),
                error: error.in_full(),
                will_retry: true,
            };
            self.context.tell(vec![event], &mut total.stats);
        }
        Ok(())
    }

    async fn pull_kind(&self, kind: Kind) -> KindOutcome {
        let mut stats = SyncStats::default();
        let failure = self.try_pull_kind(&kind, &mut stats).await.err();
        KindOutcome {
            kind,
            stats,
            failure,
        }
    }

    async fn try_pull_kind(&self, kind: &Kind, stats: &mut SyncStats) -> Result<(), SyncError> {
        let table = self.context.table(kind)?;
        let (cursor, owes) = self.start(kind, table).await?;
        // A chain that an earlier run began may show what there was then.
        let resumed = cursor.page_token.is_some();
        let mut cursor = match self.pull_chain(kind, table, cursor, stats).await {
            Err(error) if expired(&error) => {
                let cursor = self.after_expiry(kind, error).await?;
                self.pull_chain(kind, table, cursor, stats).await?
            }
            other => other?,
        };
        if resumed {
            cursor = self.pull_chain(kind, table, cursor, stats).await?;
        }
        if owes {
            let mut tx = self.context.begin(TxMode::Write).await?;
            owed::put(&mut *tx, kind, None).await?;
            tx.commit().await?;
        }
        if cursor.resync.is_some() {
            self.sweep(kind, table, cursor, stats).await?;
        }
        self.retry_quarantined(kind, table, stats).await?;
        self.purge_old_tombstones(kind, table).await
    }

    /// Where this pull starts; begins a full resync where one is due. `true`: its chain is one that
    /// the kind owes before it may be pushed.
    async fn start(&self, kind: &Kind, table: &Table) -> Result<(CursorState, bool), SyncError> {
        let origin = self.context.transport.capabilities().origin;
        let mut tx = self.context.begin(TxMode::Write).await?;
        let stored = tx.cursor(kind).await?;
        let mut cursor = stored.clone().unwrap_or_default();
        let owed = owed::of(&mut *tx, kind).await?;
        let filter_changed = stored.is_some() && cursor.filter != table.filter_text();
        let reason = if cursor.origin.as_deref().is_some_and(|own| own != origin) {
            // What is known of the first server's pages says nothing about the other one.
            cursor.pulled = false;
            Some(FullResyncReason::ServerChanged)
        } else if filter_changed {
            Some(FullResyncReason::FilterChanged)
        } else if owed == Some(Owed::Due) {
            Some(FullResyncReason::SchemaChanged)
        } else {
            self.resync_reason(&cursor)
        };
        if let Some(reason) = reason {
            let cleared = self.resync.is_some_and(|request| request.clear_data);
            let is_asked = matches!(
                reason,
                FullResyncReason::Manual | FullResyncReason::SchemaChanged
            );
            let is_first = !cursor.pulled && is_asked && !cursor.is_restoring();
            resync::begin(&mut cursor, filter_changed || cleared);
            if is_first {
                // A first pull is a full one, and sweeps nothing; it only starts over.
                cursor.resync = None;
            }
        }
        cursor.generation = cursor.generation.max(1);
        cursor.origin = Some(origin);
        cursor.filter = table.filter_text();
        cursor.epoch = self.context.identity.known_epoch().or(cursor.epoch);
        if stored.as_ref() != Some(&cursor) {
            tx.put_cursor(kind, Some(&cursor)).await?;
            if owed.is_some() {
                owed::put(&mut *tx, kind, Some(Owed::Begun)).await?;
            }
            tx.commit().await?;
        }
        if let Some(reason) = reason {
            self.context.events.emit(SyncEvent::FullResyncStarted {
                kind: kind.clone(),
                reason,
            });
        }
        Ok((cursor, owed.is_some()))
    }

    fn resync_reason(&self, cursor: &CursorState) -> Option<FullResyncReason> {
        let under_way = cursor.resync.is_some();
        if self.resync.is_some() {
            return Some(FullResyncReason::Manual);
        }
        let now = self.context.env.now();
        let interval = self.context.config.full_resync_interval;
        let due = cursor.last_full_resync.as_ref().is_some_and(|last| {
            // A last time far ahead of now comes from a clock that was wrong then.
            last.plus(interval) <= now || *last > now.plus(interval)
        });
        (due && !under_way).then_some(FullResyncReason::Scheduled)
    }

    /// The server no longer answers from the cursor: from zero, once.
    async fn after_expiry(&self, kind: &Kind, error: SyncError) -> Result<CursorState, SyncError> {
        let mut tx = self.context.begin(TxMode::Write).await?;
        let mut cursor = tx.cursor(kind).await?.unwrap_or_default();
        if cursor.since.is_none() && cursor.opaque.is_none() && cursor.page_token.is_none() {
            return Err(error);
        }
        resync::begin(&mut cursor, false);
        if !cursor.pulled && !cursor.is_restoring() {
            cursor.resync = None;
        }
        tx.put_cursor(kind, Some(&cursor)).await?;
        tx.commit().await?;
        let reason = FullResyncReason::CursorExpired;
        self.context.events.emit(SyncEvent::FullResyncStarted {
            kind: kind.clone(),
            reason,
        });
        Ok(cursor)
    }

    /// Pulls one chain of pages to its end; the next page is fetched while pages are applied.
    async fn pull_chain(
        &self,
        kind: &Kind,
        table: &Table,
        cursor: CursorState,
        stats: &mut SyncStats,
    ) -> Result<CursorState, SyncError> {
        let mut chain = Chain::new(kind, table, cursor);
        let mut applied = Applied::default();
        let mut ready: Vec<Incoming> = Vec::new();
        let (mut ready_rows, mut ready_bytes) = (0, 0_u64);
        loop {
            let full = ready_rows >= ROWS_PER_TRANSACTION || ready_bytes >= BYTES_PER_TRANSACTION;
            let batch = if full {
                std::mem::take(&mut ready)
            } else {
                Vec::new()
            };
            if full {
                (ready_rows, ready_bytes) = (0, 0);
            }
            let state = chain.cursor().clone();
            let (answer, done) = future::join(
                self.page(chain.request()),
                self.apply(kind, table, batch, &state, &mut applied, stats),
            )
            .await;
            done?;
            let (page, date) = match answer {
                Ok(answer) => answer,
                Err(error)
                    if error.kind() == TransportErrorKind::Rejected && chain.drop_stale_token() =>
                {
                    continue;
                }
                Err(error) => {
                    // What came before is kept, with the token to go on from.
                    self.apply(kind, table, ready, &state, &mut applied, stats)
                        .await?;
                    return Err(error.into());
                }
            };
            chain.note_date(date.as_ref());
            ready_bytes = ready_bytes.saturating_add(page.bytes);
            let mut incoming = Incoming::parse(page, date.as_ref());
            let size = incoming.len();
            let step = match chain.advance(&incoming, self.context.config.pull_overlap) {
                Ok(step) => step,
                Err(error) => {
                    self.apply(kind, table, ready, &state, &mut applied, stats)
                        .await?;
                    return Err(error);
                }
            };
            planted!(CursorOutsideTransaction => self.commit_cursor(kind, chain.cursor()).await?;);
            ready_rows += size;
            stats.pulled += incoming.usable() as u64;
            incoming.page_size = size as u64;
            ready.push(incoming);
            if step == Step::End {
                break;
            }
        }
        if chain.cursor().last_full_resync.is_none() {
            chain.first_pull_done(self.context.env.now());
        }
        let end = chain.cursor().clone();
        self.apply(kind, table, ready, &end, &mut applied, stats)
            .await?;
        self.forget_old_tombstones(kind, &end).await?;
        Ok(end)
    }

    /// A page, and the server's time. It is observed when it comes: while rows are applied, or the
    /// device sleeps, its clock goes on.
    async fn page(
        &self,
        request: PullRequest,
    ) -> Result<(PullPage, Option<Timestamp>), TransportError> {
        let answer = self.context.transport.pull(request).await?;
        let date = answer.server_date.clone();
        Ok((self.context.observe(answer), date))
    }

    #[cfg(sync_planted)]
    async fn commit_cursor(&self, kind: &Kind, cursor: &CursorState) -> Result<(), SyncError> {
        let mut tx = self.context.begin(TxMode::Write).await?;
        tx.put_cursor(kind, Some(cursor)).await?;
        Ok(tx.commit().await?)
    }
}

fn expired(error: &SyncError) -> bool {
    matches!(error, SyncError::Transport(error) if error.kind() == TransportErrorKind::CursorExpired)
}

fn epoch_changed(error: &SyncError) -> bool {
    matches!(error, SyncError::Transport(error) if error.kind() == TransportErrorKind::EpochChanged)
}

/// How a pull ends that failed so; no server is waited for longer than `longest`.
fn end_of(error: &SyncError, longest: Duration) -> PhaseEnd {
    let reason = error.to_string();
    match error {
        error if epoch_changed(error) => PhaseEnd::ServerRestored,
        SyncError::Transport(error) if error.is_environment() => PhaseEnd::Offline {
            reason,
            retry_after: error.retry_after().map(|asked| asked.min(longest)),
        },
        SyncError::Transport(error) if error.kind() == TransportErrorKind::Unauthorized => {
            PhaseEnd::AuthRequired
        }
        _ => PhaseEnd::Failed { reason },
    }
}

/// Of two ends the one that says more about what to do next; the longer of two pauses counts.
fn worse(one: PhaseEnd, other: PhaseEnd) -> PhaseEnd {
    let rank = |end: &PhaseEnd| match end {
        PhaseEnd::Skipped => 0,
        PhaseEnd::Completed => 1,
        PhaseEnd::Failed { .. } => 2,
        PhaseEnd::Offline { .. } => 3,
        PhaseEnd::AuthRequired => 4,
        PhaseEnd::ServerRestored => 5,
    };
    let pause = |end: &PhaseEnd| match end {
        PhaseEnd::Offline { retry_after, .. } => *retry_after,
        _ => None,
    };
    let weight = |end: &PhaseEnd| (rank(end), pause(end));
    if weight(&other) > weight(&one) {
        other
    } else {
        one
    }
}
