//! Values that parsers, databases and protocols like to bend.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use sync_core::Record;

const TEXTS: [&str; 12] = [
    "",
    "\0",
    "a\0b",
    "\u{1}\u{8}\u{b}\u{1f}\u{7f}\u{85}",
    "\u{2028}\u{2029}",
    "\u{feff}mark",
    "\u{1f600}\u{10ffff}",
    "e\u{301}\u{202e}",
    "\"\\/\r\n\t",
    "'; DROP TABLE notes; --",
    "%00%2f?&#",
    "null",
];

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        select(TEXTS.to_vec()).prop_map(str::to_owned),
        any::<String>()
    ]
}

fn any_number() -> impl Strategy<Value = Value> {
    let finite = any::<f64>().prop_filter("JSON knows finite numbers only", |f| f.is_finite());
    let special = vec![
        json!(u64::MAX),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(9_007_199_254_740_993_u64),
        json!(-0.0),
        json!(0.0),
        json!(1.0),
        json!(5e-324),
        json!(-2.225_073_858_507_201e-308),
        json!(1e308),
        json!(f64::MAX),
        json!(0.1),
        json!(1e16),
        json!(1e22),
    ];
    prop_oneof![
        select(special),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        finite.prop_map(Value::from),
    ]
}

fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "",
            "_",
            "_rev",
            "__proto__",
            "id",
            "deleted_at",
            "a.b",
            "$ref"
        ])
        .prop_map(str::to_owned),
        any_text(),
    ]
}

pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any_number(),
        any_text().prop_map(Value::from),
    ];
    scalar.prop_recursive(6, 32, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            btree_map(any_key(), inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A live record without an id and a stamp: these are given by whoever uses it.
pub(crate) fn any_fields() -> impl Strategy<Value = Map<String, Value>> {
    btree_map(any_key(), any_value(), 0..6).prop_map(|fields| {
        let own = ["id", "deleted_at"];
        let fields = fields.into_iter();
        fields
            .filter(|(name, _)| !own.contains(&name.as_str()))
            .collect()
    })
}

pub(crate) fn record(id: &str, fields: Map<String, Value>) -> Record {
    let mut record = Record::new(fields);
    record.fields_mut().insert("id".to_owned(), json!(id));
    record
}

/// So many lists and objects in each other, by turns.
pub(crate) fn nested(levels: usize) -> Value {
    (0..levels).fold(json!("innermost"), |inner, level| match level % 2 {
        0 => Value::Array(vec![inner]),
        _ => Value::Object(Map::from_iter([("k".to_owned(), inner)])),
    })
}

/// One hundred thousand elements.
pub(crate) fn long_list() -> Value {
    (0..100_000).map(|n| json!(f64::from(n) / 7.0)).collect()
}

/// Equal to the letter: -0.0 is not 0.0, and 1.0 not 1.
pub(crate) fn same(one: &Value, other: &Value) -> bool {
    let (one_text, other_text) = (one.to_string(), other.to_string());
    one == other && one_text == other_text
}
