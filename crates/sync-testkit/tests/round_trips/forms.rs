//! The same for columns whose form the struct says, for types of the app's own, and for sets.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use proptest::collection::{btree_set, hash_map, hash_set, vec};
use proptest::option;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;
use uuid::Uuid;

use crate::devices::{Sent, assert_comes_back};
use crate::{for_all, runtime};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Colour(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cents(i64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Metres(f64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Switch(bool);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Instant(DateTime<Utc>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Size {
    Small,
    Large,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "forms", table = "all forms")]
struct Form {
    id: String,
    #[sync(text)]
    colour: Colour,
    #[sync(text)]
    size: Size,
    #[sync(integer)]
    price: Cents,
    #[sync(integer)]
    maybe_price: Option<Cents>,
    #[sync(real)]
    length: Metres,
    #[sync(boolean)]
    switch: Option<Switch>,
    #[sync(timestamp)]
    seen: Instant,
    machine: isize,
    other: Option<Uuid>,
    #[sync(json)]
    quoted: String,
    words: HashSet<String>,
    sorted: BTreeSet<i64>,
    counts: HashMap<String, i64>,
    nested: Option<Vec<HashMap<String, Option<Colour>>>>,
    #[sync(local_only, column = "kept here")]
    own: Option<Vec<String>>,
    updated_at: Option<DateTime<Utc>>,
    deleted_at: Option<DateTime<Utc>>,
}

impl Sent for Form {
    fn named(mut self, id: String) -> Self {
        self.id = id;
        self
    }

    fn without_stamps(mut self) -> Self {
        self.updated_at = None;
        self
    }

    fn without_own(mut self) -> Self {
        self.own = None;
        self
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![".{0,8}", Just("a\0\"b".to_owned()), "[0-9.e+-]{1,6}"]
}

fn colour() -> impl Strategy<Value = Colour> {
    text().prop_map(Colour)
}

prop_compose! {
    fn form()(
        texts in (colour(), any::<bool>(), text(), option::of(vec(text(), 0..3))),
        numbers in (any::<i64>(), option::of(any::<i64>()), any::<isize>()),
        length in any::<f64>().prop_filter("finite", |float| float.is_finite()),
        switch in option::of(any::<bool>()),
        seen in (0..4_000_000_000_i64, 0..1_000_000_000_u32),
        other in option::of(any::<u128>()),
        sets in (hash_set(text(), 0..4), btree_set(any::<i64>(), 0..4), hash_map(text(), any::<i64>(), 0..4)),
        nested in option::of(vec(hash_map(text(), option::of(colour()), 0..3), 0..3)),
    ) -> Form {
        let (colour, is_large, quoted, own) = texts;
        let (price, maybe_price, machine) = numbers;
        let (words, sorted, counts) = sets;
        Form {
            id: String::new(),
            colour,
            size: if is_large { Size::Large } else { Size::Small },
            price: Cents(price),
            maybe_price: maybe_price.map(Cents),
            length: Metres(length),
            switch: switch.map(Switch),
            seen: Instant(DateTime::from_timestamp(seen.0, seen.1).unwrap()),
            machine,
            other: other.map(Uuid::from_u128),
            quoted,
            words,
            sorted,
            counts,
            nested,
            own,
            updated_at: None,
            deleted_at: None,
        }
    }
}

#[test]
fn entities_whose_columns_are_told_come_back_as_they_were() {
    for_all(12, &vec(form(), 10), |forms| {
        runtime().block_on(assert_comes_back(forms));
        Ok(())
    });
}
