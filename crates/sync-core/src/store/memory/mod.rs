//! A store in memory: the executable specification of [`Store`], for tests and for apps without a
//! database.

mod accept;
mod calls;
mod outbox;
mod rows;
mod state;
mod tx;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::Mutex as Turn;

use self::state::State;
use self::tx::MemoryTx;
use super::{ChangeHub, ChangeStream, Store, StoreError, StoreErrorKind, StoreTx, TxMode};
use crate::id::Kind;
use crate::record::Record;
use crate::schema::TableSchema;

/// A store in memory. Clones share one state.
///
/// Records are kept verbatim: an absent field stays absent, fields without a column stay. Nothing
/// outlives the last clone unless a test carries it over with [`MemoryStore::snapshot`].
///
/// ```
/// # use sync_core::store::{MemoryStore, RowWrite, Store, TxMode};
/// # use sync_core::{Column, ColumnType, Kind, Record, TableSchema};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = MemoryStore::new();
/// let todos = Kind::new("todos").unwrap();
/// let schema = TableSchema::new(todos.clone(), "todos", "id")
///     .column(Column::new("id", ColumnType::Text))
///     .column(Column::new("title", ColumnType::Text));
/// store.prepare(&[schema]).await.unwrap();
///
/// let milk: Record = serde_json::from_str(r#"{"id": "t1", "title": "Milk"}"#).unwrap();
/// let mut tx = store.begin(TxMode::Write).await.unwrap();
/// tx.put(&todos, &[RowWrite::local(milk.clone())]).await.unwrap();
/// tx.commit().await.unwrap();
/// assert_eq!(store.rows(&todos), [milk]);
/// # });
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

/// A committed state of a [`MemoryStore`], as it would lie on a disk.
#[derive(Debug, Clone, PartialEq)]
pub struct MemorySnapshot(Arc<State>);

/// What the clones of a store share.
#[derive(Default)]
struct Shared {
    committed: Mutex<Arc<State>>,
    schemas: Mutex<Arc<Schemas>>,
    /// Held by the writing transaction; tokio's mutex is fair.
    turn: Arc<Turn<()>>,
    hub: ChangeHub,
    failure: Mutex<Option<Failure>>,
}

type Schemas = BTreeMap<Kind, Arc<TableSchema>>;

/// A failure that a test asked for.
struct Failure {
    calls_before: u32,
    kind: StoreErrorKind,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every committed row of a kind in order of id, local-only fields included.
    #[must_use]
    pub fn rows(&self, kind: &Kind) -> Vec<Record> {
        self.shared.committed().rows(kind)
    }

    /// What is committed now: what a process that dies leaves behind.
    #[must_use]
    pub fn snapshot(&self) -> MemorySnapshot {
        MemorySnapshot(self.shared.committed())
    }

    /// Puts this state in place of the present one, in this store or a fresh one. Listeners are
    /// not told; a writing transaction that is open fails at its commit.
    pub fn restore(&self, snapshot: &MemorySnapshot) {
        *lock(&self.shared.committed) = Arc::clone(&snapshot.0);
    }

    /// Lets the next call to this store or to one of its transactions fail, a commit included.
    pub fn fail_next(&self, kind: StoreErrorKind) {
        self.fail_after(0, kind);
    }

    /// Lets one call fail after so many that are served, so that a test can walk through every
    /// place where a failure may hit.
    pub fn fail_after(&self, calls: u32, kind: StoreErrorKind) {
        *lock(&self.shared.failure) = Some(Failure {
            calls_before: calls,
            kind,
        });
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn prepare(&self, tables: &[TableSchema]) -> Result<(), StoreError> {
        self.shared.fail_if_asked()?;
        accept::check_schemas(tables)?;
        let mut schemas = lock(&self.shared.schemas);
        let known = Arc::make_mut(&mut schemas);
        for table in tables {
            known.insert(table.kind.clone(), Arc::new(table.clone()));
        }
        Ok(())
    }

    async fn begin(&self, mode: TxMode) -> Result<Box<dyn StoreTx>, StoreError> {
        self.shared.fail_if_asked()?;
        let turn = match mode {
            TxMode::Read => None,
            TxMode::Write | TxMode::Durable => {
                Some(Arc::clone(&self.shared.turn).lock_owned().await)
            }
        };
        Ok(Box::new(MemoryTx::new(Arc::clone(&self.shared), turn)))
    }

    fn changes(&self) -> ChangeStream {
        self.shared.hub.subscribe()
    }
}

impl Shared {
    fn committed(&self) -> Arc<State> {
        Arc::clone(&lock(&self.committed))
    }

    fn schemas(&self) -> Arc<Schemas> {
        Arc::clone(&lock(&self.schemas))
    }

    fn fail_if_asked(&self) -> Result<(), StoreError> {
        let mut failure = lock(&self.failure);
        match failure.as_mut() {
            None => Ok(()),
            Some(later) if later.calls_before > 0 => {
                later.calls_before -= 1;
                Ok(())
            }
            Some(due) => {
                let kind = due.kind;
                *failure = None;
                let message = "the memory store fails because a test asked for it";
                Err(StoreError::new(kind, message))
            }
        }
    }
}

/// No code panics while it holds one of these locks, so a poisoned one is still consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
