//! The tables of a simulated world, and what users write into them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sync_core::json::JsonMap;
use sync_core::{Column, ColumnType, EntityId, FieldMerge, Kind, TableConfig, TableSchema};

use super::beyond;
use super::local;

/// How users edit a field, and what the checker may conclude from its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Every value that is written is one that nobody wrote before.
    Unique,
    /// A list of unique elements, of which one is added or removed at a time.
    List,
    /// An object with the keys `x` and `y`, each with unique values, of which one is changed at a
    /// time.
    Object,
    /// One of few values; only convergence is checked.
    Toggle,
    /// The id of a row of another table, or null; a reference of the table's configuration.
    Refers,
    /// A number to which users add, or from which they take away.
    Counter,
}

/// One table of a simulated world.
///
/// ```
/// # use sync_core::{Column, ColumnType, ConflictStrategy, Kind, TableConfig, TableSchema};
/// # use sync_testkit::sim::{SimTable, Simulation};
/// let todos = TableSchema::new(Kind::new("todos").unwrap(), "todos", "id")
///     .column(Column::new("id", ColumnType::Text))
///     .column(Column::new("title", ColumnType::Text).nullable())
///     .column(Column::new("done", ColumnType::Boolean).nullable());
/// let todos = SimTable::new(todos, TableConfig::new().strategy(ConflictStrategy::ServerWins));
/// let tested = Simulation::of([todos]).steps(40).check(0..5).unwrap();
/// assert_eq!(tested.seeds, 5);
/// ```
#[derive(Debug, Clone)]
pub struct SimTable {
    pub(crate) schema: TableSchema,
    pub(crate) config: TableConfig,
    /// Do the world's own choices (strategy, pages …) replace what `config` leaves open?
    pub(crate) is_built_in: bool,
    pub(crate) fields: Vec<(String, FieldKind, ColumnType)>,
    /// Fields that another app writes and for which no client has a column.
    pub(super) unknown: Vec<(String, FieldKind, ColumnType)>,
}

impl SimTable {
    /// A table with its settings. Text and numbers are edited as unique values, numbers that add up
    /// (`FieldMerge::SumDelta`) as counters, JSON as lists of texts, the rest as toggles; columns without which a row is not accepted are always
    /// written.
    #[must_use]
    pub fn new(schema: TableSchema, config: TableConfig) -> Self {
        let is_edited = |column: &&Column| {
            !column.local_only && !sync_core::system_fields::is_system_field(&column.field)
        };
        let fields = schema.synced().filter(is_edited).map(|column| {
            let refers = |(field, _): &(String, String)| *field == column.field;
            let kind = match column.ty {
                _ if config.references.iter().any(refers) => FieldKind::Refers,
                ColumnType::Integer if column.merge == FieldMerge::SumDelta => FieldKind::Counter,
                ColumnType::Text | ColumnType::Integer | ColumnType::Real => FieldKind::Unique,
                ColumnType::Json => FieldKind::List,
                _ => FieldKind::Toggle,
            };
            (column.field.clone(), kind, column.ty)
        });
        let fields = fields.collect();
        Self {
            schema,
            config,
            is_built_in: false,
            fields,
            unknown: Vec::new(),
        }
    }

    /// Edits this field in another way than its type suggests.
    #[must_use]
    pub fn field(mut self, name: &str, kind: FieldKind) -> Self {
        for (field, own, _) in &mut self.fields {
            if field == name {
                *own = kind;
            }
        }
        self
    }

    /// The tables that a world has when an app brings none: one with every kind of field, and a
    /// small one beside it.
    pub(crate) fn built_in() -> Vec<Self> {
        let things = table("things")
            .column(Column::new("a", ColumnType::Text).nullable())
            .column(Column::new("b", ColumnType::Text).nullable())
            .column(Column::new("n", ColumnType::Integer).nullable())
            .column(Column::new("t", ColumnType::Json).nullable())
            .column(Column::new("o", ColumnType::Json).nullable())
            .column(
                Column::new(local::MARK, ColumnType::Text)
                    .nullable()
                    .local_only(),
            );
        let notes = table("notes").column(Column::new("a", ColumnType::Text).nullable());
        let built_in = |schema| Self {
            is_built_in: true,
            ..Self::new(schema, TableConfig::new())
        };
        let parts = table("parts")
            .column(Column::new("a", ColumnType::Text).nullable())
            .column(Column::new("thing", ColumnType::Text).nullable());
        let parts = Self::new(parts, TableConfig::new().references("thing", "things"));
        let unknown = (
            beyond::UNKNOWN.to_owned(),
            FieldKind::Unique,
            ColumnType::Text,
        );
        let things = Self {
            unknown: vec![unknown],
            ..built_in(things)
        };
        vec![
            things.field("o", FieldKind::Object),
            built_in(notes),
            Self {
                is_built_in: true,
                ..parts
            },
        ]
    }

    /// The tables of one world: of the built-in ones, the one that refers to another is not in all.
    pub(crate) fn of_world(all: &[Self], related: bool) -> &[Self] {
        let refers = |table: &Self| table.is_built_in && !table.config.references.is_empty();
        let first = all.iter().position(refers).filter(|_| !related);
        all.get(..first.unwrap_or(all.len())).unwrap_or(all)
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.schema.kind
    }

    /// Is a new value of this field made of the one that was there?
    pub(crate) fn is_built_upon(&self, field: &str) -> bool {
        let mut fields = self.fields.iter();
        fields.any(|(name, kind, _)| {
            let builds = matches!(
                kind,
                FieldKind::List | FieldKind::Object | FieldKind::Counter
            );
            name == field && builds
        })
    }

    /// Fields of which two writes may say the same.
    pub(super) fn fields_of_few_values(&self) -> Vec<&str> {
        let fields = self.fields.iter();
        let few = fields.filter(|one| {
            matches!(
                one.1,
                FieldKind::Toggle | FieldKind::Refers | FieldKind::Counter
            )
        });
        few.map(|one| one.0.as_str()).collect()
    }

    pub(crate) fn field_at(&self, place: u8) -> Option<&(String, FieldKind, ColumnType)> {
        self.fields
            .get(usize::from(place) % self.fields.len().max(1))
    }
}

fn table(name: &str) -> TableSchema {
    let kind = Kind::new(name).unwrap_or_else(|_| unreachable!("a constant name"));
    TableSchema::new(kind, name, "id")
        .column(Column::new("id", ColumnType::Text))
        .column(Column::new("updated_at", ColumnType::Timestamp).nullable())
        .column(Column::new("deleted_at", ColumnType::Timestamp).nullable())
}

/// The id of a row: every other table has ids that are not UUIDs, so that two clients may choose
/// the same.
pub(crate) fn row_id(table: usize, row: u8) -> EntityId {
    let text = if row.is_multiple_of(2) {
        format!("row-{table}-{row}")
    } else {
        format!("0190c0de-0000-7000-8000-0000000{table:02}{row:03}")
    };
    EntityId::new(text).unwrap_or_else(|_| unreachable!("a constant shape"))
}

/// Values that nobody wrote before, and edits made of them.
#[derive(Debug)]
pub(crate) struct Values {
    count: u32,
    /// Does the server trim text, so that users sometimes write a blank too many?
    with_blanks: bool,
}

impl Values {
    pub(crate) fn new(with_blanks: bool) -> Self {
        Self {
            count: 0,
            with_blanks,
        }
    }

    pub(crate) fn next_number(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    fn fresh(&mut self, writer: char, ty: ColumnType) -> Value {
        self.count += 1;
        let count = self.count;
        match ty {
            // Now greater, now smaller than those before it.
            ColumnType::Integer => json!(1000 + u64::from(count) * 7_919 % 100_003),
            ColumnType::Real => json!(f64::from(count) + 0.5),
            _ if self.with_blanks && count.is_multiple_of(3) => json!(format!("{writer}{count} ")),
            _ => json!(format!("{writer}{count}")),
        }
    }

    /// What the field becomes.
    pub(crate) fn edited(
        &mut self,
        writer: char,
        (_, kind, ty): &(String, FieldKind, ColumnType),
        before: Option<&Value>,
        removes: bool,
    ) -> Value {
        match kind {
            FieldKind::Refers => before.cloned().unwrap_or(Value::Null),
            FieldKind::Unique => self.fresh(writer, *ty),
            FieldKind::List => {
                let mut list = before
                    .and_then(Value::as_array)
                    .cloned()
                    .unwrap_or_default();
                if removes && !list.is_empty() {
                    let place = self.count as usize % list.len();
                    list.remove(place);
                } else {
                    list.push(self.fresh(writer, ColumnType::Text));
                }
                Value::Array(list)
            }
            FieldKind::Object => {
                let mut object = before
                    .and_then(Value::as_object)
                    .cloned()
                    .unwrap_or_default();
                let only = if self.count.is_multiple_of(2) {
                    "x"
                } else {
                    "y"
                };
                let is_new = object.is_empty();
                for key in ["x", "y"] {
                    if is_new || key == only {
                        object.insert(key.to_owned(), self.fresh(writer, ColumnType::Text));
                    }
                }
                Value::Object(object)
            }
            FieldKind::Counter => {
                self.count += 1;
                let delta = [1, 2, 1, -1, 3][self.count as usize % 5];
                json!(before.and_then(Value::as_i64).unwrap_or(0) + delta)
            }
            FieldKind::Toggle => {
                self.count += 1;
                match ty {
                    ColumnType::Boolean => json!(self.count.is_multiple_of(2)),
                    ColumnType::Timestamp => {
                        json!(format!("2026-01-01T00:00:{:02}Z", self.count % 60))
                    }
                    _ => json!(["", "QQ==", "UVE="][self.count as usize % 3]),
                }
            }
        }
    }
}

/// The parts of a record that the checker follows one by one: plain fields, the keys of objects,
/// the elements of lists.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Parts {
    pub(crate) plain: BTreeMap<String, Value>,
    pub(crate) lists: BTreeMap<String, Vec<String>>,
}

impl SimTable {
    /// The parts of these fields of a record. Text counts as a server would keep it: trimmed.
    pub(crate) fn parts(&self, record: &JsonMap) -> Parts {
        let mut parts = Parts::default();
        for (name, kind, _) in self.fields.iter().chain(&self.unknown) {
            let value = record.get(name).unwrap_or(&Value::Null);
            match kind {
                FieldKind::List | FieldKind::Object if self.is_whole(name) => {
                    parts.plain.insert(name.clone(), value.clone());
                }
                FieldKind::Unique => {
                    parts.plain.insert(name.clone(), trimmed(value));
                }
                // What one side did not touch covers what the other side wrote there, by name.
                FieldKind::Object if self.rule(name) == FieldMerge::Union => {}
                FieldKind::Object => {
                    for key in ["x", "y"] {
                        let value = value.get(key).unwrap_or(&Value::Null);
                        parts.plain.insert(format!("{name}.{key}"), trimmed(value));
                    }
                }
                FieldKind::List => {
                    let texts = value.as_array().into_iter().flatten();
                    let texts = texts.filter_map(Value::as_str);
                    let texts = texts.map(|text| text.trim().to_owned()).collect();
                    parts.lists.insert(name.clone(), texts);
                }
                FieldKind::Toggle | FieldKind::Refers | FieldKind::Counter => {}
            }
        }
        parts
    }
}

fn trimmed(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(text.trim()),
        other => other.clone(),
    }
}
