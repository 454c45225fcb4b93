//! Lifting what was written under an older version of a table's schema (semantics 7).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::json::same_field;
use crate::op::Change;
use crate::record::Record;
use crate::system_fields::is_system_field;
use crate::version::ServerState;

/// The version of a table's schema that was never changed.
pub const FIRST_SCHEMA_VERSION: u32 = 1;

/// How a reason begins why something cannot be lifted; by it an operation is known again that was
/// set aside for no other reason.
pub(crate) const REASON: &str = "schema version ";

pub(crate) fn first_schema_version() -> u32 {
    FIRST_SCHEMA_VERSION
}

type Lift = dyn Fn(Record) -> Result<Record, String> + Send + Sync;

/// How records of one table are lifted from each version of its schema to the next;
/// [`crate::TableConfig::upcast`] fills it.
#[derive(Clone, Default)]
pub struct Upcasts {
    steps: BTreeMap<u32, Arc<Lift>>,
}

impl fmt::Debug for Upcasts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.steps.keys()).finish()
    }
}

impl Upcasts {
    pub(crate) fn add<F>(&mut self, from: u32, lift: F)
    where
        F: Fn(Record) -> Result<Record, String> + Send + Sync + 'static,
    {
        self.steps.insert(from, Arc::new(lift));
    }

    /// The version under which records are written now: one more than the last step lifts from.
    #[must_use]
    pub fn current(&self) -> u32 {
        let last = self.steps.keys().next_back();
        last.map_or(FIRST_SCHEMA_VERSION, |last| last.saturating_add(1))
    }

    /// What is wrong with the steps as a whole: each version but the last needs one, from the
    /// oldest that the app still knows.
    pub(crate) fn problem(&self) -> Option<String> {
        let first = *self.steps.keys().next()?;
        if first < FIRST_SCHEMA_VERSION {
            return Some(format!(
                "upcast from version {first}: versions begin at {FIRST_SCHEMA_VERSION}"
            ));
        }
        let missing = (first..self.current()).find(|version| !self.steps.contains_key(version))?;
        Some(format!(
            "no upcast from version {missing}, although there is one from an older and one from a \
             newer version: add it; it may return the record as it is"
        ))
    }

    fn known(&self, version: u32) -> Result<(), String> {
        let current = self.current();
        if version <= current {
            return Ok(());
        }
        Err(format!(
            "{REASON}{version} is newer than this app knows ({current}): update the app"
        ))
    }

    /// A record of version `from` as one of the present version, or why that cannot be.
    pub(crate) fn record(&self, from: u32, record: &Record) -> Result<Record, String> {
        self.known(from)?;
        let current = self.current();
        let mut lifted = record.clone();
        for version in from..current {
            let failed = |why: &str| {
                let next = version + 1;
                format!("{REASON}{version} cannot be lifted to {next}: {why}")
            };
            let step = self.steps.get(&version);
            let step = step.ok_or_else(|| failed("this app has no upcast from it any more"))?;
            lifted = catch_unwind(AssertUnwindSafe(|| step(lifted)))
                .map_err(|_panic| failed("the upcast panicked"))?
                .map_err(|error| failed(&error))?;
        }
        if lifted.id().ok() != record.id().ok() {
            return Err(format!(
                "{REASON}{from} cannot be lifted: the upcast changes the id"
            ));
        }
        Ok(lifted)
    }

    /// A state of the server. What is shown of a deleted record is nobody's to merge, so it stays
    /// as it was where it cannot be lifted.
    pub(crate) fn state(&self, from: u32, state: &ServerState) -> Result<ServerState, String> {
        let mut lifted = state.clone();
        match &mut lifted {
            ServerState::Live { record, .. } => *record = self.record(from, record)?,
            ServerState::Deleted {
                record: Some(record),
                ..
            } => {
                if let Ok(tombstone) = self.record(from, record) {
                    *record = tombstone;
                }
            }
            ServerState::Deleted { record: None, .. } | ServerState::Absent => {}
        }
        Ok(lifted)
    }

    /// An edit with the fields that it changed; `before` is the record that it was made on, of the
    /// same version, where it is known.
    pub(crate) fn change(
        &self,
        from: u32,
        change: &Change,
        before: Option<&Record>,
    ) -> Result<Change, String> {
        let Change::Upsert { payload, changed } = change else {
            // There is nothing in it to lift, but its version must be one that is known.
            return self.known(from).map(|()| Change::Delete);
        };
        let lifted = self.record(from, payload)?;
        let changed = changed.as_ref().map(|changed| {
            let names = changed.iter();
            let names = names.flat_map(|name| self.changed(from, name, payload, &lifted, before));
            names.collect()
        });
        Ok(Change::Upsert {
            payload: lifted,
            changed,
        })
    }

    /// What became of one changed field: itself if it is still there, and every field whose value
    /// is made of it. That is found by lifting the record without it, and with its former value.
    fn changed(
        &self,
        from: u32,
        name: &str,
        payload: &Record,
        lifted: &Record,
        before: Option<&Record>,
    ) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        if lifted.get(name).is_some() {
            found.insert(name.to_owned());
        }
        let mut others = vec![payload.clone()];
        if let Some(former) = before.and_then(|before| before.get(name)) {
            let mut other = payload.clone();
            other.fields_mut().insert(name.to_owned(), former.clone());
            others.push(other);
        }
        others[0].fields_mut().remove(name);
        for other in others {
            if let Ok(other) = self.record(from, &other) {
                let fields = lifted.fields().keys();
                let differ = fields.filter(|field| {
                    !is_system_field(field) && !same_field(lifted.get(field), other.get(field))
                });
                found.extend(differ.cloned());
            }
        }
        if found.is_empty() {
            // It went, and nothing tells what it became: rather too many than too few.
            let new = lifted.fields().keys();
            let new = new.filter(|field| payload.get(field).is_none() && !is_system_field(field));
            found.extend(new.cloned());
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(value: serde_json::Value) -> Record {
        Record::try_from(value).unwrap()
    }

    /// `done: bool` becomes `status: String`; then `title` is split in two.
    fn upcasts() -> Upcasts {
        let mut upcasts = Upcasts::default();
        upcasts.add(1, |mut record| {
            let done = record.fields_mut().remove("done");
            let status = if done == Some(json!(true)) {
                "done"
            } else {
                "open"
            };
            record
                .fields_mut()
                .insert("status".to_owned(), json!(status));
            Ok(record)
        });
        upcasts.add(2, |mut record| {
            let title = record.get("title").and_then(|title| title.as_str());
            let title = title.ok_or("no title")?.to_owned();
            let (first, last) = title.split_once(' ').unwrap_or((&title, ""));
            let parts = [
                ("first".to_owned(), json!(first)),
                ("last".to_owned(), json!(last)),
            ];
            record.fields_mut().remove("title");
            record.fields_mut().extend(parts);
            Ok(record)
        });
        upcasts
    }

    fn names(change: &Change) -> Vec<&str> {
        match change {
            Change::Upsert {
                changed: Some(changed),
                ..
            } => changed.iter().collect(),
            _ => panic!("no set of changed fields: {change:?}"),
        }
    }

    fn edit(payload: serde_json::Value, changed: &[&str]) -> Change {
        Change::Upsert {
            payload: record(payload),
            changed: Some(changed.iter().copied().collect()),
        }
    }

    #[test]
    fn a_record_is_lifted_through_every_step() {
        let old = record(json!({"id": "1", "done": true, "title": "Ada L", "colour": "red"}));
        let lifted = upcasts().record(1, &old).unwrap();
        let wanted =
            json!({"id": "1", "status": "done", "first": "Ada", "last": "L", "colour": "red"});
        assert_eq!(lifted, record(wanted));
        assert_eq!(upcasts().current(), 3);
        assert_eq!(upcasts().record(3, &old).unwrap(), old);
    }

    #[test]
    fn a_renamed_field_stays_changed() {
        let before = record(json!({"id": "1", "done": false, "title": "Ada L", "mood": 1}));
        let change = edit(
            json!({"id": "1", "done": true, "title": "Ada L", "mood": 1}),
            &["done", "mood"],
        );
        let lifted = upcasts().change(1, &change, Some(&before)).unwrap();
        assert_eq!(names(&lifted), ["mood", "status"]);
        // Without the former value, and for one that is the new field's default too.
        let change = edit(
            json!({"id": "1", "done": false, "title": "Ada L"}),
            &["done"],
        );
        assert!(names(&upcasts().change(1, &change, None).unwrap()).contains(&"status"));
        let split = edit(
            json!({"id": "1", "done": false, "title": "Eve K"}),
            &["title"],
        );
        let lifted = upcasts().change(1, &split, Some(&before)).unwrap();
        assert_eq!(names(&lifted), ["first", "last"]);
    }

    #[test]
    fn an_upcast_that_errs_or_panics_is_told_with_its_version() {
        let untitled = record(json!({"id": "1"}));
        let error = upcasts().record(1, &untitled).unwrap_err();
        assert_eq!(error, "schema version 2 cannot be lifted to 3: no title");
        let mut panics = Upcasts::default();
        panics.add(1, |record| {
            Ok(record.get("x").unwrap().to_string()).map(|_| record)
        });
        let error = panics.record(1, &untitled).unwrap_err();
        assert!(error.contains("the upcast panicked"), "{error}");
        let mut renames = Upcasts::default();
        renames.add(1, |_| Ok(record(json!({"id": "2"}))));
        assert!(
            renames
                .record(1, &untitled)
                .unwrap_err()
                .contains("changes the id")
        );
    }

    #[test]
    fn a_newer_version_is_refused() {
        let new = record(json!({"id": "1"}));
        let error = upcasts().record(4, &new).unwrap_err();
        assert_eq!(
            error,
            "schema version 4 is newer than this app knows (3): update the app"
        );
        assert!(upcasts().change(4, &Change::Delete, None).is_err());
        assert_eq!(
            upcasts().change(1, &Change::Delete, None),
            Ok(Change::Delete)
        );
    }

    #[test]
    fn the_tombstone_of_a_deleted_record_holds_nobody_up() {
        let record = Some(record(
            json!({"id": "1", "deleted_at": "2026-03-01T12:00:00Z"}),
        ));
        let deleted = ServerState::Deleted {
            record,
            version: None,
        };
        assert_eq!(upcasts().state(2, &deleted), Ok(deleted));
    }

    #[test]
    fn a_gap_between_the_steps_is_a_fault() {
        let mut gap = Upcasts::default();
        assert_eq!(gap.problem(), None);
        gap.add(2, Ok);
        assert_eq!(gap.problem(), None);
        gap.add(4, Ok);
        assert!(gap.problem().unwrap().contains("version 3"));
        let mut zero = Upcasts::default();
        zero.add(0, Ok);
        assert!(zero.problem().is_some());
    }
}
