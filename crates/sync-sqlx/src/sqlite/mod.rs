//! SQLite.

mod begin;
mod check;
mod file;
mod handle;
mod identity;
mod migrate;
mod open;
mod options;
mod readers;
mod table;
#[cfg(test)]
mod tests;
mod tx;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{Sqlite, Transaction};
use sync_core::store::{ChangeHub, ChangeStream, Store, StoreError, StoreTx, TxMode};
use sync_core::{SyncEntity, TableSchema};
use tokio::sync::Mutex;

pub use options::{SqliteStoreBuilder, Synchronous};
pub use tx::SqliteTx;

use crate::error::{Context, in_file};
use handle::{Borrowed, Owned};
use options::Source;
use readers::Readers;
use table::{Table, Tables};
use tx::{Link, Work};
use writer::{Patience, Turn, Writer};

/// A SQLite database with the user's tables and the library's. Cheap to clone; clones share it.
///
/// The file is in WAL mode: readers and the writer work side by side. The store writes on one
/// connection of its own, one transaction at a time; [`SqliteStore::pool`] is for the app.
///
/// Points in time lie in the table as RFC 3339 text exactly as the server wrote them; one that the
/// server wrote as a number lies there as the text of the same instant, while `sync_versions` keeps
/// the number. Booleans are 1 and 0, JSON values are JSON text, bytes are BLOBs.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use sync_sqlx::SqliteStore;
///
/// let store = SqliteStore::open("app.db").await?;
/// let open: i64 = sqlx::query_scalar("SELECT count(*) FROM todos WHERE NOT done")
///     .fetch_one(store.pool())
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    path: Arc<Path>,
    writer: Arc<Mutex<Writer>>,
    readers: Arc<Readers>,
    pool: SqlitePool,
    own_pool: bool,
    patience: Patience,
    tables: RwLock<Arc<Tables>>,
    hub: ChangeHub,
}

/// What a store is made of.
struct Parts {
    path: PathBuf,
    writer: Owned,
    reading: SqliteConnectOptions,
    readers: u32,
    pool: SqlitePool,
    own_pool: bool,
    patience: Patience,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.inner.path)
            .finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens a file with the default options; creates it if it does not exist.
    ///
    /// # Errors
    /// See [`SqliteStoreBuilder::open`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::builder(path).open().await
    }

    /// Opens a fresh database in memory, gone with the store. There, readers and writers wait for
    /// each other, so do not begin a transaction while the same task holds another.
    ///
    /// # Errors
    /// See [`SqliteStoreBuilder::open`].
    pub async fn open_in_memory() -> Result<Self, StoreError> {
        SqliteStoreBuilder::new(Source::Memory).open().await
    }

    /// Options for a store in this file.
    #[must_use]
    pub fn builder(path: impl AsRef<Path>) -> SqliteStoreBuilder {
        SqliteStoreBuilder::new(Source::File(path.as_ref().to_owned()))
    }

    /// A store on the database of the app's own pool, with the options of the pool (extensions,
    /// collations, key). It opens connections of its own and holds none of the pool's, so that the
    /// pool can be closed at any time; [`SqliteStore::pool`] is the app's.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool};
    ///
    /// let options = SqliteConnectOptions::new()
    ///     .filename("app.db")
    ///     .create_if_missing(true)
    ///     .journal_mode(SqliteJournalMode::Wal);
    /// let pool = SqlitePool::connect_with(options).await?;
    /// let store = sync_sqlx::SqliteStore::from_pool(&pool).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`SqliteStoreBuilder::open`].
    pub async fn from_pool(pool: &SqlitePool) -> Result<Self, StoreError> {
        SqliteStoreBuilder::new(Source::Pool(pool.clone()))
            .open()
            .await
    }

    async fn assemble(parts: Parts) -> Result<Self, StoreError> {
        let writer = Writer::new(parts.writer, &parts.patience).await;
        let writer = writer.map_err(|error| in_file(&parts.path, error))?;
        Ok(Self {
            inner: Arc::new(Inner {
                path: parts.path.into(),
                writer: Arc::new(Mutex::new(writer)),
                readers: Arc::new(Readers::new(parts.reading, parts.readers)),
                pool: parts.pool,
                own_pool: parts.own_pool,
                patience: parts.patience,
                tables: RwLock::default(),
                hub: ChangeHub::default(),
            }),
        })
    }

    /// A pool for the app's own statements, reading and writing. What is written to a synchronised
    /// table here is not queued for the server.
    #[must_use]
    pub fn pool(&self) -> &SqlitePool {
        &self.inner.pool
    }

    /// Creates the table of this type if it is not there: in tests and examples, and as the first
    /// migration of an app. A table that is there stays as it is, and is compared with the type when
    /// an engine is built on it.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use sync_core::SyncEntity;
    /// # use sync_sqlx::SqliteStore;
    /// #[derive(Serialize, Deserialize, SyncEntity)]
    /// #[sync(kind = "todos")]
    /// struct Todo {
    ///     id: String,
    ///     title: String,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), sync_core::StoreError> {
    /// let store = SqliteStore::open_in_memory().await?;
    /// store.create_table::<Todo>().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Like any statement: the file is full, may not be written, or is kept locked by another
    /// program.
    pub async fn create_table<T: SyncEntity>(&self) -> Result<(), StoreError> {
        let sql = sqlx::AssertSqlSafe(T::create_table_sql());
        let created = sqlx::raw_sql(sql).execute(self.pool()).await;
        let created = created.context(&format!("create the table {:?}", T::TABLE));
        created.map_err(|error| self.in_file(error)).map(drop)
    }

    /// Begins a writing transaction that the app's own statements and the library share.
    ///
    /// ```no_run
    /// # async fn example(store: sync_sqlx::SqliteStore) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut tx = store.begin().await?;
    /// sqlx::query("UPDATE settings SET theme = 'dark'").execute(tx.connection()?).await?;
    /// // … and whatever the library writes through `tx` …
    /// tx.commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Busy`](sync_core::StoreErrorKind::Busy) if another program kept the database locked too
    /// long, or another writing transaction of this store stays open and nothing happens in it.
    pub async fn begin(&self) -> Result<SqliteTx<'static>, StoreError> {
        self.begin_shared()
            .await
            .map_err(|error| self.in_file(error))
    }

    /// Lets the library write in a transaction of the app's own. It has to be a writing one (begun
    /// with `BEGIN IMMEDIATE`, as `pool.begin_with` does), on the store's database.
    ///
    /// The transaction can be used again, and committed, when the returned value is gone; committing
    /// that one only ends the join. Afterwards call [`SqliteStore::notify`] to tell listeners, or let
    /// [`SqliteStore::check_other_writers`] find out.
    ///
    /// ```no_run
    /// # async fn example(store: sync_sqlx::SqliteStore) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut mine = store.pool().begin_with("BEGIN IMMEDIATE").await?;
    /// {
    ///     let mut joined = store.join(&mut mine).await?;
    ///     // … whatever the library writes through `joined` …
    /// }
    /// mine.commit().await?;
    /// store.notify();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Other`](sync_core::StoreErrorKind::Other) if the connection's thread is gone.
    pub async fn join<'t>(
        &self,
        tx: &'t mut Transaction<'_, Sqlite>,
    ) -> Result<SqliteTx<'t>, StoreError> {
        Ok(self.transaction(Link::Joined(Borrowed::take(tx).await?)))
    }

    /// Tells listeners that any row and any queue may have changed.
    pub fn notify(&self) {
        let kinds = self
            .tables()
            .keys()
            .cloned()
            .collect::<std::collections::BTreeSet<_>>();
        self.inner.hub.publish(kinds.clone(), kinds);
    }

    /// Looks whether another connection or program has committed since the last look, and tells
    /// listeners if so: any row and any queue may have changed then. Costs about a microsecond.
    ///
    /// # Errors
    /// [`Open`](sync_core::StoreErrorKind::Open) once the store is closed.
    pub async fn check_other_writers(&self) -> Result<bool, StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let changed = writer.somebody_else_wrote(&self.inner.patience).await?;
        drop(writer);
        if changed {
            self.notify();
        }
        Ok(changed)
    }

    /// Calls [`SqliteStore::check_other_writers`] again and again, until the store is closed. For
    /// an app to spawn, if other programs write to the same file.
    pub async fn follow_other_writers(&self, every: Duration) {
        while self.check_other_writers().await.is_ok() {
            self.inner.patience.env.sleep(every).await;
        }
    }

    /// Waits for running transactions, then closes every connection, so that the file is free. A
    /// pool that the app gave stays open.
    ///
    /// # Errors
    /// If SQLite cannot close the file.
    pub async fn close(&self) -> Result<(), StoreError> {
        let writer = self.inner.writer.lock().await.take();
        self.inner.readers.close().await?;
        if self.inner.own_pool {
            self.inner.pool.close().await;
        }
        match writer {
            Some(writer) => writer.close().await,
            None => Ok(()),
        }
    }

    fn tables(&self) -> Arc<Tables> {
        Arc::clone(
            &self
                .inner
                .tables
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    fn transaction<'t>(&self, link: Link<'t>) -> SqliteTx<'t> {
        let path = Arc::clone(&self.inner.path);
        let work = Work::new(self.tables(), self.inner.hub.clone(), path);
        SqliteTx::new(link, work, self.inner.patience.clone())
    }

    fn in_file(&self, error: StoreError) -> StoreError {
        in_file(&self.inner.path, error)
    }
}

/// Makes the library's tables and checks the user's, in this transaction.
fn prepare(turn: &Turn, tables: &[TableSchema]) -> Result<Vec<Table>, StoreError> {
    migrate::migrate(turn.db()?)?;
    check::check(turn.db()?, tables)
}

#[async_trait]
impl Store for SqliteStore {
    async fn prepare(&self, tables: &[TableSchema]) -> Result<(), StoreError> {
        let turn = self.turn(TxMode::Write).await?;
        let prepared = prepare(&turn, tables).map_err(|error| self.in_file(error))?;
        let done = turn.commit(0, &self.inner.patience).await;
        done.map_err(|error| self.in_file(error))?;

        let mut known = self
            .inner
            .tables
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let known = Arc::make_mut(&mut known);
        for table in prepared {
            known.insert(table.schema.kind.clone(), Arc::new(table));
        }
        Ok(())
    }

    async fn begin(&self, mode: TxMode) -> Result<Box<dyn StoreTx>, StoreError> {
        let link = match mode {
            TxMode::Read => {
                let readers = Arc::clone(&self.inner.readers);
                let view = readers.begin(&self.inner.patience).await;
                Link::View(view.map_err(|error| self.in_file(error))?)
            }
            _ => Link::Turn(self.turn(mode).await?),
        };
        Ok(Box::new(self.transaction(link)))
    }

    async fn begin_for_app(&self, mode: TxMode) -> Result<Box<dyn StoreTx>, StoreError> {
        if mode == TxMode::Read {
            return Store::begin(self, mode).await;
        }
        let turn = self.turn_for_app(mode).await?;
        Ok(Box::new(self.transaction(Link::Turn(turn))))
    }

    fn identity(&self) -> Option<String> {
        identity::of(&self.inner.path)
    }

    fn changes(&self) -> ChangeStream {
        self.inner.hub.subscribe()
    }
}
