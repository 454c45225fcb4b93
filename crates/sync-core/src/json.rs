//! Equality of JSON values as the sync rules understand it.
//!
//! - Numbers are equal by value: `1` = `1.0`, `0` = `-0.0`. Integers are exact to 64 bits and never pass through a float.
//! - `true` is not `1`, and `"1"` is not `1`.
//! - Objects are equal regardless of key order; inside an object an absent key is not the same as `null`.
//! - At the top level of a record an absent field and a `null` one are the same: see [`same_field`].
//!
//! Nothing in here recurses, so a value nested thousands of levels deep costs no stack. (Dropping or cloning such a value by the
//! ordinary means does recurse, inside `serde_json`. Its parser refuses more than 128 levels, so only values built by hand get there.)

use std::hash::{Hash, Hasher};
use std::mem;

use serde_json::{Number, Value};

/// A JSON object, as records, payloads and merge results are.
pub type JsonMap = serde_json::Map<String, Value>;

/// Objects and lists nested deeper than this are merged and changed as a whole. It bounds the stack, and equals what `serde_json` parses.
pub(crate) const MAX_DEPTH: usize = 128;

/// Whether two values are the same by the rules of [this module](self).
///
/// ```
/// use serde_json::json;
/// use sync_core::json::same_value;
///
/// assert!(same_value(&json!({"n": 1, "m": [0]}), &json!({"m": [-0.0], "n": 1.0})));
/// assert!(!same_value(&json!(9007199254740993_u64), &json!(9007199254740992.0)));
/// assert!(!same_value(&json!({"a": null}), &json!({})));
/// ```
#[must_use]
pub fn same_value(left: &Value, right: &Value) -> bool {
    let mut waiting = Vec::new();
    let mut next = Some((left, right));
    while let Some(pair) = next {
        let same = match pair {
            (Value::Number(left), Value::Number(right)) => {
                NumberValue::of(left) == NumberValue::of(right)
            }
            (Value::Array(left), Value::Array(right)) => {
                waiting.extend(left.iter().zip(right));
                left.len() == right.len()
            }
            (Value::Object(left), Value::Object(right)) => pair_up(left, right, &mut waiting),
            (left, right) => left == right, // null, bool, text, or two of different kinds
        };
        if !same {
            return false;
        }
        next = waiting.pop();
    }
    true
}

/// Whether two objects are the same by the rules of [this module](self).
///
/// ```
/// use sync_core::json::{JsonMap, same_object};
///
/// assert!(same_object(&JsonMap::new(), &JsonMap::new()));
/// ```
#[must_use]
pub fn same_object(left: &JsonMap, right: &JsonMap) -> bool {
    let mut pairs = Vec::new();
    pair_up(left, right, &mut pairs)
        && pairs
            .into_iter()
            .all(|(left, right)| same_value(left, right))
}

/// Whether two records hold the same value in a top-level field, where absent and `null` are one.
///
/// ```
/// use serde_json::json;
/// use sync_core::json::same_field;
///
/// assert!(same_field(None, Some(&json!(null))));
/// assert!(!same_field(None, Some(&json!(""))));
/// ```
#[must_use]
pub fn same_field(left: Option<&Value>, right: Option<&Value>) -> bool {
    same_optional(non_null(left), non_null(right))
}

/// Like [`same_value`] where either side may be absent, and absent is not `null`.
pub(crate) fn same_optional(left: Option<&Value>, right: Option<&Value>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => same_value(left, right),
        (left, right) => left.is_none() && right.is_none(),
    }
}

/// A top-level field as the rules see it: `null` is no value.
pub(crate) fn non_null(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| !value.is_null())
}

/// Queues the values of equal keys for comparison; `false` if the keys differ.
fn pair_up<'a>(
    left: &'a JsonMap,
    right: &'a JsonMap,
    pairs: &mut Vec<(&'a Value, &'a Value)>,
) -> bool {
    left.len() == right.len()
        && left.iter().all(|(key, left)| match right.get(key) {
            Some(right) => {
                pairs.push((left, right));
                true
            }
            None => false,
        })
}

/// `Value::clone` without its recursion.
pub(crate) fn clone_value(source: &Value) -> Value {
    let mut copy = Value::Null;
    let mut waiting = vec![(source, &mut copy)];
    while let Some((source, target)) = waiting.pop() {
        match source {
            Value::Array(items) => {
                *target = Value::Array(vec![Value::Null; items.len()]);
                if let Value::Array(slots) = target {
                    waiting.extend(items.iter().zip(slots));
                }
            }
            Value::Object(fields) => {
                *target = Value::Object(
                    fields
                        .keys()
                        .map(|key| (key.clone(), Value::Null))
                        .collect(),
                );
                if let Value::Object(slots) = target {
                    waiting.extend(fields.values().zip(slots.values_mut()));
                }
            }
            scalar => *target = scalar.clone(),
        }
    }
    copy
}

/// A value that hashes and compares by [`same_value`], so that lists are matched in linear time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByValue<'a>(pub(crate) &'a Value);

impl PartialEq for ByValue<'_> {
    fn eq(&self, other: &Self) -> bool {
        same_value(self.0, other.0)
    }
}

impl Eq for ByValue<'_> {}

impl Hash for ByValue<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut waiting = vec![self.0];
        while let Some(value) = waiting.pop() {
            mem::discriminant(value).hash(state);
            match value {
                Value::Null => {}
                Value::Bool(flag) => flag.hash(state),
                Value::Number(number) => NumberValue::of(number).hash(state),
                Value::String(text) => text.hash(state),
                Value::Array(items) => {
                    items.len().hash(state);
                    waiting.extend(items);
                }
                Value::Object(fields) => {
                    // sorted here, because a feature of serde_json can make the map keep the order of insertion
                    let mut fields: Vec<_> = fields.iter().collect();
                    fields.sort_unstable_by_key(|(key, _)| key.as_str());
                    fields.len().hash(state);
                    for (key, value) in fields {
                        key.hash(state);
                        waiting.push(value);
                    }
                }
            }
        }
    }
}

/// What a number is worth, whatever form it is written in.
#[derive(PartialEq, Eq, Hash)]
enum NumberValue {
    Integer(i128),
    /// The bits of a float that is no integer, or one beyond every 64-bit integer.
    Float(u64),
}

impl NumberValue {
    /// Below this every float without a fraction is an exact `i128`.
    const EXACT: f64 = 1e38;

    fn of(number: &Number) -> Self {
        if let Some(integer) = number.as_i64() {
            return Self::Integer(integer.into());
        }
        if let Some(integer) = number.as_u64() {
            return Self::Integer(integer.into());
        }
        let float = number.as_f64().unwrap_or(f64::NAN);
        if float.fract() == 0.0 && float.abs() < Self::EXACT {
            Self::Integer(float as i128)
        } else {
            Self::Float(float.to_bits())
        }
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
