//! A store and a transport that tell what they are used for.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use sync_core::store::{
    ChangeStream, ConflictEntry, CursorState, OpQuery, PutReport, QuarantineEntry, Removal,
    ResolvedConflict, RowWrite, Store, StoreTx, TxMode,
};
use sync_core::transport::{
    Answer, Capabilities, FetchRequest, PullPage, PullRequest, PushRequest, PushResult,
    WakeupStream,
};
use sync_core::{
    EntityId, Kind, Op, OpId, Record, Shadow, StoreError, StoreErrorKind, TableSchema, Transport,
    TransportError, Version,
};
use sync_rest::RestTransport;
use sync_sqlx::SqliteStore;

use super::stage::Stage;
use crate::phase::Phase;

tokio::task_local! {
    /// Set while the user writes, to tell the user's transactions from those of a run.
    pub(crate) static USER: ();
}

/// The file, watched.
#[derive(Debug)]
pub(crate) struct WatchedStore {
    pub(crate) file: SqliteStore,
    pub(crate) stage: Arc<Stage>,
}

#[async_trait]
impl Store for WatchedStore {
    async fn prepare(&self, tables: &[TableSchema]) -> Result<(), StoreError> {
        self.stage.linger();
        self.file.prepare(tables).await?;
        self.stage.linger();
        Ok(())
    }

    async fn begin(&self, mode: TxMode) -> Result<Box<dyn StoreTx>, StoreError> {
        let inner = Store::begin(&self.file, mode).await?;
        let is_user = USER.try_with(|()| ()).is_ok();
        let told = match mode {
            TxMode::Read => true,
            _ if is_user => {
                self.stage.transaction(Phase::LocalWrite);
                true
            }
            TxMode::Durable => {
                self.stage.transaction(Phase::Marking);
                true
            }
            _ => false,
        };
        Ok(Box::new(WatchedTx {
            inner: Some(inner),
            stage: self.stage.clone(),
            told,
            // The user's write lasts until it is acknowledged.
            ends_phase: mode != TxMode::Read && !is_user,
        }))
    }

    fn identity(&self) -> Option<String> {
        self.file.identity()
    }

    fn changes(&self) -> ChangeStream {
        self.file.changes()
    }
}

struct WatchedTx {
    /// `None` once it is committed.
    inner: Option<Box<dyn StoreTx>>,
    stage: Arc<Stage>,
    /// Does the parent know what it is for?
    told: bool,
    ends_phase: bool,
}

impl fmt::Debug for WatchedTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WatchedTx")
    }
}

impl WatchedTx {
    fn inner(&mut self) -> Result<&mut Box<dyn StoreTx>, StoreError> {
        let ended = || StoreError::new(StoreErrorKind::Other, "the transaction has ended");
        self.inner.as_mut().ok_or_else(ended)
    }

    fn writes(&mut self) {
        if self.told {
            self.stage.linger();
        } else {
            self.told = true;
            self.stage.run_writes();
        }
    }
}

impl Drop for WatchedTx {
    fn drop(&mut self) {
        self.inner = None;
        if self.ends_phase {
            self.stage.transaction_ends();
        }
    }
}

macro_rules! calls {
    (
        reads { $($read:ident($($ra:ident: $rt:ty),*) -> $rr:ty;)* }
        writes { $($write:ident($($wa:ident: $wt:ty),*) -> $wr:ty;)* }
    ) => {
        #[async_trait]
        impl StoreTx for WatchedTx {
            $(async fn $read(&mut self, $($ra: $rt),*) -> Result<$rr, StoreError> {
                self.inner()?.$read($($ra),*).await
            })*
            $(async fn $write(&mut self, $($wa: $wt),*) -> Result<$wr, StoreError> {
                self.writes();
                self.inner()?.$write($($wa),*).await
            })*

            async fn unseen(
                &mut self,
                kind: &Kind,
                generation: u32,
                after: Option<&EntityId>,
                limit: u32,
            ) -> Result<Vec<EntityId>, StoreError> {
                self.stage.sweep_begins();
                self.inner()?.unseen(kind, generation, after, limit).await
            }

            // A note is no part of what the phases are about.
            async fn put_meta(&mut self, key: &str, value: Option<&str>) -> Result<(), StoreError> {
                self.inner()?.put_meta(key, value).await
            }

            async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
                self.stage.linger();
                if let Some(inner) = self.inner.take() {
                    inner.commit().await?;
                }
                self.stage.linger();
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
    }
}

/// The way to the server, watched.
#[derive(Debug)]
pub(crate) struct WatchedTransport {
    pub(crate) rest: RestTransport,
    pub(crate) stage: Arc<Stage>,
}

#[async_trait]
impl Transport for WatchedTransport {
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        self.stage.question_leaves(true);
        let answer = self.rest.pull(request).await;
        self.stage.question_answered();
        answer
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        self.stage.push_leaves();
        let answer = self.rest.push(request).await;
        self.stage.push_answered();
        answer
    }

    async fn fetch(
        &self,
        request: FetchRequest,
    ) -> Result<Answer<sync_core::ServerState>, TransportError> {
        self.stage.question_leaves(false);
        let answer = self.rest.fetch(request).await;
        self.stage.question_answered();
        answer
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        self.rest.health().await
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        self.rest.wakeups().await
    }

    fn capabilities(&self) -> Capabilities {
        self.rest.capabilities()
    }
}
