//! The one place that touches SQLite past `sqlx`: statements run inline on the caller's thread,
//! prepared once, without a thread hand-off for each.
#![expect(
    unsafe_code,
    reason = "sqlx lends its connection as a raw pointer; each use is proved here"
)]

use rusqlite::Connection;
use sqlx::Connection as _;
use sqlx::sqlite::{LockedSqliteHandle, SqliteConnection};

use crate::error::Context;
use sync_core::store::StoreError;

/// How many prepared statements one connection keeps.
const STATEMENTS: usize = 128;

/// A connection of `sqlx` that is lent for as long as this value lives.
///
/// Fields are dropped in this order: first our statements are finalized, then the worker thread of
/// `sqlx` gets its connection back.
pub(crate) struct Borrowed<'c> {
    db: Connection,
    _lock: LockedSqliteHandle<'c>,
}

impl<'c> Borrowed<'c> {
    /// Waits until the connection is idle and takes it.
    pub(crate) async fn take(connection: &'c mut SqliteConnection) -> Result<Self, StoreError> {
        let mut lock = connection
            .lock_handle()
            .await
            .context("reach the database's thread")?;
        // SAFETY: the pointer is a live connection. As long as `lock` exists the worker thread of
        // sqlx makes no call on it, so we are its only user; `lock` lives as long as `db`, and
        // outlives it, because fields are dropped in order of declaration. `from_handle` does not
        // take ownership: dropping `db` finalizes its cached statements, but closes nothing.
        let db = unsafe { Connection::from_handle(lock.as_raw_handle().as_ptr()) }
            .context("take the database's connection")?;
        db.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(Self { db, _lock: lock })
    }

    /// The connection, for statements that run here and now.
    pub(crate) fn db(&self) -> &Connection {
        &self.db
    }
}

/// A connection of `sqlx` that belongs to the store and stays lent: its prepared statements survive
/// from one transaction to the next.
pub(crate) struct Owned {
    /// `None` only while this value is being taken apart.
    borrowed: Option<Borrowed<'static>>,
    connection: *mut SqliteConnection,
}

// SAFETY: `connection` is a pointer to a value that this one owns alone, and `SqliteConnection` is
// Send; everything else here is Send by itself (checked below).
unsafe impl Send for Owned {}

const _: () = {
    const fn assert_send<T: Send>() {}
    assert_send::<SqliteConnection>();
    assert_send::<Borrowed<'static>>();
};

impl Owned {
    /// Takes the connection for good.
    pub(crate) async fn new(connection: SqliteConnection) -> Result<Self, StoreError> {
        let mut owned = Self {
            borrowed: None,
            connection: Box::into_raw(Box::new(connection)),
        };
        // SAFETY: the pointer comes from a box, so it is valid and stays where it is; it is freed
        // only by `release`, after `borrowed` is gone; and nothing else makes a reference of it
        // while `borrowed` lives. If this future is dropped while it waits, the reference ends
        // with it, and `owned` frees the box.
        let forever: &'static mut SqliteConnection = unsafe { &mut *owned.connection };
        owned.borrowed = Some(Borrowed::take(forever).await?);
        Ok(owned)
    }

    /// The connection, for statements that run here and now.
    pub(crate) fn db(&self) -> Option<&Connection> {
        self.borrowed.as_ref().map(Borrowed::db)
    }

    /// Closes the connection and waits until the file is released.
    pub(crate) async fn close(mut self) -> Result<(), StoreError> {
        match self.release() {
            Some(connection) => connection.close().await.context("close the database"),
            None => Ok(()),
        }
    }

    /// Takes this value apart: statements first, then the lock, then the connection.
    fn release(&mut self) -> Option<Box<SqliteConnection>> {
        self.borrowed = None;
        let connection = std::mem::replace(&mut self.connection, std::ptr::null_mut());
        // SAFETY: a pointer that is not null comes from `Box::into_raw` in `new` and was not freed
        // before, for it is set to null here; no reference to it is left, as `borrowed` is gone.
        (!connection.is_null()).then(|| unsafe { Box::from_raw(connection) })
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        drop(self.release());
    }
}
