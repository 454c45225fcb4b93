//! The store's own writing connection, used by one transaction at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use sync_core::Env;
use sync_core::store::{StoreError, StoreErrorKind, TxMode};
use tokio::sync::OwnedMutexGuard;

use super::handle::Owned;
use crate::error::{Context, is_busy};

/// A transaction that wrote so many rows is part of a bulk load.
const BULK_ROWS: u64 = 400;
/// SQLite's default number of pages after which the log is written back, and that of a bulk load.
const CHECKPOINT: (i64, i64) = (1_000, 10_000);
/// `PRAGMA cache_size` of a bulk load, in KiB: rows come in order of id, so that more gains little.
const BULK_CACHE: i64 = -16_384;
/// `PRAGMA synchronous = FULL`.
const FULL: i64 = 2;

/// How long to wait for other programs, by which clock, and whether it is worth waiting for the
/// writing transactions of this one.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    pub(crate) env: Env,
    pub(crate) limit: Duration,
    /// How often something happened in a writing transaction of this store.
    progress: Arc<AtomicU64>,
}

impl Patience {
    pub(crate) fn new(env: Env, limit: Duration) -> Self {
        Self {
            env,
            limit,
            progress: Arc::default(),
        }
    }

    /// Something happens in a writing transaction.
    pub(crate) fn note_progress(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn progress(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    /// Tries again until nobody else is in the way, leaving the thread to others meanwhile.
    pub(crate) async fn retry<T>(
        &self,
        mut attempt: impl FnMut() -> rusqlite::Result<T> + Send,
    ) -> rusqlite::Result<T> {
        let start = self.env.monotonic();
        let mut pause = Duration::from_millis(1);
        loop {
            match attempt() {
                Err(error) if is_busy(&error) => {
                    if self.env.monotonic().saturating_sub(start) >= self.limit {
                        return Err(error);
                    }
                    self.env.sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_millis(20));
                }
                done => return done,
            }
        }
    }
}

/// The connection with what is known about its settings.
pub(crate) struct Writer {
    /// `None` once the store is closed.
    connection: Option<Owned>,
    /// `PRAGMA synchronous` as the user chose it, and as it is now.
    chosen: i64,
    synchronous: i64,
    /// Is the connection tuned for a bulk load, and what was its cache before?
    bulk: Option<i64>,
    /// `PRAGMA data_version` when it was last looked at.
    data_version: i64,
}

impl Writer {
    pub(crate) async fn new(connection: Owned, patience: &Patience) -> Result<Self, StoreError> {
        let mut this = Self {
            connection: Some(connection),
            chosen: 0,
            synchronous: 0,
            bulk: None,
            data_version: 0,
        };
        patience
            .retry(|| this.look())
            .await
            .context("read the settings of the database")?;
        Ok(this)
    }

    /// Reads the file for the first time, which another program may just be recovering.
    fn look(&mut self) -> rusqlite::Result<()> {
        self.chosen = self.pragma("synchronous")?;
        self.synchronous = self.chosen;
        self.data_version = self.pragma("data_version")?;
        Ok(())
    }

    pub(crate) fn db(&self) -> Result<&Connection, StoreError> {
        self.raw().ok_or_else(closed)
    }

    /// Takes the connection out, to close it.
    pub(crate) fn take(&mut self) -> Option<Owned> {
        self.connection.take()
    }

    fn pragma(&self, name: &str) -> rusqlite::Result<i64> {
        match self.raw() {
            Some(db) => db
                .prepare_cached(&format!("PRAGMA {name}"))?
                .query_row([], |row| row.get(0)),
            None => Ok(0),
        }
    }

    fn set_pragma(&self, name: &str, value: i64) -> rusqlite::Result<()> {
        self.raw()
            .map_or(Ok(()), |db| db.pragma_update(None, name, value))
    }

    fn raw(&self) -> Option<&Connection> {
        self.connection.as_ref().and_then(Owned::db)
    }

    /// Did somebody else commit since this was last asked?
    pub(crate) async fn somebody_else_wrote(
        &mut self,
        patience: &Patience,
    ) -> Result<bool, StoreError> {
        self.db()?;
        let now = patience
            .retry(|| self.data_version_now())
            .await
            .context("look for other writers")?;
        Ok(std::mem::replace(&mut self.data_version, now) != now)
    }

    fn data_version_now(&mut self) -> rusqlite::Result<i64> {
        self.pragma("data_version")
    }

    /// Begins a transaction whose commit is on disk as this level of `synchronous` promises.
    fn start(&mut self, synchronous: i64) -> rusqlite::Result<()> {
        if self.synchronous != synchronous {
            self.set_pragma("synchronous", synchronous)?;
            self.synchronous = synchronous;
        }
        self.run("BEGIN IMMEDIATE")
    }

    /// During a bulk load the log grows longer and more of the file stays in memory.
    fn set_bulk(&mut self, bulk: bool) -> rusqlite::Result<()> {
        match (self.bulk, bulk) {
            (None, true) => {
                self.bulk = Some(self.pragma("cache_size")?);
                self.set_pragma("cache_size", BULK_CACHE)?;
                self.set_pragma("wal_autocheckpoint", CHECKPOINT.1)
            }
            (Some(cache), false) => {
                self.bulk = None;
                self.set_pragma("cache_size", cache)?;
                self.set_pragma("wal_autocheckpoint", CHECKPOINT.0)
            }
            _ => Ok(()),
        }
    }

    /// Takes `&mut self` so that the caller's future may move between threads while it waits.
    fn run(&mut self, sql: &str) -> rusqlite::Result<()> {
        match self.raw() {
            Some(db) => db.prepare_cached(sql)?.execute([]).map(drop),
            None => Ok(()),
        }
    }
}

fn closed() -> StoreError {
    StoreError::new(StoreErrorKind::Open, "the store is closed; open it again")
}

/// A writing transaction on the store's own connection. Dropping it rolls back.
pub(crate) struct Turn {
    writer: OwnedMutexGuard<Writer>,
    open: bool,
}

impl Turn {
    /// Begins a transaction once it is this turn's time and no other program writes.
    pub(crate) async fn begin(
        writer: OwnedMutexGuard<Writer>,
        mode: TxMode,
        patience: &Patience,
    ) -> Result<Self, StoreError> {
        let mut turn = Self {
            writer,
            open: false,
        };
        if !turn.db()?.is_autocommit() {
            turn.writer
                .run("ROLLBACK")
                .context("roll back what was left open")?;
        }
        let wanted = if mode == TxMode::Durable {
            FULL.max(turn.writer.chosen)
        } else {
            turn.writer.chosen
        };
        let writer = &mut turn.writer;
        patience
            .retry(|| writer.start(wanted))
            .await
            .context("begin a writing transaction")?;
        turn.open = true;
        Ok(turn)
    }

    pub(crate) fn db(&self) -> Result<&Connection, StoreError> {
        self.writer.db()
    }

    /// Tells how many rows were written so far.
    pub(crate) fn wrote(&mut self, rows: u64) -> Result<(), StoreError> {
        if rows < BULK_ROWS {
            return Ok(());
        }
        self.writer
            .set_bulk(true)
            .context("prepare for a bulk load")
    }

    pub(crate) async fn commit(mut self, rows: u64, patience: &Patience) -> Result<(), StoreError> {
        let writer = &mut self.writer;
        patience
            .retry(|| writer.run("COMMIT"))
            .await
            .context("commit a transaction")?;
        self.open = false;
        if rows < BULK_ROWS {
            // Committed is committed: a setting that stays as it was is no failure of this call.
            let _ = self.writer.set_bulk(false);
        }
        Ok(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // A transaction that cannot be rolled back now is rolled back by the next `begin`.
        if self.open
            && let Err(error) = self.writer.run("ROLLBACK")
        {
            tracing::debug!(%error, "rollback failed");
        }
    }
}
