//! One transaction: its own view of the state, put in place at commit.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;

use super::rows::Table;
use super::state::State;
use super::{Schemas, Shared, lock};
use crate::id::Kind;
use crate::schema::TableSchema;
use crate::store::{StoreError, StoreErrorKind};

pub(super) struct MemoryTx {
    shared: Arc<Shared>,
    schemas: Arc<Schemas>,
    /// The turn to write; `None` = reading.
    turn: Option<OwnedMutexGuard<()>>,
    /// What was committed when this transaction began.
    begun_with: Arc<State>,
    state: Arc<State>,
    changed_rows: BTreeSet<Kind>,
    changed_outbox: BTreeSet<Kind>,
    /// A call failed: nothing of this transaction may be committed.
    failed: bool,
}

impl MemoryTx {
    pub(super) fn new(shared: Arc<Shared>, turn: Option<OwnedMutexGuard<()>>) -> Self {
        let state = shared.committed();
        Self {
            schemas: shared.schemas(),
            shared,
            turn,
            begun_with: Arc::clone(&state),
            state,
            changed_rows: BTreeSet::new(),
            changed_outbox: BTreeSet::new(),
            failed: false,
        }
    }

    pub(super) fn read<T>(
        &mut self,
        call: impl FnOnce(&State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let outcome = self.shared.fail_if_asked().and_then(|()| call(&self.state));
        self.failed |= outcome.is_err();
        outcome
    }

    pub(super) fn write<T>(
        &mut self,
        call: impl FnOnce(&mut State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let outcome = self
            .shared
            .fail_if_asked()
            .and_then(|()| self.check_writable())
            .and_then(|()| call(Arc::make_mut(&mut self.state)));
        self.failed |= outcome.is_err();
        outcome
    }

    /// Puts the state in place, then tells who listens, then gives up the turn.
    pub(super) fn publish(self) -> Result<(), StoreError> {
        self.shared.fail_if_asked()?;
        if self.failed {
            let message = "a call of this transaction failed: drop it and begin a new one";
            return Err(StoreError::new(StoreErrorKind::Other, message));
        }
        if self.turn.is_none() {
            return Ok(());
        }
        {
            let mut committed = lock(&self.shared.committed);
            if !Arc::ptr_eq(&committed, &self.begun_with) {
                let message = "the store was restored meanwhile: begin a new transaction";
                return Err(StoreError::new(StoreErrorKind::Other, message));
            }
            *committed = self.state;
        }
        self.shared
            .hub
            .publish(self.changed_rows, self.changed_outbox);
        Ok(())
    }

    pub(super) fn note_rows(&mut self, kind: &Kind, changed: bool) {
        if changed {
            self.changed_rows.insert(kind.clone());
        }
    }

    fn check_writable(&self) -> Result<(), StoreError> {
        if self.turn.is_some() {
            return Ok(());
        }
        let message = "a reading transaction cannot write: begin one with `TxMode::Write`";
        Err(StoreError::new(StoreErrorKind::ReadOnly, message))
    }

    pub(super) fn note_queues(&mut self, kinds: impl IntoIterator<Item = Kind>) {
        self.changed_outbox.extend(kinds);
    }

    pub(super) fn read_table<T>(
        &mut self,
        kind: &Kind,
        call: impl FnOnce(&State, &Table, &TableSchema) -> T,
    ) -> Result<T, StoreError> {
        let schemas = Arc::clone(&self.schemas);
        self.read(|state| {
            let schema = schema_of(&schemas, kind)?;
            let empty = Table::default();
            let table = state.tables.get(kind).map_or(&empty, |table| table);
            Ok(call(state, table, schema))
        })
    }

    pub(super) fn write_table<T>(
        &mut self,
        kind: &Kind,
        call: impl FnOnce(&mut Table, &TableSchema) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let schemas = Arc::clone(&self.schemas);
        self.write(|state| {
            let schema = schema_of(&schemas, kind)?;
            call(State::part_mut(&mut state.tables, kind), schema)
        })
    }
}

fn schema_of<'a>(schemas: &'a Schemas, kind: &Kind) -> Result<&'a TableSchema, StoreError> {
    let unknown = || {
        let message = format!("kind `{kind}` has no table: register it before the engine starts");
        StoreError::new(StoreErrorKind::UnknownKind, message)
    };
    schemas
        .get(kind)
        .map(|schema| &**schema)
        .ok_or_else(unknown)
}
