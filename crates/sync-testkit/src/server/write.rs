//! One push: preconditions, the change itself, and answers kept by idempotency key.

use serde_json::Value;
use sync_core::Timestamp;
use sync_rest::wire::feature;

use super::settings::{Deletion, MockServerBuilder};
use super::state::{Fields, Row, State, stamp_names, tombstone_names};

/// What somebody wants to do to one record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Write {
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) change: Change,
    /// Does it name the fields that were changed? Then it may lack others.
    pub(crate) names_fields: bool,
    pub(crate) conditions: Conditions,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    Upsert(Fields),
    Delete,
}

/// Under which conditions.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Conditions {
    pub(crate) base: Option<Timestamp>,
    pub(crate) if_match: Option<String>,
    pub(crate) if_absent: bool,
    pub(crate) force: bool,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// Done; the record that is stored now, tombstone included.
    Stored {
        record: Option<Value>,
        tag: Option<String>,
        created: bool,
    },
    Conflict {
        /// 412 for a header's precondition, else 409.
        status: u16,
        current: Value,
        tag: Option<String>,
        stamp: Timestamp,
    },
    Missing,
}

/// An answer as it was given first, and to what.
#[derive(Debug, Clone)]
pub(crate) struct StoredAnswer {
    write: Write,
    outcome: Option<Outcome>,
}

impl State {
    /// Does the write, or repeats the answer that its key has already got.
    pub(crate) fn push(
        &mut self,
        settings: &MockServerBuilder,
        key: Option<&str>,
        write: &Write,
    ) -> Outcome {
        if let Some(stored) = key.and_then(|key| self.answers.get(key)) {
            let same = stored.write == *write;
            let replayed = stored.outcome.clone().filter(|_| !settings.ignore_keys);
            if !same {
                self.reused_keys.extend(key.map(str::to_owned));
            }
            if let Some(outcome) = replayed {
                return outcome;
            }
        }
        let outcome = self.apply(settings, write);
        let accepted = matches!(outcome, Outcome::Stored { .. });
        if accepted {
            let place = (write.kind.clone(), write.id.clone());
            *self.pushed.entry(place).or_default() += 1;
        }
        if let Some(key) = key {
            if accepted {
                *self.applied.entry(key.to_owned()).or_default() += 1;
            }
            let kept = accepted || settings.store_conflicts;
            let stored = StoredAnswer {
                write: write.clone(),
                outcome: kept.then(|| outcome.clone()),
            };
            self.answers.insert(key.to_owned(), stored);
        }
        outcome
    }

    fn apply(&mut self, settings: &MockServerBuilder, write: &Write) -> Outcome {
        let row = self.row(&write.kind, &write.id);
        if let Some(refusal) = refusal(settings, row, write) {
            return refusal;
        }
        let created = row.is_none_or(|row| row.deleted);
        let record = match &write.change {
            Change::Upsert(sent) => {
                let fields = fields_to_store(settings, row, write, sent, &self.clock.now());
                Some(self.put(settings, &write.kind, &write.id, fields))
            }
            Change::Delete => self.delete(settings, &write.kind, &write.id),
        };
        Outcome::Stored {
            record,
            tag: self.row(&write.kind, &write.id).map(Row::tag),
            created,
        }
    }
}

/// Why the write is not done, if it is not.
fn refusal(settings: &MockServerBuilder, row: Option<&Row>, write: &Write) -> Option<Outcome> {
    let conditions = &write.conditions;
    let deleting = write.change == Change::Delete;
    let Some(row) = row else {
        let expected = conditions.base.is_some() || conditions.if_match.is_some();
        return (deleting || (expected && !conditions.force)).then_some(Outcome::Missing);
    };
    if deleting && row.deleted && (conditions.force || conditions.base.is_none()) {
        return Some(Outcome::Missing);
    }
    let conflict = |status| Some(conflict(settings, row, status));
    if conditions.force {
        return if row.deleted && !settings.revives {
            conflict(409)
        } else {
            None
        };
    }
    if conditions.if_absent && settings.if_absent && !row.deleted {
        return conflict(412);
    }
    if conditions
        .if_match
        .as_ref()
        .is_some_and(|tag| *tag != row.tag())
    {
        return conflict(412);
    }
    if let Some(base) = &conditions.base
        && settings.checks_base
        && base.unix_nanos() != row.exact_nanos
    {
        return conflict(409);
    }
    match &write.change {
        Change::Delete if row.deleted => conflict(409),
        Change::Upsert(sent) if row.deleted => {
            let asks_back = conditions.base.is_none() || names_tombstone(settings, sent);
            if settings.revives && asks_back {
                None
            } else {
                conflict(409)
            }
        }
        Change::Upsert(_) | Change::Delete => None,
    }
}

/// Does the record say with a null that it is not deleted?
fn names_tombstone(settings: &MockServerBuilder, sent: &Fields) -> bool {
    tombstone_names(&settings.names)
        .into_iter()
        .any(|name| sent.get(name).is_some_and(Value::is_null))
}

fn conflict(settings: &MockServerBuilder, row: &Row, status: u16) -> Outcome {
    if row.deleted && settings.deletion != Deletion::Tombstone {
        return Outcome::Missing;
    }
    Outcome::Conflict {
        status,
        current: row.value(),
        tag: Some(row.tag()),
        stamp: row.stamp.clone(),
    }
}

/// The sender's fields; of the system fields only the names, whose values are the server's.
fn fields_to_store(
    settings: &MockServerBuilder,
    row: Option<&Row>,
    write: &Write,
    sent: &Fields,
    now: &Timestamp,
) -> Fields {
    let names = &settings.names;
    let ids = [names.id.as_str(), "id", "ID", "uuid"];
    let id_name = ids.into_iter().find(|name| sent.contains_key(*name));
    let created = [names.created.as_str(), "createdAt", "created_at"];
    let mut fields = Fields::new();
    fields.insert(
        id_name.unwrap_or(&names.id).to_owned(),
        Value::from(write.id.as_str()),
    );
    for (name, value) in sent {
        let name = name.as_str();
        let value = if stamp_names(names).contains(&name) || tombstone_names(names).contains(&name)
        {
            Value::Null
        } else if created.contains(&name) {
            let first = row
                .and_then(|row| row.fields.get(name))
                .filter(|time| !time.is_null());
            first.cloned().unwrap_or_else(|| {
                settings
                    .style_of(&write.kind)
                    .write(now.unix_nanos())
                    .to_json()
            })
        } else if ids.contains(&name)
            || name.starts_with('_')
            || matches!(name, "deletedAtLocal" | "deleted_at_local")
        {
            continue;
        } else {
            stored_value(settings, value)
        };
        fields.insert(name.to_owned(), value);
    }
    let declared = settings
        .features
        .iter()
        .any(|name| name == feature::CHANGED_FIELDS);
    if let Some(row) = row.filter(|row| write.names_fields && declared && !row.deleted) {
        for (name, value) in &row.fields {
            fields.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    fields
}

fn stored_value(settings: &MockServerBuilder, value: &Value) -> Value {
    match value {
        Value::String(text) if settings.normalises => Value::from(text.trim()),
        other => other.clone(),
    }
}
