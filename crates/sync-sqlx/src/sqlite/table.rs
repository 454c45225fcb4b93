//! A user's table, made ready: which statement does what.

use std::collections::BTreeMap;
use std::sync::Arc;

use sync_core::store::{StoreError, StoreErrorKind};
use sync_core::{Column, ColumnType, Kind, TableSchema};

/// The tables that were prepared, by kind.
pub(crate) type Tables = BTreeMap<Kind, Arc<Table>>;

/// One prepared table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) schema: TableSchema,
    /// Places of the synced columns in `schema.columns`.
    pub(crate) synced: Vec<usize>,
    /// Places of the local-only columns.
    pub(crate) local: Vec<usize>,
    /// By place: has the column a default and no room for null, so that an absent field takes it?
    pub(crate) defaulted: Vec<bool>,
    /// The place of the id.
    pub(crate) id: usize,
    /// Has the table a foreign key to itself?
    pub(crate) refers_to_itself: bool,
    /// Writes a row of the usual shape: all synced columns, no local one.
    pub(crate) upsert: String,
    /// Reads a row: ?1 = id, ?2 = kind; the synced columns, then the fields without a column.
    pub(crate) select: String,
    /// Reads a row as the app sees it: the same, and the local-only columns.
    pub(crate) app_row: String,
    /// Lists rows as the app sees them: ?1 = after this id, ?2 = kind, ?3 = limit.
    pub(crate) app_rows: String,
    /// Removes a row: ?1 = id.
    pub(crate) delete: String,
    /// Lists unseen rows: ?1 = kind, ?2 = generation, ?3 = after this id, ?4 = limit.
    pub(crate) unseen: String,
    /// Lists tombstones of rows that are not there again: ?1 = kind.
    pub(crate) tombstones: String,
    /// Counts rows that the server wrote: ?1 = kind.
    pub(crate) count_synced: String,
    /// Lists deleted rows with their versions, where the table marks them: ?1 = kind, ?2 = after
    /// this id.
    pub(crate) tombstone_rows: Option<String>,
    /// Lists rows that nobody claims: ?1 = kind, ?2 = after this id, ?3 = limit.
    pub(crate) unclaimed: String,
    /// Lists the fields that have no column of their own: ?1 = kind, ?2 = after this id.
    pub(crate) rests: String,
}

/// What a statement does with a row that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnConflict {
    Update,
    Nothing,
}

impl Table {
    /// Prepares a table that was found to fit.
    pub(crate) fn new(
        schema: TableSchema,
        id: usize,
        defaulted: Vec<bool>,
        refers_to_itself: bool,
    ) -> Self {
        let places = |local: bool| -> Vec<usize> {
            let columns = schema.columns.iter().enumerate();
            columns
                .filter(|(_, column)| column.local_only == local)
                .map(|(place, _)| place)
                .collect()
        };
        let (synced, local) = (places(false), places(true));
        let table = quoted(&schema.table);
        let id_column = schema.columns.get(id).map(column_name).unwrap_or_default();
        let here =
            format!("EXISTS (SELECT 1 FROM {table} WHERE {table}.{id_column} = v.entity_id)");
        let mut this = Self {
            select: select(&schema, &table, &id_column, false),
            app_row: select(&schema, &table, &id_column, true),
            app_rows: app_rows(&schema, &table, &id_column),
            delete: format!("DELETE FROM {table} WHERE {id_column} = ?1"),
            unseen: format!(
                "SELECT v.entity_id FROM sync_versions v \
                 WHERE v.kind = ?1 AND v.removed = 0 AND v.generation < ?2 AND v.entity_id > ?3 \
                 AND {here} AND NOT EXISTS \
                 (SELECT 1 FROM sync_outbox o WHERE o.kind = ?1 AND o.entity_id = v.entity_id) \
                 ORDER BY v.entity_id LIMIT ?4"
            ),
            tombstones: format!(
                "SELECT v.rowid, v.stamp FROM sync_versions v \
                 WHERE v.kind = ?1 AND v.removed = 1 AND NOT {here}"
            ),
            count_synced: format!(
                "SELECT count(*) FROM sync_versions v WHERE v.kind = ?1 AND v.removed = 0 AND {here}"
            ),
            tombstone_rows: tombstone_rows(&schema, &table, &id_column),
            unclaimed: unclaimed(&schema, &table, &id_column),
            rests: rests(&schema, &table, &id_column),
            upsert: String::new(),
            schema,
            synced,
            local,
            defaulted,
            id,
            refers_to_itself,
        };
        this.upsert = this.write(&this.synced, OnConflict::Update);
        this
    }

    /// The statement that writes a row: `given` are the places of the columns that get a value, in
    /// this order, followed by the column for the rest where the table has one.
    ///
    /// A synced column that is not given takes its default, also in a row that is there already:
    /// `excluded` holds it. A local-only column that is not given is left alone.
    pub(crate) fn write(&self, given: &[usize], on_conflict: OnConflict) -> String {
        let name = |place: &usize| self.schema.columns.get(*place).map(column_name);
        let extra = self.schema.extra_column.as_deref().map(quoted);
        let mut into: Vec<String> = given.iter().filter_map(name).collect();
        into.extend(extra.clone());
        let values: Vec<String> = (1..=into.len()).map(|at| format!("?{at}")).collect();

        let local = given.iter().filter(|place| self.local.contains(place));
        let kept: Vec<String> = self
            .synced
            .iter()
            .filter(|place| **place != self.id)
            .chain(local)
            .filter_map(name)
            .chain(extra)
            .map(|column| format!("{column} = excluded.{column}"))
            .collect();
        let action = match on_conflict {
            OnConflict::Update if !kept.is_empty() => format!("UPDATE SET {}", kept.join(", ")),
            OnConflict::Update | OnConflict::Nothing => "NOTHING".to_owned(),
        };
        format!(
            "INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({}) DO {action}",
            quoted(&self.schema.table),
            into.join(", "),
            values.join(", "),
            name(&self.id).unwrap_or_default(),
        )
    }
}

/// The fields that lie beside a table, of ?1 = id and ?2 = kind.
const BESIDE: &str = "(SELECT fields FROM sync_extra WHERE kind = ?2 AND entity_id = ?1)";

fn rests(schema: &TableSchema, table: &str, id_column: &str) -> String {
    let Some(extra) = &schema.extra_column else {
        return "SELECT entity_id, fields FROM sync_extra \
                WHERE kind = ?1 AND entity_id > ?2 ORDER BY entity_id"
            .to_owned();
    };
    let (id, extra) = (text_of_id(schema, id_column), quoted(extra));
    format!(
        "SELECT {id}, coalesce(t.{extra}, (SELECT e.fields FROM sync_extra e \
         WHERE e.kind = ?1 AND e.entity_id = {id})) AS rest \
         FROM {table} t WHERE {id} > ?2 AND rest IS NOT NULL ORDER BY {id}"
    )
}

/// The id of a row `t` as the library writes it.
fn text_of_id(schema: &TableSchema, id_column: &str) -> String {
    match schema.id().map(|column| column.ty) {
        Some(ColumnType::Text) => format!("t.{id_column}"),
        _ => format!("CAST(t.{id_column} AS TEXT)"),
    }
}

fn select(schema: &TableSchema, table: &str, id_column: &str, with_local: bool) -> String {
    let columns = columns(schema, BESIDE, with_local);
    // The condition names ?2 so that both shapes take the same parameters.
    format!("SELECT {columns} FROM {table} t WHERE t.{id_column} = ?1 AND ?2 IS NOT NULL")
}

fn app_rows(schema: &TableSchema, table: &str, id_column: &str) -> String {
    let id = text_of_id(schema, id_column);
    let beside =
        format!("(SELECT e.fields FROM sync_extra e WHERE e.kind = ?2 AND e.entity_id = {id})");
    let columns = columns(schema, &beside, true);
    format!(
        "SELECT {columns} FROM {table} t WHERE {id} > ?1 AND ?2 IS NOT NULL \
         ORDER BY {id} LIMIT ?3"
    )
}

/// What reading a row selects: the synced columns, the fields without a column, perhaps the
/// local-only columns.
fn columns(schema: &TableSchema, beside: &str, with_local: bool) -> String {
    let name = |column: &Column| format!("t.{}", column_name(column));
    let mut columns: Vec<String> = schema.synced().map(name).collect();
    columns.push(match &schema.extra_column {
        // Until the row is written again they lie where they lay before the table had the column.
        Some(extra) => format!("coalesce(t.{}, {beside})", quoted(extra)),
        None => beside.to_owned(),
    });
    if with_local {
        let local = schema.columns.iter().filter(|column| column.local_only);
        columns.extend(local.map(name));
    }
    columns.join(", ")
}

fn tombstone_rows(schema: &TableSchema, table: &str, id_column: &str) -> Option<String> {
    let column = schema.tombstone()?;
    let mark = format!("t.{}", column_name(column));
    let is_set = match column.ty {
        ColumnType::Boolean => format!("{mark} <> 0"),
        ColumnType::Json => format!("{mark} NOT IN ('null', 'false')"),
        _ => format!("{mark} IS NOT NULL"),
    };
    let busy = |own: &str| {
        format!("EXISTS (SELECT 1 FROM {own} o WHERE o.kind = ?1 AND o.entity_id = v.entity_id)")
    };
    let (queued, shadowed) = (busy("sync_outbox"), busy("sync_shadow"));
    Some(format!(
        "SELECT v.entity_id, v.stamp, v.tag FROM {table} t \
         JOIN sync_versions v ON v.kind = ?1 AND v.entity_id = t.{id_column} \
         WHERE {is_set} AND v.removed = 0 AND v.entity_id > ?2 \
         AND NOT {queued} AND NOT {shadowed} ORDER BY v.entity_id"
    ))
}

fn unclaimed(schema: &TableSchema, table: &str, id_column: &str) -> String {
    let id = text_of_id(schema, id_column);
    let claimed = |own: &str| {
        format!("EXISTS (SELECT 1 FROM {own} o WHERE o.kind = ?1 AND o.entity_id = t.{id_column})")
    };
    let (known, queued) = (claimed("sync_versions"), claimed("sync_outbox"));
    format!(
        "SELECT {id} FROM {table} t \
         WHERE {id} > ?2 AND NOT {known} AND NOT {queued} ORDER BY {id} LIMIT ?3"
    )
}

fn column_name(column: &Column) -> String {
    quoted(&column.name)
}

/// A name as SQL takes it, whatever characters it has.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The prepared table of a kind.
pub(crate) fn table_of<'t>(tables: &'t Tables, kind: &Kind) -> Result<&'t Arc<Table>, StoreError> {
    tables.get(kind).ok_or_else(|| {
        StoreError::new(
            StoreErrorKind::UnknownKind,
            format!("kind `{kind}` is not known here: give its table to `prepare` first"),
        )
    })
}
