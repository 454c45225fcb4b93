use std::hash::{BuildHasher, RandomState};

use serde_json::json;

use super::*;

/// Equality and hash must agree, in both directions of the comparison.
fn assert_same(left: &Value, right: &Value, expected: bool) {
    assert_eq!(same_value(left, right), expected, "{left} and {right}");
    assert_eq!(same_value(right, left), expected, "{right} and {left}");
    if expected {
        let hasher = RandomState::new();
        assert_eq!(
            hasher.hash_one(ByValue(left)),
            hasher.hash_one(ByValue(right)),
            "{left} and {right}"
        );
    }
}

#[test]
fn numbers_are_compared_by_value() {
    for (left, right) in [
        (json!(1), json!(1.0)),
        (json!(0), json!(-0.0)),
        (json!(0.0), json!(-0.0)),
        (json!(-7), json!(-7.0)),
        (json!(1e300), json!(1e300)),
        (
            json!(9_007_199_254_740_992_u64),
            json!(9_007_199_254_740_992.0),
        ),
        (json!(i64::MIN), json!(-9_223_372_036_854_775_808.0)),
    ] {
        assert_same(&left, &right, true);
    }
}

#[test]
fn hazard_e62_integers_never_pass_through_a_float() {
    for (left, right) in [
        (
            json!(9_007_199_254_740_993_u64),
            json!(9_007_199_254_740_992.0),
        ),
        (
            json!(9_007_199_254_740_993_u64),
            json!(9_007_199_254_740_992_u64),
        ),
        (json!(u64::MAX), json!(u64::MAX - 1)),
        (json!(u64::MAX), json!(18_446_744_073_709_551_616.0)),
        (json!(i64::MAX), json!(9_223_372_036_854_775_808.0)),
        (json!(u64::MAX), json!(-1)),
        (json!(1), json!(1.5)),
        (json!(1e300), json!(1e301)),
    ] {
        assert_same(&left, &right, false);
    }
}

#[test]
fn kinds_never_mix() {
    let values = [
        json!(null),
        json!(true),
        json!(false),
        json!(1),
        json!("1"),
        json!(""),
        json!([]),
        json!({}),
        json!([1]),
    ];
    for (i, left) in values.iter().enumerate() {
        for (j, right) in values.iter().enumerate() {
            assert_same(left, right, i == j);
        }
    }
}

#[test]
fn objects_ignore_key_order_and_tell_absent_from_null() {
    assert_same(&json!({"a": 1, "b": 2}), &json!({"b": 2.0, "a": 1}), true);
    assert_same(&json!({"a": null}), &json!({}), false);
    assert_same(&json!({"a": null}), &json!({"b": null}), false);
    assert_same(&json!({"a": {"b": null}}), &json!({"a": {}}), false);
}

#[test]
fn lists_respect_order_and_length() {
    assert_same(&json!([1, [2.0]]), &json!([1.0, [2]]), true);
    assert_same(&json!([1, 2]), &json!([2, 1]), false);
    assert_same(&json!([1]), &json!([1, 1]), false);
}

#[test]
fn a_top_level_field_that_is_absent_is_null() {
    assert!(same_field(None, None));
    assert!(same_field(Some(&json!(null)), None));
    assert!(!same_field(Some(&json!(0)), None));
    assert!(!same_field(Some(&json!({"a": null})), Some(&json!({}))));
}

#[test]
fn a_copy_is_the_same_as_its_source() {
    let source = json!({"a": [1, {"b": [null, true, "x", {}], "c": []}], "d": 1.5});
    assert_eq!(clone_value(&source), source);
}
