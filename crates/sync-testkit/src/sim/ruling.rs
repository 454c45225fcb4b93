//! What the rule of a field promises of a single decision (I8). What it promises of the end of a
//! world is in `check::ruled`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sync_core::json::{JsonMap, same_field};
use sync_core::{Conflict, FieldMerge, Record, Resolution, SyncEvent};

use super::check::Violation;
use super::schedule::Strategy;
use super::updates;
use super::world::World;

/// What a decision says of one field.
struct Field<'a> {
    local: &'a Value,
    server: &'a Value,
    base: &'a Value,
    /// What it ends as.
    merged: &'a Value,
    /// Was it named as one of which a side lost something?
    is_named: bool,
}

impl Field<'_> {
    /// Is what the rule promises kept? `None`: this says nothing of the rule. Else how it is called.
    fn judge(&self, rule: FieldMerge) -> Option<Result<&'static str, String>> {
        let same = |one: &Value, other: &Value| same_field(Some(one), Some(other));
        let both_changed = !same(self.local, self.base) && !same(self.server, self.base);
        let differ = rule == FieldMerge::SumDelta || !same(self.local, self.server);
        if !both_changed || !differ {
            return None;
        }
        let (class, is_right) = match rule {
            FieldMerge::Local => (
                "field kept here by rule",
                same(self.merged, self.local) && self.is_named,
            ),
            FieldMerge::Server => (
                "field kept there by rule",
                same(self.merged, self.server) && self.is_named,
            ),
            FieldMerge::Max | FieldMerge::Min => {
                let (least, greatest) = in_order(self.local, self.server)?;
                let (class, wanted) = if rule == FieldMerge::Max {
                    ("greatest kept by rule", greatest)
                } else {
                    ("least kept by rule", least)
                };
                (class, same(self.merged, wanted) && !self.is_named)
            }
            FieldMerge::SumDelta => {
                // Of a value that somebody cleared there is no increment.
                let increment = self.local.as_i64()? - number(self.base)?;
                let sum = self.server.as_i64()? + increment;
                let is_sum = self.merged.as_i64() == Some(sum);
                ("increments added by rule", is_sum && !self.is_named)
            }
            FieldMerge::Union => ("both united by rule", self.is_united()?),
            _ => return None,
        };
        Some(is_right.then_some(class).ok_or_else(|| {
            let Self {
                local,
                server,
                base,
                merged,
                is_named,
            } = self;
            format!(
                "{rule:?} of {local} here and {server} there, both made of {base}, is {merged} (named: {is_named})"
            )
        }))
    }

    fn is_united(&self) -> Option<bool> {
        match (self.local, self.server, self.merged) {
            (Value::Array(local), Value::Array(server), Value::Array(merged)) => {
                let set = |list: &[Value]| list.iter().map(Value::to_string).collect();
                let mut wanted: BTreeSet<String> = set(local);
                wanted.extend(set(server) as BTreeSet<String>);
                Some(set(merged) == wanted && merged.len() == wanted.len())
            }
            (Value::Object(local), Value::Object(server), Value::Object(merged)) => {
                let mut wanted = server.clone();
                wanted.extend(local.clone());
                let mut common = local.iter().filter(|(key, _)| server.contains_key(*key));
                let differs = common.any(|(key, value)| server.get(key) != Some(value));
                Some(*merged == wanted && self.is_named == differs)
            }
            (Value::Array(_), Value::Array(_), _) | (Value::Object(_), Value::Object(_), _) => {
                Some(false)
            }
            _ => None,
        }
    }
}

/// The smaller and the greater of two numbers, or of two texts.
pub(super) fn in_order<'a>(one: &'a Value, other: &'a Value) -> Option<(&'a Value, &'a Value)> {
    let is_less = match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64()? < other.as_f64()?,
        (Value::String(one), Value::String(other)) => one < other,
        _ => return None,
    };
    Some(if is_less { (one, other) } else { (other, one) })
}

/// A number from which somebody counts on; nothing counts as 0.
pub(super) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Null => Some(0),
        other => other.as_i64(),
    }
}

/// What somebody decided about a conflict, with the names that everybody knows.
struct Decided {
    local: JsonMap,
    server: JsonMap,
    base: JsonMap,
    merged: JsonMap,
    changed: Option<BTreeSet<String>>,
    named: BTreeSet<String>,
}

impl Decided {
    /// `None`: no two live records with a known base were merged.
    fn of(conflict: &Conflict, resolution: &Resolution, contested: &[String]) -> Option<Self> {
        let new = |record: &Record| {
            let mut fields = record.fields().clone();
            updates::to_new(&conflict.kind, &mut fields);
            fields
        };
        let server = new(conflict.server_record()?);
        let merged = match resolution {
            Resolution::AcceptMerged(merged) => new(merged),
            Resolution::AcceptServer => server.clone(),
            _ => return None,
        };
        let name = |field: &str| updates::new_name(field).to_owned();
        let changed = conflict.changed_fields.as_ref();
        Some(Self {
            local: new(conflict.local.as_ref()?),
            server,
            base: new(conflict.base_record()?),
            merged,
            changed: changed.map(|changed| changed.iter().map(name).collect()),
            named: contested.iter().map(|field| name(field)).collect(),
        })
    }

    fn field<'a>(&'a self, name: &str) -> Option<Field<'a>> {
        let is_changed = self.changed.as_ref().is_none_or(|own| own.contains(name));
        let of = |record: &'a JsonMap| record.get(name).unwrap_or(&Value::Null);
        let local = self.local.get(name).filter(|_| is_changed)?;
        Some(Field {
            local,
            server: of(&self.server),
            base: of(&self.base),
            merged: of(&self.merged),
            is_named: self.named.contains(name),
        })
    }
}

impl World<'_> {
    /// I8: what both sides changed was settled as the field's rule says.
    pub(super) fn judge_rules(&mut self, client: usize, event: &SyncEvent) {
        let SyncEvent::ConflictResolved {
            conflict,
            resolution,
            contested_fields,
        } = event
        else {
            return;
        };
        let key = (conflict.kind.clone(), conflict.entity_id.clone());
        let settled = self.table_settled_by(client, &key, Strategy::AutoPreserve);
        let Some(table) = settled else {
            return;
        };
        let Some(decided) = Decided::of(conflict, resolution, contested_fields) else {
            return;
        };
        let name = self.clients[client].name();
        let mut told: BTreeMap<&str, Result<&'static str, String>> = BTreeMap::new();
        for (field, _, _) in &table.fields {
            let judged = decided.field(field);
            let judged = judged.and_then(|judged| judged.judge(table.rule(field)));
            told.extend(judged.map(|judged| (field.as_str(), judged)));
        }
        for (field, judged) in told {
            match judged {
                Ok(class) => self.lock().counters.count(class),
                Err(text) => self.fail(Violation::new("I8", text).of(field).of(&key.1).of(name)),
            }
        }
    }
}
