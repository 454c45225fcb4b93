//! One field as one column.

use std::fmt::Display;

use darling::Error;
use syn::ext::IdentExt;
use syn::{Attribute, Field, Ident, LitStr, Type};

use crate::attrs::FieldAttrs;
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
}

impl EntityField {
    /// The column of this field; `None` if serde skips the field.
    pub(crate) fn from_field(
        ident: &Ident,
        field: &Field,
        container: &SerdeContainer,
    ) -> darling::Result<Option<Self>> {
        let mut errors = Error::accumulator();
        let attrs = errors.handle(FieldAttrs::read(&field.attrs));
        let serde = errors.handle(SerdeField::from_field(ident, &field.attrs, container));
        let (Some(attrs), Some(serde)) = (attrs, serde) else {
            return errors.finish_with(None);
        };
        if serde.skip {
            errors.handle(refuse_sync_attribute(&field.attrs));
            return errors.finish_with(None);
        }
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
        errors.finish()?;
        Ok(ty.zip(column).map(|(ty, column)| Self {
            ident: ident.clone(),
            json: serde.name,
            column,
            ty,
            nullable,
            local_only,
            marked_id: attrs.id.is_present(),
            fits_id: serde.custom_form.is_none()
                && (types::is_id(inner) || chosen == Some(ColumnType::Text)),
        }))
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
        (Some(chosen), _) => Ok(chosen),
        (None, None) => types::column_type(ty),
        (None, Some(attr)) => Err(Error::custom(
            "this changes the value's form in JSON, so its type does not tell the column's: add \
             one of `#[sync(text)]`, `integer`, `real`, `boolean`, `timestamp`, `json`",
        )
        .with_span(attr)),
    }
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
