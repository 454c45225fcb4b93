//! A device with one table.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use serde_json::{Value, json};
use sync_core::event::EventStream;
use sync_core::store::{OpQuery, QuarantineEntry};
use sync_core::{
    Column, ColumnType, EntityId, Kind, MemoryStore, Op, Record, SyncConfig, SyncEngine, SyncError,
    SyncEvent, SyncReport, TableConfig, TableSchema,
};
use sync_testkit::FakeEnv;
use tokio::task::unconstrained;

use crate::server::Server;

pub(crate) fn notes() -> Kind {
    Kind::new("notes").unwrap()
}

pub(crate) fn id(text: &str) -> EntityId {
    EntityId::new(text).unwrap()
}

pub(crate) fn record(value: Value) -> Record {
    Record::try_from(value).unwrap()
}

/// Notes with a title that must be a text, a body, and a tombstone field.
pub(crate) fn schema() -> TableSchema {
    without_tombstone().column(Column::new("deleted_at", ColumnType::Timestamp).nullable())
}

pub(crate) fn without_tombstone() -> TableSchema {
    TableSchema::new(notes(), "notes", "id")
        .column(Column::new("id", ColumnType::Text))
        .column(Column::new("title", ColumnType::Text))
        .column(Column::new("body", ColumnType::Text).nullable())
        .column(Column::new("updated_at", ColumnType::Timestamp).nullable())
}

pub(crate) struct Device {
    pub(crate) store: MemoryStore,
    pub(crate) world: FakeEnv,
    pub(crate) engine: SyncEngine,
    events: EventStream,
}

impl Device {
    pub(crate) async fn new(server: &Server, table: TableConfig) -> Self {
        let built = Self::on(MemoryStore::new(), server, schema(), table).await;
        built.unwrap()
    }

    pub(crate) async fn on(
        store: MemoryStore,
        server: &Server,
        schema: TableSchema,
        table: TableConfig,
    ) -> Result<Self, SyncError> {
        let world = FakeEnv::new(1);
        // The heartbeat of a run's lease sleeps longer.
        world.auto_advance(Duration::from_secs(20));
        let engine = SyncEngine::builder(store.clone(), server.clone())
            .schema(schema, table)
            .config(
                SyncConfig::default()
                    .with_pull_overlap(Duration::from_millis(1))
                    .with_lease_duration(Duration::from_secs(90)),
            )
            .env(world.env())
            .bare_transport()
            .build()
            .await?;
        let events = engine.events();
        Ok(Self {
            store,
            world,
            engine,
            events,
        })
    }

    /// A run in which nothing fails.
    pub(crate) async fn sync(&self) -> SyncReport {
        let report = self.engine.sync().await.unwrap();
        assert!(report.is_complete(), "{report:?}");
        report
    }

    /// The row as it is stored, a deleted one too.
    pub(crate) fn row(&self, id: &str) -> Option<Record> {
        let rows = self.store.rows(&notes());
        rows.into_iter()
            .find(|row| row.get("id") == Some(&json!(id)))
    }

    pub(crate) async fn insert(&self, row: Value) {
        let writer = self.engine.records("notes").unwrap();
        writer.insert(record(row)).await.unwrap();
    }

    /// Changes one field of a row.
    pub(crate) async fn edit(&self, id: &str, field: &str, value: Value) {
        let mut row = self.row(id).unwrap();
        row.fields_mut().insert(field.to_owned(), value);
        let writer = self.engine.records("notes").unwrap();
        writer.replace(row).await.unwrap();
    }

    pub(crate) async fn delete(&self, text: &str) {
        let writer = self.engine.records("notes").unwrap();
        assert!(writer.delete(&id(text)).await.unwrap());
    }

    pub(crate) async fn ops(&self) -> Vec<Op> {
        self.engine
            .outbox()
            .list(&OpQuery::default())
            .await
            .unwrap()
    }

    pub(crate) async fn quarantined(&self) -> Vec<QuarantineEntry> {
        self.engine.quarantine().list(&notes(), 100).await.unwrap()
    }

    pub(crate) fn new_events(&mut self) -> Vec<SyncEvent> {
        // Tokio lets a task wait that has done much; here that would look like the end.
        let next = || unconstrained(self.events.next()).now_or_never().flatten();
        std::iter::from_fn(next).collect()
    }
}
