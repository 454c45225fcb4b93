//! A store and a moment in which others act: every await of an engine is a place where the world
//! may stop it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use async_trait::async_trait;
use sync_core::store::{
    ChangeStream, ConflictEntry, CursorState, OpQuery, PutReport, QuarantineEntry, Removal,
    ResolvedConflict, RowWrite, Store, StoreTx, TxMode,
};
use sync_core::{
    EntityId, Kind, MemoryStore, Op, OpId, Record, Shadow, StoreError, TableSchema, Version,
};

/// Lets everybody else act once.
pub(crate) fn pause() -> impl Future<Output = ()> + Send {
    Pause(false)
}

struct Pause(bool);

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A store in memory that pauses at every call and counts its commits.
#[derive(Debug, Clone, Default)]
pub(crate) struct PausingStore {
    pub(crate) memory: MemoryStore,
    commits: Arc<AtomicU64>,
    writers: Arc<AtomicU64>,
    /// Where the database lies: another place for each copy.
    place: Arc<AtomicU64>,
}

impl PausingStore {
    /// A store at this place.
    pub(crate) fn at(place: u64) -> Self {
        Self {
            place: Arc::new(AtomicU64::new(place)),
            ..Self::default()
        }
    }

    /// The database lies where none lay before.
    pub(crate) fn is_a_copy(&self) {
        self.place.fetch_add(1 << 8, Ordering::SeqCst);
    }

    /// How often something was committed.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }

    /// How many write, or wait for their turn to write.
    pub(crate) fn writers(&self) -> u64 {
        self.writers.load(Ordering::SeqCst)
    }
}

/// Somebody who writes, or waits for it.
struct Writer(Arc<AtomicU64>);

impl Writer {
    fn new(writers: &Arc<AtomicU64>) -> Self {
        writers.fetch_add(1, Ordering::SeqCst);
        Self(writers.clone())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct PausingTx {
    inner: Box<dyn StoreTx>,
    commits: Arc<AtomicU64>,
    _writer: Option<Writer>,
}

impl fmt::Debug for PausingTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PausingTx")
    }
}

#[async_trait]
impl Store for PausingStore {
    async fn prepare(&self, tables: &[TableSchema]) -> Result<(), StoreError> {
        self.memory.prepare(tables).await
    }

    async fn begin(&self, mode: TxMode) -> Result<Box<dyn StoreTx>, StoreError> {
        pause().await;
        let writer = (mode != TxMode::Read).then(|| Writer::new(&self.writers));
        let inner = self.memory.begin(mode).await?;
        Ok(Box::new(PausingTx {
            inner,
            commits: self.commits.clone(),
            _writer: writer,
        }))
    }

    fn identity(&self) -> Option<String> {
        Some(self.place.load(Ordering::SeqCst).to_string())
    }

    fn changes(&self) -> ChangeStream {
        self.memory.changes()
    }
}

/// Calls that write pause, so that a process can die between any two of them; calls that read go
/// through, because nothing is different after them.
macro_rules! calls {
    (
        reads { $($read:ident($($ra:ident: $rt:ty),*) -> $rr:ty;)* }
        writes { $($write:ident($($wa:ident: $wt:ty),*) -> $wr:ty;)* }
    ) => {
        #[async_trait]
        impl StoreTx for PausingTx {
            $(async fn $read(&mut self, $($ra: $rt),*) -> Result<$rr, StoreError> {
                self.inner.$read($($ra),*).await
            })*
            $(async fn $write(&mut self, $($wa: $wt),*) -> Result<$wr, StoreError> {
                pause().await;
                self.inner.$write($($wa),*).await
            })*
            async fn commit(self: Box<Self>) -> Result<(), StoreError> {
                pause().await;
                self.inner.commit().await?;
                self.commits.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
        }
    };
}

calls! {
    reads {
        get(kind: &Kind, ids: &[EntityId]) -> Vec<Record>;
        app_rows(kind: &Kind, ids: &[EntityId]) -> Vec<Record>;
        app_rows_after(kind: &Kind, after: Option<&EntityId>, limit: u32) -> Vec<Record>;
        versions(kind: &Kind, ids: &[EntityId]) -> Vec<(EntityId, Option<Version>)>;
        unseen(kind: &Kind, generation: u32, after: Option<&EntityId>, limit: u32) -> Vec<EntityId>;
        count_synced(kind: &Kind) -> u64;
        tombstone_rows(kind: &Kind, before: &Version, after: Option<&EntityId>, limit: u32) -> Vec<(EntityId, Version)>;
        unclaimed(kind: &Kind, after: Option<&EntityId>, limit: u32) -> Vec<EntityId>;
        referred_to(kind: &Kind, field: &str, ids: &[EntityId]) -> Vec<EntityId>;
        misplaced(kind: &Kind, after: Option<&EntityId>, limit: u32) -> Vec<(EntityId, Vec<String>)>;
        ops(query: &OpQuery) -> Vec<Op>;
        count_ops(query: &OpQuery) -> u64;
        last_seq() -> i64;
        shadows(kind: &Kind, ids: &[EntityId]) -> Vec<Shadow>;
        pending(kind: &Kind, ids: &[EntityId]) -> Vec<EntityId>;
        idle_shadows(kind: &Kind, after: Option<&EntityId>, limit: u32) -> Vec<Shadow>;
        cursor(kind: &Kind) -> Option<CursorState>;
        conflicts(op: Option<&OpId>) -> Vec<ConflictEntry>;
        conflict_history(op: Option<&OpId>, limit: u32) -> Vec<ResolvedConflict>;
        quarantined(kind: &Kind, after: Option<&str>, limit: u32) -> Vec<QuarantineEntry>;
        quarantined_of(kind: &Kind, keys: &[String]) -> Vec<QuarantineEntry>;
        count_quarantined(kind: &Kind) -> u64;
        meta(key: &str) -> Option<String>;
    }
    writes {
        put(kind: &Kind, rows: &[RowWrite]) -> PutReport;
        insert(kind: &Kind, record: &Record) -> bool;
        remove(kind: &Kind, rows: &[Removal]) -> PutReport;
        mark_seen(kind: &Kind, generation: u32, ids: &[EntityId]) -> ();
        forget_tombstones(kind: &Kind, before: &Version) -> u64;
        append_ops(ops: &[Op]) -> Vec<i64>;
        update_ops(ops: &[Op]) -> ();
        delete_ops(ids: &[OpId]) -> ();
        put_shadows(shadows: &[Shadow]) -> ();
        delete_shadows(kind: &Kind, ids: &[EntityId]) -> ();
        put_cursor(kind: &Kind, cursor: Option<&CursorState>) -> ();
        put_conflicts(entries: &[ConflictEntry]) -> ();
        delete_conflicts(ops: &[OpId]) -> ();
        put_conflict_history(entries: &[ResolvedConflict], keep: u32) -> ();
        delete_conflict_history(kind: &Kind) -> ();
        put_quarantine(entries: &[QuarantineEntry]) -> ();
        delete_quarantine(kind: &Kind, keys: &[String]) -> ();
        put_meta(key: &str, value: Option<&str>) -> ();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sync_core::transport::Offline;
    use sync_core::{Column, ColumnType, SignOut, SyncEngine, SyncError, TableConfig};

    use super::*;

    /// An engine with one row, on a store that pauses.
    async fn engine(store: &PausingStore) -> SyncEngine {
        let notes = TableSchema::new(Kind::new("notes").unwrap(), "notes", "id")
            .column(Column::new("id", ColumnType::Text));
        let builder = SyncEngine::builder(store.clone(), Offline::new("nowhere"));
        let builder = builder.schema(notes, TableConfig::new()).account("ann");
        builder.build().await.unwrap()
    }

    async fn write(engine: &SyncEngine, id: &str) -> Result<(), SyncError> {
        let record = Record::try_from(json!({ "id": id })).unwrap();
        engine.records("notes")?.insert(record).await
    }

    #[tokio::test]
    async fn after_a_sign_out_that_was_dropped_at_any_await_the_engine_writes_on_or_is_shut_down() {
        for polls in 1.. {
            let store = PausingStore::at(1);
            let engine = engine(&store).await;
            write(&engine, "waits").await.unwrap();
            let mut signing_out = Box::pin(engine.sign_out(SignOut::DiscardPending));
            let mut done = false;
            for _ in 0..polls {
                done = done || futures::poll!(&mut signing_out).is_ready();
            }
            drop(signing_out);
            let mut tx = store.begin(TxMode::Read).await.unwrap();
            let nothing_happened = tx.count_ops(&OpQuery::default()).await.unwrap() == 1;
            drop(tx);
            let written = write(&engine, "later").await;
            if nothing_happened {
                assert!(written.is_ok(), "dropped at await {polls}: {written:?}");
            } else {
                assert!(matches!(written, Err(SyncError::ShutDown)));
            }
            if done {
                return;
            }
        }
    }
}
