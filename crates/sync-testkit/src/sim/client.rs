//! One client: a database that survives crashes, an engine that does not, and what it has under
//! way.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use sync_core::event::EventStream;
use sync_core::{
    Op, OpStatus, SyncConfig, SyncEngine, SyncEngineBuilder, SyncError, SyncEvent, SyncOptions,
    SyncReport, TableConfig, Transport,
};

use super::link::{Own, SimLink, World, lock};
use super::merging;
use super::pause::PausingStore;
use super::processes::Still;
use super::schedule::{Asked, Setup, Strategy};
use super::seen::Seen;
use super::server::Key;
use super::slow;
use super::tables::SimTable;
use super::terms::Way;
use super::updates;
use crate::FakeEnv;

/// Whose data a client's database holds.
pub(crate) const OWNER: &str = "owner";
/// Who borrows the device.
pub(crate) const GUEST: &str = "guest";
/// How long a process may stand still until others take its work over. Its heartbeat sleeps longer
/// than a client's clock moves by itself.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// No engine waits so often for anything.
pub(crate) const ENDLESS: u32 = 20_000;

/// Something that a client has under way.
pub(crate) struct Task {
    pub(crate) what: What,
    pub(crate) future: BoxFuture<'static, Result<Option<SyncReport>, SyncError>>,
    /// The queues that were there when it was asked for and that nothing held up.
    pub(crate) waited: BTreeMap<Key, Vec<Op>>,
    /// All entities that had operations then, or of which nobody had heard.
    pub(crate) queued: BTreeSet<Key>,
    /// Was no other run under way when it was asked for?
    pub(crate) is_alone: bool,
    /// How far the server's history had come when the run began.
    pub(crate) server_was_at: u64,
}

/// What a task is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    /// A call of `sync` or `full_resync`.
    Run,
    /// Giving an entity's operations up.
    Discard(Key),
    /// Deciding a conflict.
    Resolve,
}

/// One client.
pub(crate) struct Client {
    pub(crate) number: u8,
    pub(crate) store: PausingStore,
    pub(crate) link: SimLink,
    pub(crate) env: FakeEnv,
    pub(crate) engine: Option<SyncEngine>,
    pub(crate) events: Vec<EventStream>,
    /// Another process on the same database, which stands still.
    pub(crate) still: Option<Still>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) strategy: Strategy,
    /// Did it ever ask for a resync that clears?
    pub(crate) believes_lists: bool,
    /// Is a user deciding a conflict?
    pub(crate) decides_by_hand: bool,
    pub(crate) seen: Seen,
}

impl Client {
    pub(crate) fn new(number: u8, setup: &Setup, world: &World) -> Self {
        let env = FakeEnv::new(setup.seed ^ (u64::from(number) << 32));
        // The heartbeat of a run's lease sleeps longer.
        env.auto_advance(Duration::from_secs(10));
        if setup.clocks_differ {
            // One is behind, one ahead, by less than a day and by more.
            let seconds = [-40, 7, 90_000, -100_000, 3][usize::from(number) % 5];
            shift(&env, seconds);
        }
        let is_old = (setup.old_apps >> number) & 1 == 1;
        let link = SimLink {
            client: number,
            max_batch: u32::from(setup.max_batch),
            world: world.clone(),
            own: Arc::new(Mutex::new(Own::of_app(is_old))),
            env: env.clone(),
        };
        Self {
            number,
            store: PausingStore::at(u64::from(number)),
            link,
            env,
            engine: None,
            events: Vec::new(),
            still: None,
            tasks: Vec::new(),
            strategy: setup.strategy,
            believes_lists: false,
            decides_by_hand: false,
            seen: Seen::default(),
        }
    }

    pub(crate) fn name(&self) -> char {
        char::from(b'A' + self.number)
    }

    /// Starts the process.
    pub(crate) fn start(&mut self, tables: &[SimTable], setup: &Setup) -> Result<(), String> {
        let builder = self
            .builder(self.link.clone(), tables, setup)
            .account(OWNER);
        let engine = complete(builder.build()).ok_or("the engine is never built")?;
        let engine = engine.map_err(|error| format!("the engine cannot be built: {error}"))?;
        let beside_another = self.still.is_some();
        lock(&self.link.own).offset.restarts(beside_another);
        self.events.push(engine.events());
        self.engine = Some(engine);
        Ok(())
    }

    pub(crate) fn builder(
        &self,
        link: impl Transport,
        tables: &[SimTable],
        setup: &Setup,
    ) -> SyncEngineBuilder {
        let config = SyncConfig::default()
            .with_page_size(u32::from(setup.page_size))
            .with_push_concurrency(usize::from(setup.push_concurrency))
            .with_lease_duration(LEASE)
            .with_event_capacity(4096);
        let mut builder = SyncEngine::builder(self.store.clone(), link)
            .config(config)
            .env(self.env.env())
            .bare_transport();
        for table in tables {
            let config = self.config_of(table, setup);
            builder = if self.is_old() {
                builder.schema(updates::old_schema(table), config)
            } else {
                builder.schema(table.schema.clone(), updates::lifting(table, config))
            };
        }
        builder
    }

    /// Is the app one that was not updated yet?
    pub(crate) fn is_old(&self) -> bool {
        lock(&self.link.own).speaks_old
    }

    fn config_of(&self, table: &SimTable, setup: &Setup) -> TableConfig {
        let merge = merging::function(table, setup, self.strategy, &self.link);
        let watched = |config: TableConfig| match merge {
            Some(function) => config.merge(function),
            None => config,
        };
        if !table.is_built_in {
            return watched(table.config.clone());
        }
        let way = self.way(table.kind());
        let config = table.config_in(setup, self.strategy, way);
        let config = if way == Way::Pulled {
            config
        } else {
            watched(config)
        };
        let asks = table.strategy(setup, self.strategy) == Strategy::Manual;
        if asks && way != Way::Pulled {
            config.resolver(slow::resolver(setup.slow_resolvers, &self.link))
        } else {
            config
        }
    }

    /// The process dies; what is committed stays.
    pub(crate) fn die(&mut self) {
        self.tasks.clear();
        self.events.clear();
        self.engine = None;
        let mut own = lock(&self.link.own);
        own.fates.clear();
        own.merges.clear();
        own.asked.clear();
    }

    pub(crate) fn new_events(&mut self) -> Vec<SyncEvent> {
        let mut found = Vec::new();
        self.events.retain_mut(|events| {
            loop {
                match events.next().now_or_never() {
                    Some(Some(event)) => found.push(event),
                    // Its engine is gone.
                    Some(None) => return false,
                    None => return true,
                }
            }
        });
        found
    }

    pub(crate) fn engine(&self) -> Result<&SyncEngine, SyncError> {
        self.engine.as_ref().ok_or(SyncError::ShutDown)
    }

    /// Begins something that may take its time; nothing moves yet.
    pub(crate) fn begin(&mut self, what: What, asked: Option<Asked>, server_is_at: u64) {
        let Some(engine) = self.engine.clone() else {
            return;
        };
        self.believes_lists |= asked == Some(Asked::Resync { clear_data: true });
        // One that failed before in the same way may look untouched.
        let is_free = |ops: &[Op]| {
            ops.first().is_some_and(|head| {
                head.status == OpStatus::Pending
                    && !head.ever_sent
                    && head.next_attempt_at.is_none()
                    && head.last_error.is_none()
            })
        };
        // What is in conflict may be asked about again, and put off again.
        let is_quiet = |key: &Key| {
            let shadow = self.seen.shadows.get(key);
            shadow.is_none_or(|shadow| shadow.parked.is_none())
        };
        let waited = self.seen.ops.iter();
        let waited = waited.filter(|(key, ops)| is_free(ops) && is_quiet(key));
        let waited = waited.filter(|(key, _)| self.way(&key.0) != Way::Pulled);
        let waited = waited.map(|(key, ops)| (key.clone(), ops.clone()));
        let waited = waited.collect();
        let future: BoxFuture<'static, _> = match (&what, asked) {
            (What::Discard(key), _) => {
                let (kind, id) = key.clone();
                Box::pin(async move { engine.outbox().discard(&kind, &id).await.map(|_| None) })
            }
            (_, Some(Asked::Resync { clear_data })) => {
                Box::pin(async move { engine.full_resync(clear_data).await.map(Some) })
            }
            (_, asked) => {
                let all = SyncOptions::default();
                let options = match asked {
                    Some(Asked::Push) => all.no_pull(),
                    Some(Asked::Pull) => all.no_push(),
                    _ => all,
                };
                Box::pin(async move { engine.sync_with(options).await.map(Some) })
            }
        };
        let queued = self.seen.ops.keys();
        let unclaimed = self.seen.rows.keys();
        let unclaimed = unclaimed.filter(|key| self.seen.is_unclaimed(key));
        let is_alone = self.tasks.iter().all(|task| task.what != What::Run);
        self.tasks.push(Task {
            what,
            is_alone,
            future,
            waited,
            queued: queued.chain(unclaimed).cloned().collect(),
            server_was_at: server_is_at,
        });
    }

    /// Polls everything that is under way once; returns what ended.
    pub(crate) fn poll(&mut self) -> Vec<(Task, Result<Option<SyncReport>, SyncError>)> {
        let mut ended = Vec::new();
        let mut place = 0;
        while let Some(task) = self.tasks.get_mut(place) {
            match (&mut task.future).now_or_never() {
                Some(result) => ended.push((self.tasks.remove(place), result)),
                None => place += 1,
            }
        }
        ended
    }

    /// What this client has as the server has it may be left out of a list, unless it once asked
    /// for a list that alone decides.
    pub(crate) fn note_known(&self) {
        if self.believes_lists {
            return lock(&self.link.own).known.clear();
        }
        let settled = self.seen.versions.iter().filter_map(|(key, version)| {
            let version = version.as_ref()?;
            self.seen
                .is_settled(key)
                .then(|| (key.clone(), version.stamp.clone()))
        });
        let known: BTreeSet<_> = settled.collect();
        lock(&self.link.own).known = known;
    }
}

/// Sets a wall clock by so many seconds.
pub(crate) fn shift(env: &FakeEnv, seconds: i64) {
    let nanos = env.env().now().unix_nanos() + i128::from(seconds) * 1_000_000_000;
    env.set_wall(&sync_core::Timestamp::from_unix_nanos(nanos));
}

/// Polls a future that only waits for a store until it is complete.
pub(crate) fn complete<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    (0..ENDLESS).find_map(|_| future.as_mut().now_or_never())
}
