//! The typed face of a table.

mod convert;
mod finite;
mod patch;

pub use convert::InvalidEntity;
pub(crate) use convert::{entity_of, record_of, without_contents};
pub(crate) use patch::{Patched, over, patched, replaced};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::schema::TableSchema;

/// A Rust type whose values are rows of one synchronised table.
///
/// Derive it (`#[derive(Serialize, Deserialize, SyncEntity)]`); the derive reads serde's renames,
/// so that table, record and wire agree by construction.
pub trait SyncEntity: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The type of the entity on the server, url-safe.
    const KIND: &'static str;
    /// The table's name.
    const TABLE: &'static str;

    /// How the fields lie in the table. Columns, names and types are fixed at compile time; only
    /// the kind can turn out to be invalid.
    ///
    /// # Errors
    /// [`crate::InvalidId::Kind`] if [`SyncEntity::KIND`] is not url-safe.
    fn schema() -> Result<TableSchema, crate::id::InvalidId>;

    /// A `CREATE TABLE IF NOT EXISTS` statement for this table on SQLite, for tests, examples and
    /// the first migration of an app.
    fn create_table_sql() -> String;

    /// This entity's id as text.
    fn entity_id(&self) -> String;
}
