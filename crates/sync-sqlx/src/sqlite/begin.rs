//! Whose turn it is to write.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use sqlx::Transaction;
use sync_core::store::{StoreError, StoreErrorKind, TxMode};
use tokio::sync::OwnedMutexGuard;

use super::SqliteStore;
use super::tx::{Link, SqliteTx};
use super::writer::{Turn, Writer};
use crate::error::Context;

/// So much longer than for other programs is the wait for a transaction of this one, which may have
/// to wait for another program itself.
const MARGIN: Duration = Duration::from_secs(1);

impl SqliteStore {
    pub(super) async fn begin_shared(&self) -> Result<SqliteTx<'static>, StoreError> {
        // First the connection, then the turn: whoever holds a connection never waits in vain for
        // somebody who waits for one.
        let connection = self
            .inner
            .pool
            .acquire()
            .await
            .context("take a connection of the pool")?;
        let turn = self.writer_for_app().await?;
        let tx = Transaction::begin(
            connection,
            Some(sqlx::SqlSafeStr::into_sql_str("BEGIN IMMEDIATE")),
        )
        .await
        .context("begin a writing transaction")?;
        Ok(self.transaction(Link::Shared { tx, _turn: turn }))
    }

    /// A transaction of the library's, after all that were asked for before, however long they take.
    pub(super) async fn turn(&self, mode: TxMode) -> Result<Turn, StoreError> {
        let writer = Arc::clone(&self.inner.writer).lock_owned().await;
        self.turn_with(writer, mode).await
    }

    /// A transaction for a write of the app's.
    pub(super) async fn turn_for_app(&self, mode: TxMode) -> Result<Turn, StoreError> {
        let writer = self.writer_for_app().await;
        let writer = writer.map_err(|error| self.in_file(error))?;
        self.turn_with(writer, mode).await
    }

    async fn turn_with(
        &self,
        writer: OwnedMutexGuard<Writer>,
        mode: TxMode,
    ) -> Result<Turn, StoreError> {
        self.inner.patience.note_progress();
        let turn = Turn::begin(writer, mode, &self.inner.patience).await;
        turn.map_err(|error| self.in_file(error))
    }

    /// Waits for the transactions that were asked for before, as long as they get on. One in which
    /// nothing happens any more may be held by the task that waits here, so that it never would.
    async fn writer_for_app(&self) -> Result<OwnedMutexGuard<Writer>, StoreError> {
        let patience = &self.inner.patience;
        let limit = patience.limit.saturating_add(MARGIN);
        if let Ok(writer) = Arc::clone(&self.inner.writer).try_lock_owned() {
            return Ok(writer);
        }
        let mut turn = pin!(Arc::clone(&self.inner.writer).lock_owned());
        let mut seen = patience.progress();
        loop {
            match select(turn.as_mut(), pin!(patience.env.sleep(limit))).await {
                Either::Left((writer, _)) => return Ok(writer),
                Either::Right(_) if patience.progress() == seen => {
                    let message = format!(
                        "another writing transaction of this program is open, and nothing has happened in it for {} s: commit it, or write in it with `within`",
                        limit.as_secs()
                    );
                    return Err(StoreError::new(StoreErrorKind::Busy, message));
                }
                Either::Right(_) => seen = patience.progress(),
            }
        }
    }
}
