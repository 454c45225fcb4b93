//! The user's rows and what is known of their versions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use serde_json::Value;

use super::accept;
use crate::id::EntityId;
use crate::record::Record;
use crate::schema::{Column, TableSchema};
use crate::store::{PutReport, Rejected, Removal, RowOrigin, RowWrite, StoreError, StoreErrorKind};
use crate::version::Version;

/// One user's table and, beside it, what the server said about its rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Table {
    rows: BTreeMap<EntityId, Arc<Row>>,
    known: BTreeMap<EntityId, Arc<Known>>,
}

/// A whole row, local-only fields included.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    record: Record,
    /// The fields that had no column when the row was written.
    beside: BTreeSet<String>,
}

impl Row {
    fn new(schema: &TableSchema, record: Record) -> Self {
        let names = record.fields().keys();
        let beside = names.filter(|name| schema.by_field(name).is_none());
        Self {
            beside: beside.cloned().collect(),
            record,
        }
    }

    /// The row as a record that may travel.
    fn shown(&self, schema: &TableSchema) -> Record {
        self.shown_if(schema, |column| !column.local_only)
    }

    /// The row as the app sees it.
    fn whole(&self, schema: &TableSchema) -> Record {
        self.shown_if(schema, |_| true)
    }

    /// What lay in a column that the table no longer has is gone with it.
    fn shown_if(&self, schema: &TableSchema, is_wanted: impl Fn(&Column) -> bool) -> Record {
        let is_shown = |name: &str| match schema.by_field(name) {
            Some(_) if planted!(ExtraNotFilled) => !self.beside.contains(name),
            Some(column) => is_wanted(column),
            None => self.beside.contains(name),
        };
        let fields = self.record.fields().iter();
        let shown = fields.filter(|(name, _)| is_shown(name));
        shown
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// The fields that have a column now, although they had none when the row was written.
    fn misplaced(&self, schema: &TableSchema) -> Vec<String> {
        let has_column = |name: &&String| {
            let column = schema.by_field(name);
            column.is_some_and(|column| !column.local_only)
        };
        self.beside.iter().filter(has_column).cloned().collect()
    }
}

/// What the server last said about an entity; a tombstone if there is no row of it.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    version: Option<Version>,
    generation: u32,
}

impl Table {
    pub(super) fn all(&self) -> Vec<Record> {
        self.rows.values().map(|row| row.record.clone()).collect()
    }

    pub(super) fn get(&self, schema: &TableSchema, ids: &[EntityId]) -> Vec<Record> {
        distinct(ids)
            .filter_map(|id| self.rows.get(id))
            .map(|row| row.shown(schema))
            .collect()
    }

    pub(super) fn app_rows(&self, schema: &TableSchema, ids: &[EntityId]) -> Vec<Record> {
        distinct(ids)
            .filter_map(|id| self.rows.get(id))
            .map(|row| row.whole(schema))
            .collect()
    }

    pub(super) fn app_rows_after(
        &self,
        schema: &TableSchema,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Vec<Record> {
        let rows = self.rows_after(after).take(limit as usize);
        rows.map(|(_, row)| row.whole(schema)).collect()
    }

    pub(super) fn put(&mut self, schema: &TableSchema, writes: &[RowWrite]) -> PutReport {
        let mut report = PutReport::default();
        let mut last = BTreeMap::new();
        for (index, write) in writes.iter().enumerate() {
            match accept::id_of(schema, &write.record) {
                Ok(id) => drop(last.insert(id, (index, write))),
                Err(reason) => report.rejected.push(Rejected { index, reason }),
            }
        }
        for (id, (index, write)) in last {
            let from_server = matches!(write.origin, RowOrigin::Server { .. });
            if let Some(reason) = accept::refusal(schema, &write.record, from_server) {
                report.rejected.push(Rejected { index, reason });
                continue;
            }
            self.write_row(schema, id.clone(), &write.record, from_server);
            if let RowOrigin::Server {
                version,
                generation,
            } = &write.origin
            {
                self.note(id, version.clone(), *generation);
            }
            report.written += 1;
        }
        report.rejected.sort_by_key(|rejected| rejected.index);
        report
    }

    pub(super) fn insert(
        &mut self,
        schema: &TableSchema,
        record: &Record,
    ) -> Result<bool, StoreError> {
        let refused = |reason| StoreError::new(StoreErrorKind::Constraint, reason);
        let id = accept::id_of(schema, record).map_err(refused)?;
        if self.rows.contains_key(&id) {
            return Ok(false);
        }
        if let Some(reason) = accept::refusal(schema, record, false) {
            return Err(refused(reason));
        }
        self.write_row(schema, id, record, false);
        Ok(true)
    }

    /// The record takes the row's place, except for local-only fields that it does not bring or
    /// may not write.
    fn write_row(
        &mut self,
        schema: &TableSchema,
        id: EntityId,
        record: &Record,
        from_server: bool,
    ) {
        let mut row = if from_server {
            without_local_only(schema, record)
        } else {
            record.clone()
        };
        if let Some(old) = self.rows.get(&id)
            && !(from_server && planted!(LocalOnlyCleared))
        {
            for column in schema.columns.iter().filter(|column| column.local_only) {
                let kept = old.record.get(&column.field);
                if let (Some(value), None) = (kept, row.get(&column.field)) {
                    row.fields_mut().insert(column.field.clone(), value.clone());
                }
            }
        }
        self.rows.insert(id, Arc::new(Row::new(schema, row)));
    }

    fn note(&mut self, id: EntityId, version: Option<Version>, generation: u32) {
        let before = self.known.get(&id).map_or(0, |known| known.generation);
        let known = Known {
            version,
            generation: generation.max(before),
        };
        self.known.insert(id, Arc::new(known));
    }

    pub(super) fn remove(&mut self, removals: &[Removal]) -> PutReport {
        let mut report = PutReport::default();
        for removal in removals {
            if self.rows.remove(&removal.id).is_some() {
                report.written += 1;
            }
            match &removal.tombstone {
                Some(version) => self.note(removal.id.clone(), Some(version.clone()), 0),
                None => drop(self.known.remove(&removal.id)),
            }
        }
        report
    }

    pub(super) fn versions(&self, ids: &[EntityId]) -> Vec<(EntityId, Option<Version>)> {
        distinct(ids)
            .filter_map(|id| Some((id.clone(), self.known.get(id)?.version.clone())))
            .collect()
    }

    pub(super) fn mark_seen(&mut self, generation: u32, ids: &[EntityId]) {
        for id in ids {
            if let Some(known) = self.known.get_mut(id).filter(|k| k.generation < generation) {
                Arc::make_mut(known).generation = generation;
            }
        }
    }

    pub(super) fn unseen(
        &self,
        generation: u32,
        after: Option<&EntityId>,
        limit: u32,
        has_op: impl Fn(&EntityId) -> bool,
    ) -> Vec<EntityId> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.known
            .range::<EntityId, _>((from, Bound::Unbounded))
            .filter(|(id, known)| known.generation < generation && self.rows.contains_key(*id))
            .map(|(id, _)| id)
            .filter(|id| !has_op(id))
            .take(limit as usize)
            .cloned()
            .collect()
    }

    pub(super) fn tombstone_rows(
        &self,
        schema: &TableSchema,
        before: &Version,
        after: Option<&EntityId>,
        limit: u32,
        is_busy: impl Fn(&EntityId) -> bool,
    ) -> Vec<(EntityId, Version)> {
        let Some(column) = schema.tombstone() else {
            return Vec::new();
        };
        let is_tombstone = |row: &Row| {
            let mark = row.record.get(&column.field);
            mark.is_some_and(|mark| !matches!(mark, Value::Null | Value::Bool(false)))
        };
        let old = self.rows_after(after).filter_map(|(id, row)| {
            let version = self.known.get(id)?.version.as_ref()?;
            let is_old = before.is_newer_than(version) && is_tombstone(row);
            is_old.then(|| (id.clone(), version.clone()))
        });
        old.filter(|(id, _)| !is_busy(id))
            .take(limit as usize)
            .collect()
    }

    pub(super) fn unclaimed(
        &self,
        after: Option<&EntityId>,
        limit: u32,
        has_op: impl Fn(&EntityId) -> bool,
    ) -> Vec<EntityId> {
        let ids = self.rows_after(after).map(|(id, _)| id);
        ids.filter(|id| !self.known.contains_key(*id) && !has_op(id))
            .take(limit as usize)
            .cloned()
            .collect()
    }

    pub(super) fn referred_to(
        &self,
        schema: &TableSchema,
        field: &str,
        ids: &[EntityId],
    ) -> Vec<EntityId> {
        if !schema.synced().any(|column| column.field == field) {
            return Vec::new();
        }
        let values = self.rows.values().filter_map(|row| row.record.get(field));
        let held: BTreeSet<EntityId> = values.filter_map(crate::record::id_of_value).collect();
        distinct(ids)
            .filter(|id| held.contains(*id))
            .cloned()
            .collect()
    }

    pub(super) fn misplaced(
        &self,
        schema: &TableSchema,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Vec<(EntityId, Vec<String>)> {
        let rows = self.rows_after(after);
        rows.map(|(id, row)| (id.clone(), row.misplaced(schema)))
            .filter(|(_, fields)| !fields.is_empty())
            .take(limit as usize)
            .collect()
    }

    fn rows_after(&self, after: Option<&EntityId>) -> impl Iterator<Item = (&EntityId, &Arc<Row>)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.rows.range::<EntityId, _>((from, Bound::Unbounded))
    }

    pub(super) fn count_synced(&self) -> u64 {
        let synced = self.known.keys().filter(|id| self.rows.contains_key(*id));
        synced.count() as u64
    }

    pub(super) fn forget_tombstones(&mut self, before: &Version) -> u64 {
        let count = self.known.len();
        self.known.retain(|id, known| {
            let older = known
                .version
                .as_ref()
                .is_some_and(|version| before.is_newer_than(version));
            !older || self.rows.contains_key(id)
        });
        (count - self.known.len()) as u64
    }
}

fn without_local_only(schema: &TableSchema, row: &Record) -> Record {
    let mut record = row.clone();
    for column in schema.columns.iter().filter(|column| column.local_only) {
        record.fields_mut().remove(&column.field);
    }
    record
}

/// What a set holds in the order asked for, each once.
pub(super) fn distinct<T: Ord>(set: &[T]) -> impl Iterator<Item = &T> {
    let mut seen = BTreeSet::new();
    set.iter().filter(move |item| seen.insert(*item))
}
