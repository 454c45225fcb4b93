//! What the behaviours work on.

use std::sync::Arc;

use serde_json::{Value, json};
use sync_core::store::{OpQuery, RowWrite, TxMode};
use sync_core::{
    Change, Column, ColumnType, EntityId, Kind, Op, OpId, Record, ServerState, Shadow, Store,
    StoreTx, TableSchema, Timestamp, Version,
};

/// The tables of [`schemas`] in SQLite.
pub const SQLITE_TABLES: &str = r#"
CREATE TABLE conformance_wide (
    id TEXT PRIMARY KEY NOT NULL,
    title TEXT NOT NULL,
    body TEXT,
    "order" INTEGER,
    ratio REAL,
    done INTEGER,
    photo BLOB,
    payload TEXT,
    due_on TEXT,
    mood TEXT,
    updated_at TEXT,
    deleted_at TEXT
);
CREATE TABLE conformance_plain (
    id TEXT PRIMARY KEY NOT NULL,
    title TEXT NOT NULL,
    updated_at TEXT,
    extra TEXT
);
"#;

/// The tables that a store must be prepared with.
///
/// One has a column of every type, one that is named by a keyword of SQL, one that holds a field of
/// another name and one that stays on the device; its unknown fields are kept beside it. The other
/// has a column for them.
#[must_use]
pub fn schemas() -> [TableSchema; 2] {
    let text = |name| Column::new(name, ColumnType::Text);
    let optional = |name, ty| Column::new(name, ty).nullable();
    let wide = TableSchema::new(wide(), "conformance_wide", "id")
        .column(text("id"))
        .column(text("title"))
        .column(text("body").nullable())
        .column(optional("order", ColumnType::Integer))
        .column(optional("ratio", ColumnType::Real))
        .column(optional("done", ColumnType::Boolean))
        .column(optional("photo", ColumnType::Blob))
        .column(optional("payload", ColumnType::Json))
        .column(optional("due_on", ColumnType::Timestamp).field("dueAt"))
        .column(text("mood").nullable().local_only())
        .column(optional("updated_at", ColumnType::Timestamp))
        .column(optional("deleted_at", ColumnType::Timestamp));
    let plain = TableSchema::new(plain(), "conformance_plain", "id")
        .column(text("id"))
        .column(text("title"))
        .column(optional("updated_at", ColumnType::Timestamp))
        .extra("extra");
    [wide, plain]
}

/// The kind with a column of every type.
pub(super) fn wide() -> Kind {
    Kind::new("conformance_wide").unwrap()
}

/// The kind with few columns.
pub(super) fn plain() -> Kind {
    Kind::new("conformance-plain.v2~").unwrap()
}

/// A kind that no store was prepared with.
pub(super) fn unregistered() -> Kind {
    Kind::new("conformance_unregistered").unwrap()
}

pub(super) fn id(text: &str) -> EntityId {
    EntityId::new(text).unwrap()
}

pub(super) fn ids<const N: usize>(texts: [&str; N]) -> Vec<EntityId> {
    texts.into_iter().map(id).collect()
}

pub(super) fn op_id(text: &str) -> OpId {
    OpId::new(text).unwrap()
}

pub(super) fn record(value: Value) -> Record {
    Record::try_from(value).unwrap()
}

/// A row that both tables take.
pub(super) fn row(id: &str, title: &str) -> Record {
    record(json!({"id": id, "title": title}))
}

pub(super) fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// The instant of that many seconds after a fixed one, as servers write it.
pub(super) fn second(seconds: u8) -> Timestamp {
    at(&format!("2026-03-01T12:00:{seconds:02}Z"))
}

pub(super) fn version(seconds: u8) -> Version {
    Version::new(second(seconds))
}

/// An upsert that was never sent.
pub(super) fn upsert(name: &str, kind: &Kind, entity: &str) -> Op {
    let change = Change::Upsert {
        payload: row(entity, name),
        changed: None,
    };
    Op::new(op_id(name), kind.clone(), id(entity), change, second(0))
}

/// A shadow of an entity that did not exist.
pub(super) fn shadow(kind: &Kind, entity: &str) -> Shadow {
    Shadow {
        kind: kind.clone(),
        entity_id: id(entity),
        base: ServerState::Absent,
        parked: None,
        schema_version: 1,
    }
}

/// A row as the server has it, at that many seconds.
pub(super) fn from_server(id: &str, seconds: u8, generation: u32) -> RowWrite {
    RowWrite::server(
        row(id, "from the server"),
        Some(version(seconds)),
        generation,
    )
}

pub(super) async fn reading(store: &Arc<dyn Store>) -> Box<dyn StoreTx> {
    store.begin(TxMode::Read).await.unwrap()
}

pub(super) async fn writing(store: &Arc<dyn Store>) -> Box<dyn StoreTx> {
    store.begin(TxMode::Write).await.unwrap()
}

/// Writes rows in a transaction of their own; the table must take all of them.
pub(super) async fn put(store: &Arc<dyn Store>, kind: &Kind, rows: &[RowWrite]) {
    let mut tx = writing(store).await;
    let report = tx.put(kind, rows).await.unwrap();
    assert_eq!(report.rejected, [], "the table takes these rows");
    tx.commit().await.unwrap();
}

/// Writes rows of the user's.
pub(super) async fn put_local<const N: usize>(
    store: &Arc<dyn Store>,
    kind: &Kind,
    rows: [Record; N],
) {
    put(store, kind, &rows.map(RowWrite::local)).await;
}

/// Appends operations in a transaction of their own.
pub(super) async fn append(store: &Arc<dyn Store>, ops: &[Op]) -> Vec<i64> {
    let mut tx = writing(store).await;
    let places = tx.append_ops(ops).await.unwrap();
    tx.commit().await.unwrap();
    places
}

pub(super) async fn get(store: &Arc<dyn Store>, kind: &Kind, id: &EntityId) -> Option<Record> {
    let mut found = reading(store)
        .await
        .get(kind, std::slice::from_ref(id))
        .await
        .unwrap();
    assert!(found.len() <= 1, "one id yields one row: {found:?}");
    found.pop()
}

/// The titles of these rows, in the order in which the store returns them.
pub(super) async fn titles(store: &Arc<dyn Store>, kind: &Kind, ids: &[EntityId]) -> Vec<String> {
    let rows = reading(store).await.get(kind, ids).await.unwrap();
    let title = |row: &Record| row.get("title").unwrap().as_str().unwrap().to_owned();
    rows.iter().map(title).collect()
}

/// The ids of the operations that match.
pub(super) async fn op_ids(store: &Arc<dyn Store>, query: &OpQuery) -> Vec<String> {
    let ops = reading(store).await.ops(query).await.unwrap();
    ops.into_iter().map(|op| op.op_id.to_string()).collect()
}
