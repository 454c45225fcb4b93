//! What `#[sync(…)]` says.

use darling::util::Flag;
use darling::{Error, FromAttributes};
use syn::{Attribute, LitStr};

use crate::keys::Keys;
use crate::types::ColumnType;

const ON_STRUCTS: Keys = Keys {
    place: "a struct",
    with_text: &["kind", "table"],
    words: &[],
};

const ON_FIELDS: Keys = Keys {
    place: "a field",
    with_text: &["column", "merge"],
    words: &[
        "id",
        "extra",
        "local_only",
        "nullable",
        "text",
        "integer",
        "real",
        "boolean",
        "timestamp",
        "json",
        "blob",
    ],
};

/// `#[sync(…)]` on the struct.
#[derive(Default, FromAttributes)]
#[darling(default, attributes(sync))]
pub(crate) struct ContainerAttrs {
    pub(crate) kind: Option<LitStr>,
    pub(crate) table: Option<LitStr>,
}

/// `#[sync(…)]` on a field.
#[derive(Default, FromAttributes)]
#[darling(default, attributes(sync))]
pub(crate) struct FieldAttrs {
    pub(crate) column: Option<LitStr>,
    pub(crate) merge: Option<LitStr>,
    pub(crate) id: Flag,
    pub(crate) extra: Flag,
    pub(crate) local_only: Flag,
    pub(crate) nullable: Flag,
    text: Flag,
    integer: Flag,
    real: Flag,
    boolean: Flag,
    timestamp: Flag,
    json: Flag,
    blob: Flag,
}

impl ContainerAttrs {
    pub(crate) fn read(attrs: &[Attribute]) -> darling::Result<Self> {
        ON_STRUCTS.check(attrs)?;
        Self::from_attributes(attrs)
    }
}

impl FieldAttrs {
    pub(crate) fn read(attrs: &[Attribute]) -> darling::Result<Self> {
        ON_FIELDS.check(attrs)?;
        Self::from_attributes(attrs)
    }

    /// A word that an `extra` field cannot have.
    pub(crate) fn beside_extra(&self) -> Option<&'static str> {
        let words = [
            (self.merge.is_some(), "merge"),
            (self.id.is_present(), "id"),
            (self.local_only.is_present(), "local_only"),
            (self.nullable.is_present(), "nullable"),
            (self.text.is_present(), "text"),
            (self.integer.is_present(), "integer"),
            (self.real.is_present(), "real"),
            (self.boolean.is_present(), "boolean"),
            (self.timestamp.is_present(), "timestamp"),
            (self.json.is_present(), "json"),
            (self.blob.is_present(), "blob"),
        ];
        words
            .into_iter()
            .find(|(said, _)| *said)
            .map(|(_, word)| word)
    }

    /// The column type that the user chose, if any.
    pub(crate) fn column_type(&self) -> darling::Result<Option<ColumnType>> {
        let chosen: Vec<_> = [
            (self.text, ColumnType::Text),
            (self.integer, ColumnType::Integer),
            (self.real, ColumnType::Real),
            (self.boolean, ColumnType::Boolean),
            (self.timestamp, ColumnType::Timestamp),
            (self.json, ColumnType::Json),
            (self.blob, ColumnType::Blob),
        ]
        .into_iter()
        .filter(|(flag, _)| flag.is_present())
        .collect();
        match chosen.as_slice() {
            [] => Ok(None),
            [(_, ty)] => Ok(Some(*ty)),
            [_, (second, _), ..] => {
                Err(Error::custom("a column has one type: keep one of these")
                    .with_span(&second.span()))
            }
        }
    }
}
