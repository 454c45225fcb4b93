use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{over, patched};
use crate::record::Record;
use crate::schema::{Column, ColumnType, TableSchema};

/// Parsed from records that have more; written by hand, for the derive needs the crate from outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Parcel {
    id: String,
    size: Size,
    #[serde(default)]
    stops: Vec<Stop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(default)]
    weights: Vec<f32>,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Size {
    w: i64,
    #[serde(default)]
    h: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stop {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    city: String,
}

impl crate::SyncEntity for Parcel {
    const KIND: &'static str = "parcels";
    const TABLE: &'static str = "parcels";

    fn schema() -> Result<TableSchema, crate::id::InvalidId> {
        let columns = ["id", "size", "stops", "note", "weights"];
        let columns = columns.map(|name| Column::new(name, ColumnType::Json).nullable());
        let schema = TableSchema::new(crate::id::Kind::new(Self::KIND)?, Self::TABLE, "id");
        Ok(columns.into_iter().fold(schema, TableSchema::column))
    }

    fn create_table_sql() -> String {
        String::new()
    }

    fn entity_id(&self) -> String {
        self.id.clone()
    }
}

fn record(value: Value) -> Record {
    Record::try_from(value).unwrap()
}

/// What a change of the entity makes of a record, and the fields that it changed.
fn changed(raw: &Value, change: impl FnOnce(&mut Parcel)) -> (Value, Vec<String>) {
    let raw = record(raw.clone());
    let mut parcel: Parcel = super::entity_of(raw.clone()).unwrap();
    let before = super::record_of(&parcel).unwrap();
    change(&mut parcel);
    let after = super::record_of(&parcel).unwrap();
    let (patched, changed) = patched(&raw, &before, &after);
    assert_eq!(
        super::replaced::<Parcel>(&raw, &after).unwrap().0,
        patched,
        "a whole entity says the same"
    );
    (patched.into(), changed.into_iter().collect())
}

fn parcel() -> Value {
    json!({
        "id": "p", "size": {"w": 1, "unit": "cm"}, "note": "fragile", "weights": [0.1, 0.2],
        "stops": [{"id": 1, "city": "Rome", "gate": 4}, {"city": "Oslo", "gate": 7}],
    })
}

#[test]
fn what_nobody_changed_stays_in_the_form_that_it_has() {
    assert_eq!(changed(&parcel(), |_| ()), (parcel(), vec![]));
}

#[test]
fn a_change_within_an_object_leaves_the_keys_that_the_type_does_not_know() {
    let (now, names) = changed(&parcel(), |parcel| parcel.size.w = 2);
    assert_eq!(
        now["size"],
        json!({"w": 2, "unit": "cm"}),
        "`h` was nobody's change"
    );
    assert_eq!(names, ["size"]);
    let (now, _) = changed(&parcel(), |parcel| parcel.size.h = 3);
    assert_eq!(now["size"], json!({"w": 1, "h": 3, "unit": "cm"}));
}

#[test]
fn elements_with_an_id_are_changed_where_they_are_and_others_keep_their_form_as_they_are() {
    let add = |parcel: &mut Parcel| {
        let (id, city) = (None, "Bonn".to_owned());
        parcel.stops.insert(0, Stop { id, city });
        parcel.stops[1].city = "Milan".to_owned();
    };
    let stops = json!([{"city": "Bonn"}, {"id": 1, "city": "Milan", "gate": 4}, {"city": "Oslo", "gate": 7}]);
    assert_eq!(changed(&parcel(), add).0["stops"], stops);

    let (now, _) = changed(&parcel(), |parcel| drop(parcel.stops.remove(0)));
    assert_eq!(now["stops"], json!([{"city": "Oslo", "gate": 7}]));
    let (now, _) = changed(&parcel(), |parcel| parcel.stops[1].city.push('!'));
    assert_eq!(
        now["stops"][1],
        json!({"city": "Oslo!"}),
        "another one, for it has no id"
    );
    let (now, _) = changed(&parcel(), |parcel| parcel.weights.push(0.5));
    assert_eq!(now["weights"], json!([0.1, 0.2, 0.5]));
}

#[test]
fn an_object_with_another_id_is_another_one() {
    let sides = |id, city| record(json!({"id": "p", "at": {"id": id, "city": city}}));
    let raw = record(json!({"id": "p", "at": {"id": 1, "city": "Rome", "gate": 4}}));
    let (now, _) = patched(&raw, &sides(1, "Rome"), &sides(2, "Oslo"));
    assert_eq!(now, sides(2, "Oslo"));
}

#[test]
fn a_list_in_another_order_than_it_was_read_in_is_not_taken_for_its_places() {
    let list = |items: Value| record(json!({"id": "p", "list": items}));
    let raw = list(json!([{"n": 2, "x": true}, {"n": 1}, "2026-01-01T01:00:00+01:00"]));
    let before = list(json!([{"n": 1}, {"n": 2}, "2026-01-01T00:00:00Z"]));
    let after = list(json!(["2026-01-01T00:00:00Z", {"n": 1}]));
    let (now, _) = patched(&raw, &before, &after);
    assert_eq!(now, list(json!(["2026-01-01T01:00:00+01:00", {"n": 1}])));
}

#[test]
fn a_field_that_is_not_written_any_more_was_cleared_if_it_has_a_column() {
    let (now, names) = changed(&parcel(), |parcel| parcel.note = None);
    assert_eq!(
        (&now["note"], names),
        (&Value::Null, vec!["note".to_owned()])
    );

    let raw = record(json!({"id": "p", "size": {"w": 1}, "colour": "red"}));
    let (before, after) = (raw.clone(), record(json!({"id": "p", "size": {"w": 1}})));
    let (now, changed) = over::<Parcel>(&raw, &before, after.clone()).unwrap();
    assert_eq!((now, changed.len()), (raw.clone(), 0), "a newer field");
    let (now, _) = patched(&raw, &before, &after);
    assert_eq!(now.get("colour"), Some(&Value::Null), "taken out of it");
}

#[test]
fn what_the_type_cannot_read_is_not_laid_over() {
    let broken = record(json!({"id": "p", "size": 1}));
    assert_eq!(super::replaced::<Parcel>(&broken, &record(parcel())), None);
}

/// Keys that no type knows.
fn unknown() -> impl Strategy<Value = serde_json::Map<String, Value>> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::from),
        "[a-z]{0,3}".prop_map(Value::from)
    ];
    let value = leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,2}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map("x_[a-z]{1,2}", value, 0..3)
        .prop_map(|map| map.into_iter().collect())
}

fn with(mut value: Value, more: serde_json::Map<String, Value>) -> Value {
    value.as_object_mut().unwrap().extend(more);
    value
}

prop_compose! {
    /// A parcel as a newer app or the server writes it.
    fn newer()(
        width in any::<i64>(), height in prop::option::of(any::<i64>()), size in unknown(),
        stops in prop::collection::vec(("[A-Z]", unknown()), 0..4), weight in any::<f32>(),
        decimal in 0..1000, rest in unknown(), with_ids in any::<bool>(),
    ) -> Value {
        let mut size = with(json!({"w": width}), size);
        if let Some(height) = height {
            size["h"] = height.into();
        }
        let stops = (0..).zip(stops).map(|(id, (city, more))| {
            let stop = if with_ids { json!({"id": id, "city": city}) } else { json!({"city": city}) };
            with(stop, more)
        });
        let stops: Vec<_> = stops.collect();
        let weights = json!([f64::from(decimal) / 10.0, weight]);
        with(json!({"id": "p", "size": size, "stops": stops, "weights": weights}), rest)
    }
}

/// The value without what the type knows.
fn unknown_part(mut value: Value) -> Value {
    value["size"]["w"] = Value::Null;
    value["stops"] = Value::Null;
    value
}

proptest! {
    #[test]
    fn nothing_changed_is_nothing_written(raw in newer()) {
        prop_assert_eq!(changed(&raw, |_| ()), (raw, vec![]));
    }

    #[test]
    fn a_change_of_one_leaf_leaves_all_that_the_type_does_not_know(raw in newer(), last in any::<prop::sample::Index>()) {
        let (now, names) = changed(&raw, |parcel| parcel.size.w ^= 1);
        prop_assert_eq!(names, ["size"]);
        prop_assert_eq!(unknown_part(now.clone()), unknown_part(raw.clone()));
        prop_assert_eq!(&now["stops"], &raw["stops"]);

        let stops = raw["stops"].as_array().unwrap();
        if !stops.is_empty() && stops[0].get("id").is_some() {
            let index = last.index(stops.len());
            let (mut now, _) = changed(&raw, |parcel| parcel.stops[index].city.push('!'));
            let city = format!("{}!", raw["stops"][index]["city"].as_str().unwrap());
            prop_assert_eq!(&now["stops"][index]["city"], &json!(city));
            now["stops"][index]["city"] = raw["stops"][index]["city"].clone();
            prop_assert_eq!(now, raw);
        }
    }
}
