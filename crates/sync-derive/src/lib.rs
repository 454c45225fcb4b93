//! `#[derive(SyncEntity)]` for `sync-core`, which re-exports it: depend on that crate, not on this.

mod attrs;
mod entity;
mod expand;
mod field;
mod keys;
mod merge;
mod serde_attrs;
mod types;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct the typed face of one synchronised table.
///
/// ```
/// use chrono::{DateTime, Utc};
/// use serde::{Deserialize, Serialize};
/// use sync_core::SyncEntity;
///
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SyncEntity)]
/// #[sync(kind = "todos")]
/// struct Todo {
///     id: String,
///     title: String,
///     done: bool,
///     priority: Option<i64>,
///     tags: Vec<String>,
///     #[serde(rename = "dueDate")]
///     due_date: Option<DateTime<Utc>>,
///     #[sync(local_only)]
///     is_open: Option<bool>,
///     updated_at: Option<DateTime<Utc>>,
///     deleted_at: Option<DateTime<Utc>>,
/// }
///
/// assert_eq!(Todo::TABLE, "todos");
/// let schema = Todo::schema().unwrap();
/// assert_eq!(schema.by_field("dueDate").unwrap().name, "due_date");
/// assert_eq!(schema.stamp().unwrap().name, "updated_at");
/// assert!(Todo::create_table_sql().contains(r#""title" TEXT NOT NULL"#));
/// ```
///
/// # On the struct
///
/// - `#[sync(kind = "…")]`, required: the entity's type on the server. Letters, digits, `-`, `_`,
///   `.` and `~`.
/// - `#[sync(table = "…")]`: the table's name, by default the kind. Names that begin with `sync_`,
///   `_sync_` or `sqlite_` belong to the library and to SQLite.
///
/// # Names
///
/// A field has one name in JSON and one in the table. The JSON name is serde's (`rename`,
/// `rename_all`); the column bears the Rust field's name unless `#[sync(column = "…")]` says
/// otherwise. A field that serde skips has no column.
///
/// # Roles
///
/// By JSON name, because that is how servers and records tell them: `id`, `ID` or `uuid` is the id
/// (a `String` or a `Uuid`), `updatedAt` or `updated_at` the server's stamp, `deletedAt` or
/// `deleted_at` the tombstone. `#[sync(id)]` marks the id where the reader should not have to guess.
///
/// # Types
///
/// | Rust | column | SQLite |
/// |---|---|---|
/// | `String`, `Uuid`, `NaiveDate` | `Text` | `TEXT` |
/// | `i8`…`i64`, `u8`…`u32` | `Integer` | `INTEGER` |
/// | `f32`, `f64` | `Real` | `REAL` |
/// | `bool` | `Boolean` | `INTEGER` |
/// | `DateTime<Utc>`, `DateTime<FixedOffset>`, `DateTime<Local>`, `NaiveDateTime`, `Timestamp` | `Timestamp` | `TEXT` |
/// | anything else, `Vec<u8>` too | `Json` | `TEXT` |
/// | bytes under `#[sync(blob)]` and `#[serde(with = "sync_core::base64")]` | `Blob` | `BLOB` |
///
/// `Option<T>` is a nullable `T`, and `serde_json::Value` is nullable as JSON is. `u64`, `usize`
/// and wider integers do not fit a 64-bit signed column and are refused. A macro sees names, not
/// types: for an alias, a newtype or a field with `#[serde(with = "…")]`, say what its JSON is with
/// `#[sync(text)]`, `integer`, `real`, `boolean`, `timestamp`, `json` or `blob`, and `#[sync(nullable)]` if
/// it may be null.
///
/// # Columns of this device
///
/// `#[sync(local_only)]` keeps a field on this device. It must be nullable: a row that comes from
/// the server brings no value for it.
///
/// # Fields that the struct does not know
///
/// What the server sends beyond the struct's fields is kept beside the table and goes back with each
/// payload. To see it, give the struct a map with `#[sync(extra)]` and `#[serde(flatten)]`: it has a
/// column of its own.
///
/// # Conflicts
///
/// `#[sync(merge = "…")]` says how the default strategy settles this field when both sides changed
/// it: `local` or `server` keep one side's value as a whole, `max` and `min` compare numbers, texts
/// or points in time, `sum_delta` counts both sides' increments, `union` keeps what either list has.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use sync_core::{FieldMerge, SyncEntity};
/// #[derive(Serialize, Deserialize, SyncEntity)]
/// #[sync(kind = "articles")]
/// struct Article {
///     id: String,
///     #[sync(merge = "sum_delta")]
///     stock: i64,
///     #[sync(merge = "union")]
///     tags: Vec<String>,
///     #[sync(blob, merge = "server")]
///     #[serde(with = "sync_core::base64")]
///     thumbnail: Option<Vec<u8>>,
///     #[sync(extra)]
///     #[serde(flatten)]
///     rest: serde_json::Map<String, serde_json::Value>,
/// }
///
/// let schema = Article::schema().unwrap();
/// assert_eq!(schema.merge_rule("stock"), FieldMerge::SumDelta);
/// assert_eq!(schema.extra_column.as_deref(), Some("rest"));
/// ```
///
/// # Not supported
///
/// Generics, enums, tuple structs, `#[serde(flatten)]` otherwise, and serde attributes that give a record
/// another shape than the struct's. The error says what to do instead.
#[proc_macro_derive(SyncEntity, attributes(sync))]
pub fn derive_sync_entity(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    entity::Entity::from_input(&input)
        .map_or_else(darling::Error::write_errors, |entity| {
            expand::expand(&entity)
        })
        .into()
}
