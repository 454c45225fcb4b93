//! Alters expectations, to check the checker.

use serde_json::{Map, Value, json};

/// All ways to alter one thing in what a case expects, down to its leaves.
pub(crate) fn corruptions(expected: &Value) -> Vec<Value> {
    let fields = expected.as_object().expect("a case expects an object");
    let mut altered = vec![with(fields, "corrupted", Value::Null)];
    for (key, value) in fields {
        // A shorter list of events asks for less: it must still hold.
        let may_shrink = key != "events";
        altered.extend(
            alter(value, may_shrink)
                .into_iter()
                .map(|value| with(fields, key, value)),
        );
    }
    altered
}

fn alter(value: &Value, may_shrink: bool) -> Vec<Value> {
    match value {
        Value::Null => vec![json!("corrupted")],
        Value::Bool(flag) => vec![json!(!flag)],
        Value::Number(_) => vec![json!("corrupted"), Value::Null],
        Value::String(text) => vec![json!(format!("{text}!")), Value::Null],
        Value::Array(items) => {
            let mut longer = items.clone();
            longer.push(json!("corrupted"));
            let mut altered = vec![json!(longer)];
            for (index, item) in items.iter().enumerate() {
                let mut changed = items.clone();
                changed.remove(index);
                if may_shrink {
                    altered.push(json!(changed));
                }
                for item in alter(item, may_shrink) {
                    let mut changed = items.clone();
                    changed[index] = item;
                    altered.push(json!(changed));
                }
            }
            altered
        }
        Value::Object(fields) => {
            let mut altered = vec![with(fields, "corrupted", Value::Null)];
            for (key, value) in fields {
                let values = alter(value, may_shrink).into_iter();
                altered.extend(values.map(|value| with(fields, key, value)));
            }
            altered
        }
    }
}

fn with(fields: &Map<String, Value>, key: &str, value: Value) -> Value {
    let mut fields = fields.clone();
    fields.insert(key.to_owned(), value);
    Value::Object(fields)
}
