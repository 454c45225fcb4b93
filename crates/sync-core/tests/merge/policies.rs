//! Merge rules of single fields.

use proptest::prelude::*;
use serde_json::{Value, json};
use sync_core::FieldMerge::{self, Auto, Local, Max, Min, Server, SumDelta, Union};
use sync_core::merge::{MergeResult, preserving_merge, preserving_merge_with};

use crate::object;

/// Merges a record whose only field `f` has these values; `None` for the base = unknown.
fn merge(rule: FieldMerge, base: Option<Value>, local: Value, server: Value) -> MergeResult {
    let record = |value: Value| object(json!({"id": "e1", "f": value}));
    let base = base.map(record);
    preserving_merge_with(&record(local), &record(server), base.as_ref(), None, |_| {
        rule
    })
}

#[track_caller]
fn assert_merged(result: &MergeResult, value: Value, contested: bool) {
    assert_eq!(result.data["f"], value);
    assert_eq!(
        result.contested_fields.contains("f"),
        contested,
        "contested"
    );
}

#[test]
fn what_only_one_side_changed_is_that_change_whatever_the_rule_says() {
    for rule in [Auto, Local, Server, Max, Min, SumDelta] {
        let of_local = merge(rule, Some(json!(5)), json!(3), json!(5));
        assert_merged(&of_local, json!(3), false);
        let of_server = merge(rule, Some(json!(5)), json!(5), json!(8));
        assert_merged(&of_server, json!(8), false);
    }
    let removed = merge(
        Union,
        Some(json!(["a", "b"])),
        json!(["a"]),
        json!(["a", "b"]),
    );
    assert_merged(&removed, json!(["a"]), false);
}

#[test]
fn one_side_keeps_its_whole_value_and_the_field_is_named() {
    let (base, mine, theirs) = (
        json!({"x": 0, "y": 0}),
        json!({"x": 1, "y": 0}),
        json!({"x": 0, "y": 2}),
    );
    let merge = |rule| merge(rule, Some(base.clone()), mine.clone(), theirs.clone());
    assert_merged(&merge(Auto), json!({"x": 1, "y": 2}), false);
    assert_merged(&merge(Local), mine.clone(), true);
    assert_merged(&merge(Server), theirs.clone(), true);
}

#[test]
fn a_field_that_one_side_cleared_is_one_side_too() {
    assert_merged(
        &merge(Server, Some(json!(1)), json!(2), Value::Null),
        Value::Null,
        true,
    );
    assert_merged(
        &merge(Server, Some(json!(1)), Value::Null, json!(2)),
        json!(2),
        true,
    );
    assert_merged(
        &merge(Local, Some(json!(1)), Value::Null, json!(2)),
        Value::Null,
        true,
    );
    assert_merged(
        &merge(Max, Some(json!(1)), Value::Null, json!(2)),
        Value::Null,
        true,
    );
}

#[test]
fn the_greatest_and_the_smallest_value_win_and_nobody_lost() {
    let pairs = [
        (json!(3), json!(7)),
        (json!(-1), json!(0.5)),
        (
            json!(9_007_199_254_740_992_i64),
            json!(9_007_199_254_740_993_i64),
        ),
        (json!("anna"), json!("berta")),
        (
            json!("2026-01-01T12:00:00+02:00"),
            json!("2026-01-01T11:00:00Z"),
        ),
    ];
    for (less, more) in pairs {
        let base = Some(json!("base"));
        for (local, server) in [(less.clone(), more.clone()), (more.clone(), less.clone())] {
            let merge = |rule| merge(rule, base.clone(), local.clone(), server.clone());
            assert_merged(&merge(Max), more.clone(), false);
            assert_merged(&merge(Min), less.clone(), false);
        }
    }
}

#[test]
fn both_increments_count() {
    assert_merged(
        &merge(SumDelta, Some(json!(10)), json!(12), json!(7)),
        json!(9),
        false,
    );
    assert_merged(
        &merge(SumDelta, Some(json!(10)), json!(12), json!(12)),
        json!(14),
        false,
    );
    assert_merged(
        &merge(SumDelta, Some(Value::Null), json!(2), json!(3)),
        json!(5),
        false,
    );
    assert_merged(
        &merge(SumDelta, Some(json!(1.0)), json!(1.5), json!(3)),
        json!(3.5),
        false,
    );
}

#[test]
fn what_cannot_be_added_compared_or_joined_is_merged_as_without_a_rule() {
    let too_large = merge(
        SumDelta,
        Some(json!(0)),
        json!(i64::MAX),
        json!(i64::MAX - 1),
    );
    assert_merged(&too_large, json!(i64::MAX), true);
    assert_merged(&merge(SumDelta, None, json!(3), json!(4)), json!(3), true);
    assert_merged(
        &merge(SumDelta, Some(json!(1)), json!("a"), json!(2)),
        json!("a"),
        true,
    );
    assert_merged(
        &merge(Max, Some(json!(1)), json!(true), json!([2])),
        json!(true),
        true,
    );
    assert_merged(
        &merge(Max, Some(json!(1)), json!("a"), json!(2)),
        json!("a"),
        true,
    );
    assert_merged(
        &merge(Union, Some(json!(1)), json!("a"), json!("b")),
        json!("a"),
        true,
    );
}

#[test]
fn what_one_side_cleared_is_no_increment() {
    let base = Some(json!(5));
    for rule in [SumDelta, Auto] {
        let cleared_here = merge(rule, base.clone(), Value::Null, json!(7));
        assert_merged(&cleared_here, Value::Null, true);
        let cleared_there = merge(rule, base.clone(), json!(7), Value::Null);
        assert_merged(&cleared_there, json!(7), true);
        let cleared_by_both = merge(rule, base.clone(), Value::Null, Value::Null);
        assert_merged(&cleared_by_both, Value::Null, false);
    }
    let server = object(json!({"id": "e1"}));
    let local = object(json!({"id": "e1", "f": 7}));
    let base = object(json!({"id": "e1", "f": 5}));
    let gone_there = preserving_merge_with(&local, &server, Some(&base), None, |_| SumDelta);
    assert_merged(&gone_there, json!(7), true);
}

#[test]
fn a_union_keeps_what_either_list_has() {
    let base = Some(json!(["a", "b", "c"]));
    let joined = merge(Union, base, json!(["a", "x"]), json!(["a", "b", "y"]));
    assert_merged(&joined, json!(["a", "b", "y", "x"]), false);
    let numbers = merge(Union, Some(json!([1])), json!([1, 2]), json!([1, 3]));
    assert_merged(&numbers, json!([1, 3, 2]), false);
}

#[test]
fn fields_outside_of_the_changed_set_stay_the_servers() {
    let record = |value: i64| object(json!({"id": "e1", "f": value}));
    let changed = ["other"].into_iter().collect();
    let result = preserving_merge_with(
        &record(12),
        &record(7),
        Some(&record(10)),
        Some(&changed),
        |_| SumDelta,
    );
    assert_eq!(result.data["f"], 7);
}

proptest! {
    #![proptest_config(crate::config(256))]

    #[test]
    fn increments_of_two_devices_add_up_in_either_order(base in -1000_i64..1000, mine in -50_i64..50, theirs in -50_i64..50) {
        let sum = |local, server| merge(SumDelta, Some(json!(base)), json!(local), json!(server)).data["f"].clone();
        prop_assert_eq!(sum(base + mine, base + theirs), json!(base + mine + theirs));
        prop_assert_eq!(sum(base + theirs, base + mine), json!(base + mine + theirs));
    }

    #[test]
    fn without_rules_the_merge_is_the_default_one(base in 0_i64..3, mine in 0_i64..3, theirs in 0_i64..3) {
        let record = |value: i64| object(json!({"id": "e1", "f": value}));
        let plain = preserving_merge(&record(mine), &record(theirs), Some(&record(base)), None);
        prop_assert_eq!(plain, merge(Auto, Some(json!(base)), json!(mine), json!(theirs)));
    }
}
