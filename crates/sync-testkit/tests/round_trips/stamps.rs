//! Points in time.

use proptest::prelude::*;
use serde_json::{Value, json};
use sync_core::{Timestamp, Version};

use crate::for_all;
use crate::hostile::{any_value, same};

#[test]
fn a_stamp_of_any_style_stays_as_it_was_written() {
    let date = "(1970|1999|2024|2026|9999)-(01|02|10|12)-(01|28|30)";
    let time = "(00|12|23):(00|59):(00|59)";
    let text = format!("{date}[Tt ]{time}(\\.[0-9]{{1,12}})?([Zz]|[+-](00|05|14):(00|30))?");
    let text = proptest::string::string_regex(&text).unwrap();
    let number = prop_oneof![0..5_000_000_000_i64, 100_000_000_000..5_000_000_000_000_i64];
    let value = prop_oneof![text.prop_map(Value::from), number.prop_map(Value::from)];
    let taken = std::cell::Cell::new(0);
    for_all(1024, &value, |value| {
        if let Ok(stamp) = Timestamp::from_json(&value) {
            taken.set(taken.get() + 1);
            prop_assert!(same(&stamp.to_json(), &value));
            let version = Version::new(stamp.clone());
            let text = serde_json::to_string(&version).unwrap();
            let again: Version = serde_json::from_str(&text).unwrap();
            prop_assert!(same(&again.stamp.to_json(), &value));
            prop_assert_eq!(again.stamp.unix_nanos(), stamp.unix_nanos());
        }
        Ok(())
    });
    assert!(
        taken.get() > 500,
        "only {} of 1024 were stamps",
        taken.get()
    );
}

#[test]
fn any_other_value_is_either_kept_verbatim_or_an_error() {
    let number = any::<i64>().prop_map(Value::from);
    let like_a_stamp = "[0-9]{0,5}-?[0-9]{0,3}-?[0-9:TZ+. -]{0,24}".prop_map(Value::from);
    for_all(
        1024,
        &prop_oneof![any_value(), number, like_a_stamp],
        |value| {
            if let Ok(stamp) = Timestamp::from_json(&value) {
                prop_assert!(same(&stamp.to_json(), &value));
                prop_assert!(stamp.unix_nanos() >= 0);
                let text = json!(stamp).to_string();
                let again: Timestamp = serde_json::from_str(&text).unwrap();
                prop_assert!(same(&again.to_json(), &value));
            }
            Ok(())
        },
    );
}
