//! The rules of lists that the reference cases do not show, one each.

use serde_json::json;

use crate::rules::{contested, kept, merge_field, merge_field_without_base};

#[test]
fn a_list_that_both_sides_added_is_united_without_loss() {
    assert_eq!(
        merge_field(json!(["x"]), json!(["y"]), json!(null)),
        kept(json!(["y", "x"]))
    );
}

#[test]
fn without_a_base_the_larger_count_of_each_element_wins() {
    assert_eq!(
        merge_field_without_base(json!(["a", "a", "b", null]), json!(["b", "b", "a"])),
        kept(json!(["b", "b", "a", "a", null]))
    );
}

#[test]
fn changes_of_a_count_in_one_direction_count_once_and_opposite_ones_add_up() {
    let list = |count: usize, last: &str| json!([vec!["a"; count], vec![last]].concat());
    for (local, server, base, expected) in [
        (3, 4, 1, 4),
        (0, 1, 3, 0),
        (4, 1, 2, 3),
        (1, 4, 2, 3),
        (0, 3, 2, 1),
    ] {
        let (merged, is_contested) =
            merge_field(list(local, "l"), list(server, "s"), list(base, "b"));
        let merged = merged.unwrap();
        let count = merged
            .as_array()
            .unwrap()
            .iter()
            .filter(|item| **item == "a")
            .count();
        assert_eq!(
            (count, is_contested),
            (expected, false),
            "{local}, {server} from {base}: {merged}"
        );
    }
}

#[test]
fn additions_follow_their_nearest_surviving_predecessor_or_come_first() {
    assert_eq!(
        merge_field(
            json!(["x", "a", "b", "y", "z", "c"]),
            json!(["c", "a", "s"]),
            json!(["a", "b", "c"])
        ),
        kept(json!(["x", "c", "a", "y", "z", "s"])),
        "b is gone, so y follows a"
    );
}

#[test]
fn an_item_edited_here_and_removed_there_is_placed_like_an_addition() {
    let (a, b) = (json!({"id": "a"}), json!({"id": "b", "n": 0}));
    let edited = json!({"id": "b", "n": 1});
    assert_eq!(
        merge_field(json!([a, edited]), json!(["s", a, "t"]), json!([a, b])),
        contested(json!(["s", a, edited, "t"]))
    );
    assert_eq!(
        merge_field(json!([edited, a]), json!(["s", a]), json!([b, a])),
        contested(json!([edited, "s", a]))
    );
}

#[test]
fn an_item_removed_here_and_edited_there_stays_in_its_place_and_is_named() {
    let (a, b) = (json!({"id": "a"}), json!({"id": "b", "n": 0}));
    let edited = json!({"id": "b", "n": 1});
    assert_eq!(
        merge_field(json!([a, "l"]), json!([edited, a]), json!([b, a])),
        contested(json!([edited, a, "l"]))
    );
}

#[test]
fn an_item_without_an_id_removed_on_one_side_is_never_contested() {
    assert_eq!(
        merge_field(
            json!([{"x": 1}]),
            json!([{"x": 1}, {"x": 2}, {"x": 3}]),
            json!([{"x": 1}, {"x": 2}])
        ),
        kept(json!([{"x": 1}, {"x": 3}]))
    );
}

#[test]
fn lists_of_numbers_or_lists_are_atomic_with_a_base_and_an_empty_one_is_like_the_others() {
    for (local, server, base) in [
        (json!([]), json!([1, 4]), json!([1, 2])),
        (json!([1]), json!([2]), json!([])),
        (json!([1]), json!([]), json!([2])),
        (json!([[1]]), json!([[2]]), json!([])),
        (json!([["a"], ["b"]]), json!([["a"], ["c"]]), json!([["a"]])),
        (json!([[]]), json!([[], []]), json!([])),
    ] {
        assert_eq!(merge_field(local.clone(), server, base), contested(local));
    }
}

#[test]
fn a_list_with_anything_else_beside_numbers_is_merged_by_element() {
    assert_eq!(
        merge_field(json!([1, "l"]), json!([1, 2]), json!([1])),
        kept(json!([1, "l", 2]))
    );
    assert_eq!(
        merge_field(json!([null, 5]), json!([6, null]), json!([null])),
        kept(json!([6, null, 5]))
    );
}

#[test]
fn items_match_by_any_id_name_and_by_the_value_of_the_id() {
    assert_eq!(
        merge_field(
            json!([{"uuid": "u", "a": 1}, {"ID": 7.0, "a": 1}]),
            json!([{"ID": 7, "b": 1}, {"uuid": "u", "b": 1}]),
            json!([{"uuid": "u"}, {"ID": 7}]),
        ),
        kept(json!([{"ID": 7, "a": 1, "b": 1}, {"uuid": "u", "a": 1, "b": 1}]))
    );
}

#[test]
fn items_that_share_an_id_are_matched_in_order_and_none_is_lost() {
    assert_eq!(
        merge_field(
            json!([{"id": 1, "n": 1}, {"id": 1, "n": 2}]),
            json!([{"id": 1, "n": 1}, {"id": 1, "n": 3}, {"id": 1, "n": 4}]),
            json!([{"id": 1, "n": 1}]),
        ),
        contested(json!([{"id": 1, "n": 1}, {"id": 1, "n": 2}, {"id": 1, "n": 4}]))
    );
}
