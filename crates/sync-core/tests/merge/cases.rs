//! The reference cases.

use serde_json::{Value, json};
use sync_core::changed_fields::{ChangedFields, ChangedFieldsDiff};
use sync_core::json::JsonMap;
use sync_core::merge::{deep_merge, default_merge, preserving_merge};

use crate::support::{
    Verdict, assert_all, assert_every_expectation_counts, expect_same, expect_same_names, load,
};

fn merge_cases() -> Vec<Value> {
    load(include_str!("../cases/merge.json"), 100)
}

fn diff_cases() -> Vec<Value> {
    load(include_str!("../cases/diff.json"), 21)
}

/// What a merge answers, in the shape of `expected`.
fn run_merge(case: &Value) -> Value {
    let record = |name: &str| {
        case[name]
            .as_object()
            .unwrap_or_else(|| panic!("`{name}` is a record"))
    };
    let unnamed = |data: JsonMap| json!({"data": data, "local_fields": null, "server_fields": null, "contested_fields": null});
    let (local, server) = (record("local"), record("server"));
    match case["fn"].as_str() {
        Some("default_merge") => unnamed(default_merge(local, server)),
        Some("deep_merge") => unnamed(deep_merge(local, server)),
        Some("preserving_merge") => {
            let base = case.get("base").map(|_| record("base"));
            let changed: Option<ChangedFields> =
                serde_json::from_value(case["changed"].clone()).unwrap();
            let merged = preserving_merge(local, server, base, changed.as_ref());
            json!({
                "data": merged.data,
                "local_fields": merged.local_fields,
                "server_fields": merged.server_fields,
                "contested_fields": merged.contested_fields,
            })
        }
        other => panic!("unknown function {other:?}"),
    }
}

/// A key that `expected` lacks is left open.
fn check_merge(case: &Value) -> Verdict {
    let actual = run_merge(case);
    for (key, expected) in case["expected"].as_object().unwrap() {
        let actual = actual
            .get(key)
            .ok_or_else(|| format!("`{key}` is no part of the result"))?;
        if key == "data" {
            expect_same(key, actual, expected)?;
        } else {
            expect_same_names(key, actual, expected)?;
        }
    }
    Ok(())
}

fn check_diff(case: &Value) -> Verdict {
    let record = |name: &str| case[name].as_object().unwrap();
    let ignored: Vec<&str> = match case.get("ignored") {
        Some(names) => names
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap())
            .collect(),
        None => Vec::new(),
    };
    let changed = ChangedFieldsDiff::diff_maps(record("before"), record("after"), &ignored);
    let or_none = ChangedFieldsDiff::diff_or_none(record("before"), record("after"), &ignored);
    assert_eq!(or_none.is_none(), changed.is_empty());
    expect_same_names("the diff", &json!(changed), &case["expected"])
}

#[test]
fn merges_meet_every_reference_case() {
    assert_all(&merge_cases(), check_merge);
}

#[test]
fn merges_fail_every_altered_reference_case() {
    assert_every_expectation_counts(&merge_cases(), check_merge);
}

#[test]
fn diffs_meet_every_reference_case() {
    assert_all(&diff_cases(), check_diff);
}

#[test]
fn diffs_fail_every_altered_reference_case() {
    assert_every_expectation_counts(&diff_cases(), check_diff);
}
