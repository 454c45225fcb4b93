//! Hostile shapes: values nested beyond what a parser lets through, and lists that punish a quadratic merge.

use std::mem;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sync_core::json::{JsonMap, same_object};
use sync_core::merge::{deep_merge, default_merge, preserving_merge};

use crate::object;

const DEPTH: usize = 10_000;

type Wrap = fn(Value) -> Value;

/// Built by hand: `json!` copies what it nests, by recursion.
fn nest(innermost: i32, times: usize, wrap: Wrap) -> JsonMap {
    let value = (0..times).fold(json!(innermost), |inner, _| wrap(inner));
    JsonMap::from_iter([("f".to_owned(), value)])
}

fn in_list(inner: Value) -> Value {
    Value::Array(vec![json!("mixed"), inner])
}

fn in_object(inner: Value) -> Value {
    Value::Object(JsonMap::from_iter([("k".to_owned(), inner)]))
}

/// Two levels, and an id, so that the element is looked into.
fn in_item(inner: Value) -> Value {
    let fields = [("id".to_owned(), json!(1)), ("k".to_owned(), inner)];
    Value::Array(vec![Value::Object(JsonMap::from_iter(fields))])
}

/// Dropping a deep value recurses, so it is taken apart from the outside.
fn dismantle(record: JsonMap) {
    let mut waiting: Vec<Value> = record.into_iter().map(|(_, value)| value).collect();
    while let Some(mut value) = waiting.pop() {
        match &mut value {
            Value::Array(items) => waiting.append(items),
            Value::Object(fields) => {
                waiting.extend(mem::take(fields).into_iter().map(|(_, value)| value))
            }
            _ => {}
        }
    }
}

fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(work)
        .expect("a thread starts")
        .join()
        .expect("the merge does not overflow");
}

#[test]
fn values_of_any_depth_merge_on_a_small_stack() {
    let shapes: [(Wrap, usize, bool); 3] = [
        (in_list, DEPTH, false),
        (in_object, DEPTH, true),
        (in_item, DEPTH / 2, true),
    ];
    for (wrap, times, is_contested) in shapes {
        on_a_small_stack(move || {
            let [local, server, base] = [1, 2, 0].map(|value| nest(value, times, wrap));
            for base in [None, Some(&base)] {
                let merged = preserving_merge(&local, &server, base, None);
                assert_eq!(merged.contested_fields.contains("f"), is_contested);
                dismantle(merged.data);
            }
            for merged in [default_merge(&local, &server), deep_merge(&local, &server)] {
                assert!(same_object(&merged, &local));
                dismantle(merged);
            }
            [local, server, base].into_iter().for_each(dismantle);
        });
    }
}

/// The time allowed is a hundred times what a linear merge takes; a quadratic one takes longer still.
fn assert_merges_fast(local: Value, server: Value, base: Value) {
    let (local, server, base) = (object(local), object(server), object(base));
    for base in [None, Some(&base)] {
        let start = Instant::now();
        let merged = preserving_merge(&local, &server, base, None);
        assert!(
            start.elapsed() < Duration::from_secs(3),
            "took {:?}",
            start.elapsed()
        );
        assert!(
            merged.data["l"]
                .as_array()
                .is_some_and(|list| list.len() >= 10_000)
        );
    }
}

#[test]
fn long_lists_of_texts_merge_in_linear_time() {
    let list = |from: usize| json!({"l": (from..from + 10_000).map(|n| format!("tag {n}")).collect::<Vec<_>>()});
    assert_merges_fast(list(0), list(5_000), list(2_500));
}

#[test]
fn long_lists_of_equal_elements_merge_in_linear_time() {
    let list = |count: usize| json!({"l": vec!["same"; count]});
    assert_merges_fast(list(20_000), list(15_000), list(10_000));
}

#[test]
fn long_lists_of_items_merge_in_linear_time() {
    let list = |side: usize| json!({"l": (0..10_000).map(|n| json!({"id": n, "n": n * side})).collect::<Vec<_>>()});
    assert_merges_fast(list(1), list(2), list(3));
}
