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
    with_text: &["column"],
    words: &[
        "id",
        "local_only",
        "nullable",
        "text",
        "integer",
        "real",
        "boolean",
        "timestamp",
        "json",
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
    pub(crate) id: Flag,
    pub(crate) local_only: Flag,
    pub(crate) nullable: Flag,
    text: Flag,
    integer: Flag,
    real: Flag,
    boolean: Flag,
    timestamp: Flag,
    json: Flag,
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

    /// The column type that the user chose, if any.
    pub(crate) fn column_type(&self) -> darling::Result<Option<ColumnType>> {
        let chosen: Vec<_> = [
            (self.text, ColumnType::Text),
            (self.integer, ColumnType::Integer),
            (self.real, ColumnType::Real),
            (self.boolean, ColumnType::Boolean),
            (self.timestamp, ColumnType::Timestamp),
            (self.json, ColumnType::Json),
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
