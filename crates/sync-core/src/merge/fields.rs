//! The top level of a record: system fields, the changed set, and what null means there.

use std::collections::BTreeSet;

use serde_json::Value;

use super::value::{Base, Merged, merge_value};
use super::{FieldMerge, MergeResult};
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
    preserving_merge_with(local, server, base, changed, |_| FieldMerge::Auto)
}

/// [`preserving_merge`], where some fields have a rule of their own for what both sides changed.
///
/// ```
/// use serde_json::json;
/// use sync_core::merge::{FieldMerge, preserving_merge_with};
///
/// # let object = |value: serde_json::Value| value.as_object().cloned().unwrap_or_default();
/// let base = object(json!({"id": "e1", "stock": 10}));
/// let local = object(json!({"id": "e1", "stock": 12}));
/// let server = object(json!({"id": "e1", "stock": 7}));
///
/// let merged = preserving_merge_with(&local, &server, Some(&base), None, |_| FieldMerge::SumDelta);
/// assert_eq!(merged.data["stock"], 9);
/// ```
#[must_use]
pub fn preserving_merge_with(
    local: &JsonMap,
    server: &JsonMap,
    base: Option<&JsonMap>,
    changed: Option<&ChangedFields>,
    rule: impl Fn(&str) -> FieldMerge,
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
                rule(field),
            ),
            _ => Merged::taken(theirs),
        };
        result.add(field, merged, mine, theirs);
    }
    result
}

/// One field that local may have changed. Here absent and null are the same: no value.
fn merge_field(
    local: &Value,
    server: Option<&Value>,
    base: Base<'_>,
    recorded: bool,
    rule: FieldMerge,
) -> Merged {
    if both_changed(local, server, base, recorded, rule)
        && let Some(settled) = rule.settle(local, non_null(server), base)
    {
        return settled;
    }
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

/// Did both sides change the field, to different values? Without a base both did that have one. Two
/// equal increments are two.
fn both_changed(
    local: &Value,
    server: Option<&Value>,
    base: Base<'_>,
    recorded: bool,
    rule: FieldMerge,
) -> bool {
    let differ =
        rule == FieldMerge::SumDelta || !same_optional(non_null(Some(local)), non_null(server));
    differ
        && match base {
            Base::Known(base) => {
                let base = non_null(base);
                let changed = |side: Option<&Value>| !same_optional(non_null(side), base);
                changed(Some(local)) && changed(server)
            }
            Base::Unknown => (recorded || !local.is_null()) && non_null(server).is_some(),
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
