//! The merge functions against their laws: no panic, nothing made up, and merging again changes nothing.
#![no_main]

use fuzz::{FIELDS, Input, size};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sync_core::ChangedFields;
use sync_core::json::{JsonMap, same_object, same_value};
use sync_core::merge::{deep_merge, default_merge, preserving_merge};
use sync_core::system_fields::is_system_field;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let choices = input.byte();
    let named = input.byte();
    let (local, server, base) = (input.record(), input.record(), input.record());
    let base = (choices & 1 != 0).then_some(&base);
    let changed = (choices & 2 != 0).then(|| {
        let chosen = FIELDS.iter().enumerate();
        let chosen = chosen.filter(|(bit, _)| named & (1 << bit) != 0);
        chosen.map(|(_, field)| *field).collect::<ChangedFields>()
    });
    let merged = preserving_merge(&local, &server, base, changed.as_ref());

    assert!(
        weight(&merged.data) <= weight(&local) + weight(&server),
        "grew"
    );
    for field in FIELDS {
        let outside = changed
            .as_ref()
            .is_some_and(|changed| !changed.contains(field));
        if outside || is_system_field(field) {
            assert_eq!(
                merged.data.get(field),
                server.get(field),
                "{field} is the server's"
            );
            assert!(!merged.contested_fields.contains(field));
        }
    }
    for (field, value) in &merged.data {
        if !is_system_field(field) {
            let is_servers = server
                .get(field)
                .is_some_and(|theirs| same_value(value, theirs));
            assert_eq!(merged.local_fields.contains(field), !is_servers, "{field}");
        }
    }
    if base.is_none() {
        let again = preserving_merge(&merged.data, &server, None, changed.as_ref());
        assert!(same_object(&again.data, &merged.data), "merging again");
    }
    if changed.is_none() {
        let again = preserving_merge(&merged.data, &server, Some(&server), None);
        assert!(
            same_object(&again.data, &merged.data),
            "merging onto its own base"
        );
        assert!(again.contested_fields.is_empty());
    }
    let same = preserving_merge(&local, &local, base, changed.as_ref());
    assert!(same_object(&same.data, &local) && same.contested_fields.is_empty());
    for merge in [default_merge, deep_merge] {
        let once = merge(&local, &server);
        assert!(same_object(&merge(&once, &server), &once));
        assert!(same_object(&merge(&local, &local), &local));
    }
});

fn weight(record: &JsonMap) -> usize {
    size(&Value::Object(record.clone()))
}
