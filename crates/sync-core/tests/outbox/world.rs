//! Engines in a world that stands still unless it is moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use futures::future::{self, BoxFuture, FutureExt};
use serde_json::{Value, json};
use sync_core::{
    ChangedFields, Clock, Column, ColumnType, EntityId, Entropy, Env, Kind, MemoryStore, Record,
    SoftDelete, SyncConfig, SyncEngine, SyncOptions, TableConfig, TableSchema, Timestamp,
};
use uuid::Uuid;

use crate::model::{Changed, Intent};
use crate::server::{Edit, Fields, Server};

/// How often something may fail before the operation is set aside.
pub(crate) const TRIES: u32 = 3;

/// Time and ids: both only grow, and only when asked to.
#[derive(Debug, Default)]
struct Outside {
    millis: AtomicI64,
    made: AtomicU64,
}

const START: i64 = 1_800_000_000_000;

impl Clock for Outside {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(START + self.millis.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.millis.load(Ordering::Relaxed).unsigned_abs())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let millis = i64::try_from(duration.as_millis()).unwrap();
        self.millis.fetch_add(millis, Ordering::Relaxed);
        future::ready(()).boxed()
    }
}

impl Entropy for Outside {
    fn uuid(&self) -> Uuid {
        Uuid::from_u128(0x0190_a5a0_0000_7000_8000_0000_0000_0000 + u128::from(self.next_u64()))
    }

    fn next_u64(&self) -> u64 {
        self.made.fetch_add(1, Ordering::Relaxed)
    }
}

/// One device: its store outlives its engine.
#[derive(Debug)]
pub(crate) struct World {
    outside: Arc<Outside>,
    store: MemoryStore,
    pub(crate) server: Server,
    pub(crate) engine: SyncEngine,
}

pub(crate) fn kind() -> Kind {
    Kind::new("notes").unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        let (outside, store, server) = (Arc::default(), MemoryStore::new(), Server::default());
        let engine = start(&outside, &store, &server).await;
        Self {
            outside,
            store,
            server,
            engine,
        }
    }

    /// The process ends and starts again.
    pub(crate) async fn restart(&mut self) {
        self.engine = start(&self.outside, &self.store, &self.server).await;
    }

    pub(crate) fn user(&self) -> User {
        User {
            engine: self.engine.clone(),
            store: self.store.clone(),
        }
    }

    /// Sends what waits, after all that was put off has become due.
    pub(crate) async fn push(&self) {
        let hour = 3_600_000;
        self.outside.millis.fetch_add(hour, Ordering::Relaxed);
        let options = SyncOptions::default().no_pull();
        self.engine.sync_with(options).await.unwrap();
    }

    /// Brings everything that the server has.
    pub(crate) async fn pull(&self) {
        let options = SyncOptions::default().no_push();
        self.engine.sync_with(options).await.unwrap();
    }

    /// The user's row.
    pub(crate) fn row(&self, id: &str) -> Option<Fields> {
        row(&self.store, id)
    }
}

fn row(store: &MemoryStore, id: &str) -> Option<Fields> {
    let mut rows = store.rows(&kind()).into_iter();
    let row = rows.find(|row| row.get("id") == Some(&json!(id)))?;
    Some(fields_of(&row))
}

/// Somebody who edits what they see.
#[derive(Debug, Clone)]
pub(crate) struct User {
    engine: SyncEngine,
    store: MemoryStore,
}

impl User {
    /// Does it; `None` if that was nothing to be queued.
    pub(crate) async fn edit(&self, id: &str, edit: Edit) -> Option<Intent> {
        let records = self.engine.records("notes").unwrap();
        let seen = row(&self.store, id);
        match (edit, seen) {
            (Edit::Delete, seen) => {
                let deleted = records.delete(&EntityId::new(id).unwrap()).await.unwrap();
                assert_eq!(deleted, seen.is_some());
                deleted.then_some(Intent::Delete)
            }
            (Edit::Write(a, b), None) => {
                let fields = [a.unwrap_or(0), b.unwrap_or(0), 0];
                records.insert(record(id, fields)).await.unwrap();
                Some(Intent::Upsert(fields, None))
            }
            (Edit::Write(a, b), Some(seen)) => {
                let fields = [a.unwrap_or(seen[0]), b.unwrap_or(seen[1]), seen[2]];
                let names = [(a, "a"), (b, "b")].into_iter();
                let named: ChangedFields = names
                    .filter_map(|(value, name)| value.map(|_| name))
                    .collect();
                let is_queued = records.change(record(id, fields), &named).await.unwrap();
                let changed: Changed = (0..3)
                    .filter(|place| fields[*place] != seen[*place])
                    .collect();
                assert_eq!(is_queued, !changed.is_empty());
                is_queued.then_some(Intent::Upsert(fields, Some(changed)))
            }
        }
    }
}

async fn start(outside: &Arc<Outside>, store: &MemoryStore, server: &Server) -> SyncEngine {
    let column = |name: &str| Column::new(name, ColumnType::Integer).nullable();
    let schema = TableSchema::new(kind(), "notes", "id")
        .column(Column::new("id", ColumnType::Text))
        .column(Column::new("updated_at", ColumnType::Text).nullable());
    let schema = ["a", "b", "other"]
        .into_iter()
        .fold(schema, |schema, name| schema.column(column(name)));
    let config = SyncConfig::default()
        .with_max_outbox_try_count(TRIES)
        .with_max_conflict_retries(1000)
        .with_page_size(2);
    let table = TableConfig::new().soft_delete(SoftDelete::Purge);
    let engine = SyncEngine::builder(store.clone(), server.clone())
        .schema(schema, table)
        .config(config)
        .env(Env::new(outside.clone(), outside.clone()))
        .bare_transport()
        .build()
        .await
        .unwrap();
    // The kind is known to be there, and what the server can do is known.
    let options = SyncOptions::default().no_push();
    engine.sync_with(options).await.unwrap();
    engine
}

pub(crate) fn record(id: &str, [a, b, other]: Fields) -> Record {
    Record::try_from(json!({"id": id, "a": a, "b": b, "other": other})).unwrap()
}

pub(crate) fn fields_of(record: &Record) -> Fields {
    ["a", "b", "other"].map(|name| {
        let number = record.get(name).and_then(Value::as_u64);
        u8::try_from(number.unwrap()).unwrap()
    })
}
