//! How an entity's fields lie in a table.

use crate::field_merge::FieldMerge;
use crate::id::Kind;

/// The type of a column, as far as a store must know it to keep values intact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnType {
    /// Text.
    Text,
    /// 64-bit integer.
    Integer,
    /// Floating point.
    Real,
    /// True or false, kept as 1 or 0 where the database has no such type.
    Boolean,
    /// Bytes; base64 text in JSON.
    Blob,
    /// Any JSON value, kept as JSON text.
    Json,
    /// A point in time, kept as RFC 3339 text. An integer from the server is kept as the text of
    /// the same instant; the verbatim stamp lies with the version.
    Timestamp,
}

/// One column and the field that it holds.
///
/// ```
/// # use sync_core::{Column, ColumnType};
/// let due = Column::new("due_date", ColumnType::Timestamp).field("dueDate").nullable();
/// let open = Column::new("is_open", ColumnType::Boolean).nullable().local_only();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Column {
    /// Name of the field in the JSON record.
    pub field: String,
    /// Name of the column in the table.
    pub name: String,
    /// Its type.
    pub ty: ColumnType,
    /// May it be null?
    pub nullable: bool,
    /// Is it never sent and never touched by the server's data?
    pub local_only: bool,
    /// How the default strategy settles it when both sides changed it.
    pub merge: FieldMerge,
}

impl Column {
    /// A column that holds the field of the same name and may not be null.
    #[must_use]
    pub fn new(name: impl Into<String>, ty: ColumnType) -> Self {
        let name = name.into();
        Self {
            field: name.clone(),
            name,
            ty,
            nullable: false,
            local_only: false,
            merge: FieldMerge::Auto,
        }
    }

    /// The same column, holding a field of another name.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = field.into();
        self
    }

    /// The same column, allowing null.
    #[must_use]
    pub fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// The same column, kept on this device.
    #[must_use]
    pub fn local_only(mut self) -> Self {
        self.local_only = true;
        self
    }

    /// The same column, settled so by [`crate::ConflictStrategy::AutoPreserve`] when both sides
    /// changed it. Sums need a column of numbers, a greatest or smallest value one of numbers, texts
    /// or points in time, a union one of JSON.
    #[must_use]
    pub fn merge(mut self, rule: FieldMerge) -> Self {
        self.merge = rule;
        self
    }

    /// What keeps its merge rule from being applied.
    pub(crate) fn merge_problem(&self) -> Option<String> {
        let (field, rule) = (&self.field, self.merge);
        let is_system = crate::system_fields::is_system_field(field);
        if rule != FieldMerge::Auto && (self.local_only || is_system) {
            let why = if self.local_only {
                "stays on this device"
            } else {
                "is the server's"
            };
            return Some(format!(
                "field {field:?} {why}, so FieldMerge::{rule:?} never applies: remove it"
            ));
        }
        let (fits, needs) = match rule {
            FieldMerge::SumDelta => (
                matches!(self.ty, ColumnType::Integer | ColumnType::Real),
                "numbers",
            ),
            FieldMerge::Max | FieldMerge::Min => (
                !matches!(
                    self.ty,
                    ColumnType::Json | ColumnType::Blob | ColumnType::Boolean
                ),
                "numbers, texts or points in time",
            ),
            FieldMerge::Union => (self.ty == ColumnType::Json, "JSON lists or objects"),
            FieldMerge::Auto | FieldMerge::Local | FieldMerge::Server => return None,
        };
        (!fits).then(|| {
            format!(
                "FieldMerge::{rule:?} needs {needs}, and field {field:?} is {:?}: use another rule",
                self.ty
            )
        })
    }
}

/// How one kind lies in one table of the user's.
///
/// Usually written by `#[derive(SyncEntity)]`; by hand for a table whose entities stay JSON.
///
/// ```
/// # use sync_core::{Column, ColumnType, Kind, TableSchema};
/// let schema = TableSchema::new(Kind::new("todos").unwrap(), "todos", "id")
///     .column(Column::new("id", ColumnType::Text))
///     .column(Column::new("title", ColumnType::Text))
///     .column(Column::new("updated_at", ColumnType::Timestamp).nullable())
///     .column(Column::new("deleted_at", ColumnType::Timestamp).nullable());
/// assert_eq!(schema.tombstone().unwrap().name, "deleted_at");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableSchema {
    /// The type of the entities.
    pub kind: Kind,
    /// The table's name.
    pub table: String,
    /// Name of the field that holds the id.
    pub id_field: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// A column that keeps the fields that have no column of their own, as a JSON object; without
    /// one they are kept beside the table.
    pub extra_column: Option<String>,
}

impl TableSchema {
    /// A table without columns yet.
    #[must_use]
    pub fn new(kind: Kind, table: impl Into<String>, id_field: impl Into<String>) -> Self {
        Self {
            kind,
            table: table.into(),
            id_field: id_field.into(),
            columns: Vec::new(),
            extra_column: None,
        }
    }

    /// The same table with one more column.
    #[must_use]
    pub fn column(mut self, column: Column) -> Self {
        self.columns.push(column);
        self
    }

    /// The same table with a column for fields that have none.
    #[must_use]
    pub fn extra(mut self, column: impl Into<String>) -> Self {
        self.extra_column = Some(column.into());
        self
    }

    /// The columns that travel to the server and back.
    pub fn synced(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| !column.local_only)
    }

    /// The column that holds this field.
    #[must_use]
    pub fn by_field(&self, field: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.field == field)
    }

    /// The merge rule of this field.
    #[must_use]
    pub fn merge_rule(&self, field: &str) -> FieldMerge {
        self.by_field(field)
            .map_or(FieldMerge::Auto, |column| column.merge)
    }

    /// The column of the id.
    #[must_use]
    pub fn id(&self) -> Option<&Column> {
        self.by_field(&self.id_field)
    }

    /// The column of the server's stamp.
    #[must_use]
    pub fn stamp(&self) -> Option<&Column> {
        crate::record::STAMP_FIELDS
            .iter()
            .find_map(|field| self.by_field(field))
    }

    /// A condition for `WHERE` that holds for the rows that are not deleted.
    ///
    /// ```
    /// # use sync_core::{Column, ColumnType, Kind, TableSchema};
    /// # let todos = TableSchema::new(Kind::new("todos").unwrap(), "todos", "id");
    /// assert_eq!(todos.live_condition(), "1 = 1");
    /// let todos = todos.column(Column::new("deleted_at", ColumnType::Timestamp).nullable());
    /// assert_eq!(todos.live_condition(), "\"deleted_at\" IS NULL");
    /// ```
    #[must_use]
    pub fn live_condition(&self) -> String {
        self.tombstone().map_or_else(
            || "1 = 1".to_owned(),
            |column| format!("\"{}\" IS NULL", column.name.replace('"', "\"\"")),
        )
    }

    /// The column that marks a deleted row, where the entity has one.
    #[must_use]
    pub fn tombstone(&self) -> Option<&Column> {
        crate::record::TOMBSTONE_FIELDS
            .iter()
            .find_map(|field| self.by_field(field))
    }
}
