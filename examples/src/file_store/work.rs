//! What a transaction works on: the state as it was, then a copy of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use sync_core::{Kind, StoreError, StoreErrorKind, TableSchema};
use tokio::sync::OwnedMutexGuard;

use super::rows::Table;
use super::state::State;
use super::{Schemas, Shared, lock};

pub(super) struct FileTx {
    pub(super) shared: Arc<Shared>,
    pub(super) schemas: Schemas,
    /// The turn to write; `None` = reading.
    pub(super) turn: Option<OwnedMutexGuard<()>>,
    /// Shared with everybody who reads until the first write copies it.
    pub(super) state: Arc<State>,
    pub(super) changed_rows: BTreeSet<Kind>,
    pub(super) changed_outbox: BTreeSet<Kind>,
    pub(super) failed: bool,
}

impl FileTx {
    pub(super) fn new(shared: Arc<Shared>, turn: Option<OwnedMutexGuard<()>>) -> Self {
        let schemas = lock(&shared.schemas).clone();
        Self {
            state: shared.committed(),
            schemas,
            shared,
            turn,
            changed_rows: BTreeSet::new(),
            changed_outbox: BTreeSet::new(),
            failed: false,
        }
    }

    /// The state to be written: this transaction's own from here on.
    pub(super) fn write(&mut self) -> Result<&mut State, StoreError> {
        if self.turn.is_none() {
            self.failed = true;
            let message = "a reading transaction cannot write";
            return Err(StoreError::new(StoreErrorKind::ReadOnly, message));
        }
        Ok(Arc::make_mut(&mut self.state))
    }

    pub(super) fn read_table(
        &mut self,
        kind: &Kind,
    ) -> Result<(&State, &Table, &TableSchema), StoreError> {
        static EMPTY: Table = Table::EMPTY;
        let Some(schema) = self.schemas.get(kind) else {
            self.failed = true;
            return Err(unknown(kind));
        };
        let table = self.state.tables.get(kind).unwrap_or(&EMPTY);
        Ok((&self.state, table, schema))
    }

    pub(super) fn write_table(
        &mut self,
        kind: &Kind,
    ) -> Result<(&mut Table, &TableSchema), StoreError> {
        self.write()?;
        let Some(schema) = self.schemas.get(kind) else {
            self.failed = true;
            return Err(unknown(kind));
        };
        let state = Arc::make_mut(&mut self.state);
        Ok((state.tables.entry(kind.clone()).or_default(), schema))
    }

    pub(super) fn note_rows(&mut self, kind: &Kind, changed: bool) {
        if changed {
            self.changed_rows.insert(kind.clone());
        }
    }
}

fn unknown(kind: &Kind) -> StoreError {
    let message = format!("kind `{kind}` was not given to `prepare`");
    StoreError::new(StoreErrorKind::UnknownKind, message)
}
