//! What push and pull share: the two seams, the tables, and what was observed of the server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::backoff::RetryPolicy;
use crate::config::SyncConfig;
use crate::env::Env;
use crate::error::SyncError;
use crate::event::{EventHub, SyncEvent};
use crate::id::Kind;
use crate::identity::Identity;
use crate::lease::Lease;
use crate::outbox::{Entity, Refused, Rules};
use crate::priority::Priorities;
use crate::quarantine;
use crate::references::{self, References};
use crate::stats::SyncStats;
use crate::store::{
    CursorState, QuarantineCause, QuarantineEntry, Store, StoreError, StoreTx, TxMode,
};
use crate::table::Table;
use crate::time::Timestamp;
use crate::transport::{Answer, Features, PushOutcome, PushResult, Transport};
use crate::travel::Direction;
use crate::version::ServerState;

/// Where it is noted whose the database is.
pub(crate) const ACCOUNT: &str = "account";
const CLOCK_OFFSET: &str = "clock_offset_nanos";
const EPOCH: &str = "epoch";
/// What a `Date` header, in whole seconds, cannot tell.
const UNCERTAINTY: i128 = 1_000_000_000;

/// What the server's answers told about the server itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observed {
    pub(crate) features: Features,
    /// Server clock minus device clock.
    pub(crate) clock_offset_nanos: i128,
}

/// What became of saving an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Saved {
    Whole,
    /// The table did not take the server's side: it is in quarantine.
    RowRefused,
}

/// Everything that an engine works with. Shared by all its handles.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) tables: BTreeMap<Kind, Table>,
    pub(crate) references: References,
    pub(crate) priorities: Priorities,
    pub(crate) config: SyncConfig,
    pub(crate) env: Env,
    pub(crate) retry: Arc<dyn RetryPolicy>,
    pub(crate) events: EventHub,
    pub(crate) observed: Mutex<Observed>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) lease: Arc<Lease>,
}

impl Context {
    pub(crate) fn table(&self, kind: &Kind) -> Result<&Table, SyncError> {
        self.tables.get(kind).ok_or_else(|| SyncError::UnknownKind {
            kind: kind.to_string(),
            known: self
                .tables
                .keys()
                .map(Kind::as_str)
                .collect::<Vec<_>>()
                .join(", "),
        })
    }

    /// Begins a transaction of a run: every claim, settle and page goes through here. One that
    /// writes begins only while the lease is ours, and nobody can take that before it ends.
    ///
    /// # Errors
    /// [`SyncError::LeaseLost`], also outside of [`Context::alone`]; as [`Context::check_account`].
    pub(crate) async fn begin(&self, mode: TxMode) -> Result<Box<dyn StoreTx>, SyncError> {
        let mut tx = self.store.begin(mode).await?;
        if mode == TxMode::Read {
            return Ok(tx);
        }
        self.lease.fence(&mut *tx).await?;
        self.check_account(&mut *tx).await?;
        if let Some(epoch) = self.identity.unsaved_epoch() {
            // No data of an epoch without the epoch.
            tx.put_meta(&self.epoch_note(), Some(&epoch)).await?;
        }
        Ok(tx)
    }

    /// Is the database still the account's that this engine was built for?
    ///
    /// # Errors
    /// [`SyncError::ShutDown`] if somebody signed out through another engine or process.
    pub(crate) async fn check_account(&self, tx: &mut dyn StoreTx) -> Result<(), SyncError> {
        let noted = tx.meta(ACCOUNT).await?;
        if noted.as_deref() == self.identity.account() {
            return Ok(());
        }
        Err(SyncError::ShutDown)
    }

    /// Where the epoch of the server is noted that the transport talks to.
    pub(crate) fn epoch_note(&self) -> String {
        format!("{EPOCH}:{}", self.transport.capabilities().origin)
    }

    /// Does work that only one engine of this database may do at a time; see [`Lease::during`].
    pub(crate) async fn alone<T>(
        &self,
        work: impl Future<Output = Result<T, SyncError>>,
    ) -> Result<T, SyncError> {
        let waits = || self.events.emit(SyncEvent::SyncWaiting);
        self.lease.during(waits, work).await
    }

    pub(crate) fn rules<'a>(&'a self, table: &'a Table) -> Rules<'a> {
        Rules {
            table,
            config: &self.config,
            env: &self.env,
            retry: &*self.retry,
            recognises_repeats: self.observed().features.idempotency(),
        }
    }

    /// Those of the wanted kinds whose edits go to the server; `None` = of all.
    pub(crate) fn push_kinds(&self, wanted: Option<&BTreeSet<Kind>>) -> Vec<Kind> {
        self.kinds(wanted, |direction| {
            direction.pushes() || planted!(PullOnlySent)
        })
    }

    /// Those of the wanted kinds that are pulled; `None` = of all.
    pub(crate) fn pull_kinds(&self, wanted: Option<&BTreeSet<Kind>>) -> Vec<Kind> {
        self.kinds(wanted, Direction::pulls)
    }

    fn kinds(
        &self,
        wanted: Option<&BTreeSet<Kind>>,
        travels: impl Fn(Direction) -> bool,
    ) -> Vec<Kind> {
        let is_wanted = |kind: &Kind| wanted.is_none_or(|wanted| wanted.contains(kind));
        let chosen = self
            .tables
            .iter()
            .filter(|(kind, table)| is_wanted(kind) && travels(table.direction));
        chosen.map(|(kind, _)| kind.clone()).collect()
    }

    /// Is this kind ever pulled?
    pub(crate) fn pulls(&self, kind: &Kind) -> bool {
        let table = self.tables.get(kind);
        table.is_none_or(|table| table.direction.pulls())
    }

    /// Notes what came with an answer and hands the answer on.
    pub(crate) fn observe<T>(&self, answer: Answer<T>) -> T {
        let Answer {
            value,
            server_date,
            features,
            ..
        } = answer;
        let mut observed = self.observed();
        if let Some(features) = features {
            observed.features = features;
        }
        if let Some(date) = server_date {
            observed.clock_offset_nanos = date.unix_nanos() - self.env.now().unix_nanos();
        }
        value
    }

    /// [`Context::observe`] for a fetched state, believed as far as the server's clock allows.
    pub(crate) fn observe_state(&self, answer: Answer<ServerState>) -> ServerState {
        let date = answer.server_date.clone();
        self.observe(answer).believed_at(date.as_ref())
    }

    /// [`Context::observe`] for the results of a push, believed as far as the server's clock
    /// allows.
    pub(crate) fn observe_results(&self, answer: Answer<Vec<PushResult>>) -> Vec<PushResult> {
        let date = answer.server_date.clone();
        let mut results = self.observe(answer);
        for result in &mut results {
            if let PushOutcome::Accepted { state }
            | PushOutcome::Conflict { state, .. }
            | PushOutcome::Gone { state } = &mut result.outcome
            {
                *state = state.take().map(|state| state.believed_at(date.as_ref()));
            }
        }
        results
    }

    pub(crate) fn features(&self) -> Features {
        self.observed().features.clone()
    }

    /// The device's time, corrected by what is known of the server's clock. A difference below one
    /// second is less than a `Date` header can tell and is not corrected.
    pub(crate) fn corrected_now(&self) -> Timestamp {
        let offset = self.observed().clock_offset_nanos;
        let now = self.env.now();
        if offset.abs() < UNCERTAINTY || planted!(ClockUncorrected) {
            return now;
        }
        Timestamp::from_unix_nanos(now.unix_nanos() + offset)
    }

    /// Reads what an earlier process observed.
    pub(crate) async fn recall(&self, tx: &mut dyn StoreTx) -> Result<(), StoreError> {
        if let Some(offset) = tx
            .meta(CLOCK_OFFSET)
            .await?
            .and_then(|text| text.parse().ok())
        {
            self.observed().clock_offset_nanos = offset;
        }
        self.identity.recall(tx.meta(&self.epoch_note()).await?);
        Ok(())
    }

    /// Keeps what was observed for the next process, if it differs from what is kept by more than
    /// a `Date` header can tell.
    pub(crate) async fn remember(&self) -> Result<(), SyncError> {
        if self.identity.unsaved_epoch().is_some() {
            self.begin(TxMode::Write).await?.commit().await?;
            self.identity.epoch_is_saved();
        }
        let offset = self.observed().clock_offset_nanos;
        let kept = self
            .store
            .begin(TxMode::Read)
            .await?
            .meta(CLOCK_OFFSET)
            .await?;
        let kept: i128 = kept.and_then(|text| text.parse().ok()).unwrap_or(0);
        if (offset - kept).abs() < UNCERTAINTY {
            return Ok(());
        }
        let mut tx = self.begin(TxMode::Write).await?;
        tx.put_meta(CLOCK_OFFSET, Some(&offset.to_string())).await?;
        Ok(tx.commit().await?)
    }

    fn observed(&self) -> MutexGuard<'_, Observed> {
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Was this kind ever pulled from the server that this transport talks to?
    pub(crate) fn was_pulled(&self, cursor: Option<&CursorState>) -> bool {
        let origin = self.transport.capabilities().origin;
        cursor.is_some_and(|cursor| cursor.pulled && cursor.origin.as_deref() == Some(&*origin))
    }

    /// Saves an entity; what its table refuses of the server's data goes to quarantine.
    pub(crate) async fn save(
        &self,
        tx: &mut dyn StoreTx,
        entity: &mut Entity,
        generation: u32,
    ) -> Result<Saved, StoreError> {
        if self.references.concern(&entity.kind) {
            self.withhold_row(tx, entity).await?;
        }
        let takes_state = entity.takes_state();
        let refused = entity.save(tx, generation).await?;
        if takes_state && refused.is_empty() {
            let id = std::slice::from_ref(&entity.id);
            quarantine::release(tx, &entity.kind, id).await?;
            return Ok(Saved::Whole);
        }
        let saved = if refused.is_empty() {
            Saved::Whole
        } else {
            Saved::RowRefused
        };
        let entry = |refused: Refused| QuarantineEntry {
            kind: entity.kind.clone(),
            key: refused.id.to_string(),
            row: refused.row,
            tag: None,
            reason: refused.reason,
            since: self.env.now(),
            cause: QuarantineCause::BadRow,
            schema_version: entity.schema_version,
        };
        let mut entries = refused.into_iter().map(entry).collect();
        quarantine::put(tx, &entity.kind, &mut entries).await?;
        entity
            .effects
            .events
            .extend(entries.iter().map(SyncEvent::quarantined));
        Ok(saved)
    }

    /// A row does not come before its parent, and a parent does not go before its children: a
    /// foreign key that is checked at the commit would fail everything else with it.
    async fn withhold_row(
        &self,
        tx: &mut dyn StoreTx,
        entity: &mut Entity,
    ) -> Result<(), StoreError> {
        let parents = self.references.parents(&entity.kind);
        if let Some(record) = entity.row_to_write().filter(|_| !parents.is_empty()) {
            let here = references::parents_here(tx, parents, std::iter::once(record)).await?;
            let own = (&entity.kind, &entity.id);
            if let Some(reason) = references::missing_parent(parents, own, record, &here) {
                entity.withhold(reason);
            }
        }
        if entity.may_remove_row() && !self.references.children(&entity.kind).is_empty() {
            let ids = std::slice::from_ref(&entity.id);
            let held = references::held_parents(tx, &self.references, &entity.kind, ids).await?;
            if !held.is_empty() {
                entity.hold(references::HAS_CHILDREN.to_owned());
            }
        }
        Ok(())
    }

    /// Tells events after their commit and counts them.
    pub(crate) fn tell(&self, events: Vec<SyncEvent>, stats: &mut SyncStats) {
        for event in events {
            match &event {
                SyncEvent::OperationPushed { .. } => stats.pushed += 1,
                SyncEvent::ConflictDetected { .. } => stats.conflicts += 1,
                SyncEvent::ConflictResolved { .. } => stats.conflicts_resolved += 1,
                SyncEvent::OperationFailed { .. } | SyncEvent::SyncError { .. } => {
                    stats.errors += 1;
                }
                _ => {}
            }
            self.events.emit(event);
        }
    }
}
