//! Entities as records, and back.

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
    let value = serde_json::to_value(entity).map_err(|error| not_converted(&error))?;
    Ok(Record::try_from(value)?)
}

/// The row as an entity.
pub(crate) fn entity_of<T: SyncEntity>(row: Record) -> Result<T, InvalidEntity> {
    serde_json::from_value(row.into()).map_err(|error| not_converted(&error))
}

fn not_converted(error: &serde_json::Error) -> InvalidEntity {
    InvalidEntity::Json(without_contents(error))
}

/// The error as far as it names fields and types; serde repeats the value that does not fit.
pub(crate) fn without_contents(error: &serde_json::Error) -> serde_json::Error {
    let text = error.to_string();
    let told = if let Some((what, value)) = text.split_once(": ").filter(|_| about_a_value(&text)) {
        let form = value.split([' ', '`', ',']).next().unwrap_or_default();
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
            told(r#"{"mood": null}"#),
            told(r#"{"mood": 1, "level": "s3cr3t"}"#),
            told(r#"{"level": "Low"}"#),
        ];
        assert_eq!(
            texts,
            [
                "invalid type: string, expected u8",
                "invalid value: integer, expected u8",
                "invalid type: null, expected u8",
                "a value is not what the type takes",
                "missing field `mood`",
            ]
        );
    }
}
