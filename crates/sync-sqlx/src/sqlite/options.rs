//! How a store is opened.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sync_core::Env;
use sync_core::store::{StoreError, StoreErrorKind};

use super::handle::Owned;
use super::writer::Patience;
use super::{SqliteStore, file, open};

/// When a commit is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Synchronous {
    /// After a power cut the newest commits may be missing, never half there. What leaves for the
    /// server is on disk before it leaves all the same.
    #[default]
    Normal,
    /// When `commit` returns. Several times slower.
    Full,
}

/// Options of a [`SqliteStore`].
///
/// ```no_run
/// # async fn example() -> Result<(), sync_core::StoreError> {
/// use std::time::Duration;
/// use sync_sqlx::{SqliteStore, Synchronous};
///
/// let store = SqliteStore::builder("app.db")
///     .synchronous(Synchronous::Full)
///     .busy_timeout(Duration::from_secs(30))
///     .readers(2)
///     .open()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SqliteStoreBuilder {
    pub(super) source: Source,
    synchronous: Synchronous,
    busy_timeout: Duration,
    readers: u32,
    env: Env,
    #[cfg(feature = "sqlcipher")]
    key: Option<file::Key>,
}

/// Where the data is.
#[derive(Clone)]
pub(super) enum Source {
    File(PathBuf),
    Memory,
    /// A pool of the app's own.
    Pool(SqlitePool),
}

impl fmt::Debug for SqliteStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStoreBuilder")
            .field("path", &self.path())
            .field("synchronous", &self.synchronous)
            .field("busy_timeout", &self.busy_timeout)
            .field("readers", &self.readers)
            .finish_non_exhaustive()
    }
}

impl SqliteStoreBuilder {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            synchronous: Synchronous::default(),
            busy_timeout: Duration::from_secs(10),
            readers: 4,
            env: Env::system(),
            #[cfg(feature = "sqlcipher")]
            key: None,
        }
    }

    /// Encrypts the file with SQLCipher (feature `sqlcipher`): a passphrase, or a raw key in the
    /// form `x'…'` with 64 hexadecimal digits. It is the first thing that every connection says, and
    /// in no log and no `Debug`; statements of [`SqliteStore::pool`] are not logged either.
    ///
    /// A file gets its key when it is created; a plain file stays plain, and does not open with one.
    #[cfg(feature = "sqlcipher")]
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(file::Key::new(key.into()));
        self
    }

    /// When a commit is on disk; [`Synchronous::Normal`] by default. A store over the app's own
    /// pool takes the pool's setting instead.
    #[must_use]
    pub fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// How long to wait while other programs write; 10 seconds by default. A writer of the app's
    /// waits a second longer for another transaction of this store in which nothing happens, and
    /// for any other as long as it takes.
    #[must_use]
    pub fn busy_timeout(mut self, limit: Duration) -> Self {
        self.busy_timeout = limit;
        self
    }

    /// How many reading transactions may be open at once, 1 at least; 4 by default.
    #[must_use]
    pub fn readers(mut self, count: u32) -> Self {
        self.readers = count.max(1);
        self
    }

    /// The clock by which to wait; the system's by default.
    #[must_use]
    pub fn env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    pub(super) fn path(&self) -> PathBuf {
        match &self.source {
            Source::File(path) => path.clone(),
            Source::Memory => PathBuf::from(":memory:"),
            Source::Pool(pool) => pool.connect_options().get_filename().to_owned(),
        }
    }

    /// Opens the store; a file that does not exist is created, on Unix for its owner alone. One that
    /// exists keeps its permissions.
    ///
    /// # Errors
    /// [`StoreErrorKind::Open`] if the file cannot be opened or is not a database, if its key is
    /// wrong, or if the pool's database is in memory or not in WAL mode.
    pub async fn open(self) -> Result<SqliteStore, StoreError> {
        let patience = Patience::new(self.env.clone(), self.busy_timeout);
        let base = self.connect_options();
        if let Source::File(path) = &self.source {
            file::create_private(path);
        }
        let mut writer = self.first_connection(&base, &patience).await?;
        if let Source::Pool(_) = self.source {
            check_pool(&open::nature(&mut writer, &patience).await?)?;
        }
        let (pool, own_pool) = match self.source.clone() {
            Source::Pool(pool) => (pool, false),
            Source::File(_) | Source::Memory => {
                let options = base.clone().busy_timeout(self.busy_timeout);
                (
                    SqlitePoolOptions::new()
                        .test_before_acquire(false)
                        .connect_lazy_with(options),
                    true,
                )
            }
        };
        let parts = super::Parts {
            path: self.path(),
            writer,
            reading: base,
            readers: self.readers,
            pool,
            own_pool,
            patience,
        };
        SqliteStore::assemble(parts).await
    }

    #[cfg(feature = "sqlcipher")]
    async fn first_connection(
        &self,
        base: &SqliteConnectOptions,
        patience: &Patience,
    ) -> Result<Owned, StoreError> {
        let Some(key) = &self.key else {
            return open::connect(base, patience).await;
        };
        key.check()?;
        let opened = open::connect(base, patience).await;
        let writer = opened.map_err(|error| file::explain(error, &self.path()))?;
        file::check_cipher(&writer)?;
        Ok(writer)
    }

    #[cfg(not(feature = "sqlcipher"))]
    async fn first_connection(
        &self,
        base: &SqliteConnectOptions,
        patience: &Patience,
    ) -> Result<Owned, StoreError> {
        open::connect(base, patience).await
    }

    #[cfg(feature = "sqlcipher")]
    fn with_key(&self, options: SqliteConnectOptions) -> SqliteConnectOptions {
        match &self.key {
            Some(key) => key.set(options),
            None => options,
        }
    }

    #[cfg(not(feature = "sqlcipher"))]
    fn with_key(&self, options: SqliteConnectOptions) -> SqliteConnectOptions {
        options
    }

    fn connect_options(&self) -> SqliteConnectOptions {
        let synchronous = match self.synchronous {
            Synchronous::Normal => SqliteSynchronous::Normal,
            Synchronous::Full => SqliteSynchronous::Full,
        };
        let fresh = || SqliteConnectOptions::new().synchronous(synchronous);
        match &self.source {
            Source::File(path) => self
                .with_key(fresh())
                .filename(path)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal),
            // A name of its own within this program, which several connections can open.
            Source::Memory => {
                let name = format!(
                    "/sync-{:016x}{:016x}",
                    self.env.next_u64(),
                    self.env.next_u64()
                );
                fresh()
                    .filename(Path::new(&name))
                    .vfs("memdb")
                    .create_if_missing(true)
            }
            Source::Pool(pool) => {
                SqliteConnectOptions::clone(&pool.connect_options()).read_only(false)
            }
        }
    }
}

fn check_pool(nature: &open::Nature) -> Result<(), StoreError> {
    let refuse = |why: &str| Err(StoreError::new(StoreErrorKind::Open, why.to_owned()));
    if !nature.in_file {
        return refuse(
            "cannot share a database in memory: each connection of the pool has its own; use a file, or `SqliteStore::open_in_memory`",
        );
    }
    if !nature.wal {
        return refuse(
            "cannot share this pool: its database is not in WAL mode, so readers and writers would lock each other out; set `.journal_mode(SqliteJournalMode::Wal)` on the pool's options",
        );
    }
    Ok(())
}
