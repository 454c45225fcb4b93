//! What must hold for all records.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::{Value, json};
use sync_core::changed_fields::{ChangedFields, ChangedFieldsDiff};
use sync_core::json::{JsonMap, same_field, same_object, same_value};
use sync_core::merge::{deep_merge, default_merge, preserving_merge};
use sync_core::system_fields::is_system_field;

/// Few distinct values and names, so that the sides meet often.
fn any_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (0..3).prop_map(Value::from),
        Just(json!(1.0)),
        Just(json!(u64::MAX)),
        "[ab]?".prop_map(Value::from),
    ];
    scalar.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map("id|uuid|[ab]", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

const FIELDS: [&str; 6] = ["id", "_rev", "a", "b", "c", "d"];

fn any_record() -> impl Strategy<Value = JsonMap> {
    let fields = proptest::sample::select(FIELDS.to_vec()).prop_map(str::to_owned);
    btree_map(fields, any_value(), 0..6).prop_map(|fields| fields.into_iter().collect())
}

fn any_changed() -> impl Strategy<Value = Option<ChangedFields>> {
    option::of(subsequence(FIELDS.to_vec(), 0..=FIELDS.len()).prop_map(ChangedFields::from_iter))
}

/// A list of distinct texts: its order is that of the alphabet or the reverse.
fn any_tags() -> impl Strategy<Value = Vec<String>> {
    (btree_set("[a-h]", 0..6), any::<bool>()).prop_map(|(tags, reversed)| {
        let tags = tags.into_iter();
        if reversed {
            tags.rev().collect()
        } else {
            tags.collect()
        }
    })
}

fn field(value: impl Into<Value>) -> JsonMap {
    JsonMap::from_iter([("f".to_owned(), value.into())])
}

fn tags_of(record: &JsonMap) -> Vec<String> {
    serde_json::from_value(record["f"].clone()).unwrap()
}

fn count(list: &[String], item: &str) -> i64 {
    i64::try_from(list.iter().filter(|other| *other == item).count()).unwrap()
}

proptest! {
    #![proptest_config(crate::config(256))]

    #[test]
    fn fields_outside_the_changed_set_and_system_fields_survive(
        local in any_record(), server in any_record(), base in option::of(any_record()), changed in any_changed(),
    ) {
        let merged = preserving_merge(&local, &server, base.as_ref(), changed.as_ref());
        for field in FIELDS {
            let is_outside = changed.as_ref().is_some_and(|changed| !changed.contains(field));
            if is_outside || is_system_field(field) {
                prop_assert_eq!(merged.data.get(field), server.get(field));
                prop_assert!(!merged.contested_fields.contains(field));
            }
        }
    }

    #[test]
    fn a_field_that_one_side_left_as_in_the_base_is_the_other_sides(
        local in any_record(), server in any_record(), base in any_record(),
    ) {
        let merged = preserving_merge(&local, &server, Some(&base), None);
        for field in FIELDS.into_iter().filter(|field| !is_system_field(field)) {
            let (mine, theirs) = (local.get(field), server.get(field));
            let is_untouched_here = mine.is_none() || same_field(mine, base.get(field));
            let winner = if is_untouched_here { theirs } else { mine };
            if is_untouched_here || same_field(theirs, base.get(field)) {
                prop_assert!(same_field(merged.data.get(field), winner));
                prop_assert!(!merged.contested_fields.contains(field));
            }
        }
    }

    #[test]
    fn every_field_of_the_result_is_attributed_to_a_side_that_has_it(
        local in any_record(), server in any_record(), base in option::of(any_record()), changed in any_changed(),
    ) {
        let merged = preserving_merge(&local, &server, base.as_ref(), changed.as_ref());
        for (field, value) in merged.data.iter().filter(|(field, _)| !is_system_field(field)) {
            let is_servers = server.get(field).is_some_and(|theirs| same_value(value, theirs));
            let is_locals = local.get(field).is_some_and(|mine| same_value(value, mine));
            prop_assert_eq!(merged.local_fields.contains(field), !is_servers);
            prop_assert_eq!(merged.server_fields.contains(field), is_servers || !is_locals);
        }
        let named = merged.local_fields.iter().chain(&merged.server_fields);
        prop_assert!(named.into_iter().all(|field| merged.data.contains_key(field)));
    }

    #[test]
    fn merging_equal_sides_changes_nothing(
        record in any_record(), base in option::of(any_record()), changed in any_changed(),
    ) {
        let merged = preserving_merge(&record, &record, base.as_ref(), changed.as_ref());
        prop_assert!(same_object(&merged.data, &record));
        prop_assert!(merged.local_fields.is_empty() && merged.contested_fields.is_empty());
        prop_assert!(same_object(&default_merge(&record, &record), &record));
        prop_assert!(same_object(&deep_merge(&record, &record), &record));
    }

    #[test]
    fn without_a_base_merging_the_result_again_changes_nothing(
        local in any_record(), server in any_record(), changed in any_changed(),
    ) {
        let once = preserving_merge(&local, &server, None, changed.as_ref());
        let twice = preserving_merge(&once.data, &server, None, changed.as_ref());
        prop_assert_eq!(twice.data, once.data);
        prop_assert_eq!(twice.contested_fields, once.contested_fields);
        let once = deep_merge(&local, &server);
        prop_assert_eq!(deep_merge(&once, &server), once);
        let once = default_merge(&local, &server);
        prop_assert_eq!(default_merge(&once, &server), once);
    }

    #[test]
    fn merging_the_result_again_with_the_servers_record_as_its_base_changes_nothing(
        local in any_record(), server in any_record(), base in any_record(),
    ) {
        let once = preserving_merge(&local, &server, Some(&base), None);
        let twice = preserving_merge(&once.data, &server, Some(&server), None);
        prop_assert!(same_object(&twice.data, &once.data));
        prop_assert!(twice.contested_fields.is_empty());
    }

    #[test]
    fn hazard_e56_distinct_elements_stay_unless_a_side_removed_them_and_merging_again_changes_nothing(
        local in any_tags(), server in any_tags(), base in any_tags(),
    ) {
        let (server_record, base_record) = (field(server.clone()), field(base.clone()));
        let merged = preserving_merge(&field(local.clone()), &server_record, Some(&base_record), None);
        let result = tags_of(&merged.data);
        for tag in ["a", "b", "c", "d", "e", "f", "g", "h"].map(str::to_owned) {
            let was_removed = base.contains(&tag) && !(local.contains(&tag) && server.contains(&tag));
            let is_expected = !was_removed && (local.contains(&tag) || server.contains(&tag));
            prop_assert_eq!(count(&result, &tag), i64::from(is_expected));
        }
        prop_assert!(merged.contested_fields.is_empty());
        let again = preserving_merge(&merged.data, &server_record, Some(&base_record), None);
        prop_assert_eq!(again.data, merged.data);
    }

    #[test]
    fn repeated_elements_are_counted(
        local in vec("[abc]", 0..8), server in vec("[abc]", 0..8), base in vec("[abc]", 0..8),
    ) {
        let merged = preserving_merge(&field(local.clone()), &field(server.clone()), Some(&field(base.clone())), None);
        let union = preserving_merge(&field(local.clone()), &field(server.clone()), None, None);
        for tag in ["a", "b", "c"] {
            let was = count(&base, tag);
            let (mine, theirs) = (count(&local, tag) - was, count(&server, tag) - was);
            let change = if mine.signum() * theirs.signum() >= 0 {
                if mine.abs() > theirs.abs() { mine } else { theirs }
            } else {
                mine + theirs
            };
            prop_assert_eq!(count(&tags_of(&merged.data), tag), was + change);
            prop_assert_eq!(count(&tags_of(&union.data), tag), count(&local, tag).max(count(&server, tag)));
        }
    }

    #[test]
    fn hazard_e61_a_diff_names_exactly_what_differs(before in any_record(), after in any_record()) {
        let changed = ChangedFieldsDiff::diff_maps(&before, &after, &["b"]);
        for field in FIELDS {
            let is_named = field != "b" && !is_system_field(field) && !same_field(before.get(field), after.get(field));
            prop_assert_eq!(changed.contains(field), is_named);
        }
    }
}
