//! A store in a folder that goes away with the test.

use serde_json::Value;
use sync_core::store::{RowWrite, Store, StoreTx, TxMode};
use sync_core::{
    Change, Column, ColumnType, EntityId, Kind, Op, OpId, Record, TableSchema, Timestamp, Version,
};
use sync_sqlx::SqliteStore;
use tempfile::TempDir;

/// The table of the tests.
pub(crate) const TODOS: &str = "CREATE TABLE todos (
    id TEXT NOT NULL PRIMARY KEY,
    title TEXT NOT NULL,
    notes VARCHAR(200),
    done BOOLEAN NOT NULL DEFAULT 0,
    priority INTEGER NOT NULL DEFAULT 5 CHECK (priority BETWEEN 0 AND 10),
    weight REAL,
    tags JSON,
    picture BLOB,
    updated_at DATETIME,
    color TEXT NOT NULL DEFAULT 'grey'
)";

pub(crate) struct Fixture {
    pub(crate) store: SqliteStore,
    pub(crate) folder: TempDir,
}

impl Fixture {
    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("app.db")
    }

    pub(crate) async fn sql(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(self.store.pool()).await.unwrap();
    }

    pub(crate) async fn scalar(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql)
            .fetch_one(self.store.pool())
            .await
            .unwrap()
    }

    pub(crate) async fn texts(&self, sql: &'static str) -> Vec<Option<String>> {
        sqlx::query_scalar(sql)
            .fetch_all(self.store.pool())
            .await
            .unwrap()
    }

    pub(crate) async fn write(&self) -> Box<dyn StoreTx> {
        Store::begin(&self.store, TxMode::Write).await.unwrap()
    }

    pub(crate) async fn read(&self) -> Box<dyn StoreTx> {
        Store::begin(&self.store, TxMode::Read).await.unwrap()
    }

    /// Writes rows in a transaction of their own.
    pub(crate) async fn put(&self, rows: &[RowWrite]) {
        let mut tx = self.write().await;
        let report = tx.put(&todos(), rows).await.unwrap();
        assert_eq!(report.rejected, []);
        tx.commit().await.unwrap();
    }

    pub(crate) async fn get(&self, at: &str) -> Option<Record> {
        self.read()
            .await
            .get(&todos(), &[id(at)])
            .await
            .unwrap()
            .pop()
    }
}

/// A store with the table of the tests, prepared.
pub(crate) async fn fixture() -> Fixture {
    let fixture = bare().await;
    fixture.sql(TODOS).await;
    fixture.store.prepare(&[schema()]).await.unwrap();
    fixture
}

/// A store on an empty file.
pub(crate) async fn bare() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("app.db"))
        .await
        .unwrap();
    Fixture { store, folder }
}

pub(crate) fn todos() -> Kind {
    Kind::new("todos").unwrap()
}

pub(crate) fn schema() -> TableSchema {
    TableSchema::new(todos(), "todos", "id")
        .column(Column::new("id", ColumnType::Text))
        .column(Column::new("title", ColumnType::Text))
        .column(Column::new("notes", ColumnType::Text).nullable())
        .column(Column::new("done", ColumnType::Boolean))
        .column(Column::new("priority", ColumnType::Integer))
        .column(Column::new("weight", ColumnType::Real).nullable())
        .column(Column::new("tags", ColumnType::Json).nullable())
        .column(Column::new("picture", ColumnType::Blob).nullable())
        .column(
            Column::new("updated_at", ColumnType::Timestamp)
                .nullable()
                .field("updatedAt"),
        )
        .column(Column::new("color", ColumnType::Text).local_only())
}

pub(crate) fn id(text: &str) -> EntityId {
    EntityId::new(text).unwrap()
}

pub(crate) fn record(value: Value) -> Record {
    Record::try_from(value).unwrap()
}

/// A small row of the tests' table.
pub(crate) fn todo(at: &str, title: &str) -> Record {
    record(serde_json::json!({ "id": at, "title": title, "done": false, "priority": 5 }))
}

pub(crate) fn version(stamp: &str) -> Version {
    Version::new(Timestamp::parse(stamp).unwrap())
}

pub(crate) fn op(op_id: &str, entity: &str) -> Op {
    let change = Change::Upsert {
        payload: todo(entity, "written"),
        changed: None,
    };
    Op::new(
        OpId::new(op_id).unwrap(),
        todos(),
        id(entity),
        change,
        Timestamp::parse("2026-03-01T12:00:00.000001Z").unwrap(),
    )
}
