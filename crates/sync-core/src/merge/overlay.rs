//! The merges that need neither a base nor a changed set.

use serde_json::Value;

use crate::json::{JsonMap, MAX_DEPTH, clone_value};

/// The server's record, overlaid with the local fields that are not null. Nested values are replaced as a whole.
///
/// System fields are treated like any other; the engine takes them from the server afterwards.
///
/// ```
/// use serde_json::json;
/// use sync_core::merge::default_merge;
///
/// # let object = |value: serde_json::Value| value.as_object().cloned().unwrap_or_default();
/// let local = object(json!({"title": "mine", "notes": null}));
/// let server = object(json!({"title": "theirs", "notes": "kept", "mood": 5}));
/// let merged = default_merge(&local, &server);
/// assert_eq!(merged, object(json!({"title": "mine", "notes": "kept", "mood": 5})));
/// ```
#[must_use]
pub fn default_merge(local: &JsonMap, server: &JsonMap) -> JsonMap {
    let is_set = |field: &&String| !local.get(*field).is_none_or(Value::is_null);
    let kept = server.iter().filter(|(field, _)| !is_set(field));
    let set = local.iter().filter(|(_, value)| !value.is_null());
    kept.chain(set)
        .map(|(field, value)| (field.clone(), clone_value(value)))
        .collect()
}

/// The server's record with local laid over it at every depth: local wins, with its nulls. Lists are replaced as a whole.
///
/// System fields are treated like any other; the engine takes them from the server afterwards.
///
/// ```
/// use serde_json::json;
/// use sync_core::merge::deep_merge;
///
/// # let object = |value: serde_json::Value| value.as_object().cloned().unwrap_or_default();
/// let local = object(json!({"view": {"theme": "dark", "font": null}}));
/// let server = object(json!({"view": {"theme": "light", "font": "serif", "lang": "en"}}));
/// let merged = deep_merge(&local, &server);
/// assert_eq!(merged, object(json!({"view": {"theme": "dark", "font": null, "lang": "en"}})));
/// ```
#[must_use]
pub fn deep_merge(local: &JsonMap, server: &JsonMap) -> JsonMap {
    lay_over(local, server, 0)
}

fn lay_over(local: &JsonMap, server: &JsonMap, depth: usize) -> JsonMap {
    let kept = server.iter().filter(|(key, _)| !local.contains_key(*key));
    let mut merged: JsonMap = kept
        .map(|(key, value)| (key.clone(), clone_value(value)))
        .collect();
    for (key, local) in local {
        let value = match (local, server.get(key)) {
            (Value::Object(local), Some(Value::Object(server))) if depth < MAX_DEPTH => {
                Value::Object(lay_over(local, server, depth + 1))
            }
            _ => clone_value(local),
        };
        merged.insert(key.clone(), value);
    }
    merged
}
