//! One device: a store that survives crashes, an engine that does not, and perhaps a run under way.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use serde_json::{Value, json};
use sync_core::event::EventStream;
use sync_core::json::JsonMap;
use sync_core::store::OpQuery;
use sync_core::{
    ChangedFields, Column, ColumnType, ConflictStrategy, EntityId, Kind, MemoryStore, Op, Record,
    SoftDelete, SyncConfig, SyncEngine, SyncError, SyncEvent, SyncReport, TableConfig, TableSchema,
};
use sync_testkit::FakeEnv;

use crate::link::Link;

/// The fields that users edit: three plain ones and a list.
pub(crate) const FIELDS: [&str; 4] = ["a", "b", "c", "t"];

pub(crate) struct Device {
    pub(crate) name: &'static str,
    pub(crate) store: MemoryStore,
    pub(crate) link: Link,
    world: FakeEnv,
    engine: SyncEngine,
    events: EventStream,
    run: Option<BoxFuture<'static, Result<SyncReport, SyncError>>>,
    settings: (ConflictStrategy, SoftDelete),
}

pub(crate) fn kind() -> Kind {
    Kind::new("things").unwrap()
}

fn now<T>(future: impl Future<Output = T>) -> T {
    future
        .now_or_never()
        .expect("a store in memory never waits here")
}

fn build(
    link: &Link,
    store: &MemoryStore,
    world: &FakeEnv,
    settings: (ConflictStrategy, SoftDelete),
) -> SyncEngine {
    let column = |schema: TableSchema, name: &str| {
        schema.column(Column::new(name, ColumnType::Json).nullable())
    };
    let schema =
        TableSchema::new(kind(), "things", "id").column(Column::new("id", ColumnType::Text));
    let schema = FIELDS
        .into_iter()
        .chain(["updated_at", "deleted_at"])
        .fold(schema, column);
    let config = SyncConfig::default()
        .with_page_size(2)
        .with_lease_duration(Duration::from_secs(90))
        .with_pull_overlap(Duration::from_millis(2));
    let (strategy, soft_delete) = settings;
    let engine = SyncEngine::builder(store.clone(), link.clone())
        .schema(
            schema,
            TableConfig::new()
                .strategy(strategy)
                .soft_delete(soft_delete),
        )
        .config(config)
        .env(world.env())
        .bare_transport()
        .build();
    now(engine).unwrap()
}

impl Device {
    pub(crate) fn new(
        name: &'static str,
        seed: u64,
        link: Link,
        settings: (ConflictStrategy, SoftDelete),
    ) -> Self {
        let store = MemoryStore::new();
        let world = FakeEnv::new(seed);
        // The heartbeat of a run's lease sleeps longer.
        world.auto_advance(Duration::from_secs(20));
        let engine = build(&link, &store, &world, settings);
        let events = engine.events();
        Self {
            name,
            store,
            link,
            world,
            engine,
            events,
            run: None,
            settings,
        }
    }

    // -- the user ------------------------------------------------------------------------------

    /// The row as the user sees it; `None` = there is none, or it is deleted.
    pub(crate) fn row(&self, id: &str) -> Option<JsonMap> {
        let rows = self.store.rows(&kind());
        let row = rows
            .into_iter()
            .find(|row| row.get("id") == Some(&json!(id)));
        row.filter(|row| !row.is_deleted()).map(Record::into_fields)
    }

    /// Changes these fields; creates the row if there is none.
    pub(crate) fn write(&self, id: &str, fields: &JsonMap) {
        let records = self.engine.records("things").unwrap();
        let changed: ChangedFields = fields.keys().cloned().collect();
        let exists = self.row(id).is_some();
        let mut row = self.row(id).unwrap_or_default();
        row.insert("id".to_owned(), json!(id));
        row.extend(fields.clone());
        if exists {
            now(records.change(Record::new(row), &changed)).unwrap();
        } else {
            now(records.insert(Record::new(row))).unwrap();
        }
    }

    pub(crate) fn delete(&self, id: &str) {
        let id = EntityId::new(id).unwrap();
        now(self.engine.records("things").unwrap().delete(&id)).unwrap();
    }

    // -- sync ----------------------------------------------------------------------------------

    /// Lets the run go on to its next request, or begins one.
    pub(crate) fn step(&mut self) {
        let run = self.run.get_or_insert_with(|| {
            // Longer than the longest back-off.
            self.world.advance(Duration::from_secs(600));
            let engine = self.engine.clone();
            Box::pin(async move { engine.sync().await })
        });
        if let Some(result) = run.now_or_never() {
            self.run = None;
            result.unwrap();
        }
    }

    /// A whole run, after the rest of one that may be under way.
    pub(crate) fn sync(&mut self) {
        self.finish();
        self.step();
        self.finish();
    }

    fn finish(&mut self) {
        for _ in 0..1_000 {
            if self.run.is_none() {
                return;
            }
            self.step();
        }
        panic!("a run of {} does not end", self.name);
    }

    /// The process dies; what is committed stays.
    pub(crate) fn crash(&mut self) {
        self.run = None;
        self.engine = build(&self.link, &self.store, &self.world, self.settings);
        self.events = self.engine.events();
    }

    // -- what is to be seen --------------------------------------------------------------------

    pub(crate) fn ops(&self) -> Vec<Op> {
        now(self.engine.outbox().list(&OpQuery::default())).unwrap()
    }

    pub(crate) fn new_events(&mut self) -> Vec<SyncEvent> {
        std::iter::from_fn(|| self.events.next().now_or_never().flatten()).collect()
    }
}

/// What a user wrote, as the fields of a record.
pub(crate) fn fields(value: Value) -> JsonMap {
    match value {
        Value::Object(fields) => fields,
        other => panic!("not an object: {other}"),
    }
}

/// A shared value behind a lock.
pub(crate) fn shared<T>(value: T) -> Arc<Mutex<T>> {
    Arc::new(Mutex::new(value))
}
