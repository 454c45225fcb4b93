//! What an entity changes in a record that has more than its type knows.
//!
//! A type may know less of a value than the record has (a key within an object), or write it in
//! another form (a float of fewer digits, another offset of the same instant). So an entity is not
//! compared with the record but with the *baseline*: the same record as the type reads and writes
//! it. What differs from that was changed, and is laid over the record; the rest stays as it is.

use std::collections::HashMap;

use serde_json::Value;

use super::{SyncEntity, entity_of, record_of};
use crate::changed_fields::ChangedFields;
use crate::json::{
    ByValue, JsonMap, MAX_DEPTH, clone_value, same_field, same_optional, same_value,
};
use crate::record::{Record, object_id};
use crate::time::Timestamp;

/// A record with changes laid over it, and the fields in which it was changed.
pub(crate) type Patched = (Record, ChangedFields);

/// Lays a whole entity of type `T`, as a record, over a record; `None` if that is no `T`.
pub(crate) fn replaced<T: SyncEntity>(record: &Record, entity: &Record) -> Option<Patched> {
    let baseline = record_of(&entity_of::<T>(record.clone()).ok()?).ok()?;
    over::<T>(record, &baseline, entity.clone())
}

/// Lays a whole entity of type `T`, as a record, over a record, of which `T` makes this baseline.
/// Fields without a column that the entity does not have stay: they may be newer than it is.
pub(crate) fn over<T: SyncEntity>(
    record: &Record,
    baseline: &Record,
    mut entity: Record,
) -> Option<Patched> {
    let schema = T::schema().ok()?;
    for (name, value) in baseline.fields() {
        if schema.by_field(name).is_none() {
            let field = entity.fields_mut().entry(name);
            field.or_insert_with(|| clone_value(value));
        }
    }
    Some(patched(record, baseline, &entity))
}

/// Lays what differs between two versions of an entity over a record. A field that the later one
/// does not have was cleared.
pub(crate) fn patched(record: &Record, before: &Record, after: &Record) -> Patched {
    let (mut patched, mut changed) = (record.clone(), ChangedFields::new());
    let new = after.fields().keys();
    let new = new.filter(|name| before.get(name).is_none());
    for name in before.fields().keys().chain(new) {
        let (before, after) = (before.get(name), after.get(name));
        if !same_field(before, after) {
            let value = after.map_or(Value::Null, |after| {
                value(record.get(name), before, after, 0)
            });
            patched.fields_mut().insert(name.clone(), value);
            changed.insert(name);
        }
    }
    (patched, changed)
}

/// A value that was changed, or of which that is not known.
fn value(raw: Option<&Value>, before: Option<&Value>, after: &Value, depth: usize) -> Value {
    match (raw, before, after) {
        (Some(raw), Some(before), after) if same_value(before, after) => clone_value(raw),
        _ if depth >= MAX_DEPTH => clone_value(after),
        (Some(Value::Object(raw)), Some(Value::Object(before)), Value::Object(after))
            if same_optional(object_id(before), object_id(after)) =>
        {
            Value::Object(object(raw, before, after, depth))
        }
        (Some(Value::Array(raw)), Some(Value::Array(before)), Value::Array(after)) => {
            Value::Array(list(raw, before, after, depth))
        }
        _ => clone_value(after),
    }
}

/// Key by key; keys that the type does not know stay.
fn object(raw: &JsonMap, before: &JsonMap, after: &JsonMap, depth: usize) -> JsonMap {
    let is_gone = |key: &str| before.contains_key(key) && !after.contains_key(key);
    let kept = raw.iter().filter(|(key, _)| !is_gone(key));
    let mut patched: JsonMap = kept
        .map(|(key, value)| (key.clone(), clone_value(value)))
        .collect();
    for (key, after) in after {
        let (raw, before) = (raw.get(key), before.get(key));
        // What the type adds by itself, as a default, is no change.
        if !same_optional(before, Some(after)) {
            patched.insert(key.clone(), value(raw, before, after, depth + 1));
        }
    }
    patched
}

/// Element by element: those with an id by it, others where they are equal to one that was there.
fn list(raw: &[Value], before: &[Value], after: &[Value], depth: usize) -> Vec<Value> {
    let by_id: HashMap<_, _> = keys(raw).zip(raw).collect();
    let known = keys(before).zip(before).enumerate();
    let known: HashMap<_, _> = known
        .map(|(index, (key, before))| {
            let same = by_id.get(&key).copied();
            let at_its_place = || raw.get(index).filter(|raw| reads_as(raw, before));
            (key, (same.or_else(at_its_place), before))
        })
        .collect();
    let element = |(key, after)| match known.get(&key) {
        Some((raw, before)) => value(*raw, Some(before), after, depth + 1),
        None => clone_value(after),
    };
    keys(after).zip(after).map(element).collect()
}

/// What makes each element the same one in another list: its id, or else its value; and how many
/// of the same came before it.
fn keys(items: &[Value]) -> impl Iterator<Item = (bool, ByValue<'_>, usize)> {
    let mut seen: HashMap<_, usize> = HashMap::new();
    items.iter().map(move |item| {
        let id = item.as_object().and_then(object_id);
        let identity = (id.is_some(), ByValue(id.unwrap_or(item)));
        let count = seen.entry(identity).or_default();
        *count += 1;
        (identity.0, identity.1, *count)
    })
}

/// Can a type have made this element of the list out of the raw one? A type that has no order may
/// have put another one in its place.
fn reads_as(raw: &Value, element: &Value) -> bool {
    match (raw, element) {
        (Value::Object(raw), Value::Object(element)) => element
            .iter()
            .all(|(key, value)| raw.get(key).is_none_or(|raw| reads_as(raw, value))),
        (Value::Array(raw), Value::Array(element)) => {
            let mut pairs = raw.iter().zip(element);
            raw.len() == element.len() && pairs.all(|(raw, element)| reads_as(raw, element))
        }
        (Value::Number(raw), Value::Number(element)) if element.is_f64() => {
            let single = |number: &serde_json::Number| number.as_f64().map(|float| float as f32);
            single(raw) == single(element)
        }
        (Value::String(_), Value::String(_)) if raw != element => {
            let instants = (Timestamp::from_json(raw), Timestamp::from_json(element));
            matches!(instants, (Ok(raw), Ok(element)) if raw == element)
        }
        _ => same_value(raw, element),
    }
}

#[cfg(test)]
#[path = "patch_tests.rs"]
mod tests;
