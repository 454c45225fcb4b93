//! One field as one column.

use std::fmt::Display;

use darling::Error;
use syn::ext::IdentExt;
use syn::{Attribute, Field, Ident, LitStr, Type};

use crate::attrs::FieldAttrs;
use crate::merge::MergeRule;
use crate::serde_attrs::{SerdeContainer, SerdeField};
use crate::types::{self, ColumnType};

/// A field that has a column.
#[derive(Clone)]
pub(crate) struct EntityField {
    /// The field in the struct.
    pub(crate) ident: Ident,
    /// Its name in JSON.
    pub(crate) json: String,
    /// Its column's name.
    pub(crate) column: String,
    /// Its column's type.
    pub(crate) ty: ColumnType,
    pub(crate) nullable: bool,
    pub(crate) local_only: bool,
    /// Did the user mark it as the id?
    pub(crate) marked_id: bool,
    /// Is its value text, and written by `ToString` as serde writes it?
    pub(crate) fits_id: bool,
    /// How it is settled when both sides changed it.
    pub(crate) merge: Option<MergeRule>,
}

/// The field that keeps what has no column of its own.
#[derive(Clone)]
pub(crate) struct ExtraField {
    pub(crate) ident: Ident,
    pub(crate) column: String,
}

/// What a field of the struct is to the table.
pub(crate) enum ReadField {
    Column(Box<EntityField>),
    Extra(ExtraField),
    /// serde skips it.
    Skipped,
}

impl ReadField {
    pub(crate) fn from_field(
        ident: &Ident,
        field: &Field,
        container: &SerdeContainer,
    ) -> darling::Result<Self> {
        let mut errors = Error::accumulator();
        let attrs = errors.handle(FieldAttrs::read(&field.attrs));
        let serde = errors.handle(SerdeField::from_field(ident, &field.attrs, container));
        errors.finish()?;
        let (Some(attrs), Some(serde)) = (attrs, serde) else {
            return Ok(Self::Skipped);
        };
        if serde.skip {
            return refuse_sync_attribute(&field.attrs).map(|()| Self::Skipped);
        }
        match (serde.flatten.as_ref(), attrs.extra.is_present()) {
            (None, false) => {}
            (Some(_), true) => return ExtraField::new(ident, &attrs).map(Self::Extra),
            (Some(flatten), false) => {
                return Err(Error::custom(
                    "`flatten` spreads one field over names that a macro cannot see, so it has no \
                     column: write the fields out, nest them in one JSON column, or add \
                     `#[sync(extra)]` to a map that keeps the fields without a column",
                )
                .with_span(flatten));
            }
            (None, true) => {
                return Err(Error::custom(
                    "an `extra` field holds the record's other fields beside this struct's: add \
                     `#[serde(flatten)]`, and use `serde_json::Map<String, serde_json::Value>`",
                )
                .with_span(ident));
            }
        }
        EntityField::from_field(ident, field, &attrs, serde)
            .map(|field| Self::Column(Box::new(field)))
    }
}

impl ExtraField {
    fn new(ident: &Ident, attrs: &FieldAttrs) -> darling::Result<Self> {
        if let Some(word) = attrs.beside_extra() {
            return Err(Error::custom(format!(
                "an `extra` field keeps the fields without a column, so `{word}` says nothing about \
                 it: remove that"
            ))
            .with_span(ident));
        }
        Ok(Self {
            ident: ident.clone(),
            column: column_name(ident, attrs.column.as_ref())?,
        })
    }
}

impl EntityField {
    fn from_field(
        ident: &Ident,
        field: &Field,
        attrs: &FieldAttrs,
        serde: SerdeField,
    ) -> darling::Result<Self> {
        let mut errors = Error::accumulator();
        let (inner, is_option) = types::without_option(&field.ty);
        let chosen = errors.handle(attrs.column_type()).flatten();
        let ty = errors.handle(column_type(inner, chosen, &serde));
        let column = errors.handle(column_name(ident, attrs.column.as_ref()));
        let nullable = is_option || attrs.nullable.is_present() || types::is_json_value(inner);
        let local_only = attrs.local_only.is_present();
        if local_only && !nullable {
            errors.push(
                Error::custom(
                    "a `local_only` field must be an `Option`: a row from the server has no value \
                     for it",
                )
                .with_span(&field.ty),
            );
        }
        let merge = errors
            .handle(merge_rule(attrs.merge.as_ref(), ty))
            .flatten();
        if let (Some(rule), true) = (&attrs.merge, local_only) {
            errors.push(
                Error::custom("a `local_only` field never meets the server's: remove `merge`")
                    .with_span(rule),
            );
        }
        errors.finish()?;
        let (Some(ty), Some(column)) = (ty, column) else {
            return Err(Error::custom("the field cannot be read").with_span(ident));
        };
        Ok(Self {
            ident: ident.clone(),
            json: serde.name,
            column,
            ty,
            nullable,
            local_only,
            marked_id: attrs.id.is_present(),
            fits_id: serde.custom_form.is_none()
                && (types::is_id(inner) || chosen == Some(ColumnType::Text)),
            merge,
        })
    }

    /// An error that points at this field.
    pub(crate) fn error(&self, message: impl Display) -> Error {
        Error::custom(message).with_span(&self.ident)
    }
}

fn refuse_sync_attribute(attrs: &[Attribute]) -> darling::Result<()> {
    match attrs.iter().find(|attr| attr.path().is_ident("sync")) {
        None => Ok(()),
        Some(attr) => Err(Error::custom(
            "`#[serde(skip)]` keeps this field out of the table, so `#[sync(…)]` has nothing to \
             say about it: remove one of them",
        )
        .with_span(attr)),
    }
}

fn column_type(
    ty: &Type,
    chosen: Option<ColumnType>,
    serde: &SerdeField,
) -> darling::Result<ColumnType> {
    match (chosen, &serde.custom_form) {
        (Some(ColumnType::Blob), None) => Err(Error::custom(
            "bytes travel as base64 text: add `#[serde(with = \"sync_core::base64\")]`",
        )
        .with_span(ty)),
        (Some(chosen), _) => Ok(chosen),
        (None, None) => types::column_type(ty),
        (None, Some(attr)) => Err(Error::custom(
            "this changes the value's form in JSON, so its type does not tell the column's: add \
             one of `#[sync(text)]`, `integer`, `real`, `boolean`, `timestamp`, `json`, `blob`",
        )
        .with_span(attr)),
    }
}

fn merge_rule(
    chosen: Option<&LitStr>,
    ty: Option<ColumnType>,
) -> darling::Result<Option<MergeRule>> {
    chosen.map(|text| MergeRule::read(text, ty)).transpose()
}

fn column_name(ident: &Ident, chosen: Option<&LitStr>) -> darling::Result<String> {
    match chosen {
        None => Ok(ident.unraw().to_string()),
        Some(name) => sql_name(name),
    }
}

/// A name that SQL can quote.
pub(crate) fn sql_name(name: &LitStr) -> darling::Result<String> {
    let text = name.value();
    if text.is_empty() || text.contains('\0') {
        return Err(Error::custom(
            "a name in the database must not be empty or contain a NUL character",
        )
        .with_span(name));
    }
    Ok(text)
}
