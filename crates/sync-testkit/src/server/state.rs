//! What the server stores, and the verbs by which a test changes it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sync_core::{InvalidRecord, Record, Timestamp};

use super::clock::ServerClock;
use super::settings::{Deletion, FieldNames, MockServerBuilder};
use super::write::StoredAnswer;

pub(crate) type Fields = Map<String, Value>;

/// One stored record, live or tombstone.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// As it goes out, system fields included.
    pub(crate) fields: Fields,
    /// The stamp as it is shown.
    pub(crate) stamp: Timestamp,
    /// The stamp that preconditions are compared with, which may have more digits.
    pub(crate) exact_nanos: i128,
    /// Place in the order of writing, for opaque cursors and tags.
    pub(crate) sequence: u64,
    pub(crate) deleted: bool,
}

impl Row {
    /// The strong tag of this state of the record.
    pub(crate) fn tag(&self) -> String {
        format!("\"v{}\"", self.sequence)
    }

    pub(crate) fn value(&self) -> Value {
        Value::Object(self.fields.clone())
    }
}

/// Rows of one kind by id.
pub(crate) type Table = BTreeMap<String, Row>;

#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) clock: ServerClock,
    pub(crate) tables: BTreeMap<String, Table>,
    /// Answers by idempotency key.
    pub(crate) answers: BTreeMap<String, StoredAnswer>,
    /// How often each key took effect.
    pub(crate) applied: BTreeMap<String, u32>,
    /// How often a push took effect on each kind and id.
    pub(crate) pushed: BTreeMap<(String, String), u32>,
    /// Keys that came with other content than before.
    pub(crate) reused_keys: Vec<String>,
    /// Kinds in the order in which they changed.
    pub(crate) changes: Vec<String>,
    sequence: u64,
}

impl State {
    pub(crate) fn row(&self, kind: &str, id: &str) -> Option<&Row> {
        self.tables.get(kind)?.get(id)
    }

    /// The opaque cursor behind everything that was written so far.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Goes back to an earlier state. The clock and what a test counts are no part of a backup.
    pub(crate) fn restore(&mut self, backup: &Self) {
        let Self {
            tables,
            answers,
            sequence,
            ..
        } = backup.clone();
        self.changes.extend(tables.keys().cloned());
        self.tables = tables;
        self.answers = answers;
        self.sequence = sequence;
    }

    /// A record as given. What it has as a stamp is kept, readable or not.
    pub(crate) fn seed(
        &mut self,
        settings: &MockServerBuilder,
        kind: &str,
        record: Value,
    ) -> Result<(), InvalidRecord> {
        let (id, mut fields, deleted) = read(settings, record)?;
        let own = stamp_names(&settings.names)
            .into_iter()
            .filter_map(|name| fields.get(name))
            .find(|stamp| !stamp.is_null());
        let (stamp, exact_nanos) = match own.map(Timestamp::from_json) {
            Some(Ok(stamp)) => {
                self.clock.catch_up(stamp.unix_nanos());
                let exact_nanos = stamp.unix_nanos();
                (stamp, exact_nanos)
            }
            Some(Err(_)) => self.stamp(settings, kind),
            None => {
                let (stamp, exact_nanos) = self.stamp(settings, kind);
                put_stamp(&mut fields, &settings.names, &stamp);
                (stamp, exact_nanos)
            }
        };
        self.store(kind, &id, fields, stamp, exact_nanos, deleted);
        Ok(())
    }

    /// A row that appears with a stamp of the caller's choice: a transaction that committed late.
    pub(crate) fn commit_late(
        &mut self,
        settings: &MockServerBuilder,
        kind: &str,
        record: Value,
        stamp: Timestamp,
    ) -> Result<(), InvalidRecord> {
        let (id, mut fields, deleted) = read(settings, record)?;
        put_stamp(&mut fields, &settings.names, &stamp);
        let exact_nanos = stamp.unix_nanos();
        self.store(kind, &id, fields, stamp, exact_nanos, deleted);
        Ok(())
    }

    /// Somebody else's edit: these fields over what is there; a deleted record comes back.
    pub(crate) fn edit(
        &mut self,
        settings: &MockServerBuilder,
        kind: &str,
        id: &str,
        changes: Fields,
    ) -> Value {
        let mut fields = self
            .row(kind, id)
            .map_or_else(Fields::new, |row| row.fields.clone());
        fields
            .entry(settings.names.id.clone())
            .or_insert_with(|| Value::from(id));
        fields.extend(changes);
        self.put(settings, kind, id, fields)
    }

    /// Stores a live record of these fields with a new stamp.
    pub(crate) fn put(
        &mut self,
        settings: &MockServerBuilder,
        kind: &str,
        id: &str,
        mut fields: Fields,
    ) -> Value {
        let (stamp, exact_nanos) = self.stamp(settings, kind);
        put_stamp(&mut fields, &settings.names, &stamp);
        for name in tombstone_names(&settings.names) {
            if let Some(mark) = fields.get_mut(name) {
                *mark = Value::Null;
            }
        }
        self.store(kind, id, fields, stamp, exact_nanos, false)
            .value()
    }

    /// Deletes a live record as the settings want it; the tombstone, where one stays.
    pub(crate) fn delete(
        &mut self,
        settings: &MockServerBuilder,
        kind: &str,
        id: &str,
    ) -> Option<Value> {
        let mut fields = self.row(kind, id)?.fields.clone();
        if settings.deletion == Deletion::Hard {
            self.purge(kind, id);
            return None;
        }
        let (stamp, exact_nanos) = self.stamp(settings, kind);
        put_stamp(&mut fields, &settings.names, &stamp);
        let name = tombstone_names(&settings.names)
            .into_iter()
            .find(|name| fields.contains_key(*name))
            .unwrap_or(&settings.names.tombstone);
        fields.insert(name.to_owned(), stamp.to_json());
        let row = self.store(kind, id, fields, stamp, exact_nanos, true);
        Some(row.value())
    }

    /// Removes a record without a trace.
    pub(crate) fn purge(&mut self, kind: &str, id: &str) -> bool {
        let removed = self.tables.get_mut(kind).and_then(|table| table.remove(id));
        if removed.is_some() {
            self.sequence += 1;
            self.changes.push(kind.to_owned());
        }
        removed.is_some()
    }

    fn stamp(&mut self, settings: &MockServerBuilder, kind: &str) -> (Timestamp, i128) {
        let style = settings.style_of(kind);
        let instant = self.clock.tick(style, settings.coarse);
        let stamp = style.write(instant);
        let exact_nanos = if settings.hidden_precision {
            instant
        } else {
            stamp.unix_nanos()
        };
        (stamp, exact_nanos)
    }

    fn store(
        &mut self,
        kind: &str,
        id: &str,
        fields: Fields,
        stamp: Timestamp,
        exact_nanos: i128,
        deleted: bool,
    ) -> Row {
        self.sequence += 1;
        let row = Row {
            fields,
            stamp,
            exact_nanos,
            sequence: self.sequence,
            deleted,
        };
        let table = self.tables.entry(kind.to_owned()).or_default();
        table.insert(id.to_owned(), row.clone());
        self.changes.push(kind.to_owned());
        row
    }
}

/// Id, fields and whether it is a tombstone.
fn read(
    settings: &MockServerBuilder,
    record: Value,
) -> Result<(String, Fields, bool), InvalidRecord> {
    let record = Record::try_from(record)?;
    let id = match record.get(&settings.names.id).and_then(Value::as_str) {
        Some(id) => id.to_owned(),
        None => record.id()?.to_string(),
    };
    let marked = record.get(&settings.names.tombstone);
    let deleted = record.is_deleted() || marked.is_some_and(|mark| !mark.is_null());
    Ok((id, record.into_fields(), deleted))
}

/// Writes the stamp under the name that the record already uses.
fn put_stamp(fields: &mut Fields, names: &FieldNames, stamp: &Timestamp) {
    let name = stamp_names(names)
        .into_iter()
        .find(|name| fields.contains_key(*name))
        .unwrap_or(&names.stamp);
    fields.insert(name.to_owned(), stamp.to_json());
}

pub(crate) fn stamp_names(names: &FieldNames) -> [&str; 3] {
    [names.stamp.as_str(), "updatedAt", "updated_at"]
}

pub(crate) fn tombstone_names(names: &FieldNames) -> [&str; 3] {
    [names.tombstone.as_str(), "deletedAt", "deleted_at"]
}
