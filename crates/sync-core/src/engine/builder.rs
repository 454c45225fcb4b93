//! Building an engine: everything that can be checked is checked here.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

use super::checks::{self, Registered};
use super::columns::settle_columns;
use super::copied::notice_copy;
use super::existing::{release_readable, settle_existing_rows};
use super::turn::Turns;
use super::{Shared, SyncEngine};
use super::{account, restore};
use crate::backoff::{FullJitter, RetryPolicy};
use crate::config::SyncConfig;
use crate::context::{Context, Observed};
use crate::entity::SyncEntity;
use crate::env::Env;
use crate::error::SyncError;
use crate::event::EventHub;
use crate::identity::{Identity, IdentityLayer};
use crate::layers::{self, FenceLayer};
use crate::lease::Lease;
use crate::priority::Priorities;
use crate::schema::TableSchema;
use crate::store::{Store, TxMode};
use crate::table::TableConfig;
use crate::transport::Transport;
use crate::writer::GroupCommit;

/// Collects what an engine needs.
///
/// ```
/// # use std::time::Duration;
/// # use sync_core::{ConflictStrategy, MemoryStore, SyncConfig, SyncEngine, SyncEntity, TableConfig, Transport};
/// # async fn example<Todo: SyncEntity, Price: SyncEntity>(transport: impl Transport) -> Result<(), sync_core::SyncError> {
/// let engine = SyncEngine::builder(MemoryStore::new(), transport)
///     .config(SyncConfig::default().with_auto_interval(Duration::from_secs(60)))
///     .table::<Todo>()
///     .table_with::<Price>(TableConfig::new().strategy(ConflictStrategy::ServerWins))
///     .build()
///     .await?;
/// engine.start_auto();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "an engine exists only after `build`"]
pub struct SyncEngineBuilder {
    store: Arc<dyn Store>,
    transport: Arc<dyn Transport>,
    tables: Vec<Registered>,
    config: SyncConfig,
    env: Env,
    retry: Option<Arc<dyn RetryPolicy>>,
    bare_transport: bool,
    account: Option<String>,
    takes_unnamed: bool,
}

impl SyncEngineBuilder {
    pub(super) fn new(store: Arc<dyn Store>, transport: Arc<dyn Transport>) -> Self {
        Self {
            store,
            transport,
            tables: Vec::new(),
            config: SyncConfig::default(),
            env: Env::system(),
            retry: None,
            bare_transport: false,
            account: None,
            takes_unnamed: false,
        }
    }

    /// Registers a type with the engine's settings.
    pub fn table<T: SyncEntity>(self) -> Self {
        self.table_with::<T>(TableConfig::new())
    }

    /// Registers a type with settings of its own.
    pub fn table_with<T: SyncEntity>(mut self, config: TableConfig) -> Self {
        self.tables.push(T::schema().map(|schema| (schema, config)));
        self
    }

    /// Registers a table whose entities stay JSON.
    pub fn schema(mut self, schema: TableSchema, config: TableConfig) -> Self {
        self.tables.push(Ok((schema, config)));
        self
    }

    /// Replaces the settings.
    pub fn config(mut self, config: SyncConfig) -> Self {
        self.config = config;
        self
    }

    /// Replaces the outside world: time, ids, randomness.
    pub fn env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// Replaces the back-off.
    pub fn retry_policy(mut self, policy: Arc<dyn RetryPolicy>) -> Self {
        self.retry = Some(policy);
        self
    }

    /// Names the account that the data belongs to; an id rather than an address, because it is kept
    /// in the database. The transport refuses tokens of another account.
    ///
    /// Best is a database file for each account. Where accounts share one: opening it under another
    /// account is [`SyncError::OtherAccount`] while operations wait; otherwise what was synced is
    /// cleared in the opening transaction, local-only columns with their rows. Rows that were never
    /// synced and are not queued stay.
    ///
    /// ```
    /// # use sync_core::{MemoryStore, SyncEngine, SyncEntity, Transport};
    /// # async fn example<Todo: SyncEntity>(transport: impl Transport) -> Result<(), sync_core::SyncError> {
    /// let engine = SyncEngine::builder(MemoryStore::new(), transport)
    ///     .account("user-7")
    ///     .table::<Todo>()
    ///     .build()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    /// What a database holds that was never opened under an account is this account's: for an app
    /// that had no accounts before. Without it, [`SyncEngineBuilder::build`] refuses such data,
    /// because nobody can tell whose it is.
    pub fn takes_unnamed_data(mut self) -> Self {
        self.takes_unnamed = true;
        self
    }

    /// Uses the transport as it is: without the layers for tracing, repeats and time-outs.
    pub fn bare_transport(mut self) -> Self {
        self.bare_transport = true;
        self
    }

    /// Checks everything, prepares the store and makes the engine.
    ///
    /// # Errors
    /// [`SyncError::Config`] naming every setting, kind and table that cannot work, and every table
    /// that had rows before it was synced and does not say whose they are
    /// ([`TableConfig::existing_rows`]), and if the database belongs to an account that is not named;
    /// [`SyncError::OtherAccount`] if operations of another account wait;
    /// [`SyncError::Store`] if the user's tables do not fit or the database cannot be prepared.
    pub async fn build(self) -> Result<SyncEngine, SyncError> {
        let account = self.account.as_deref();
        let (tables, references) = checks::all(self.tables, &self.config, account)?;
        let schemas: Vec<TableSchema> = tables.values().map(|table| table.schema.clone()).collect();
        self.store.prepare(&schemas).await?;
        let retry = self
            .retry
            .unwrap_or_else(|| Arc::new(FullJitter::of(&self.config)));
        let lease = Lease::new(
            self.store.clone(),
            self.env.clone(),
            self.config.lease_duration,
        );
        let lease = Arc::new(lease);
        let fenced = Arc::new(FenceLayer::new(self.transport, lease.clone()));
        let transport = if self.bare_transport {
            fenced
        } else {
            layers::standard(fenced, &self.config, &self.env, &retry)
        };
        let identity = Arc::new(Identity::new(self.account));
        let context = Context {
            store: self.store,
            transport: Arc::new(IdentityLayer::new(transport, identity.clone())),
            identity,
            priorities: Priorities::new(&tables, &references),
            tables,
            references,
            events: EventHub::new(self.config.event_capacity),
            config: self.config,
            env: self.env,
            retry,
            observed: Mutex::new(Observed::default()),
            lease,
        };
        let mut tx = context.store.begin(TxMode::Read).await?;
        context.recall(&mut *tx).await?;
        drop(tx);
        account::settle(&context, self.takes_unnamed).await?;
        restore::catch_up(&context).await?;
        let copied = notice_copy(&context).await?;
        settle_columns(&context).await?;
        release_readable(&context).await?;
        settle_existing_rows(&context).await?;
        Ok(SyncEngine {
            shared: Arc::new(Shared {
                context,
                turns: Turns::default(),
                group_commit: GroupCommit::default(),
                auto: Mutex::new(None),
                shut_down: CancellationToken::new(),
                signed_out: AtomicBool::new(false),
                found: Mutex::new(copied.into_iter().collect()),
            }),
        })
    }
}
