//! The top level of a record: system fields, the changed set, and what null means there.

use std::collections::BTreeSet;

use serde_json::Value;

use super::MergeResult;
use super::value::{Base, Merged, merge_value};
use crate::changed_fields::ChangedFields;
use crate::json::{JsonMap, clone_value, non_null, same_optional};
use crate::system_fields::is_system_field;

/// Merges so that no change of either side is lost, except where both changed the same value: then local's is kept and the field
/// is named in [`MergeResult::contested_fields`]. The rules are in the [module documentation](super).
///
/// `base` is the record that both sides started from, if it is known. `changed` holds the fields that the user changed, if they
/// were recorded; without it they are found by comparing with the base, and without either every local field that is not null counts.
///
/// ```
/// use serde_json::json;
/// use sync_core::merge::preserving_merge;
///
/// # let object = |value: serde_json::Value| value.as_object().cloned().unwrap_or_default();
/// let base = object(json!({"id": "e1", "title": "Milk", "mood": 3, "tags": ["a", "b"]}));
/// let local = object(json!({"id": "e1", "title": "Oat milk", "mood": 4, "tags": ["a", "b", "x"]}));
/// let server = object(json!({"id": "e1", "title": "Milk", "mood": 5, "tags": ["b"]}));
///
/// let merged = preserving_merge(&local, &server, Some(&base), None);
/// assert_eq!(merged.data, object(json!({"id": "e1", "title": "Oat milk", "mood": 4, "tags": ["b", "x"]})));
/// assert!(merged.contested_fields.iter().eq(["mood"]));
/// ```
#[must_use]
pub fn preserving_merge(
    local: &JsonMap,
    server: &JsonMap,
    base: Option<&JsonMap>,
    changed: Option<&ChangedFields>,
) -> MergeResult {
    let fields: BTreeSet<&String> = server.keys().chain(local.keys()).collect();
    let mut result = MergeResult::default();
    for field in fields {
        let (theirs, mine) = (server.get(field), local.get(field));
        if is_system_field(field) {
            result
                .data
                .extend(theirs.map(|value| (field.clone(), clone_value(value))));
            continue;
        }
        let recorded = changed.map(|changed| changed.contains(field));
        let merged = match mine {
            Some(mine) if recorded != Some(false) => merge_field(
                mine,
                theirs,
                base.map_or(Base::Unknown, |base| Base::Known(base.get(field))),
                recorded == Some(true),
            ),
            _ => Merged::taken(theirs),
        };
        result.add(field, merged, mine, theirs);
    }
    result
}

/// One field that local may have changed. Here absent and null are the same: no value.
fn merge_field(local: &Value, server: Option<&Value>, base: Base<'_>, recorded: bool) -> Merged {
    if local.is_null() {
        return clear_field(server, base, recorded);
    }
    let base = match base {
        Base::Known(base) => Base::Known(non_null(base)),
        Base::Unknown => Base::Unknown,
    };
    let merged = merge_value(Some(local), non_null(server), base, 0);
    if merged.value.is_none() {
        Merged::taken(server)
    } else {
        merged
    }
}

/// A local null clears the field only if it is known to be a change: against a base, or because it was recorded.
fn clear_field(server: Option<&Value>, base: Base<'_>, recorded: bool) -> Merged {
    let is_contested = match base {
        Base::Known(base) if non_null(base).is_none() || non_null(server).is_none() => {
            return Merged::taken(server);
        }
        Base::Known(base) => !same_optional(server, base),
        Base::Unknown if recorded => non_null(server).is_some(),
        Base::Unknown => return Merged::taken(server),
    };
    Merged {
        value: Some(Value::Null),
        contested: is_contested,
    }
}

impl MergeResult {
    /// Puts a merged field into the result and names those it came from.
    fn add(&mut self, field: &str, merged: Merged, local: Option<&Value>, server: Option<&Value>) {
        if merged.contested {
            self.contested_fields.insert(field.to_owned());
        }
        let Some(value) = merged.value else { return };
        let is_servers = same_optional(Some(&value), server);
        let is_locals = !is_servers && same_optional(Some(&value), local);
        if !is_servers {
            self.local_fields.insert(field.to_owned());
        }
        if !is_locals {
            self.server_fields.insert(field.to_owned());
        }
        self.data.insert(field.to_owned(), value);
    }
}
