//! Which column a Rust type needs.

use darling::Error;
use syn::{GenericArgument, PathArguments, PathSegment, Type};

/// The variants of `sync_core::ColumnType` that a struct can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnType {
    Text,
    Integer,
    Real,
    Boolean,
    Json,
    Timestamp,
    Blob,
}

impl ColumnType {
    /// The type that SQLite's `CREATE TABLE` takes.
    pub(crate) fn sqlite(self) -> &'static str {
        match self {
            Self::Text | Self::Json | Self::Timestamp => "TEXT",
            Self::Integer | Self::Boolean => "INTEGER",
            Self::Real => "REAL",
            Self::Blob => "BLOB",
        }
    }
}

/// `T` of `Option<T>`, or the type itself; and whether there was an `Option`.
pub(crate) fn without_option(ty: &Type) -> (&Type, bool) {
    let ty = without_parens(ty);
    match last_segment(ty) {
        Some(segment) if segment.ident == "Option" => match type_arguments(segment).next() {
            Some(inner) => (without_option(inner).0, true),
            None => (ty, false),
        },
        _ => (ty, false),
    }
}

/// The column for values of this type, recognised by the last segment of its path.
pub(crate) fn column_type(ty: &Type) -> darling::Result<ColumnType> {
    if matches!(ty, Type::Reference(_)) {
        return Err(Error::custom(
            "an entity owns its data: use an owned type, for example `String`",
        )
        .with_span(ty));
    }
    let Some(segment) = last_segment(ty) else {
        return Ok(ColumnType::Json);
    };
    let name = segment.ident.to_string();
    Ok(match name.as_str() {
        "String" | "Uuid" | "NaiveDate" => ColumnType::Text,
        "i8" | "i16" | "i32" | "i64" | "isize" | "u8" | "u16" | "u32" => ColumnType::Integer,
        "f32" | "f64" => ColumnType::Real,
        "bool" => ColumnType::Boolean,
        "NaiveDateTime" | "Timestamp" => ColumnType::Timestamp,
        "DateTime" if has_time_zone(segment) => ColumnType::Timestamp,
        "u64" | "u128" | "usize" | "i128" => {
            return Err(Error::custom(format!(
                "`{name}` holds numbers that a 64-bit signed column cannot: use `i64`, or \
                 `#[sync(json)]` to keep the number as JSON text"
            ))
            .with_span(ty));
        }
        _ => ColumnType::Json,
    })
}

/// Is this the type whose values are an entity's id?
pub(crate) fn is_id(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == "String" || segment.ident == "Uuid")
}

/// Is this `serde_json::Value`, which may be null without an `Option`?
pub(crate) fn is_json_value(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == "Value")
}

fn has_time_zone(segment: &PathSegment) -> bool {
    type_arguments(segment)
        .filter_map(last_segment)
        .any(|zone| {
            ["Utc", "FixedOffset", "Local"]
                .iter()
                .any(|known| zone.ident == known)
        })
}

fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
        _ => None,
    }
}

fn type_arguments(segment: &PathSegment) -> impl Iterator<Item = &Type> {
    let arguments = match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => Some(arguments.args.iter()),
        _ => None,
    };
    arguments
        .into_iter()
        .flatten()
        .filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(without_parens(ty)),
            _ => None,
        })
}

/// A type that came through a `macro_rules!` may be wrapped in a group that nobody wrote.
fn without_parens(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => without_parens(&group.elem),
        Type::Paren(paren) => without_parens(&paren.elem),
        other => other,
    }
}
