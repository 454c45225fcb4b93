//! What a test does to the server and asks of it, in the words of the domain.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use sync_core::{InvalidRecord, Timestamp};

use super::faults::{Fault, Route};
use super::recorder::RecordedRequest;
use super::script::ScriptedFault;
use super::settings::MockServerBuilder;
use super::state::{Fields, State};
use super::{MockServer, lock};
use crate::gate::Gate;

/// What a server had stored at one moment.
#[derive(Debug, Clone)]
pub struct Backup(State);

/// Records.
impl MockServer {
    /// Stores records as they are. One with a stamp keeps it verbatim, and the server's clock is
    /// not behind it from then on; others get a new one.
    ///
    /// # Errors
    /// At the first value that is not an object with an id; those before it are stored.
    pub fn seed(
        &self,
        kind: &str,
        records: impl IntoIterator<Item = Value>,
    ) -> Result<(), InvalidRecord> {
        let settings = self.shared.settings();
        let mut records = records.into_iter();
        self.shared
            .change(|state| records.try_for_each(|record| state.seed(&settings, kind, record)))
    }

    /// Somebody else's edit: lays these fields over the record, with a new stamp, and returns the
    /// whole. A missing record is created, a deleted one comes back. What is not an object
    /// changes the stamp only.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "so that a test can pass `json!({…})`"
    )]
    pub fn update(&self, kind: &str, id: &str, fields: Value) -> Value {
        let fields = fields.as_object().cloned().unwrap_or_else(Fields::new);
        let settings = self.shared.settings();
        self.shared
            .change(|state| state.edit(&settings, kind, id, fields))
    }

    /// [`MockServer::update`] of a live record by what it says now: no push comes in between.
    /// `None`, and nothing done, if there is no live record.
    pub fn update_with(
        &self,
        kind: &str,
        id: &str,
        fields: impl FnOnce(&Value) -> Value,
    ) -> Option<Value> {
        let settings = self.shared.settings();
        self.shared.change(|state| {
            let row = state.row(kind, id).filter(|row| !row.deleted)?;
            let fields = fields(&row.value()).as_object().cloned();
            Some(state.edit(&settings, kind, id, fields.unwrap_or_default()))
        })
    }

    /// Somebody else's deletion, of the kind that the server does. Was there a live record?
    #[expect(clippy::must_use_candidate, reason = "called for its effect")]
    pub fn delete(&self, kind: &str, id: &str) -> bool {
        let settings = self.shared.settings();
        self.shared.change(|state| {
            let live = state.row(kind, id).is_some_and(|row| !row.deleted);
            if live {
                state.delete(&settings, kind, id);
            }
            live
        })
    }

    /// Removes a record without a trace. Was there one, live or deleted?
    #[expect(clippy::must_use_candidate, reason = "called for its effect")]
    pub fn purge(&self, kind: &str, id: &str) -> bool {
        self.shared.change(|state| state.purge(kind, id))
    }

    /// A row that becomes visible now, with this (older) stamp: a transaction that committed late.
    /// The clock does not notice.
    ///
    /// # Errors
    /// If the value is not an object with an id.
    pub fn commit_late(
        &self,
        kind: &str,
        record: Value,
        stamp: Timestamp,
    ) -> Result<(), InvalidRecord> {
        let settings = self.shared.settings();
        self.shared
            .change(|state| state.commit_late(&settings, kind, record, stamp))
    }

    /// A live record as it is served.
    #[must_use]
    pub fn get(&self, kind: &str, id: &str) -> Option<Value> {
        self.row(kind, id, false)
    }

    /// The tombstone of a deleted record.
    #[must_use]
    pub fn tombstone(&self, kind: &str, id: &str) -> Option<Value> {
        self.row(kind, id, true)
    }

    fn row(&self, kind: &str, id: &str, deleted: bool) -> Option<Value> {
        let state = self.shared.state();
        state
            .row(kind, id)
            .filter(|row| row.deleted == deleted)
            .map(super::state::Row::value)
    }

    /// The live records of a kind by id.
    #[must_use]
    pub fn all(&self, kind: &str) -> BTreeMap<String, Value> {
        let state = self.shared.state();
        let rows = state.tables.get(kind).into_iter().flatten();
        let live = rows.filter(|(_, row)| !row.deleted);
        live.map(|(id, row)| (id.clone(), row.value())).collect()
    }

    /// The kinds of which there are records or tombstones.
    #[must_use]
    pub fn kinds(&self) -> Vec<String> {
        self.shared.state().tables.keys().cloned().collect()
    }
}

/// What the server was asked, and what came of it.
impl MockServer {
    /// All requests so far, in the order of their arrival.
    #[must_use]
    pub fn recorded(&self) -> Vec<RecordedRequest> {
        lock(&self.shared.recorded).clone()
    }

    /// The requests that were to change something: `PUT`, `DELETE`, batches.
    #[must_use]
    pub fn pushes(&self) -> Vec<RecordedRequest> {
        self.recorded_where(RecordedRequest::is_push)
    }

    /// The pulls of a kind.
    #[must_use]
    pub fn pulls(&self, kind: &str) -> Vec<RecordedRequest> {
        self.recorded_where(|request| request.is_pull(kind))
    }

    /// The fetches of one record.
    #[must_use]
    pub fn fetches(&self) -> Vec<RecordedRequest> {
        self.recorded_where(RecordedRequest::is_fetch)
    }

    fn recorded_where(&self, keep: impl Fn(&RecordedRequest) -> bool) -> Vec<RecordedRequest> {
        let recorded = lock(&self.shared.recorded);
        recorded
            .iter()
            .filter(|request| keep(request))
            .cloned()
            .collect()
    }

    /// Forgets the requests so far.
    pub fn clear_recorded(&self) {
        lock(&self.shared.recorded).clear();
    }

    /// How often a push with this idempotency key took effect.
    #[must_use]
    pub fn applied(&self, key: &str) -> u32 {
        self.shared.state().applied.get(key).copied().unwrap_or(0)
    }

    /// How often a push took effect on this record.
    #[must_use]
    pub fn applied_to(&self, kind: &str, id: &str) -> u32 {
        let place = (kind.to_owned(), id.to_owned());
        self.shared.state().pushed.get(&place).copied().unwrap_or(0)
    }

    /// Idempotency keys that came again with other content, which a client must never do.
    #[must_use]
    pub fn reused_keys(&self) -> Vec<String> {
        self.shared.state().reused_keys.clone()
    }
}

/// What the server is and how it behaves.
impl MockServer {
    /// Changes switches while the server runs.
    pub fn reconfigure(&self, change: impl FnOnce(MockServerBuilder) -> MockServerBuilder) {
        let mut settings = lock(&self.shared.settings);
        *settings = change(settings.clone());
    }

    /// Puts a fault in force, at first once and for any request: see [`ScriptedFault`].
    #[expect(
        clippy::must_use_candidate,
        reason = "the fault is in force without further ado"
    )]
    pub fn fault(&self, fault: Fault) -> ScriptedFault {
        self.shared.faults.add(fault)
    }

    /// Takes all faults out of force. Gates stay shut for those who wait at them.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// Lets the requests of a route wait before anything is done, until the gate is released.
    pub fn hold(&self, route: Route) -> Gate {
        let (gate, barrier) = Gate::new();
        self.fault(Fault::hold(barrier)).on(route).always();
        gate
    }

    /// Lets the answers of a route wait when the work is done, until the gate is released.
    pub fn hold_answer(&self, route: Route) -> Gate {
        let (gate, barrier) = Gate::new();
        self.fault(Fault::hold(barrier).after_work())
            .on(route)
            .always();
        gate
    }

    /// The server's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.state().clock.now()
    }

    /// Sets the server's clock. Stamps go on ascending also when it is set back.
    pub fn set_clock(&self, now: &Timestamp) {
        self.shared.state().clock.set(now);
    }

    /// Moves the server's clock on.
    pub fn advance(&self, duration: Duration) {
        self.shared.state().clock.advance(duration);
    }

    /// Everything that is stored now.
    #[must_use]
    pub fn snapshot(&self) -> Backup {
        Backup(self.shared.state().clone())
    }

    /// Goes back to what was stored then, answers to idempotency keys included; the clock and what
    /// a test can count go on. A server that declares an epoch gets a new one.
    pub fn restore_backup(&self, backup: &Backup) {
        self.shared.change(|state| state.restore(&backup.0));
        self.reconfigure(|mut settings| {
            if let Some(epoch) = &mut settings.epoch {
                epoch.push_str("-restored");
            }
            settings
        });
    }
}
