//! Entities of every supported type come back as they were: from SQLite, and over the wire on
//! another device.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, Utc};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sync_core::{SyncEntity, Timestamp};
use uuid::Uuid;

use crate::devices::{Sent, assert_comes_back};
use crate::{for_all, runtime};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mood {
    Calm,
    Loud { volume: u8 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    name: String,
    at: (f64, f64),
    inner: Option<Box<Place>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "samples")]
#[serde(rename_all = "camelCase")]
struct Sample {
    id: String,
    text: String,
    maybe_text: Option<String>,
    reference: Uuid,
    day: NaiveDate,
    tiny: i8,
    small: i16,
    medium: i32,
    large: i64,
    byte: u8,
    word: u16,
    double_word: u32,
    single: f32,
    double: f64,
    maybe_double: Option<f64>,
    flag: bool,
    maybe_flag: Option<bool>,
    utc: DateTime<Utc>,
    offset: Option<DateTime<FixedOffset>>,
    naive: NaiveDateTime,
    verbatim: Option<Timestamp>,
    tags: Vec<String>,
    maybe_tags: Option<Vec<String>>,
    numbers: Vec<u8>,
    map: BTreeMap<String, u64>,
    pair: (i64, f64),
    mood: Mood,
    #[serde(rename = "somewhere")]
    place: Option<Place>,
    anything: Value,
    #[sync(json)]
    wide: u64,
    #[sync(blob)]
    #[serde(with = "sync_core::base64")]
    bytes: Vec<u8>,
    #[sync(blob, column = "small bytes")]
    #[serde(with = "sync_core::base64")]
    maybe_bytes: Option<Vec<u8>>,
    #[sync(local_only)]
    draft: Option<String>,
    #[serde(skip)]
    cache: u8,
    #[sync(extra)]
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Any text: controls, NUL, quotes, what looks like a number, any script.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,12}",
        "\\PC{0,12}",
        Just("a\0b".to_owned()),
        "[0-9.e+-]{1,6}"
    ]
}

fn finite() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("finite", |float| float.is_finite())
}

fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    let seconds = 0..4_000_000_000_i64;
    (seconds, 0..1_000_000_000_u32)
        .prop_map(|(seconds, nanos)| DateTime::from_timestamp(seconds, nanos).unwrap())
}

fn place() -> impl Strategy<Value = Place> {
    let flat = (text(), (finite(), finite())).prop_map(|(name, at)| Place {
        name,
        at,
        inner: None,
    });
    flat.prop_recursive(3, 4, 1, |inner| {
        (text(), (finite(), finite()), inner).prop_map(|(name, at, inner)| Place {
            name,
            at,
            inner: Some(Box::new(inner)),
        })
    })
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        finite().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(text(), inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Fields that the struct does not know, under names that nothing else has.
fn unknown_fields() -> impl Strategy<Value = Map<String, Value>> {
    let value = json_value().prop_filter("null is absent", |value| !value.is_null());
    btree_map("x[a-z]{1,5}", value, 0..3).prop_map(|map| map.into_iter().collect())
}

prop_compose! {
    fn numbers()(
        ints in any::<(i8, i16, i32, i64, u8, u16, u32, u64)>(),
        single in any::<f32>().prop_filter("finite", |float| float.is_finite()),
        double in finite(),
        maybe_double in option::of(finite()),
        pair in (any::<i64>(), finite()),
    ) -> Sample {
        let (tiny, small, medium, large, byte, word, double_word, wide) = ints;
        Sample { tiny, small, medium, large, byte, word, double_word, wide, single, double, maybe_double, pair, ..blank() }
    }
}

prop_compose! {
    fn sample()(
        numbers in numbers(),
        texts in (text(), option::of(text()), option::of(text())),
        times in (instant(), option::of((instant(), -50_000..50_000_i32)), instant(), option::of(instant())),
        flags in any::<(bool, Option<bool>, u128)>(),
        lists in (vec(text(), 0..4), option::of(vec(text(), 0..4)), vec(any::<u8>(), 0..6), btree_map(text(), any::<u64>(), 0..3)),
        bytes in (vec(any::<u8>(), 0..9), option::of(vec(any::<u8>(), 0..9))),
        nested in (option::of(place()), json_value(), unknown_fields(), option::of(any::<u8>())),
    ) -> Sample {
        let (text, maybe_text, draft) = texts;
        let (utc, offset, naive, verbatim) = times;
        let (tags, maybe_tags, numbers_list, map) = lists;
        Sample {
            text,
            maybe_text,
            draft,
            utc,
            offset: offset.map(|(at, east)| at.with_timezone(&FixedOffset::east_opt(east / 60 * 60).unwrap())),
            naive: naive.naive_utc(),
            day: naive.date_naive(),
            verbatim: verbatim.map(|at| Timestamp::parse(&at.to_rfc3339()).unwrap()),
            flag: flags.0,
            maybe_flag: flags.1,
            reference: Uuid::from_u128(flags.2),
            tags,
            maybe_tags,
            numbers: numbers_list,
            map,
            bytes: bytes.0,
            maybe_bytes: bytes.1,
            place: nested.0,
            anything: nested.1,
            rest: nested.2,
            mood: nested.3.map_or(Mood::Calm, |volume| Mood::Loud { volume }),
            ..numbers
        }
    }
}

fn blank() -> Sample {
    let bare = json!({
        "id": "", "text": "", "reference": Uuid::nil(), "day": "2026-01-01", "tiny": 0, "small": 0,
        "medium": 0, "large": 0, "byte": 0, "word": 0, "doubleWord": 0, "single": 0, "double": 0,
        "flag": false, "utc": "2026-01-01T00:00:00Z", "naive": "2026-01-01T00:00:00", "tags": [],
        "numbers": [], "map": {}, "pair": [0, 0], "mood": "calm", "anything": null, "wide": 0,
        "bytes": "", "maybeBytes": null
    });
    serde_json::from_value(bare).unwrap()
}

/// What the server adds is of no interest.
impl Sent for Sample {
    fn named(mut self, id: String) -> Self {
        self.id = id;
        self
    }

    fn without_stamps(mut self) -> Self {
        self.rest.retain(|name, _| name.starts_with('x'));
        self
    }

    fn without_own(mut self) -> Self {
        self.draft = None;
        self
    }
}

#[test]
fn entities_of_every_type_come_back_as_they_were() {
    for_all(12, &vec(sample(), 10), |samples| {
        runtime().block_on(assert_comes_back(samples));
        Ok(())
    });
}
