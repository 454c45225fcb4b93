//! Connections that only read, kept for reuse.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use sqlx::sqlite::SqliteConnectOptions;
use sync_core::store::{StoreError, StoreErrorKind};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::handle::Owned;
use super::open;
use super::writer::Patience;
use crate::error::Context;

/// A few reading connections, opened when they are first needed.
pub(crate) struct Readers {
    options: SqliteConnectOptions,
    idle: Mutex<Vec<Owned>>,
    permits: Arc<Semaphore>,
    count: u32,
}

impl Readers {
    pub(crate) fn new(options: SqliteConnectOptions, count: u32) -> Self {
        Self {
            options: options.read_only(true).create_if_missing(false),
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(usize::try_from(count).unwrap_or(1))),
            count,
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Owned>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a reading transaction; its view of the data is fixed from here on.
    pub(crate) async fn begin(self: Arc<Self>, patience: &Patience) -> Result<View, StoreError> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| closed())?;
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open::connect(&self.options, patience).await?,
        };
        let mut view = View {
            connection: Some(connection),
            readers: self,
            _permit: permit,
        };
        patience
            .retry(|| view.fix())
            .await
            .context("begin a reading transaction")?;
        Ok(view)
    }

    /// Waits until nobody reads, then closes all connections.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        let everything = self.permits.acquire_many(self.count).await;
        if everything.is_err() {
            return Ok(());
        }
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle());
        for connection in idle {
            connection.close().await?;
        }
        Ok(())
    }
}

fn closed() -> StoreError {
    StoreError::new(StoreErrorKind::Open, "the store is closed; open it again")
}

/// One consistent view of the data.
pub(crate) struct View {
    connection: Option<Owned>,
    readers: Arc<Readers>,
    _permit: OwnedSemaphorePermit,
}

impl View {
    pub(crate) fn db(&self) -> Result<&Connection, StoreError> {
        self.connection
            .as_ref()
            .and_then(Owned::db)
            .ok_or_else(closed)
    }

    /// `BEGIN` alone fixes nothing; the first read does.
    fn fix(&mut self) -> rusqlite::Result<()> {
        let Some(db) = self.connection.as_ref().and_then(Owned::db) else {
            return Ok(());
        };
        if db.is_autocommit() {
            db.prepare_cached("BEGIN")?.execute([])?;
        }
        db.prepare_cached("SELECT count(*) FROM sqlite_schema WHERE rowid = 1")?
            .query_row([], |_| Ok(()))
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        let ended = connection.db().is_some_and(|db| {
            let end = db
                .prepare_cached("ROLLBACK")
                .and_then(|mut statement| statement.execute([]));
            end.is_ok() || db.is_autocommit()
        });
        // A connection that is in doubt is closed instead.
        if ended {
            self.readers.idle().push(connection);
        }
    }
}
