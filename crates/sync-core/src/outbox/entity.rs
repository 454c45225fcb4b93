//! One entity with all that the library keeps about it, and how it is saved.

use serde_json::Value;

use super::history::History;
use crate::backoff::RetryPolicy;
use crate::config::SyncConfig;
use crate::env::Env;
use crate::event::SyncEvent;
use crate::id::{EntityId, Kind, OpId};
use crate::op::{Op, Shadow};
use crate::record::Record;
use crate::store::{ConflictEntry, OpQuery, StoreError, StoreTx};
use crate::table::Table;
use crate::time::Timestamp;
use crate::version::{ServerState, Version};

/// What decisions depend on besides the entity itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub(crate) table: &'a Table,
    pub(crate) config: &'a SyncConfig,
    pub(crate) env: &'a Env,
    pub(crate) retry: &'a dyn RetryPolicy,
    /// Does the server declare that it honours idempotency keys?
    pub(crate) recognises_repeats: bool,
}

impl Rules<'_> {
    /// When an operation may be tried again after its `attempt`-th failure.
    pub(super) fn next_attempt(&self, attempt: u32) -> i64 {
        let delay = self.retry.delay(attempt, self.env.next_u64());
        // A later time would be taken for one of a clock that was wrong.
        let delay = delay.min(self.config.backoff_max);
        self.env.now().plus(delay).unix_millis()
    }
}

/// What is to become of the row when the entity is saved.
#[derive(Debug, Clone, Default)]
pub(super) enum RowEdit {
    #[default]
    Keep,
    Local(Record),
    Server {
        record: Record,
        version: Option<Version>,
        is_tombstone: bool,
    },
    Remove {
        tombstone: Option<Version>,
    },
}

/// What saving an entity tells the world, after the commit.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) events: Vec<SyncEvent>,
}

/// A server record that the user's table refused.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) id: EntityId,
    /// The record; of a removal its tombstone, null where it has none.
    pub(crate) row: Value,
    pub(crate) reason: String,
}

/// One entity: its row, its queue and its shadow.
#[derive(Debug)]
pub(crate) struct Entity {
    pub(crate) kind: Kind,
    pub(crate) id: EntityId,
    /// The row as it is now, local-only columns left out.
    pub(crate) row: Option<Record>,
    /// The version that the server last gave the row; `Some(None)` = from the server, unknown.
    pub(crate) known: Option<Option<Version>>,
    /// The queue, oldest first.
    pub(crate) ops: Vec<Op>,
    /// What the oldest operation was made against; `None` = there is no shadow.
    pub(super) base: Option<ServerState>,
    /// The newest state that a pull brought since.
    pub(super) parked: Option<ServerState>,
    pub(crate) effects: Effects,
    pub(super) row_edit: RowEdit,
    /// Why the row must not be written for now, as if the table refused it.
    pub(super) not_written: Option<String>,
    /// Why it must not be removed for now.
    pub(super) not_removed: Option<String>,
    pub(super) had_shadow: bool,
    pub(super) shadow_changed: bool,
    pub(super) ops_changed: bool,
    pub(super) deleted_ops: Vec<OpId>,
    pub(super) closed_conflicts: Vec<OpId>,
    pub(super) opened_conflict: Option<ConflictEntry>,
    pub(super) history: History,
    /// The present version of the table's schema, and the one that the shadow is of.
    pub(crate) schema_version: u32,
    pub(super) shadow_version: u32,
    /// Why operations and shadow cannot be lifted to the present version, if so.
    pub(super) held_up: Option<String>,
}

impl Entity {
    /// Reads entities of one table, in the order of the ids; what waits since an older version of
    /// its schema is lifted.
    pub(crate) async fn load(
        tx: &mut dyn StoreTx,
        table: &Table,
        ids: &[EntityId],
    ) -> Result<Vec<Self>, StoreError> {
        let kind = &table.schema.kind;
        let mut ops = tx.ops(&OpQuery::of(kind, ids)).await?;
        let shadows = tx.shadows(kind, ids).await?;
        let rows = tx.get(kind, ids).await?;
        let versions = tx.versions(kind, ids).await?;
        let mut rows: std::collections::BTreeMap<_, _> = rows
            .into_iter()
            .filter_map(|row| Some((row.id().ok()?, row)))
            .collect();
        let mut shadows: std::collections::BTreeMap<_, _> = shadows
            .into_iter()
            .map(|shadow| (shadow.entity_id.clone(), shadow))
            .collect();
        let mut versions: std::collections::BTreeMap<_, _> = versions.into_iter().collect();
        let mut entities = Vec::with_capacity(ids.len());
        for id in ids {
            let (own, rest) = ops.into_iter().partition(|op| op.entity_id == *id);
            ops = rest;
            let shadow = shadows.remove(id);
            entities.push(Self::new(
                table,
                id,
                rows.remove(id),
                versions.remove(id),
                own,
                shadow,
            ));
        }
        Ok(entities)
    }

    /// Reads one entity.
    pub(crate) async fn load_one(
        tx: &mut dyn StoreTx,
        table: &Table,
        id: &EntityId,
    ) -> Result<Self, StoreError> {
        let kind = &table.schema.kind;
        let ids = std::slice::from_ref(id);
        let ops = tx.ops(&OpQuery::of(kind, ids)).await?;
        let shadow = tx.shadows(kind, ids).await?.pop();
        let row = tx.get(kind, ids).await?.pop();
        let known = tx
            .versions(kind, ids)
            .await?
            .pop()
            .map(|(_, version)| version);
        Ok(Self::new(table, id, row, known, ops, shadow))
    }

    fn new(
        table: &Table,
        id: &EntityId,
        row: Option<Record>,
        known: Option<Option<Version>>,
        mut ops: Vec<Op>,
        shadow: Option<Shadow>,
    ) -> Self {
        if planted!(OrderByClock) {
            ops.sort_by(|one, other| one.written_at.cmp(&other.written_at));
        }
        let had_shadow = shadow.is_some();
        let shadow_version = shadow.as_ref().map_or(0, |shadow| shadow.schema_version);
        let (base, parked) = match shadow {
            Some(shadow) => (Some(shadow.base), shadow.parked),
            // Of a create that nobody met nothing needs to be remembered.
            None if !ops.is_empty() => (Some(ServerState::Absent), None),
            None => (None, None),
        };
        let mut this = Self {
            kind: table.schema.kind.clone(),
            id: id.clone(),
            row,
            known,
            ops,
            base,
            parked,
            effects: Effects::default(),
            row_edit: RowEdit::Keep,
            not_written: None,
            not_removed: None,
            had_shadow,
            shadow_changed: false,
            ops_changed: false,
            deleted_ops: Vec::new(),
            closed_conflicts: Vec::new(),
            opened_conflict: None,
            history: History::default(),
            schema_version: 0,
            shadow_version,
            held_up: None,
        };
        this.lift(&table.upcasts);
        this
    }

    // -- what the other files of this module change ------------------------------------------

    pub(super) fn emit(&mut self, event: SyncEvent) {
        self.effects.events.push(event);
    }

    /// The oldest operation.
    pub(crate) fn head(&self) -> Option<&Op> {
        self.ops.first()
    }

    /// The oldest operation, to change it.
    pub(super) fn head_mut(&mut self) -> Option<&mut Op> {
        self.ops_changed = true;
        self.ops.first_mut()
    }

    pub(super) fn op_mut(&mut self, index: usize) -> Option<&mut Op> {
        self.ops_changed = true;
        self.ops.get_mut(index)
    }

    pub(super) fn push_op(&mut self, op: Op) {
        self.ops.push(op);
    }

    /// Takes an operation out of the queue, with its open conflict if it has one.
    pub(super) fn remove_op(&mut self, index: usize) -> Option<Op> {
        if index >= self.ops.len() {
            return None;
        }
        let op = self.ops.remove(index);
        if op.seq != 0 {
            self.deleted_ops.push(op.op_id.clone());
            self.closed_conflicts.push(op.op_id.clone());
        }
        Some(op)
    }

    pub(super) fn set_base(&mut self, base: ServerState) {
        self.base = Some(base);
        self.shadow_changed = true;
    }

    pub(super) fn set_parked(&mut self, parked: Option<ServerState>) {
        if parked.is_some() || self.parked.is_some() {
            self.shadow_changed = true;
        }
        self.parked = parked;
    }

    pub(super) fn open_conflict(&mut self, entry: ConflictEntry) {
        self.opened_conflict = Some(entry);
    }

    pub(super) fn close_conflict(&mut self, op_id: &OpId) {
        self.closed_conflicts.push(op_id.clone());
    }

    /// The row as the user wrote it.
    pub(super) fn write_row(&mut self, record: Record) {
        self.row_edit = RowEdit::Local(record.clone());
        self.row = Some(record);
    }

    /// The user's deletion, as the table's policy wants it.
    pub(super) fn delete_row(&mut self, at: &Timestamp, table: &Table) {
        match (self.row.take(), table.schema.tombstone(), table.soft_delete) {
            (Some(mut row), Some(column), policy) if policy.keeps() => {
                row.fields_mut()
                    .insert(column.field.clone(), Value::from(at.to_string()));
                self.write_row(row);
            }
            _ => self.row_edit = RowEdit::Remove { tombstone: None },
        }
    }

    /// Brings the server's state into the row; the shadow stays.
    pub(super) fn take_state(&mut self, state: &ServerState, rules: &Rules<'_>) {
        let version = state.version().cloned();
        match state {
            ServerState::Live { record, .. } => {
                let record = record.clone();
                self.row_edit = RowEdit::Server {
                    record,
                    version,
                    is_tombstone: false,
                };
            }
            ServerState::Deleted { record, .. } => {
                let kept = if rules.table.soft_delete.keeps() {
                    self.tombstone_row(record.as_ref(), rules)
                } else {
                    None
                };
                self.row_edit = match kept {
                    Some(record) => RowEdit::Server {
                        record,
                        version,
                        is_tombstone: true,
                    },
                    None => RowEdit::Remove { tombstone: version },
                };
            }
            ServerState::Absent => self.row_edit = RowEdit::Remove { tombstone: None },
        }
        self.row = match &self.row_edit {
            RowEdit::Server { record, .. } => Some(record.clone()),
            _ => None,
        };
    }

    /// Was the last operation acknowledged without all that there is to know of the record?
    pub(crate) fn waits_for_record(&self) -> bool {
        self.ops.is_empty() && self.base.is_some()
    }

    /// Settles the entity: the server's state comes into force and the shadow goes.
    pub(super) fn settle(&mut self, state: &ServerState, rules: &Rules<'_>) {
        self.take_state(state, rules);
        self.drop_shadow();
    }

    pub(super) fn drop_shadow(&mut self) {
        self.base = None;
        self.parked = None;
        self.shadow_changed = true;
    }

    /// The row of a deleted entity: what is here, under what the server's tombstone says.
    fn tombstone_row(&self, tombstone: Option<&Record>, rules: &Rules<'_>) -> Option<Record> {
        let field = &rules.table.schema.tombstone()?.field;
        let mut row = self.row.clone().unwrap_or_default();
        let shown = tombstone.into_iter().flat_map(|record| record.fields());
        row.fields_mut()
            .extend(shown.map(|(name, value)| (name.clone(), value.clone())));
        if row.fields().is_empty() {
            return None;
        }
        if !row.is_deleted() {
            row.fields_mut()
                .insert(field.clone(), Value::from(rules.env.now().to_string()));
        }
        Some(row)
    }
}
