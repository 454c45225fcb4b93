//! Table tests: cases as data, one JSON object each, with an `id` and what is `expected`.

use serde_json::{Value, json};
use sync_core::json::{JsonMap, same_value};

/// Whether a case holds; the text says what differs.
pub(crate) type Verdict = Result<(), String>;

/// Reads a table and checks its shape: as many cases as announced, each with an id of its own.
pub(crate) fn load(table: &str, count: usize) -> Vec<Value> {
    let cases: Vec<Value> = serde_json::from_str(table).expect("a table is a JSON array");
    let mut ids: Vec<&str> = cases.iter().map(id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), cases.len(), "two cases share an id");
    assert_eq!(
        cases.len(),
        count,
        "cases were added or lost: correct the number"
    );
    cases
}

/// The name of a case.
pub(crate) fn id(case: &Value) -> &str {
    case["id"].as_str().expect("every case has an id")
}

/// Checks every case and reports all that fail, not only the first.
pub(crate) fn assert_all(cases: &[Value], check: impl Fn(&Value) -> Verdict) {
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|case| Some(format!("{}: {}", id(case), check(case).err()?)))
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} cases fail:\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
}

/// Checks the checker: with any single expectation of any case altered, that case must fail.
pub(crate) fn assert_every_expectation_counts(cases: &[Value], check: impl Fn(&Value) -> Verdict) {
    for case in cases {
        let corruptions = corruptions(&case["expected"]);
        assert!(!corruptions.is_empty(), "{} expects nothing", id(case));
        for corrupted in corruptions {
            let mut case = case.clone();
            case["expected"] = corrupted;
            assert!(
                check(&case).is_err(),
                "{} passes although it expects {}",
                id(&case),
                case["expected"]
            );
        }
    }
}

/// All ways to alter one thing in a value, down to its leaves.
fn corruptions(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => vec![json!(["corrupted"])],
        Value::Bool(flag) => vec![json!(!flag)],
        Value::Number(_) => vec![json!("corrupted"), Value::Null],
        Value::String(text) => vec![json!(format!("{text}!")), Value::Null],
        Value::Array(items) => {
            let mut altered = vec![with(items, |items| items.push(json!("corrupted")))];
            for (index, item) in items.iter().enumerate() {
                altered.push(with(items, |items| drop(items.remove(index))));
                altered.extend(
                    corruptions(item)
                        .into_iter()
                        .map(|item| with(items, |items| items[index] = item)),
                );
            }
            altered
        }
        Value::Object(fields) => {
            let mut altered = vec![with_field(fields, "corrupted", Value::Null)];
            for (key, field) in fields {
                altered.extend(
                    corruptions(field)
                        .into_iter()
                        .map(|field| with_field(fields, key, field)),
                );
            }
            altered
        }
    }
}

fn with_field(fields: &JsonMap, key: &str, field: Value) -> Value {
    let mut fields = fields.clone();
    fields.insert(key.to_owned(), field);
    Value::Object(fields)
}

fn with(items: &[Value], alter: impl FnOnce(&mut Vec<Value>)) -> Value {
    let mut items = items.to_vec();
    alter(&mut items);
    Value::Array(items)
}

/// Compares by the rules of the reference cases.
pub(crate) fn expect_same(what: &str, actual: &Value, expected: &Value) -> Verdict {
    if same_value(actual, expected) {
        return Ok(());
    }
    Err(format!("{what} is {actual}, expected {expected}"))
}

/// Compares lists of names as sets; `null` is a value of its own.
pub(crate) fn expect_same_names(what: &str, actual: &Value, expected: &Value) -> Verdict {
    expect_same(what, &sorted(actual), &sorted(expected))
}

fn sorted(names: &Value) -> Value {
    let mut names = names.clone();
    if let Some(names) = names.as_array_mut() {
        names.sort_unstable_by_key(ToString::to_string);
    }
    names
}
