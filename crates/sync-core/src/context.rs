//! What push and pull share: the two seams, the tables, and what was observed of the server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::backoff::RetryPolicy;
use crate::config::SyncConfig;
use crate::env::Env;
use crate::error::SyncError;
use crate::event::{EventHub, SyncEvent};
use crate::id::Kind;
use crate::outbox::{Entity, Refused, Rules};
use crate::quarantine;
use crate::stats::SyncStats;
use crate::store::{CursorState, QuarantineEntry, Store, StoreError, StoreTx, TxMode};
use crate::table::Table;
use crate::time::Timestamp;
use crate::transport::{Answer, Features, PushOutcome, PushResult, Transport};
use crate::version::ServerState;

const CLOCK_OFFSET: &str = "clock_offset_nanos";
/// What a `Date` header, in whole seconds, cannot tell.
const UNCERTAINTY: i128 = 1_000_000_000;

/// What the server's answers told about the server itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observed {
    pub(crate) features: Features,
    /// Server clock minus device clock.
    pub(crate) clock_offset_nanos: i128,
    pub(crate) epoch: Option<String>,
}

/// Everything that an engine works with. Shared by all its handles.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) tables: BTreeMap<Kind, Table>,
    pub(crate) config: SyncConfig,
    pub(crate) env: Env,
    pub(crate) retry: Arc<dyn RetryPolicy>,
    pub(crate) events: EventHub,
    pub(crate) observed: Mutex<Observed>,
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

    /// Begins a transaction of a run: every claim, settle and page goes through here, so that what
    /// must hold for all of them is asked in one place.
    pub(crate) async fn begin(&self, mode: TxMode) -> Result<Box<dyn StoreTx>, StoreError> {
        self.store.begin(mode).await
    }

    pub(crate) fn rules<'a>(&'a self, table: &'a Table) -> Rules<'a> {
        Rules {
            table,
            config: &self.config,
            env: &self.env,
            retry: &*self.retry,
        }
    }

    pub(crate) fn kinds(&self, wanted: Option<&BTreeSet<Kind>>) -> Vec<Kind> {
        let chosen = |kind: &&Kind| wanted.is_none_or(|wanted| wanted.contains(*kind));
        self.tables.keys().filter(chosen).cloned().collect()
    }

    /// Notes what came with an answer and hands the answer on.
    pub(crate) fn observe<T>(&self, answer: Answer<T>) -> T {
        let Answer {
            value,
            server_date,
            epoch,
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
        if epoch.is_some() {
            observed.epoch = epoch;
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
        if offset.abs() < UNCERTAINTY {
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
        Ok(())
    }

    /// Keeps what was observed for the next process, if it differs from what is kept by more than
    /// a `Date` header can tell.
    pub(crate) async fn remember(&self) -> Result<(), StoreError> {
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
        let mut tx = self.store.begin(TxMode::Write).await?;
        tx.put_meta(CLOCK_OFFSET, Some(&offset.to_string())).await?;
        tx.commit().await
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
    ) -> Result<(), StoreError> {
        let takes_state = entity.takes_state();
        let refused = entity.save(tx, generation).await?;
        if takes_state && refused.is_empty() {
            let id = std::slice::from_ref(&entity.id);
            return quarantine::release(tx, &entity.kind, id).await;
        }
        let entry = |refused: Refused| QuarantineEntry {
            kind: entity.kind.clone(),
            key: refused.id.to_string(),
            row: refused.record.into(),
            tag: None,
            reason: refused.reason,
            since: self.env.now(),
            schema_version: entity.schema_version,
        };
        let mut entries = refused.into_iter().map(entry).collect();
        quarantine::put(tx, &entity.kind, &mut entries).await?;
        entity
            .effects
            .events
            .extend(entries.iter().map(SyncEvent::quarantined));
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
