//! The rules that the reference cases do not show, one each.

use serde_json::{Value, json};
use sync_core::changed_fields::ChangedFields;
use sync_core::json::same_object;
use sync_core::merge::{MergeResult, deep_merge, preserving_merge};

use crate::object;

fn merge(
    local: Value,
    server: Value,
    base: Option<Value>,
    changed: Option<&[&str]>,
) -> MergeResult {
    let changed: Option<ChangedFields> = changed.map(|fields| fields.iter().copied().collect());
    preserving_merge(
        &object(local),
        &object(server),
        base.map(object).as_ref(),
        changed.as_ref(),
    )
}

/// Merges one field `f` with a base; gives its value, if it has one, and whether it is contested.
pub(crate) fn merge_field(local: Value, server: Value, base: Value) -> (Option<Value>, bool) {
    outcome(&merge(
        json!({"f": local}),
        json!({"f": server}),
        Some(json!({"f": base})),
        None,
    ))
}

/// The same without a base.
pub(crate) fn merge_field_without_base(local: Value, server: Value) -> (Option<Value>, bool) {
    outcome(&merge(
        json!({"f": local}),
        json!({"f": server}),
        None,
        None,
    ))
}

fn outcome(result: &MergeResult) -> (Option<Value>, bool) {
    (
        result.data.get("f").cloned(),
        result.contested_fields.contains("f"),
    )
}

pub(crate) fn kept(value: Value) -> (Option<Value>, bool) {
    (Some(value), false)
}

pub(crate) fn contested(value: Value) -> (Option<Value>, bool) {
    (Some(value), true)
}

// The top level

#[test]
fn an_empty_changed_set_leaves_the_servers_record() {
    let result = merge(json!({"a": 1, "b": 2}), json!({"a": 3}), None, Some(&[]));
    assert_eq!(result.data, object(json!({"a": 3})));
    assert!(result.local_fields.is_empty() && result.contested_fields.is_empty());
}

#[test]
fn a_stale_field_outside_the_changed_set_stays_the_servers_even_if_only_local_differs_from_the_base()
 {
    let result = merge(
        json!({"a": 1}),
        json!({"a": 2}),
        Some(json!({"a": 2})),
        Some(&[]),
    );
    assert_eq!(result.data, object(json!({"a": 2})));
}

#[test]
fn a_field_absent_locally_is_untouched_even_if_recorded_or_in_the_base() {
    for base in [None, Some(json!({"a": 1}))] {
        let result = merge(json!({}), json!({"a": 2}), base, Some(&["a"]));
        assert_eq!(result.data, object(json!({"a": 2})));
        assert!(result.contested_fields.is_empty());
    }
}

#[test]
fn a_null_that_the_base_did_not_have_either_is_no_clearing() {
    for base in [json!({}), json!({"a": null})] {
        let result = merge(
            json!({"a": null}),
            json!({"a": 5}),
            Some(base),
            Some(&["a"]),
        );
        assert_eq!(result.data, object(json!({"a": 5})));
        assert!(result.contested_fields.is_empty());
    }
}

#[test]
fn clearing_what_the_server_cleared_or_removed_is_agreed() {
    for server in [json!({"a": null}), json!({})] {
        let result = merge(
            json!({"a": null}),
            server.clone(),
            Some(json!({"a": 1})),
            Some(&["a"]),
        );
        assert_eq!(result.data, object(server));
        assert!(result.local_fields.is_empty() && result.contested_fields.is_empty());
    }
}

#[test]
fn hazard_e55_a_recorded_null_without_a_base_is_written_even_where_the_server_has_no_such_field() {
    let result = merge(json!({"a": null}), json!({}), None, Some(&["a"]));
    assert_eq!(result.data, object(json!({"a": null})));
    assert!(result.local_fields.contains("a") && result.contested_fields.is_empty());
}

#[test]
fn an_edit_of_a_field_that_the_server_cleared_or_removed_stays_and_is_named() {
    for server in [json!({"a": null}), json!({})] {
        let result = merge(json!({"a": 2}), server, Some(json!({"a": 1})), None);
        assert_eq!(result.data, object(json!({"a": 2})));
        assert!(result.contested_fields.contains("a"));
        assert!(result.local_fields.contains("a") && result.server_fields.is_empty());
    }
}

#[test]
fn a_field_that_is_null_on_the_server_as_in_the_base_takes_locals_value() {
    let result = merge(json!({"a": 2}), json!({"a": null}), Some(json!({})), None);
    assert_eq!(result.data, object(json!({"a": 2})));
    assert!(result.contested_fields.is_empty());
}

#[test]
fn a_null_of_the_server_survives_an_untouched_field() {
    let result = merge(
        json!({"a": 1}),
        json!({"a": null}),
        Some(json!({"a": 1})),
        None,
    );
    assert_eq!(result.data, object(json!({"a": null})));
    assert!(result.server_fields.contains("a"));
}

#[test]
fn system_fields_recorded_as_changed_stay_the_servers_and_are_never_named() {
    let result = merge(
        json!({"id": "x", "_rev": 1, "deleted_at": null, "createdAt": "l"}),
        json!({"id": "e1", "_rev": 2, "deleted_at": "s"}),
        Some(json!({"id": "e1", "_rev": 1, "deleted_at": "s"})),
        Some(&["id", "_rev", "deleted_at", "createdAt"]),
    );
    assert_eq!(
        result.data,
        object(json!({"id": "e1", "_rev": 2, "deleted_at": "s"}))
    );
    assert!(result.local_fields.is_empty());
    assert!(result.server_fields.is_empty());
    assert!(result.contested_fields.is_empty());
}

// Objects

#[test]
fn inside_an_object_a_local_null_without_a_base_keeps_the_servers_value() {
    assert_eq!(
        merge_field_without_base(json!({"k": null, "n": null}), json!({"k": 1})),
        kept(json!({"k": 1}))
    );
    let result = merge(
        json!({"f": {"k": null}}),
        json!({"f": {"k": 1}}),
        None,
        Some(&["f"]),
    );
    assert_eq!(
        outcome(&result),
        kept(json!({"k": 1})),
        "the changed set reaches top-level fields only"
    );
}

#[test]
fn a_nested_key_edited_on_one_side_and_removed_on_the_other_stays_and_is_named() {
    let base = || json!({"k": 1, "x": 0});
    assert_eq!(
        merge_field(json!({"k": 2, "x": 0}), json!({"x": 5}), base()),
        contested(json!({"k": 2, "x": 5}))
    );
    assert_eq!(
        merge_field(json!({"x": 5}), json!({"k": 2, "x": 0}), base()),
        contested(json!({"k": 2, "x": 5}))
    );
}

#[test]
fn a_nested_key_removed_locally_and_untouched_there_goes() {
    assert_eq!(
        merge_field(
            json!({"x": 0}),
            json!({"k": 1, "x": 5}),
            json!({"k": 1, "x": 0})
        ),
        kept(json!({"x": 5}))
    );
}

#[test]
fn a_nested_clear_and_a_nested_removal_are_different_changes() {
    assert_eq!(
        merge_field(json!({"k": null}), json!({}), json!({"k": 1})),
        contested(json!({"k": null}))
    );
    assert_eq!(
        merge_field(json!({}), json!({"k": null}), json!({"k": 1})),
        contested(json!({"k": null}))
    );
}

#[test]
fn objects_that_both_sides_added_merge_without_a_base() {
    for base in [json!(null), json!(7)] {
        assert_eq!(
            merge_field(json!({"a": 1, "c": null}), json!({"b": 2, "c": 3}), base),
            kept(json!({"a": 1, "b": 2, "c": 3}))
        );
    }
}

#[test]
fn an_object_replaced_on_both_sides_by_the_same_new_one_merges_without_the_old_one() {
    assert_eq!(
        merge_field(
            json!({"id": 2, "name": "Bob", "age": null}),
            json!({"id": 2, "name": "Bobby", "age": 4}),
            json!({"id": 1, "name": "Bob", "age": 9}),
        ),
        contested(json!({"id": 2, "name": "Bob", "age": 4})),
        "the name of the object before says nothing"
    );
}

#[test]
fn hazard_e57_an_object_replaced_on_one_side_is_never_mixed_by_what_the_old_one_held() {
    let old = json!({"id": 1, "name": "Bob", "age": 9});
    let new = json!({"id": 2, "name": "Bob", "age": 9});
    let without_id = json!({"name": "Bobby"});
    assert_eq!(
        merge_field(new.clone(), without_id.clone(), old.clone()),
        contested(new.clone())
    );
    assert_eq!(
        merge_field(without_id, new, old),
        contested(json!({"id": 2, "name": "Bobby", "age": 9}))
    );
}

#[test]
fn ids_are_equal_by_value_and_null_or_empty_ids_are_none() {
    assert_eq!(
        merge_field_without_base(json!({"id": 1.0, "a": 1}), json!({"id": 1, "b": 2})),
        kept(json!({"id": 1, "a": 1, "b": 2}))
    );
    assert_eq!(
        merge_field(
            json!({"id": null, "uuid": "", "a": 1}),
            json!({"id": 5, "uuid": "", "b": 2}),
            json!({"id": null, "uuid": ""}),
        ),
        kept(json!({"id": 5, "uuid": "", "a": 1, "b": 2}))
    );
}

#[test]
fn a_wholly_replaced_object_takes_nothing_from_the_servers() {
    assert_eq!(
        merge_field_without_base(json!({"ID": "b"}), json!({"id": "a", "x": 1})),
        contested(json!({"ID": "b"}))
    );
}

// Attribution and the simple merges

#[test]
fn a_field_put_together_from_both_sides_is_named_twice_and_one_that_is_gone_not_at_all() {
    let result = merge(
        json!({"both": ["l"], "gone": 1}),
        json!({"both": ["s"]}),
        Some(json!({"both": [], "gone": 1})),
        None,
    );
    assert!(result.local_fields.iter().eq(["both"]));
    assert!(result.server_fields.iter().eq(["both"]));
    assert!(result.contested_fields.is_empty());
}

#[test]
fn deep_merge_merges_two_things_with_different_ids_too() {
    let merged = deep_merge(
        &object(json!({"m": {"id": 2}, "x": null})),
        &object(json!({"m": {"id": 1, "a": 1}, "x": 1, "y": 2})),
    );
    assert!(same_object(
        &merged,
        &object(json!({"m": {"id": 2, "a": 1}, "x": null, "y": 2}))
    ));
}
