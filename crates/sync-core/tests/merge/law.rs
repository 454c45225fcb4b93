//! The merge meets an independent reading of its rules on random records of a common shape.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::Union;
use serde_json::{Value, json};
use sync_core::changed_fields::ChangedFields;
use sync_core::json::{JsonMap, same_object};
use sync_core::merge::preserving_merge;

use crate::oracle::{equal, judge, meets};

const FIELDS: [&str; 9] = [
    "updated_at",
    "_rev",
    "scalar",
    "object",
    "texts",
    "numbers",
    "lists",
    "items",
    "things",
];

fn any_scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (0..3).prop_map(Value::from),
        select(vec![
            json!(1.0),
            json!(-0.0),
            json!(0.5),
            json!(u64::MAX),
            json!(i64::MIN)
        ]),
        "[ab]?".prop_map(Value::from),
    ]
}

fn list_of(element: impl Strategy<Value = Value>, most: usize) -> impl Strategy<Value = Value> {
    vec(element, 0..=most).prop_map(Value::from)
}

/// Without equal elements: their order is certain.
fn distinct(list: Value) -> Value {
    let mut kept: Vec<Value> = Vec::new();
    for element in list.as_array().into_iter().flatten() {
        if !kept.iter().any(|other| equal(other, element)) {
            kept.push(element.clone());
        }
    }
    kept.into()
}

/// An object of few keys, some of them nested; with an id now and then.
fn any_object(depth: u32) -> BoxedStrategy<Value> {
    let mut values = vec![
        any_scalar().boxed(),
        list_of("[a-e]".prop_map(Value::from), 4)
            .prop_map(distinct)
            .boxed(),
    ];
    if depth > 0 {
        values.push(any_object(depth - 1));
        values.push(any_items(depth - 1));
    }
    let keys = vec(option::of(Union::new(values)), 3);
    (
        keys,
        option::weighted(0.2, select(vec![json!(1), json!(2), json!(""), json!("u")])),
    )
        .prop_map(|(values, id)| {
            let names = ["a", "b", "c"].map(str::to_owned).into_iter();
            let fields = names
                .zip(values)
                .filter_map(|(name, value)| Some((name, value?)));
            Value::Object(fields.chain(id.map(|id| ("id".to_owned(), id))).collect())
        })
        .boxed()
}

/// Objects with an id each, none twice, in any order, beside a text now and then.
fn any_items(depth: u32) -> BoxedStrategy<Value> {
    let ids = vec![json!(1), json!(2), json!("x"), json!("y")];
    let item = (any_object(depth), option::weighted(0.1, any::<bool>()));
    (subsequence(ids, 0..=4).prop_shuffle(), vec(item, 4))
        .prop_map(|(ids, items)| {
            let with_id = ids
                .into_iter()
                .zip(items)
                .map(|(id, (mut item, text))| match text {
                    Some(text) => json!(text.to_string()),
                    None => {
                        item["id"] = id;
                        item
                    }
                });
            distinct(with_id.collect())
        })
        .boxed()
}

fn any_field(name: &'static str) -> BoxedStrategy<Value> {
    match name {
        "object" => any_object(2),
        "texts" => list_of(
            prop_oneof![9 => "[a-d]".prop_map(Value::from), 1 => Just(json!(null))],
            5,
        )
        .boxed(),
        "numbers" => list_of((0..3).prop_map(Value::from), 3).boxed(),
        "lists" => list_of(list_of((0..2).prop_map(Value::from), 2), 2).boxed(),
        "items" => any_items(1),
        // Objects that are told apart by nothing but their content.
        "things" => list_of((0..4).prop_map(|n| json!({"n": n})), 4)
            .prop_map(distinct)
            .boxed(),
        _ => any_scalar().boxed(),
    }
}

/// A record in which a field may be missing, null or of an unforeseen type.
fn any_record() -> impl Strategy<Value = JsonMap> {
    let fields: Vec<_> = FIELDS
        .into_iter()
        .map(|name| {
            let value = prop_oneof![14 => any_field(name), 1 => any_scalar()];
            option::weighted(0.9, value).prop_map(move |value| Some((name.to_owned(), value?)))
        })
        .collect();
    fields.prop_map(|fields| fields.into_iter().flatten().collect())
}

/// Three records, of which each field of one is often another's: whoever changes everything at
/// once meets only the last rule.
fn any_three() -> impl Strategy<Value = [JsonMap; 3]> {
    let three = [any_record(), any_record(), any_record()];
    (three, vec(0..6_usize, FIELDS.len())).prop_map(|(mut three, choices)| {
        for (name, choice) in FIELDS.into_iter().zip(choices) {
            let (from, to) = match choice {
                0 => (2, 0),
                1 => (2, 1),
                2 => (0, 1),
                _ => continue,
            };
            match three[from].get(name).cloned() {
                Some(value) => three[to].insert(name.to_owned(), value),
                None => three[to].remove(name),
            };
        }
        three
    })
}

fn any_changed() -> impl Strategy<Value = Option<Vec<&'static str>>> {
    option::of(subsequence(FIELDS.to_vec(), 0..=FIELDS.len()))
}

fn set(names: Option<&Vec<&'static str>>) -> Option<ChangedFields> {
    names.map(|names| names.iter().copied().collect())
}

fn without_repetitions(mut record: JsonMap) -> JsonMap {
    if let Some(texts) = record.get_mut("texts")
        && texts.is_array()
    {
        *texts = distinct(texts.take());
    }
    record
}

/// The ids of a record's items, if these are a list.
fn ids_of(record: Option<&JsonMap>) -> Option<Vec<Value>> {
    let items = record?.get("items")?.as_array()?;
    Some(
        items
            .iter()
            .filter_map(|item| item.get("id").cloned())
            .collect(),
    )
}

proptest! {
    #![proptest_config(crate::config(384))]

    #[test]
    fn the_merge_is_what_the_rules_say(
        [local, server, base] in any_three(), has_base in any::<bool>(), changed in any_changed(),
    ) {
        let base = has_base.then_some(base);
        let expected = judge(&local, &server, base.as_ref(), changed.as_deref());
        let merged = preserving_merge(&local, &server, base.as_ref(), set(changed.as_ref()).as_ref());
        for (name, expected) in &expected.fields {
            let actual = merged.data.get(name).unwrap_or(&Value::Null);
            prop_assert!(meets(actual, expected), "{} is {}, expected {:?}", name, actual, expected);
        }
        prop_assert!(merged.data.keys().all(|name| expected.fields.iter().any(|(other, _)| other == name)));
        let contested: Vec<&str> = merged.contested_fields.iter().map(String::as_str).collect();
        prop_assert_eq!(contested, expected.contested);
    }

    #[test]
    fn merging_the_result_again_with_the_same_sides_changes_nothing(
        [local, server, base] in any_three(), has_base in any::<bool>(), changed in any_changed(),
    ) {
        // Of equal elements one that is there again is one more.
        let [local, server, base] = [local, server, base].map(without_repetitions);
        let (base, changed) = (has_base.then_some(base), set(changed.as_ref()));
        let once = preserving_merge(&local, &server, base.as_ref(), changed.as_ref());
        let twice = preserving_merge(&once.data, &server, base.as_ref(), changed.as_ref());
        prop_assert!(same_object(&twice.data, &once.data), "{:?}, then {:?}", once.data, twice.data);
    }

    #[test]
    fn hazard_e56_no_item_is_lost_that_a_side_has_and_neither_removed(
        [local, server, base] in any_three(), has_base in any::<bool>(),
    ) {
        let base = has_base.then_some(base);
        let merged = preserving_merge(&local, &server, base.as_ref(), None).data;
        let (mine, theirs) = (ids_of(Some(&local)), ids_of(Some(&server)));
        let (Some(mine), Some(theirs)) = (mine, theirs) else { return Ok(()) };
        let before = ids_of(base.as_ref()).unwrap_or_default();
        let result = ids_of(Some(&merged)).unwrap_or_default();
        for id in mine.iter().chain(&theirs) {
            let was_removed = before.contains(id) && !(mine.contains(id) && theirs.contains(id));
            prop_assert!(was_removed || result.contains(id), "{} of {:?}", id, result);
        }
        for id in &result {
            prop_assert!(mine.contains(id) || theirs.contains(id), "{} came from nowhere", id);
        }
    }
}
