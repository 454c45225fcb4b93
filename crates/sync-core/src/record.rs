//! One entity as a JSON object, and what the library reads from it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::contents::{self, shortened};
use crate::id::{EntityId, InvalidId};
use crate::time::{InvalidTimestamp, Timestamp};

/// Names that bear the id, in order of preference.
pub const ID_FIELDS: [&str; 3] = ["id", "ID", "uuid"];
/// Names that bear the server's stamp, in order of preference.
pub const STAMP_FIELDS: [&str; 2] = ["updatedAt", "updated_at"];
/// Names that mark a record as deleted when they are not null.
pub const TOMBSTONE_FIELDS: [&str; 2] = ["deletedAt", "deleted_at"];

/// So many field names `Debug` shows.
const NAMES_SHOWN: usize = 40;

/// Why a JSON value is not a usable record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRecord {
    /// Not a JSON object.
    #[error("not a JSON object")]
    NotAnObject,
    /// None of `id`, `ID`, `uuid` holds a text or a number.
    #[error("no id: expected a text in `id`, `ID` or `uuid`")]
    NoId,
    /// The id cannot be used.
    #[error(transparent)]
    BadId(#[from] InvalidId),
    /// Neither `updatedAt` nor `updated_at` is there.
    #[error("no stamp: expected `updatedAt` or `updated_at`")]
    NoStamp,
    /// The stamp cannot be read.
    #[error(transparent)]
    BadStamp(#[from] InvalidTimestamp),
}

/// One entity as a JSON object.
///
/// Its id is the first of `id`, `ID`, `uuid`; its stamp `updatedAt` or `updated_at`; a value other
/// than null in `deletedAt` or `deleted_at` makes it a tombstone.
///
/// ```
/// # use sync_core::Record;
/// let record = Record::try_from(serde_json::json!({
///     "id": "e1", "title": "Buy milk", "updated_at": "2026-03-01T12:00:00Z", "deleted_at": null
/// })).unwrap();
/// assert_eq!(record.id().unwrap().as_str(), "e1");
/// assert!(!record.is_deleted());
/// ```
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Record(Map<String, Value>);

impl Record {
    /// A record of these fields.
    #[must_use]
    pub fn new(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    /// The fields.
    #[must_use]
    pub fn fields(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The fields, to change them.
    pub fn fields_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.0
    }

    /// The fields, taken out.
    #[must_use]
    pub fn into_fields(self) -> Map<String, Value> {
        self.0
    }

    /// One field; `None` if it is absent.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field)
    }

    /// The id. Integers are taken as their decimal text.
    ///
    /// # Errors
    /// [`InvalidRecord::NoId`] or [`InvalidRecord::BadId`].
    pub fn id(&self) -> Result<EntityId, InvalidRecord> {
        id_of(&self.0)
    }

    /// The server's stamp.
    ///
    /// # Errors
    /// [`InvalidRecord::NoStamp`] or [`InvalidRecord::BadStamp`].
    pub fn stamp(&self) -> Result<Timestamp, InvalidRecord> {
        stamp_of(&self.0)
    }

    /// Does a tombstone field say that this entity is deleted?
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        TOMBSTONE_FIELDS
            .iter()
            .filter_map(|field| self.0.get(*field))
            .any(|value| !matches!(value, Value::Null | Value::Bool(false)))
    }
}

pub(crate) fn id_of(fields: &Map<String, Value>) -> Result<EntityId, InvalidRecord> {
    for field in ID_FIELDS {
        match fields.get(field) {
            Some(Value::String(text)) if !text.is_empty() => return Ok(EntityId::new(text)?),
            Some(Value::Number(number)) if !number.is_f64() => {
                return Ok(EntityId::new(number.to_string())?);
            }
            _ => {}
        }
    }
    Err(InvalidRecord::NoId)
}

/// What identifies an object: the first of `id`, `ID`, `uuid` that holds something.
pub(crate) fn object_id(object: &Map<String, Value>) -> Option<&Value> {
    ID_FIELDS
        .into_iter()
        .filter_map(|key| object.get(key))
        .find(|id| !id.is_null() && id.as_str() != Some(""))
}

/// The id that a value is, in the id field or in one that refers to it.
pub(crate) fn id_of_value(value: &Value) -> Option<EntityId> {
    match value {
        Value::String(text) => EntityId::new(text).ok(),
        Value::Number(number) if !number.is_f64() => EntityId::new(number.to_string()).ok(),
        _ => None,
    }
}

pub(crate) fn stamp_of(fields: &Map<String, Value>) -> Result<Timestamp, InvalidRecord> {
    let value = STAMP_FIELDS
        .iter()
        .filter_map(|field| fields.get(*field))
        .find(|value| !value.is_null())
        .ok_or(InvalidRecord::NoStamp)?;
    let stamp = Timestamp::from_json(value)?;
    if planted!(TruncatedStamps) {
        return Ok(Timestamp::from_unix_millis(stamp.unix_millis()));
    }
    Ok(stamp)
}

/// Id and field names; the values only where [contents are shown](crate::contents).
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if contents::are_shown() {
            return f.debug_tuple("Record").field(&self.0).finish();
        }
        let id = self
            .id()
            .map_or_else(|_| "?".to_owned(), |id| shortened(id.as_str()));
        write!(f, "Record({id:?}")?;
        for name in self.0.keys().take(NAMES_SHOWN) {
            write!(f, " {}", shortened(name))?;
        }
        f.write_str(")")
    }
}

impl TryFrom<Value> for Record {
    type Error = InvalidRecord;
    fn try_from(value: Value) -> Result<Self, InvalidRecord> {
        match value {
            Value::Object(fields) => Ok(Self(fields)),
            _ => Err(InvalidRecord::NotAnObject),
        }
    }
}

impl From<Record> for Value {
    fn from(record: Record) -> Self {
        Self::Object(record.0)
    }
}

impl FromIterator<(String, Value)> for Record {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}
