//! Transactions.

pub(crate) mod bookkeeping;
pub(crate) mod outbox;
pub(crate) mod read;
pub(crate) mod rows;
mod salvage;
pub(crate) mod shadow;
mod shape;
mod store_tx;
pub(crate) mod versions;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Sqlite, Transaction};
use sync_core::Kind;
use sync_core::store::{ChangeHub, StoreError, StoreErrorKind};
use tokio::sync::OwnedMutexGuard;

use super::handle::Borrowed;
use super::readers::View;
use super::table::{Table, Tables, table_of};
use super::writer::{Patience, Turn, Writer};
use crate::error::{Context, in_file};

/// One transaction: the library's writes through [`StoreTx`](sync_core::store::StoreTx), and the
/// app's own statements through [`SqliteTx::connection`], committed together. Dropping it rolls back.
pub struct SqliteTx<'t> {
    link: Link<'t>,
    work: Work,
    patience: Patience,
}

/// How a transaction reaches the database.
pub(crate) enum Link<'t> {
    /// It only reads.
    View(View),
    /// On the store's own connection, statements run inline.
    Turn(Turn),
    /// On a connection of the pool, which the app uses too; the turn keeps the store's own writer
    /// out meanwhile.
    Shared {
        tx: Transaction<'static, Sqlite>,
        _turn: OwnedMutexGuard<Writer>,
    },
    /// On a transaction of the app's own.
    Joined(Borrowed<'t>),
}

/// What a transaction knows and remembers.
pub(crate) struct Work {
    pub(crate) tables: Arc<Tables>,
    /// Kinds whose rows changed, and kinds whose operations changed.
    pub(crate) rows: BTreeSet<Kind>,
    pub(crate) outbox: BTreeSet<Kind>,
    /// How many rows were written.
    pub(crate) written: u64,
    /// Did a call fail, or stop half-way, so that only a rollback is left?
    pub(crate) broken: bool,
    hub: ChangeHub,
    path: Arc<Path>,
}

impl Work {
    pub(crate) fn new(tables: Arc<Tables>, hub: ChangeHub, path: Arc<Path>) -> Self {
        Self {
            tables,
            rows: BTreeSet::new(),
            outbox: BTreeSet::new(),
            written: 0,
            broken: false,
            hub,
            path,
        }
    }

    pub(crate) fn table(&self, kind: &Kind) -> Result<Arc<Table>, StoreError> {
        table_of(&self.tables, kind).cloned()
    }

    fn everything_changed(&mut self) {
        self.rows = self.tables.keys().cloned().collect();
        self.outbox.clone_from(&self.rows);
    }
}

impl fmt::Debug for SqliteTx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = match &self.link {
            Link::View(_) => "a reader",
            Link::Turn(_) => "the writer",
            Link::Shared { .. } => "the pool",
            Link::Joined(_) => "the app's transaction",
        };
        f.debug_struct("SqliteTx")
            .field("on", &on)
            .finish_non_exhaustive()
    }
}

impl<'t> SqliteTx<'t> {
    pub(crate) fn new(link: Link<'t>, work: Work, patience: Patience) -> Self {
        let this = Self {
            link,
            work,
            patience,
        };
        this.gets_on();
        this
    }

    /// Whoever waits for this transaction may go on waiting.
    fn gets_on(&self) {
        if matches!(self.link, Link::Turn(_) | Link::Shared { .. }) {
            self.patience.note_progress();
        }
    }

    /// The connection, for the app's own statements in this transaction.
    ///
    /// What they change cannot be known, so the commit tells [`Store::changes`](sync_core::Store::changes)
    /// that every kind changed. Rows of synchronised tables that are written past the library are
    /// not queued for the server.
    ///
    /// # Errors
    /// [`StoreErrorKind::Other`] unless this transaction comes from [`SqliteStore::begin`](super::SqliteStore::begin):
    /// a joined one is reached through the transaction that was joined.
    pub fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        self.gets_on();
        match &mut self.link {
            Link::Shared { tx, .. } => {
                self.work.everything_changed();
                Ok(tx)
            }
            Link::View(_) | Link::Turn(_) | Link::Joined(_) => Err(StoreError::new(
                StoreErrorKind::Other,
                "this transaction has no connection to lend; begin it with `SqliteStore::begin`, or use the transaction that was joined",
            )),
        }
    }

    /// Commits, then tells [`Store::changes`](sync_core::Store::changes). A joined transaction is
    /// only left: its commit belongs to whoever began it.
    ///
    /// # Errors
    /// The transaction is rolled back if an earlier call failed or was dropped half-way.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.gets_on();
        let Self {
            link,
            work,
            patience,
        } = self;
        if work.broken {
            return Err(StoreError::new(
                StoreErrorKind::Other,
                "cannot commit: an earlier call of this transaction failed or was dropped half-way; it is rolled back, begin a new one",
            ));
        }
        let done = match link {
            Link::View(_) => return Ok(()),
            Link::Joined(_) => return Ok(()),
            Link::Turn(turn) => turn.commit(work.written, &patience).await,
            Link::Shared { tx, _turn } => tx.commit().await.context("commit a transaction"),
        };
        done.map_err(|error| in_file(&work.path, error))?;
        work.hub.publish(work.rows, work.outbox);
        Ok(())
    }

    /// Runs statements here and now: nothing in it waits, so that nothing can stop it half-way.
    pub(crate) async fn step<T>(
        &mut self,
        run: impl FnOnce(&Connection, &mut Work) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.gets_on();
        let work = &mut self.work;
        if work.broken {
            return Err(StoreError::new(
                StoreErrorKind::Other,
                "an earlier call of this transaction failed or was dropped half-way; drop it and begin a new one",
            ));
        }
        let result = match &mut self.link {
            Link::View(view) => view.db().and_then(|db| run(db, work)),
            Link::Turn(turn) => turn.db().and_then(|db| run(db, work)),
            Link::Joined(borrowed) => run(borrowed.db(), work),
            Link::Shared { tx, .. } => match Borrowed::take(tx).await {
                Ok(borrowed) => run(borrowed.db(), work),
                Err(error) => Err(error),
            },
        };
        work.broken = result.is_err();
        result.map_err(|error| in_file(&work.path, error))
    }

    /// Lets a writing transaction know that it has become a large one.
    fn note_size(&mut self) -> Result<(), StoreError> {
        match &mut self.link {
            Link::Turn(turn) => turn.wrote(self.work.written),
            Link::View(_) | Link::Shared { .. } | Link::Joined(_) => Ok(()),
        }
    }
}
