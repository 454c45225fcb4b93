//! The user's rows, and what is known of their versions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sync_core::store::{PutReport, Rejected, Removal, RowOrigin, RowWrite};
use sync_core::{EntityId, Record, StoreError, StoreErrorKind, TableSchema, Version};

use super::accept;
use super::state::distinct;

/// One table, and beside it what the server said about its entities.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Table {
    /// Whole rows: with the fields that have no column, and with those that stay on the device.
    rows: BTreeMap<EntityId, Record>,
    /// A tombstone that is remembered is one of these without a row.
    known: BTreeMap<EntityId, Known>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Known {
    version: Option<Version>,
    generation: u32,
}

impl Table {
    pub(super) const EMPTY: Self = Self {
        rows: BTreeMap::new(),
        known: BTreeMap::new(),
    };

    pub(super) fn get(&self, schema: &TableSchema, ids: &[EntityId]) -> Vec<Record> {
        let found = distinct(ids).filter_map(|id| self.rows.get(id));
        found
            .map(|row| without_local_only(schema, row.clone()))
            .collect()
    }

    pub(super) fn app_rows(&self, ids: &[EntityId]) -> Vec<Record> {
        let found = distinct(ids).filter_map(|id| self.rows.get(id));
        found.cloned().collect()
    }

    pub(super) fn app_rows_after(&self, after: Option<&EntityId>, limit: usize) -> Vec<Record> {
        let rows = self.after(after).take(limit);
        rows.map(|(_, row)| row.clone()).collect()
    }

    /// Writes what the table takes; what it refuses is reported and leaves no trace.
    pub(super) fn put(&mut self, schema: &TableSchema, writes: &[RowWrite]) -> PutReport {
        let mut report = PutReport::default();
        let mut reject = |index, reason| report.rejected.push(Rejected { index, reason });
        let mut last = BTreeMap::new();
        for (index, write) in writes.iter().enumerate() {
            match accept::id_of(schema, &write.record) {
                Ok(id) => drop(last.insert(id, (index, write))),
                Err(reason) => reject(index, reason),
            }
        }
        let mut written = 0;
        for (id, (index, write)) in last {
            match self.put_one(schema, id, write) {
                Ok(()) => written += 1,
                Err(reason) => reject(index, reason),
            }
        }
        report.rejected.sort_by_key(|rejected| rejected.index);
        report.written = written;
        report
    }

    fn put_one(
        &mut self,
        schema: &TableSchema,
        id: EntityId,
        write: &RowWrite,
    ) -> Result<(), String> {
        let record = match write.origin {
            RowOrigin::Local => write.record.clone(),
            // The server's word on what stays on the device is passed over.
            RowOrigin::Server { .. } => without_local_only(schema, write.record.clone()),
        };
        if let Some(reason) = accept::refusal(schema, &record) {
            return Err(reason);
        }
        self.place(schema, id.clone(), record);
        if let RowOrigin::Server {
            version,
            generation,
        } = &write.origin
        {
            self.note(id, version.clone(), *generation);
        }
        Ok(())
    }

    /// The record takes the row's place. What stays on the device and is not in it stays.
    fn place(&mut self, schema: &TableSchema, id: EntityId, mut record: Record) {
        let local_only = schema.columns.iter().filter(|column| column.local_only);
        for column in local_only {
            let kept = self.rows.get(&id).and_then(|row| row.get(&column.field));
            if let (Some(kept), None) = (kept, record.get(&column.field)) {
                record
                    .fields_mut()
                    .insert(column.field.clone(), kept.clone());
            }
        }
        self.rows.insert(id, record);
    }

    /// An unknown version replaces a better one; a generation never goes back.
    fn note(&mut self, id: EntityId, version: Option<Version>, generation: u32) {
        let before = self.known.get(&id).map_or(0, |known| known.generation);
        let generation = generation.max(before);
        self.known.insert(
            id,
            Known {
                version,
                generation,
            },
        );
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
        let write = RowWrite::local(record.clone());
        self.put_one(schema, id, &write).map_err(refused)?;
        Ok(true)
    }

    pub(super) fn remove(&mut self, removals: &[Removal]) -> PutReport {
        let mut report = PutReport::default();
        for Removal { id, tombstone } in removals {
            report.written += u64::from(self.rows.remove(id).is_some());
            match tombstone {
                Some(version) => self.note(id.clone(), Some(version.clone()), 0),
                None => drop(self.known.remove(id)),
            }
        }
        report
    }

    pub(super) fn versions(&self, ids: &[EntityId]) -> Vec<(EntityId, Option<Version>)> {
        let found = distinct(ids).filter_map(|id| Some((id, self.known.get(id)?)));
        found
            .map(|(id, known)| (id.clone(), known.version.clone()))
            .collect()
    }

    pub(super) fn mark_seen(&mut self, generation: u32, ids: &[EntityId]) {
        for id in ids {
            if let Some(known) = self.known.get_mut(id) {
                known.generation = known.generation.max(generation);
            }
        }
    }

    /// Rows of the server's that no pull of this generation has seen.
    pub(super) fn unseen(
        &self,
        generation: u32,
        after: Option<&EntityId>,
    ) -> impl Iterator<Item = &EntityId> {
        let rows = self.after(after).map(|(id, _)| id);
        rows.filter(move |id| {
            let known = self.known.get(*id);
            known.is_some_and(|known| known.generation < generation)
        })
    }

    pub(super) fn unclaimed(&self, after: Option<&EntityId>) -> impl Iterator<Item = &EntityId> {
        let rows = self.after(after).map(|(id, _)| id);
        rows.filter(|id| !self.known.contains_key(*id))
    }

    /// Those of these ids that some row names in this column.
    pub(super) fn referred_to(
        &self,
        schema: &TableSchema,
        field: &str,
        ids: &[EntityId],
    ) -> Vec<EntityId> {
        let has_column = schema.synced().any(|column| column.field == field);
        let values = self.rows.values().filter_map(|row| row.get(field));
        let named: BTreeSet<String> = values
            .filter(|_| has_column)
            .filter_map(|value| match value {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            })
            .collect();
        let wanted = distinct(ids).filter(|id| named.contains(id.as_str()));
        wanted.cloned().collect()
    }

    /// Rows with a field that its column does not take: rows are whole, so a field that was put when
    /// it had no column is where it belongs as soon as it has one, if it fits.
    pub(super) fn misplaced(
        &self,
        schema: &TableSchema,
        after: Option<&EntityId>,
        limit: usize,
    ) -> Vec<(EntityId, Vec<String>)> {
        let rows = self.after(after);
        rows.map(|(id, row)| (id.clone(), accept::misfits(schema, row)))
            .filter(|(_, fields)| !fields.is_empty())
            .take(limit)
            .collect()
    }

    /// Rows that say of themselves that they are deleted, older than a stamp.
    pub(super) fn tombstones(
        &self,
        schema: &TableSchema,
        before: &Version,
        after: Option<&EntityId>,
    ) -> impl Iterator<Item = (&EntityId, &Version)> {
        let field = schema.tombstone().map(|column| column.field.clone());
        self.after(after).filter_map(move |(id, row)| {
            let mark = row.get(field.as_ref()?)?;
            let is_deleted = !matches!(mark, Value::Null | Value::Bool(false));
            let version = self.known.get(id)?.version.as_ref()?;
            (is_deleted && before.is_newer_than(version)).then_some((id, version))
        })
    }

    pub(super) fn count_synced(&self) -> usize {
        let rows = self.rows.keys();
        rows.filter(|id| self.known.contains_key(*id)).count()
    }

    pub(super) fn forget_tombstones(&mut self, before: &Version) -> usize {
        let count = self.known.len();
        self.known.retain(|id, known| {
            let version = known.version.as_ref();
            let is_old = version.is_some_and(|version| before.is_newer_than(version));
            self.rows.contains_key(id) || !is_old
        });
        count - self.known.len()
    }

    /// In order of id, which is the order of a map's texts: by bytes.
    fn after(&self, after: Option<&EntityId>) -> impl Iterator<Item = (&EntityId, &Record)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.rows.range::<EntityId, _>((from, Bound::Unbounded))
    }
}

fn without_local_only(schema: &TableSchema, mut record: Record) -> Record {
    for column in schema.columns.iter().filter(|column| column.local_only) {
        record.fields_mut().remove(&column.field);
    }
    record
}
