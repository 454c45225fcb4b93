//! Apps that are updated while edits wait, and databases that are copied.
//!
//! The built-in table `things` has two versions. In the first, the field `a` has another name, and
//! there is no column for `b`. Old clients speak that form to the server, as to an older route of
//! its interface; everybody else, the checker too, knows the new one.

use sync_core::json::JsonMap;
use sync_core::store::{RowWrite, Store, TxMode};
use sync_core::transport::{PullPage, PushChange, PushOp, PushOutcome, PushRequest, PushResult};
use sync_core::{
    Change, ChangedFields, Kind, MemoryStore, Op, Record, ServerState, Shadow, StoreError,
    TableConfig, TableSchema,
};

use super::link::lock;
use super::seen::{Seen, now};
use super::tables::SimTable;
use super::world::World;

const CHANGED_KIND: &str = "things";
const RENAMED: (&str, &str) = ("a_old", "a");
const GAINED: &str = "b";

/// A field under the name that everybody knows.
pub(crate) fn new_name(name: &str) -> &str {
    if name == RENAMED.0 { RENAMED.1 } else { name }
}

fn rename(fields: &mut JsonMap, from: &str, to: &str) {
    if let Some(value) = fields.remove(from) {
        fields.insert(to.to_owned(), value);
    }
}

fn is_changed(kind: &Kind) -> bool {
    kind.as_str() == CHANGED_KIND
}

/// These fields as an old client names them.
pub(crate) fn to_old(kind: &Kind, fields: &mut JsonMap) {
    if is_changed(kind) {
        rename(fields, RENAMED.1, RENAMED.0);
    }
}

/// These fields as everybody else names them.
pub(crate) fn to_new(kind: &Kind, fields: &mut JsonMap) {
    if is_changed(kind) {
        rename(fields, RENAMED.0, RENAMED.1);
    }
}

/// Takes out what an old client cannot write.
pub(crate) fn restrict(kind: &Kind, edit: &mut JsonMap) {
    if is_changed(kind) {
        edit.remove(GAINED);
    }
}

/// The table as the old app has it.
pub(crate) fn old_schema(table: &SimTable) -> TableSchema {
    let mut schema = table.schema.clone();
    if table.is_built_in && is_changed(&schema.kind) {
        schema.columns.retain(|column| column.field != GAINED);
        for column in &mut schema.columns {
            if column.field == RENAMED.1 {
                column.field = RENAMED.0.to_owned();
                column.name = RENAMED.0.to_owned();
            }
        }
    }
    schema
}

/// The settings of the new app, which knows what the old one wrote.
pub(crate) fn lifting(table: &SimTable, config: TableConfig) -> TableConfig {
    if !table.is_built_in || !is_changed(&table.schema.kind) {
        return config;
    }
    config.upcast(1, |mut record| {
        rename(record.fields_mut(), RENAMED.0, RENAMED.1);
        Ok(record)
    })
}

/// The app's own migration: rows of the old table become rows of the new one.
fn migrate(store: &MemoryStore, table: &SimTable) -> Result<(), StoreError> {
    let mut schema = table.schema.clone();
    let kind = schema.kind.clone();
    // What lies beside the table stays there: to fill a column with it is the library's.
    schema.columns.retain(|column| column.field != GAINED);
    let rows = store.rows(&kind).into_iter().map(|mut row| {
        to_new(&kind, row.fields_mut());
        RowWrite::local(row)
    });
    let rows: Vec<RowWrite> = rows.collect();
    now(store.prepare(&[schema]))?;
    let mut tx = now(store.begin(TxMode::Write))?;
    now(tx.put(&kind, &rows))?;
    now(tx.commit())
}

// -- what goes over the wire -----------------------------------------------------------------------

pub(crate) fn page_to_old(kind: &Kind, page: &mut PullPage) {
    for item in &mut page.items {
        if let Some(fields) = item.as_object_mut() {
            to_old(kind, fields);
        }
    }
}

pub(crate) fn state_to_old(kind: &Kind, state: &mut ServerState) {
    on_record(state, |record| to_old(kind, record.fields_mut()));
}

pub(crate) fn results_to_old(ops: &[PushOp], results: &mut [PushResult]) {
    for result in results {
        let Some(op) = ops.iter().find(|op| op.key == result.key) else {
            continue;
        };
        if let PushOutcome::Accepted { state }
        | PushOutcome::Conflict { state, .. }
        | PushOutcome::Gone { state } = &mut result.outcome
            && let Some(state) = state
        {
            state_to_old(&op.kind, state);
        }
    }
}

pub(crate) fn request_to_new(request: &mut PushRequest) {
    for op in &mut request.ops {
        if let PushChange::Upsert { record, changed } = &mut op.change {
            to_new(&op.kind, record.fields_mut());
            rename_changed(&op.kind, changed);
        }
    }
}

fn on_record(state: &mut ServerState, change: impl FnOnce(&mut Record)) {
    match state {
        ServerState::Live { record, .. }
        | ServerState::Deleted {
            record: Some(record),
            ..
        } => change(record),
        ServerState::Deleted { record: None, .. } | ServerState::Absent => {}
    }
}

fn rename_changed(kind: &Kind, changed: &mut Option<ChangedFields>) {
    if let Some(names) = changed.as_mut().filter(|_| is_changed(kind)) {
        *names = names.iter().map(new_name).collect();
    }
}

// -- what lies in a database -----------------------------------------------------------------------

/// An operation as everybody would have written it.
pub(crate) fn op_to_new(op: &mut Op) {
    let verdict = op.verdict.as_mut().map(|verdict| &mut verdict.change);
    for change in std::iter::once(&mut op.written).chain(verdict) {
        if let Change::Upsert { payload, changed } = change {
            to_new(&op.kind, payload.fields_mut());
            rename_changed(&op.kind, changed);
        }
    }
}

/// A shadow as everybody would have written it.
pub(crate) fn shadow_to_new(shadow: &mut Shadow) {
    for state in std::iter::once(&mut shadow.base).chain(&mut shadow.parked) {
        on_record(state, |record| to_new(&shadow.kind, record.fields_mut()));
    }
}

impl World<'_> {
    /// The app is updated: it ends, its own migration runs, and the new one starts.
    pub(crate) fn update_app(&mut self, client: usize) {
        if !self.clients[client].is_old() {
            return;
        }
        // What may have been applied goes out under another key, lifted, and may come back after it
        // was replaced: nobody can know (semantics, I5).
        for (key, ops) in self.clients[client].seen.ops.clone() {
            let unknown = ops.iter().filter(|op| op.fate == sync_core::Fate::Unknown);
            let ids = unknown.clone().map(|op| &op.op_id);
            self.lock().server.forget_effects(ids);
            for payload in unknown.filter_map(|op| op.written.payload()) {
                if let Some(table) = self.table_of(&key) {
                    self.ledger.copied(&key, table.parts(payload.fields()));
                }
            }
        }
        // No process of the old app survives the update.
        self.clients[client].still = None;
        self.stop(client);
        for table in self.tables.iter().filter(|table| table.is_built_in) {
            let store = &self.clients[client].store.memory;
            if is_changed(table.kind())
                && let Err(error) = migrate(store, table)
            {
                unreachable!("a store in memory migrates: {error}");
            }
        }
        lock(&self.clients[client].link.own).speaks_old = false;
        self.start(client);
    }

    /// One client's database takes the place of another's, where nothing waits.
    pub(crate) fn copy(&mut self, from: usize, to: usize) {
        let is_free = |world: &Self| {
            let seen = &world.clients[to].seen;
            world.clients[to].tasks.is_empty() && seen.ops.is_empty()
        };
        if from == to || !is_free(self) {
            return;
        }
        self.clients[to].still = None;
        self.stop(to);
        self.lock().counters.count("database copied");
        let snapshot = self.clients[from].store.memory.snapshot();
        let (pulled, speaks_old) = {
            let own = lock(&self.clients[from].link.own);
            (own.pulled.clone(), own.speaks_old)
        };
        for (key, ops) in self.clients[from].seen.ops.clone() {
            let Some(table) = self.table_of(&key) else {
                continue;
            };
            let payloads = ops.iter().filter_map(|op| op.written.payload());
            for payload in payloads {
                self.ledger.copied(&key, table.parts(payload.fields()));
            }
            if ops.iter().any(|op| op.written.is_delete()) {
                self.ledger.loosen(&key);
            }
        }
        let number = [from, to].map(|place| self.clients[place].number);
        self.copy_writes(number[0], number[1]);
        let offended = self.offended.iter().filter(|(by, _)| *by == number[0]);
        let offended: Vec<_> = offended.map(|(_, key)| (number[1], key.clone())).collect();
        self.offended.extend(offended);
        let believes = self.clients[from].believes_lists;
        let one = &mut self.clients[to];
        one.believes_lists |= believes;
        one.store.memory.restore(&snapshot);
        one.store.is_a_copy();
        one.seen = Seen {
            commits: u64::MAX,
            ..Seen::default()
        };
        lock(&one.link.own).becomes(pulled, speaks_old);
        self.start(to);
    }
}
