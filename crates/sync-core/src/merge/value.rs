//! One value, by who changed it; and objects, key by key.

use std::collections::BTreeSet;

use serde_json::Value;

use super::list::merge_lists;
use crate::json::{JsonMap, MAX_DEPTH, clone_value, same_optional, same_value};
use crate::record::object_id;

/// What is known about the value that both sides started from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Base<'a> {
    /// There is no base: nobody knows who changed what.
    Unknown,
    /// The value in the base, or that it had none.
    Known(Option<&'a Value>),
}

/// A merged value; none if it is gone.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) value: Option<Value>,
    /// Somewhere in it a side lost something.
    pub(super) contested: bool,
}

impl Merged {
    /// One side's value, and nobody lost anything.
    pub(super) fn taken(value: Option<&Value>) -> Self {
        Self {
            value: value.map(clone_value),
            contested: false,
        }
    }

    /// A value in which nobody lost anything.
    pub(super) fn of(value: Value) -> Self {
        Self {
            value: Some(value),
            contested: false,
        }
    }

    /// One side's value, at the cost of the other's.
    pub(super) fn contested(value: Option<&Value>) -> Self {
        Self {
            contested: true,
            ..Self::taken(value)
        }
    }
}

/// Merges a value below the top level of a record, where absent is not null.
pub(super) fn merge_value(
    local: Option<&Value>,
    server: Option<&Value>,
    base: Base<'_>,
    depth: usize,
) -> Merged {
    if same_optional(local, server) {
        return Merged::taken(server);
    }
    let has_none = |side: Option<&Value>| side.is_none_or(Value::is_null);
    let own_base = match base {
        Base::Known(base) if same_optional(server, base) => return Merged::taken(local),
        Base::Known(base) if same_optional(local, base) => return Merged::taken(server),
        Base::Known(base) => base,
        Base::Unknown if has_none(local) => return Merged::taken(server),
        Base::Unknown if has_none(server) => return Merged::taken(local),
        Base::Unknown => None,
    };
    match (local, server) {
        (None, edited) => Merged::contested(edited),
        (Some(local), Some(server)) => merge_both(local, server, own_base, depth),
        (edited, None) => Merged::contested(edited),
    }
}

/// Both sides hold a value of their own. A base of another type says nothing about the inside of an object or a list.
fn merge_both(local: &Value, server: &Value, base: Option<&Value>, depth: usize) -> Merged {
    let inside = match (local, server) {
        _ if depth >= MAX_DEPTH => None,
        (Value::Object(local), Value::Object(server)) => {
            merge_objects(local, server, base.and_then(Value::as_object), depth)
        }
        (Value::Array(local), Value::Array(server)) => {
            let base = base.and_then(Value::as_array).map(Vec::as_slice);
            merge_lists(local, server, base, depth)
        }
        _ => None,
    };
    inside.unwrap_or_else(|| Merged::contested(Some(local)))
}

/// Merges key by key; none if the objects are two different things.
fn merge_objects(
    local: &JsonMap,
    server: &JsonMap,
    base: Option<&JsonMap>,
    depth: usize,
) -> Option<Merged> {
    if have_different_ids(local, server) {
        return None;
    }
    // both replaced the object: the old one tells nothing about the new one
    let base =
        base.filter(|base| !have_different_ids(base, local) && !have_different_ids(base, server));
    let keys: BTreeSet<&String> = server.keys().chain(local.keys()).collect();
    let mut merged = JsonMap::new();
    let mut contested = false;
    for key in keys {
        let base = base.map_or(Base::Unknown, |base| Base::Known(base.get(key)));
        let inner = merge_value(local.get(key), server.get(key), base, depth + 1);
        contested |= inner.contested;
        merged.extend(inner.value.map(|value| (key.clone(), value)));
    }
    Some(Merged {
        value: Some(Value::Object(merged)),
        contested,
    })
}

fn have_different_ids(left: &JsonMap, right: &JsonMap) -> bool {
    match (object_id(left), object_id(right)) {
        (Some(left), Some(right)) => !same_value(left, right),
        _ => false,
    }
}
