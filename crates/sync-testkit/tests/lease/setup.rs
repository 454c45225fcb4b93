//! Several engines on one database in memory, and time that moves when told.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use futures::{StreamExt, poll};
use serde_json::json;
use sync_core::store::{CursorState, OpQuery, Store};
use sync_core::{
    ChangedFields, Column, ColumnType, EntityId, EventStream, Kind, MemoryStore, Op, Record,
    Shadow, SyncConfig, SyncEngine, SyncError, SyncEvent, SyncReport, TableConfig, TableSchema,
    TxMode, Version,
};
use sync_testkit::FakeEnv;

use crate::server::Server;

/// The lease's duration in these tests.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// A run that goes on only when it is polled.
pub(crate) type Run = BoxFuture<'static, Result<SyncReport, SyncError>>;

/// One database with a clock, and the server that it is synced with.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) store: MemoryStore,
    pub(crate) world: FakeEnv,
    pub(crate) server: Server,
}

pub(crate) fn kind() -> Kind {
    Kind::new("notes").unwrap()
}

pub(crate) fn entity(id: &str) -> EntityId {
    EntityId::new(id).unwrap()
}

fn schema() -> TableSchema {
    TableSchema::new(kind(), "notes", "id")
        .column(Column::new("id", ColumnType::Text))
        .column(Column::new("text", ColumnType::Text).nullable())
        .column(Column::new("updated_at", ColumnType::Timestamp).nullable())
}

impl Database {
    pub(crate) fn new() -> Self {
        Self {
            store: MemoryStore::new(),
            world: FakeEnv::new(1),
            server: Server::default(),
        }
    }

    /// Another engine on this database, as another process would build it.
    pub(crate) async fn engine(&self) -> SyncEngine {
        self.engine_with(|config| config).await
    }

    pub(crate) async fn engine_with(
        &self,
        change: impl FnOnce(SyncConfig) -> SyncConfig,
    ) -> SyncEngine {
        let config = SyncConfig::default().with_lease_duration(LEASE);
        SyncEngine::builder(self.store.clone(), self.server.clone())
            .schema(schema(), TableConfig::new())
            .config(change(config))
            .env(self.world.env())
            .build()
            .await
            .unwrap()
    }

    pub(crate) fn now(&self) -> Duration {
        self.world.env().monotonic()
    }

    /// Everything but the lease.
    pub(crate) async fn content(&self) -> Content {
        let mut tx = self.store.begin(TxMode::Read).await.unwrap();
        let rows = self.store.rows(&kind());
        let ids: Vec<EntityId> = rows.iter().map(|row| row.id().unwrap()).collect();
        Content {
            ops: tx.ops(&OpQuery::default()).await.unwrap(),
            cursor: tx.cursor(&kind()).await.unwrap(),
            versions: tx.versions(&kind(), &ids).await.unwrap(),
            shadows: tx.shadows(&kind(), &ids).await.unwrap(),
            rows,
        }
    }

    pub(crate) async fn lease(&self) -> Option<String> {
        let mut tx = self.store.begin(TxMode::Read).await.unwrap();
        tx.meta("lease").await.unwrap()
    }

    pub(crate) async fn put_lease(&self, note: &str) {
        let mut tx = self.store.begin(TxMode::Write).await.unwrap();
        tx.put_meta("lease", Some(note)).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Waits for this while time passes.
    pub(crate) async fn passing<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        loop {
            if let std::task::Poll::Ready(output) = poll!(&mut future) {
                return output;
            }
            // Who waits for somebody else has its turn before time moves.
            for _ in 0..8 {
                tokio::task::yield_now().await;
                if let std::task::Poll::Ready(output) = poll!(&mut future) {
                    return output;
                }
            }
            let _ = self.world.advance_to_next();
        }
    }

    /// All that waited has gone out, once.
    pub(crate) async fn assert_settled(&self) {
        let content = self.content().await;
        assert_eq!(content.ops, []);
        for row in content.rows {
            let id = row.id().unwrap();
            let text = row.get("text").and_then(|text| text.as_str());
            assert_eq!(text, self.server.text(id.as_str()).as_deref());
        }
        self.server.assert_once();
    }
}

/// What a database holds, its notes aside.
#[derive(Debug, PartialEq)]
pub(crate) struct Content {
    rows: Vec<Record>,
    pub(crate) ops: Vec<Op>,
    pub(crate) cursor: Option<CursorState>,
    versions: Vec<(EntityId, Option<Version>)>,
    shadows: Vec<Shadow>,
}

/// Inserts a note.
pub(crate) async fn create(engine: &SyncEngine, id: &str, text: &str) {
    let note = json!({"id": id, "text": text});
    let notes = engine.records("notes").unwrap();
    notes.insert(Record::try_from(note).unwrap()).await.unwrap();
}

/// Changes a note.
pub(crate) async fn edit(engine: &SyncEngine, id: &str, text: &str) {
    let note = Record::try_from(json!({"id": id, "text": text})).unwrap();
    let changed = ChangedFields::from_iter(["text".to_owned()]);
    let notes = engine.records("notes").unwrap();
    assert!(notes.change(note, &changed).await.unwrap());
}

/// A run that goes on only when it is polled.
pub(crate) fn run(engine: &SyncEngine) -> Run {
    let engine = engine.clone();
    Box::pin(async move { engine.sync().await })
}

/// Polls a run once. The test's own task pauses first, so that tokio lets it go on.
pub(crate) async fn step<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
    tokio::task::yield_now().await;
    future.now_or_never()
}

/// Polls a run so often; it must not end.
pub(crate) async fn stays<T>(times: u32, future: &mut (impl Future<Output = T> + Unpin)) {
    for _ in 0..times {
        assert!(step(future).await.is_none(), "it ended");
    }
}

/// Polls a run to its end, without any time passing.
pub(crate) async fn ends<T>(future: &mut (impl Future<Output = T> + Unpin)) -> T {
    for _ in 0..1_000 {
        if let Some(output) = step(future).await {
            return output;
        }
    }
    panic!("it does not end");
}

/// Polls a run until this holds.
pub(crate) async fn poll_until(run: &mut Run, holds: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        stays(1, run).await;
    }
    panic!("it never holds");
}

/// What was told and not heard yet.
pub(crate) fn told(events: &mut EventStream) -> Vec<String> {
    let next = || events.next().now_or_never().flatten();
    let name = |event: SyncEvent| {
        let text = event.to_string();
        text.split('(').next().unwrap_or_default().to_owned()
    };
    std::iter::from_fn(next).map(name).collect()
}
