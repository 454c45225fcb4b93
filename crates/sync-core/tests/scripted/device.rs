//! A device whose time moves when told.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use serde_json::Value;
use sync_core::store::{OpQuery, QuarantineEntry, RowWrite, Store};
use sync_core::{
    ChangedFields, Clock, Column, ColumnType, EntityId, Entropy, Env, EventStream, Kind,
    MemoryStore, Op, Record, RetryPolicy, SoftDelete, SyncConfig, SyncEngine, SyncEngineBuilder,
    SyncEvent, SyncOptions, SyncReport, TableConfig, TableSchema, Timestamp, TxMode, Version,
};
use uuid::Uuid;

use crate::server::{Server, record, stamp};

/// An id that nobody else can have chosen.
pub(crate) const ID: &str = "11111111-1111-4111-8111-111111111111";

#[derive(Debug, Default)]
struct Outside {
    millis: AtomicI64,
    made: AtomicU64,
}

impl Clock for Outside {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(1_800_000_000_000 + self.millis.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.millis.load(Ordering::Relaxed).unsigned_abs())
    }

    /// Short waits are over at once, long ones when everybody else has had a turn.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let turns = if duration < Duration::from_secs(5) {
            0
        } else {
            50
        };
        let wait = async move {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        };
        wait.boxed()
    }
}

impl Entropy for Outside {
    fn uuid(&self) -> Uuid {
        Uuid::from_u128(1 + u128::from(self.next_u64()))
    }

    fn next_u64(&self) -> u64 {
        self.made.fetch_add(1, Ordering::Relaxed)
    }
}

/// Ten seconds for each failure.
#[derive(Debug)]
struct TenSeconds;

impl RetryPolicy for TenSeconds {
    fn delay(&self, attempt: u32, _: u64) -> Duration {
        Duration::from_secs(10) * attempt
    }
}

#[derive(Debug)]
pub(crate) struct Device {
    outside: Arc<Outside>,
    pub(crate) store: MemoryStore,
    pub(crate) engine: SyncEngine,
    pub(crate) server: Server,
}

pub(crate) fn kind() -> Kind {
    Kind::new("notes").unwrap()
}

pub(crate) fn id() -> EntityId {
    EntityId::new(ID).unwrap()
}

/// A table with an id, a stamp and two fields, and these columns beside.
pub(crate) fn schema(stamp: &str, more: Vec<Column>) -> TableSchema {
    let mut columns = vec![Column::new("id", ColumnType::Text)];
    let fields = [stamp, "a", "b"];
    columns.extend(fields.map(|name| Column::new(name, ColumnType::Json).nullable()));
    columns.extend(more);
    let schema = TableSchema::new(kind(), "notes", "id");
    columns.into_iter().fold(schema, TableSchema::column)
}

pub(crate) fn marked() -> TableSchema {
    let mark = Column::new("deleted_at", ColumnType::Text).nullable();
    schema("updated_at", vec![mark])
}

/// Rows of deleted records go.
pub(crate) fn purging() -> TableConfig {
    TableConfig::new().soft_delete(SoftDelete::Purge)
}

impl Device {
    pub(crate) async fn new(schema: TableSchema, table: TableConfig) -> Self {
        let (outside, server) = (Arc::<Outside>::default(), Server::default());
        let store = MemoryStore::new();
        let engine = start(&outside, &store, &server, vec![schema], table).await;
        Self {
            outside,
            store,
            engine,
            server,
        }
    }

    /// The app is started again, perhaps with another table.
    pub(crate) async fn restart(&mut self, schema: TableSchema, table: TableConfig) {
        let schemas = vec![schema];
        self.restart_with(schemas, table).await;
    }

    pub(crate) async fn restart_with(&mut self, schemas: Vec<TableSchema>, table: TableConfig) {
        let (outside, store, server) = (&self.outside, &self.store, &self.server);
        self.engine = start(outside, store, server, schemas, table).await;
    }

    /// A device that pulled this record with the stamp of second 1.
    pub(crate) async fn with(schema: TableSchema, table: TableConfig, mut row: Value) -> Self {
        let device = Self::new(schema, table).await;
        device.server.declares("if-absent");
        row["updated_at"] = stamp(1).to_json();
        device.server.lists(row);
        device.pull().await;
        device
    }

    /// The same with the usual table.
    pub(crate) async fn having(row: Value) -> Self {
        Self::with(schema("updated_at", vec![]), purging(), row).await
    }

    pub(crate) fn pass(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).unwrap();
        self.outside.millis.fetch_add(millis, Ordering::Relaxed);
    }

    /// The device's clock is set back.
    pub(crate) fn goes_back(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).unwrap();
        self.outside.millis.fetch_sub(millis, Ordering::Relaxed);
    }

    pub(crate) async fn pull(&self) -> SyncReport {
        let options = SyncOptions::default().no_push();
        self.engine.sync_with(options).await.unwrap()
    }

    /// Pushes now.
    pub(crate) async fn push(&self) -> SyncReport {
        let options = SyncOptions::default().no_pull();
        self.engine.sync_with(options).await.unwrap()
    }

    /// Pushes when everything has become due.
    pub(crate) async fn push_later(&self) -> SyncReport {
        self.pass(Duration::from_secs(3_600));
        self.push().await
    }

    pub(crate) async fn insert(&self, value: Value) {
        let records = self.engine.records("notes").unwrap();
        records.insert(record(value)).await.unwrap();
    }

    /// Changes one field of the usual record.
    pub(crate) async fn change(&self, field: &str, value: impl Into<Value>) {
        let records = self.engine.records("notes").unwrap();
        let mut row = self.row().unwrap();
        row.fields_mut().insert(field.to_owned(), value.into());
        let changed = ChangedFields::from_iter([field]);
        assert!(records.change(row, &changed).await.unwrap());
    }

    pub(crate) async fn delete(&self) {
        let records = self.engine.records("notes").unwrap();
        assert!(records.delete(&id()).await.unwrap());
    }

    /// The usual record's row.
    pub(crate) fn row(&self) -> Option<Record> {
        let mut rows = self.store.rows(&kind()).into_iter();
        rows.find(|row| row.get("id").and_then(Value::as_str) == Some(ID))
    }

    pub(crate) async fn ops(&self) -> Vec<Op> {
        self.engine
            .outbox()
            .list(&OpQuery::default())
            .await
            .unwrap()
    }

    /// The only operation.
    pub(crate) async fn op(&self) -> Op {
        let mut ops = self.ops().await;
        assert_eq!(ops.len(), 1, "{ops:?}");
        ops.remove(0)
    }

    /// What lies in quarantine.
    pub(crate) async fn set_aside(&self) -> Vec<QuarantineEntry> {
        self.engine.quarantine().list(&kind(), 100).await.unwrap()
    }

    pub(crate) fn now(&self) -> i64 {
        self.outside.now().unix_millis()
    }

    /// Puts a row that the server is said to have written, without a pull.
    pub(crate) async fn put(&self, value: Value, version: Option<Version>) {
        let mut tx = self.store.begin(TxMode::Write).await.unwrap();
        let row = RowWrite::server(record(value), version, 0);
        assert_eq!(tx.put(&kind(), &[row]).await.unwrap().rejected, []);
        tx.commit().await.unwrap();
    }
}

/// What starts an app of this kind.
pub(crate) fn builder_of(device: &Device, table: TableConfig) -> SyncEngineBuilder {
    builder(&device.outside, &device.store, &device.server).schema(marked(), table)
}

fn builder(outside: &Arc<Outside>, store: &MemoryStore, server: &Server) -> SyncEngineBuilder {
    let config = SyncConfig::default().with_max_outbox_try_count(3);
    SyncEngine::builder(store.clone(), server.clone())
        .config(config)
        .env(Env::new(outside.clone(), outside.clone()))
        .retry_policy(Arc::new(TenSeconds))
        .bare_transport()
}

async fn start(
    outside: &Arc<Outside>,
    store: &MemoryStore,
    server: &Server,
    schemas: Vec<TableSchema>,
    table: TableConfig,
) -> SyncEngine {
    let builder = builder(outside, store, server);
    let with_table = |builder: SyncEngineBuilder, schema| builder.schema(schema, table.clone());
    let builder = schemas.into_iter().fold(builder, with_table);
    builder.build().await.unwrap()
}

/// The events that are there.
pub(crate) fn told(events: &mut EventStream) -> Vec<SyncEvent> {
    std::iter::from_fn(|| events.next().now_or_never().flatten()).collect()
}
