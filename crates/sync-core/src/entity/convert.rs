//! Entities as records, and back.

use serde_json::Value;
use serde_path_to_error::Segment;

use super::{SyncEntity, finite};
use crate::id::InvalidId;
use crate::record::{InvalidRecord, Record};

/// Why an entity is no record, or a record no entity of its type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEntity {
    /// It cannot be converted to or from JSON. The message names fields and types, no contents.
    #[error("it cannot be converted to or from JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// It lacks what a record needs.
    #[error("it is no usable record: {0}")]
    Record(#[from] InvalidRecord),
    /// The kind of its type is not usable.
    #[error(transparent)]
    Kind(#[from] InvalidId),
}

/// The entity as a record.
pub(crate) fn record_of<T: SyncEntity>(entity: &T) -> Result<Record, InvalidEntity> {
    if let Some(complaint) = finite::complaint(entity) {
        return Err(InvalidEntity::Json(serde::ser::Error::custom(complaint)));
    }
    let value = serde_json::to_value(entity).map_err(|error| {
        let traced = serde_path_to_error::serialize(entity, serde_json::value::Serializer);
        not_converted(&error, traced.err().as_ref())
    })?;
    Ok(Record::try_from(value)?)
}

/// The row as an entity.
///
/// A column that may be null may be absent from a record, even where serde wants the field, as it
/// does of an `Option` with `#[serde(with = "…")]`.
pub(crate) fn entity_of<T: SyncEntity>(row: Record) -> Result<T, InvalidEntity> {
    let mut row = Value::from(row);
    loop {
        let error = match T::deserialize(&row) {
            Ok(entity) => return Ok(entity),
            Err(error) => error,
        };
        let absent = absent_nullable::<T>(&error, &row);
        let (Some(field), Some(fields)) = (absent, row.as_object_mut()) else {
            let traced = serde_path_to_error::deserialize::<_, T>(&row);
            return Err(not_converted(&error, traced.err().as_ref()));
        };
        fields.insert(field, Value::Null);
    }
}

/// The field that is missed by this error, if it is a column that may be null.
fn absent_nullable<T: SyncEntity>(error: &serde_json::Error, row: &Value) -> Option<String> {
    let text = error.to_string();
    let field = text.strip_prefix("missing field `")?.strip_suffix('`')?;
    let schema = T::schema().ok()?;
    let may_be_null = schema.by_field(field)?.nullable && row.get(field).is_none();
    may_be_null.then(|| field.to_owned())
}

/// The error without contents, after the name of the record's field that it is about. What lies
/// deeper is not named: a key of a map is contents.
fn not_converted(
    error: &serde_json::Error,
    traced: Option<&serde_path_to_error::Error<serde_json::Error>>,
) -> InvalidEntity {
    let told = without_contents(error);
    let field = traced.and_then(|traced| match traced.path().iter().next() {
        Some(Segment::Map { key }) => Some(key),
        _ => None,
    });
    InvalidEntity::Json(match field {
        Some(field) => serde::de::Error::custom(format!("`{field}`: {told}")),
        None => told,
    })
}

/// The error as far as it names fields and types; serde repeats the value that does not fit.
pub(crate) fn without_contents(error: &serde_json::Error) -> serde_json::Error {
    let text = error.to_string();
    let told = if let Some((what, value)) = text.split_once(": ").filter(|_| about_a_value(&text)) {
        let form = FORMS.iter().find(|form| value.starts_with(**form));
        let form = form.unwrap_or(&"another value");
        let expected = value
            .rsplit_once(", expected ")
            .map_or("another", |(_, it)| it);
        format!("{what}: {form}, expected {expected}")
    } else if NAMING.iter().any(|start| text.starts_with(start)) {
        text
    } else {
        "a value is not what the type takes".to_owned()
    };
    serde::de::Error::custom(told)
}

/// What serde says of a value before it repeats it.
const FORMS: [&str; 17] = [
    "null",
    "boolean",
    "integer",
    "floating point",
    "character",
    "string",
    "byte array",
    "unit value",
    "Option value",
    "newtype struct",
    "sequence",
    "map",
    "enum",
    "unit variant",
    "newtype variant",
    "tuple variant",
    "struct variant",
];

/// What serde says of fields, whose names come from the type or the record.
const NAMING: [&str; 3] = ["missing field ", "duplicate field ", "unknown field "];

fn about_a_value(text: &str) -> bool {
    ["invalid type: ", "invalid value: ", "invalid length "]
        .iter()
        .any(|start| text.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "only parsed")]
    struct Diary {
        mood: u8,
        level: Level,
    }

    #[derive(Debug, serde::Deserialize)]
    enum Level {
        Low,
    }

    #[test]
    fn an_entity_that_does_not_fit_is_told_without_its_contents() {
        let told = |json: &str| {
            let error = serde_json::from_str::<serde_json::Value>(json)
                .and_then(serde_json::from_value::<Diary>)
                .unwrap_err();
            without_contents(&error).to_string()
        };
        let texts = [
            told(r#"{"mood": "s3cr3t, expected s3cr3t"}"#),
            told(r#"{"mood": 31337}"#),
            told(r#"{"mood": 1, "level": "s3cr3t"}"#),
            told(r#"{"level": "Low"}"#),
            told(r#"{"mood": null}"#),
            told(r#"{"mood": 1.5}"#),
        ];
        assert_eq!(
            texts,
            [
                "invalid type: string, expected u8",
                "invalid value: integer, expected u8",
                "a value is not what the type takes",
                "missing field `mood`",
                "invalid type: null, expected u8",
                "invalid type: floating point, expected u8",
            ]
        );
    }
}
