//! JSON values as a database keeps them, whichever database it is.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Number, Value};
use sync_core::{ColumnType, Timestamp};

/// One value on its way into a column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'a> {
    /// Nothing.
    Null,
    /// An integer; also true (1) and false (0).
    Integer(i64),
    /// A floating point number.
    Real(f64),
    /// Text; also JSON and points in time.
    Text(Cow<'a, str>),
    /// Bytes.
    Blob(Vec<u8>),
}

/// The value as a column of this type keeps it, or what was expected instead.
pub(crate) fn encode(ty: ColumnType, value: &Value) -> Result<Cell<'_>, &'static str> {
    if value.is_null() {
        return Ok(Cell::Null);
    }
    match ty {
        ColumnType::Text => text(value).ok_or("a text"),
        ColumnType::Integer => integer(value)
            .map(Cell::Integer)
            .ok_or("an integer of at most 64 bits"),
        ColumnType::Real => real(value).map(Cell::Real).ok_or("a floating point number"),
        ColumnType::Boolean => value
            .as_bool()
            .map(|truth| Cell::Integer(truth.into()))
            .ok_or("true or false"),
        ColumnType::Blob => value
            .as_str()
            .and_then(|text| BASE64.decode(text).ok())
            .map(Cell::Blob)
            .ok_or("bytes as base64 text"),
        ColumnType::Json => Ok(Cell::Text(value.to_string().into())),
        ColumnType::Timestamp => timestamp(value).ok_or("text or Unix time"),
        _ => Err("a type that this version of the library knows"),
    }
}

fn text(value: &Value) -> Option<Cell<'_>> {
    value.as_str().map(|text| Cell::Text(text.into()))
}

/// An integer that a float cannot hold exactly is refused, not rounded.
fn real(value: &Value) -> Option<f64> {
    const EXACT: u64 = 1 << 53;
    let number = value.as_number()?;
    let magnitude = number.as_u64().or(number.as_i64().map(i64::unsigned_abs));
    magnitude
        .is_none_or(|magnitude| magnitude <= EXACT)
        .then(|| number.as_f64())
        .flatten()
}

/// A float with an integral value is that integer: some servers write `3.0`.
fn integer(value: &Value) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    value.as_i64().or_else(|| {
        let float = value
            .as_number()
            .filter(|number| number.is_f64())?
            .as_f64()?;
        let fits = float.fract() == 0.0 && (-LIMIT..LIMIT).contains(&float);
        #[expect(clippy::cast_possible_truncation, reason = "just checked")]
        fits.then_some(float as i64)
    })
}

/// Text stays as it came, readable or not: a record with an unreadable stamp is a record all the
/// same, and an app may keep dates that a server's stamp may not be.
fn timestamp(value: &Value) -> Option<Cell<'_>> {
    match value {
        Value::String(text) => Some(Cell::Text(text.into())),
        Value::Number(_) => {
            let stamp = Timestamp::from_json(value).ok()?;
            Some(Cell::Text(stamp.to_rfc3339_utc().into()))
        }
        _ => None,
    }
}

/// An integer from a column of this type.
pub(crate) fn from_integer(ty: ColumnType, value: i64) -> Value {
    match ty {
        ColumnType::Boolean => Value::Bool(value != 0),
        #[expect(
            clippy::cast_precision_loss,
            reason = "the column's type is floating point"
        )]
        ColumnType::Real => from_real(ty, value as f64),
        _ => Value::from(value),
    }
}

/// A floating point number from a column. JSON has no infinity: it becomes null.
pub(crate) fn from_real(ty: ColumnType, value: f64) -> Value {
    let float = Number::from_f64(value).map_or(Value::Null, Value::Number);
    match ty {
        ColumnType::Integer => integer(&float).map_or(float, Value::from),
        _ => float,
    }
}

/// Text from a column.
pub(crate) fn from_text(ty: ColumnType, text: &str) -> Result<Value, serde_json::Error> {
    match ty {
        ColumnType::Json => crate::json::read(text),
        _ => Ok(Value::from(text)),
    }
}

/// Bytes from a column.
pub(crate) fn from_blob(bytes: &[u8]) -> Value {
    Value::from(BASE64.encode(bytes))
}

/// The verbatim form of a point in time as plain text: a number keeps its digits.
pub(crate) fn stamp_text(stamp: &Timestamp) -> String {
    stamp.to_string()
}

/// The point in time that [`stamp_text`] wrote.
pub(crate) fn stamp_from_text(text: &str) -> Result<Timestamp, sync_core::InvalidTimestamp> {
    match text.parse::<i64>() {
        Ok(number) => Timestamp::from_number(number),
        Err(_) => Timestamp::parse(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn integers_are_exact_or_refused() {
        let integer = |value: &Value| {
            encode(ColumnType::Integer, value)
                .ok()
                .map(|cell| match cell {
                    Cell::Integer(integer) => integer,
                    other => panic!("{other:?}"),
                })
        };
        assert_eq!(integer(&json!(i64::MAX)), Some(i64::MAX));
        assert_eq!(integer(&json!(i64::MIN)), Some(i64::MIN));
        assert_eq!(integer(&json!(3.0)), Some(3));
        assert_eq!(integer(&json!(u64::MAX)), None);
        assert_eq!(integer(&json!(3.5)), None);
        assert_eq!(integer(&json!(9.3e18)), None);
        assert_eq!(integer(&json!("3")), None);
        assert_eq!(integer(&json!(true)), None);
    }

    #[test]
    fn timestamps_stay_verbatim_and_numbers_become_text_of_the_same_instant() {
        let encoded = |value| match encode(ColumnType::Timestamp, &value) {
            Ok(Cell::Text(text)) => Some(text.into_owned()),
            _ => None,
        };
        assert_eq!(
            encoded(json!("2026-03-01T14:00:00.50+02:00")).as_deref(),
            Some("2026-03-01T14:00:00.50+02:00")
        );
        assert_eq!(
            encoded(json!(1_700_000_000)).as_deref(),
            Some("2023-11-14T22:13:20Z")
        );
        assert_eq!(
            encoded(json!("1965-03-01T00:00:00Z")).as_deref(),
            Some("1965-03-01T00:00:00Z")
        );
        assert_eq!(encoded(json!("yesterday")).as_deref(), Some("yesterday"));
        assert_eq!(encoded(json!(-1)), None);
        assert_eq!(encoded(json!(true)), None);
    }

    #[test]
    fn values_of_another_type_are_refused() {
        for (ty, value) in [
            (ColumnType::Text, json!(1)),
            (ColumnType::Boolean, json!(1)),
            (ColumnType::Real, json!("1")),
            (ColumnType::Real, json!(9_007_199_254_740_993_i64)),
            (ColumnType::Blob, json!("not base64!")),
        ] {
            assert!(encode(ty, &value).is_err(), "{ty:?} {value}");
        }
    }

    #[test]
    fn stamps_survive_as_plain_text() {
        for stamp in [
            Timestamp::parse("2026-03-01T12:00:00.123456789Z"),
            Timestamp::from_number(1_700_000_000_123),
        ] {
            let stamp = stamp.unwrap();
            let back = stamp_from_text(&stamp_text(&stamp)).unwrap();
            assert_eq!(back.to_json(), stamp.to_json());
        }
    }
}
