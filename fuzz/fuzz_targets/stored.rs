//! What lies in the database: operations, shadows, cursors, conflicts, quarantine, and the values of
//! columns. Spoilt text is an error; what is read can be written and read again.
#![no_main]

use fuzz::Input;
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sync_core::store::{ConflictEntry, CursorState, QuarantineEntry, ResolvedConflict};
use sync_core::{ColumnType, Op, ServerState, Shadow, Timestamp, Version};

// The two files of the database crate that read what lies there; the crate itself would bring SQLite along.
#[path = "../../crates/sync-sqlx/src/codec.rs"]
mod codec;
#[path = "../../crates/sync-sqlx/src/json.rs"]
mod json;

const TYPES: [ColumnType; 7] = [
    ColumnType::Text,
    ColumnType::Integer,
    ColumnType::Real,
    ColumnType::Boolean,
    ColumnType::Blob,
    ColumnType::Json,
    ColumnType::Timestamp,
];

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let (what, ty) = (input.byte(), input.one_of(&TYPES));
    let Ok(text) = std::str::from_utf8(input.0) else {
        let _ = codec::from_blob(input.0);
        return;
    };
    match what % 9 {
        0 => both_ways::<Op>(text),
        1 => both_ways::<Shadow>(text),
        2 => both_ways::<CursorState>(text),
        3 => both_ways::<ConflictEntry>(text),
        4 => both_ways::<QuarantineEntry>(text),
        5 => both_ways::<(ServerState, Option<Version>)>(text),
        6 => {
            if let Ok(stamp) = codec::stamp_from_text(text) {
                let again = codec::stamp_from_text(&codec::stamp_text(&stamp));
                assert_eq!(again.as_ref().map(Timestamp::to_json), Ok(stamp.to_json()));
            }
        }
        7 => column(ty, text),
        _ => both_ways::<ResolvedConflict>(text),
    }
});

fn both_ways<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(text: &str) {
    if let Ok(value) = json::read::<T>(text) {
        let written = serde_json::to_string(&value).expect("what was read can be written");
        assert_eq!(
            json::read::<T>(&written).expect("what was written can be read"),
            value
        );
    }
}

/// A value that a column takes comes back from it with the same worth.
fn column(ty: ColumnType, text: &str) {
    let Ok(value) = json::read::<Value>(text) else {
        let _ = codec::from_text(ty, text);
        return;
    };
    let back = match codec::encode(ty, &value) {
        Ok(codec::Cell::Integer(integer)) => codec::from_integer(ty, integer),
        Ok(codec::Cell::Real(real)) => codec::from_real(ty, real),
        Ok(codec::Cell::Text(text)) => codec::from_text(ty, &text).expect("its own form"),
        Ok(codec::Cell::Blob(bytes)) => codec::from_blob(&bytes),
        Ok(codec::Cell::Null) | Err(_) => return,
    };
    match ty {
        // A number becomes the text of its instant.
        ColumnType::Timestamp if value.is_number() => {
            let (one, other) = (Timestamp::from_json(&value), Timestamp::from_json(&back));
            if let (Ok(one), Ok(other)) = (one, other) {
                assert_eq!(one, other);
            }
        }
        _ => assert!(
            sync_core::json::same_value(&value, &back),
            "{value} came back as {back}"
        ),
    }
}
