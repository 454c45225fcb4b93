//! What users did: the measure of what must not be lost.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sync_core::json::JsonMap;

use super::ruled::Tally;
use crate::sim::server::Key;
use crate::sim::tables::{Parts, SimTable};

/// Who did something: a client, or another app on the server.
pub(crate) type Writer = Option<u8>;

/// What was done to one record.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Each value that somebody wrote into a part, with the value that the writer saw there.
    pub(crate) edits: BTreeMap<String, Vec<(Value, Value)>>,
    pub(crate) added: BTreeMap<String, BTreeSet<String>>,
    pub(crate) removed: BTreeMap<String, BTreeSet<String>>,
    /// What each deletion took away knowingly.
    pub(crate) deleted: Vec<Parts>,
    pub(crate) writers: BTreeSet<Writer>,
    /// What waited in a database that was copied: the copy may bring it back after it was replaced.
    pub(crate) copied: Vec<Parts>,
    /// How often it came into being.
    pub(crate) creations: u32,
    /// What was added to fields that add up.
    pub(crate) tallies: BTreeMap<String, Tally>,
    /// What the last of them left: `None` = deleted.
    pub(crate) last: Option<JsonMap>,
    /// Something was given up by name, or cannot be kept by this server: nothing is concluded from
    /// what the record ends as, but that all agree.
    pub(crate) is_loose: bool,
}

/// What users did to all records.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) records: BTreeMap<Key, Record>,
    /// Fields that an event named as contested.
    pub(crate) contested: BTreeSet<(Key, String)>,
    /// Events that were not told because the process died first.
    pub(crate) events_lost: bool,
}

impl Record {
    /// Did this value wait in a database that was copied?
    pub(crate) fn was_copied(&self, part: &str, value: &Value) -> bool {
        let mut copied = self.copied.iter();
        copied.any(|parts| parts.plain.get(part).unwrap_or(&Value::Null) == value)
    }

    /// Was this element in a list that was copied?
    pub(crate) fn element_was_copied(&self, list: &str, element: &String) -> bool {
        let mut copied = self.copied.iter().filter_map(|parts| parts.lists.get(list));
        copied.any(|list| list.contains(element))
    }
}

impl Ledger {
    fn record(&mut self, key: &Key) -> &mut Record {
        self.records.entry(key.clone()).or_default()
    }

    pub(crate) fn wrote(
        &mut self,
        table: &SimTable,
        key: &Key,
        writer: Writer,
        before: Option<&JsonMap>,
        edit: &JsonMap,
    ) {
        let record = self.record(key);
        record.writers.insert(writer);
        let mut after = before.cloned().unwrap_or_default();
        after.extend(edit.clone());
        record.count(table, before, &after);
        let old = table.parts(&before.cloned().unwrap_or_default());
        let new = table.parts(&after);
        record.last = Some(after);
        for (part, value) in new.plain {
            let seen = old.plain.get(&part).cloned().unwrap_or(Value::Null);
            if seen != value {
                record.edits.entry(part).or_default().push((seen, value));
            }
        }
        for (list, elements) in new.lists {
            let seen: BTreeSet<String> = old
                .lists
                .get(&list)
                .into_iter()
                .flatten()
                .cloned()
                .collect();
            let elements: BTreeSet<String> = elements.into_iter().collect();
            let added = elements.difference(&seen).cloned();
            record.added.entry(list.clone()).or_default().extend(added);
            let removed = seen.difference(&elements).cloned();
            record.removed.entry(list).or_default().extend(removed);
        }
    }

    pub(crate) fn deleted(
        &mut self,
        table: &SimTable,
        key: &Key,
        writer: Writer,
        before: &JsonMap,
    ) {
        let parts = table.parts(before);
        let record = self.record(key);
        record.writers.insert(writer);
        record.deleted.push(parts);
        record.last = None;
    }

    pub(crate) fn copied(&mut self, key: &Key, parts: Parts) {
        self.record(key).copied.push(parts);
    }

    pub(crate) fn loosen(&mut self, key: &Key) {
        self.record(key).is_loose = true;
    }
}
