//! The engine: the one thing an app holds.

mod account;
mod agenda;
mod alone;
mod auto;
mod builder;
mod checks;
mod columns;
mod copied;
mod delivery;
mod existing;
mod live;
mod queue;
mod restore;
mod run;
mod turn;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

pub use account::SignOut;
pub use builder::SyncEngineBuilder;
pub use delivery::Delivery;
pub use queue::{
    BlockedBy, BlockedOperation, Conflicts, Discarded, EntityState, Imported, Outbox, Quarantine,
    Undo,
};

use self::auto::AutoTask;
use self::turn::Turns;
use crate::context::Context;
use crate::entity::SyncEntity;
use crate::error::SyncError;
use crate::event::{EventStream, SyncEvent};
use crate::id::Kind;
use crate::pull::ResyncRequest;
use crate::stats::SyncReport;
use crate::store::Store;
use crate::transport::Transport;
use crate::writer::{EntityWriter, GroupCommit, RecordWriter, SyncRepository};

/// Which halves of a run concern which kinds.
///
/// ```
/// # use sync_core::{Kind, SyncOptions};
/// let push_only = SyncOptions::default().push_kinds([Kind::new("todos").unwrap()]).no_pull();
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncOptions {
    /// Kinds whose outbox is sent; `None` = all, empty = none.
    pub push_kinds: Option<BTreeSet<Kind>>,
    /// Kinds that are pulled; `None` = all, empty = none.
    pub pull_kinds: Option<BTreeSet<Kind>>,
}

impl SyncOptions {
    /// Sends only these kinds.
    #[must_use]
    pub fn push_kinds(mut self, kinds: impl IntoIterator<Item = Kind>) -> Self {
        self.push_kinds = Some(kinds.into_iter().collect());
        self
    }

    /// Pulls only these kinds.
    #[must_use]
    pub fn pull_kinds(mut self, kinds: impl IntoIterator<Item = Kind>) -> Self {
        self.pull_kinds = Some(kinds.into_iter().collect());
        self
    }

    /// Sends nothing.
    #[must_use]
    pub fn no_push(self) -> Self {
        self.push_kinds([])
    }

    /// Pulls nothing.
    #[must_use]
    pub fn no_pull(self) -> Self {
        self.pull_kinds([])
    }
}

/// Syncs local tables with a server. Cheap to clone; all clones are one engine.
///
/// ```
/// # use sync_core::{Column, ColumnType, Kind, MemoryStore, SyncEngine, TableConfig, TableSchema, Transport};
/// # async fn example(transport: impl Transport) -> Result<(), sync_core::SyncError> {
/// let todos = TableSchema::new(Kind::new("todos")?, "todos", "id")
///     .column(Column::new("id", ColumnType::Text))
///     .column(Column::new("title", ColumnType::Text));
/// let engine = SyncEngine::builder(MemoryStore::new(), transport)
///     .schema(todos, TableConfig::new())
///     .build()
///     .await?;
/// let report = engine.sync().await?;
/// println!("{}", report.stats);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SyncEngine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    context: Context,
    turns: Turns,
    group_commit: GroupCommit,
    auto: std::sync::Mutex<Option<AutoTask>>,
    shut_down: CancellationToken,
    /// Is the account's data gone, so that nothing may be written any more?
    signed_out: AtomicBool,
    /// What building found, to be told when somebody may listen.
    found: std::sync::Mutex<Vec<SyncEvent>>,
}

impl SyncEngine {
    /// Begins to build an engine on a store and a transport.
    pub fn builder(store: impl Store, transport: impl Transport) -> SyncEngineBuilder {
        SyncEngineBuilder::new(Arc::new(store), Arc::new(transport))
    }

    /// Sends the outbox, then pulls what changed on the server.
    ///
    /// A call made while a run is under way is served by one follow-up run, whose result covers
    /// every operation that was queued before the call. Dropping the future stops the run at its
    /// next await; nothing is left half done.
    ///
    /// One engine of a database runs at a time, also across processes: a call waits until the
    /// others have ended ([`crate::SyncEvent::SyncWaiting`]), or have not got on for
    /// [`crate::SyncConfig::lease_duration`]. Drop an engine in the middle of a run, and others
    /// wait for as long; [`SyncEngine::shutdown`] spares them that.
    ///
    /// Being offline, conflicts and refusals are no errors: the report and the events tell.
    ///
    /// # Errors
    /// [`SyncError::Store`] if the local database fails, [`SyncError::LeaseLost`] if other engines
    /// took over again and again because this one did not get on, [`SyncError::ShutDown`] after
    /// [`SyncEngine::shutdown`].
    pub async fn sync(&self) -> Result<SyncReport, SyncError> {
        self.sync_with(SyncOptions::default()).await
    }

    /// [`SyncEngine::sync`] for some kinds, or one half only.
    ///
    /// # Errors
    /// As [`SyncEngine::sync`], and [`SyncError::UnknownKind`] for a kind that is not registered.
    pub async fn sync_with(&self, options: SyncOptions) -> Result<SyncReport, SyncError> {
        for kind in options
            .push_kinds
            .iter()
            .chain(&options.pull_kinds)
            .flatten()
        {
            self.shared.context.table(kind)?;
        }
        self.shared
            .request(turn::Request {
                options,
                resync: None,
            })
            .await
    }

    /// Sends the outbox, then pulls everything from zero and removes rows that the server no
    /// longer has, each confirmed by a fetch; suspiciously many stay
    /// ([`crate::SyncEvent::SweepHeld`]). Rows with waiting operations are spared.
    ///
    /// `clear_data`: the list alone decides, without confirmation.
    ///
    /// # Errors
    /// As [`SyncEngine::sync`].
    pub async fn full_resync(&self, clear_data: bool) -> Result<SyncReport, SyncError> {
        let options = SyncOptions::default();
        let resync = Some(ResyncRequest { clear_data });
        self.shared.request(turn::Request { options, resync }).await
    }

    /// What happens, from now on. A slow listener misses events
    /// ([`crate::SyncEvent::Lagged`]) and never slows the engine.
    #[must_use]
    pub fn events(&self) -> EventStream {
        self.shared.context.events.subscribe()
    }

    /// Writes entities of this type, each write with its queued operation in one transaction.
    ///
    /// # Errors
    /// [`SyncError::UnknownKind`] if the type is not registered.
    pub fn writer<T: SyncEntity>(&self) -> Result<EntityWriter<T>, SyncError> {
        Ok(EntityWriter::new(self.records(T::KIND)?))
    }

    /// The entities of this type as a collection, to be read and written without SQL.
    ///
    /// # Errors
    /// [`SyncError::UnknownKind`] if the type is not registered.
    pub fn repository<T: SyncEntity>(&self) -> Result<SyncRepository<T>, SyncError> {
        Ok(SyncRepository::new(self.writer()?))
    }

    /// Writes entities of this kind as JSON records.
    ///
    /// # Errors
    /// [`SyncError::UnknownKind`] if the kind is not registered.
    pub fn records(&self, kind: &str) -> Result<RecordWriter, SyncError> {
        let unknown = || SyncError::UnknownKind {
            kind: kind.to_owned(),
            known: self
                .kinds()
                .iter()
                .map(Kind::as_str)
                .collect::<Vec<_>>()
                .join(", "),
        };
        let kind = Kind::new(kind).map_err(|_| unknown())?;
        self.shared.context.table(&kind)?;
        Ok(RecordWriter::new(self.clone(), kind))
    }

    /// The registered kinds.
    #[must_use]
    pub fn kinds(&self) -> Vec<Kind> {
        self.shared.context.tables.keys().cloned().collect()
    }

    /// The store that this engine works on.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        self.shared.context.store.clone()
    }

    pub(crate) fn is_signed_out(&self) -> bool {
        self.shared.signed_out.load(Ordering::Acquire)
    }

    pub(crate) fn group_commit(&self) -> &GroupCommit {
        &self.shared.group_commit
    }

    pub(crate) fn context(&self) -> &Context {
        &self.shared.context
    }

    /// Stops automatic runs and the run under way, and waits until it has ended; afterwards every
    /// call is [`SyncError::ShutDown`]. Local data and the outbox stay as they are.
    pub async fn shutdown(&self) {
        self.stop_auto();
        self.shared.shut_down.cancel();
        self.shared.turns.wait_for_end().await;
        // Nobody needs to wait for what the run that was stopped left behind.
        if let Err(error) = self.shared.context.lease.release_rest().await {
            tracing::debug!(%error, "the lease could not be released");
        }
    }
}
