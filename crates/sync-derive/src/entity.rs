//! The struct as a whole: its kind, its table, the roles of its fields.

use std::collections::BTreeMap;

use darling::Error;
use syn::{Data, DeriveInput, Fields, FieldsNamed, Ident, LitStr};

use crate::attrs::ContainerAttrs;
use crate::field::{EntityField, ExtraField, ReadField, sql_name};
use crate::serde_attrs::SerdeContainer;
use crate::types::ColumnType;

// The names by which `sync_core::record` knows the system fields, in the same order.
const ID_FIELDS: [&str; 3] = ["id", "ID", "uuid"];
const STAMP_FIELDS: [&str; 2] = ["updatedAt", "updated_at"];
const TOMBSTONE_FIELDS: [&str; 2] = ["deletedAt", "deleted_at"];

/// Beginnings of table names that are taken.
const RESERVED_TABLES: [(&str, &str); 3] = [
    ("sqlite_", "SQLite"),
    ("sync_", "this library"),
    ("_sync_", "this library"),
];

/// A struct that is the face of a table.
pub(crate) struct Entity {
    pub(crate) ident: Ident,
    pub(crate) kind: String,
    pub(crate) table: String,
    /// The fields with a column, in the order of the struct.
    pub(crate) fields: Vec<EntityField>,
    /// The one among them that holds the id.
    pub(crate) id: EntityField,
    /// The column that keeps the fields which have none.
    pub(crate) extra: Option<String>,
}

impl Entity {
    /// Reads the struct, or reports everything that is wrong with it.
    pub(crate) fn from_input(input: &DeriveInput) -> darling::Result<Self> {
        let mut errors = Error::accumulator();
        let named = errors.handle(named_fields(input));
        let names = errors.handle(names(input));
        let container = errors.handle(SerdeContainer::from_attributes(&input.attrs));
        let read = named
            .and_then(|named| errors.handle(read_fields(named, &container.unwrap_or_default())));
        let (fields, extra) = read.unzip();
        let id = fields.as_deref().and_then(|fields| {
            errors.handle(check_unique(
                fields,
                extra.as_ref().and_then(Option::as_ref),
            ));
            errors.handle(check_taken(fields));
            errors.handle(check_roles(fields));
            errors.handle(find_id(&input.ident, fields))
        });
        errors.finish()?;
        let (Some((kind, table)), Some(fields), Some(id)) = (names, fields, id) else {
            return Err(Error::custom("the struct cannot be read").with_span(&input.ident));
        };
        Ok(Self {
            ident: input.ident.clone(),
            kind,
            table,
            fields,
            id,
            extra: extra.flatten().map(|extra| extra.column),
        })
    }
}

fn named_fields(input: &DeriveInput) -> darling::Result<&FieldsNamed> {
    if !input.generics.params.is_empty() {
        return Err(Error::custom(
            "one type is one table: derive `SyncEntity` for a struct without generic parameters",
        )
        .with_span(&input.generics));
    }
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(named) => Ok(named),
            Fields::Unnamed(_) | Fields::Unit => Err(Error::custom(
                "columns need names: derive `SyncEntity` for a struct with named fields",
            )
            .with_span(&input.ident)),
        },
        Data::Enum(_) | Data::Union(_) => Err(Error::custom(
            "a row is a struct: derive `SyncEntity` for a struct with named fields, and keep enums \
             in its fields",
        )
        .with_span(&input.ident)),
    }
}

/// The kind and the table.
fn names(input: &DeriveInput) -> darling::Result<(String, String)> {
    let attrs = ContainerAttrs::read(&input.attrs)?;
    let Some(kind) = attrs.kind else {
        return Err(Error::custom(
            "no kind: add `#[sync(kind = \"…\")]`, the entity's type on the server",
        )
        .with_span(&input.ident));
    };
    let mut errors = Error::accumulator();
    let good_kind = errors.handle(check_kind(&kind)).map(|()| kind.clone());
    let table = attrs.table.or(good_kind);
    let table = table.and_then(|table| errors.handle(table_name(&table)));
    errors.finish_with((kind.value(), table.unwrap_or_default()))
}

/// The rule of `sync_core::Kind`.
fn check_kind(kind: &LitStr) -> darling::Result<()> {
    let text = kind.value();
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
    if text.chars().all(|c| c == '.') || !text.chars().all(safe) {
        return Err(Error::custom(format!(
            "kind {text:?} is not url-safe: use letters, digits, `-`, `_`, `.` or `~`, at least \
             one and not only dots"
        ))
        .with_span(kind));
    }
    Ok(())
}

fn table_name(table: &LitStr) -> darling::Result<String> {
    let name = sql_name(table)?;
    let lower = name.to_ascii_lowercase();
    match RESERVED_TABLES
        .iter()
        .find(|(prefix, _)| lower.starts_with(prefix))
    {
        None => Ok(name),
        Some((prefix, owner)) => Err(Error::custom(format!(
            "tables that begin with `{prefix}` belong to {owner}: choose another name with \
             `#[sync(table = \"…\")]`"
        ))
        .with_span(table)),
    }
}

fn read_fields(
    named: &FieldsNamed,
    container: &SerdeContainer,
) -> darling::Result<(Vec<EntityField>, Option<ExtraField>)> {
    let mut errors = Error::accumulator();
    let mut fields = Vec::new();
    let mut extra: Option<ExtraField> = None;
    for field in &named.named {
        let Some(ident) = &field.ident else { continue };
        match errors.handle(ReadField::from_field(ident, field, container)) {
            Some(ReadField::Column(field)) => fields.push(*field),
            Some(ReadField::Extra(field)) => match &extra {
                Some(first) => errors.push(
                    Error::custom(format!(
                        "`{}` keeps the fields without a column already: a struct has one \
                         `#[sync(extra)]`, remove the other",
                        first.ident
                    ))
                    .with_span(ident),
                ),
                None => extra = Some(field),
            },
            Some(ReadField::Skipped) | None => {}
        }
    }
    errors.finish_with((fields, extra))
}

/// No two fields share a JSON name or a column. Databases compare column names without case.
fn check_unique(fields: &[EntityField], extra: Option<&ExtraField>) -> darling::Result<()> {
    let mut errors = Error::accumulator();
    let mut by_json = BTreeMap::new();
    let mut by_column = BTreeMap::new();
    for field in fields {
        if let Some(first) = by_json.insert(&field.json, &field.ident) {
            errors.push(field.error(format!(
                "the JSON name `{}` is also that of the field `{first}`: give one of them another by \
                 `#[serde(rename = \"…\")]`",
                field.json
            )));
        }
        if extra.is_some_and(|extra| extra.column.eq_ignore_ascii_case(&field.column)) {
            errors.push(field.error(format!(
                "the column `{}` is also that of the `#[sync(extra)]` field: give one of them \
                 another by `#[sync(column = \"…\")]`",
                field.column
            )));
        }
        if let Some(first) = by_column.insert(field.column.to_ascii_lowercase(), &field.ident) {
            errors.push(field.error(format!(
                "the column `{}` is also that of the field `{first}`: give one of them another by \
                 `#[sync(column = \"…\")]`",
                field.column
            )));
        }
    }
    errors.finish()
}

/// As `sync_core::system_fields` has it.
fn is_system_field(json: &str) -> bool {
    let created = ["createdAt", "created_at"];
    let known = ID_FIELDS
        .iter()
        .chain(&STAMP_FIELDS)
        .chain(&TOMBSTONE_FIELDS);
    json.starts_with('_') || known.chain(&created).any(|name| *name == json)
}

/// No field but the id has a name by which records are told apart, or that never reaches the server.
fn check_taken(fields: &[EntityField]) -> darling::Result<()> {
    let id = id_name(fields);
    let mut errors = Error::accumulator();
    for field in fields {
        let json = field.json.as_str();
        if json.starts_with('_') {
            errors.push(field.error(format!(
                "`{json}` begins with `_`: such names are messages to the server, which no record \
                 keeps. Give it another by `#[serde(rename = \"…\")]`"
            )));
        }
        if let Some(id) = id.filter(|id| *id != json && ID_FIELDS.contains(&json)) {
            errors.push(field.error(format!(
                "`{json}` names the id too, which is `{id}` here: give it another by \
                 `#[serde(rename = \"…\")]`"
            )));
        }
    }
    errors.finish()
}

/// The name of the field that `Record::id` finds: the first of the known ones.
fn id_name(fields: &[EntityField]) -> Option<&'static str> {
    let is_there = |name: &&&str| fields.iter().any(|field| field.json == **name);
    ID_FIELDS.iter().find(is_there).copied()
}

/// Stamp and tombstone can do their work.
fn check_roles(fields: &[EntityField]) -> darling::Result<()> {
    let mut errors = Error::accumulator();
    for field in fields {
        let is_role = is_system_field(&field.json);
        if let Some(rule) = field.merge.filter(|_| is_role) {
            errors.push(field.error(format!(
                "`{}` is the server's, so `merge = \"{}\"` never applies: remove it",
                field.json,
                rule.name()
            )));
        }
        let is_tombstone = TOMBSTONE_FIELDS.contains(&field.json.as_str());
        if !is_tombstone && !STAMP_FIELDS.contains(&field.json.as_str()) {
            continue;
        }
        let role = if is_tombstone { "tombstone" } else { "stamp" };
        if field.local_only {
            errors.push(field.error(format!(
                "`{}` is the server's {role}, so it cannot be `local_only`: remove that, or rename \
                 the field",
                field.json
            )));
        }
        let fits = match field.ty {
            ColumnType::Timestamp | ColumnType::Text | ColumnType::Integer => true,
            ColumnType::Boolean => is_tombstone,
            ColumnType::Real | ColumnType::Json | ColumnType::Blob => false,
        };
        if !fits {
            errors.push(field.error(format!(
                "`{}` is the server's {role}, a point in time: use `Option<DateTime<Utc>>`, or \
                 `#[sync(timestamp)]` for a type of another name",
                field.json
            )));
        } else if is_tombstone && !field.nullable && field.ty != ColumnType::Boolean {
            errors.push(field.error(format!(
                "`{}` marks a deleted row when it is not null: make it an `Option`",
                field.json
            )));
        }
    }
    errors.finish()
}

fn find_id(entity: &Ident, fields: &[EntityField]) -> darling::Result<EntityField> {
    let id = id_name(fields);
    let id = id.and_then(|name| fields.iter().find(|field| field.json == name));
    check_mark(fields, id)?;
    if let Some(id) = id {
        check_id(id)?;
        return Ok(id.clone());
    }
    let almost = fields
        .iter()
        .find(|field| field.ident == "id" || field.ident == "uuid");
    Err(match almost {
        Some(field) => field.error(needs_id_name(&field.json)),
        None => Error::custom(
            "no id: an entity needs a `String` or `Uuid` field that is named `id`, `ID` or `uuid` \
             in JSON",
        )
        .with_span(entity),
    })
}

/// `#[sync(id)]` stands at one field at most, and at the one that records take their id from.
fn check_mark(fields: &[EntityField], id: Option<&EntityField>) -> darling::Result<()> {
    let mut marked = fields.iter().filter(|field| field.marked_id);
    let Some(first) = marked.next() else {
        return Ok(());
    };
    let mut errors = Error::accumulator();
    errors.extend(marked.map(|second| {
        second.error(format!(
            "`{}` is marked as the id already: an entity has one, keep one `#[sync(id)]`",
            first.ident
        ))
    }));
    match id {
        Some(id) if id.ident != first.ident => errors.push(first.error(format!(
            "records take their id from `{}`, which is another field: move `#[sync(id)]` there, or \
             rename that field",
            id.json
        ))),
        None => errors.push(first.error(needs_id_name(&first.json))),
        Some(_) => {}
    }
    errors.finish()
}

fn needs_id_name(json: &str) -> String {
    format!(
        "the id is named `{json}` in JSON, but records know only `id`, `ID` and `uuid`: add \
         `#[serde(rename = \"id\")]`"
    )
}

fn check_id(field: &EntityField) -> darling::Result<()> {
    let message = if field.nullable {
        "every entity has an id: it cannot be null or `local_only`"
    } else if !field.fits_id || field.ty != ColumnType::Text {
        "the id is text that the client makes: use `String` or `Uuid`, or `#[sync(text)]` for \
         another name of such a type"
    } else {
        return Ok(());
    };
    Err(field.error(message))
}
