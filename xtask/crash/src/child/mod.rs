//! The process that is killed: an app with a file, a user and a server.

mod stage;
mod user;
mod watched;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use sync_core::store::OpQuery;
use sync_core::{Env, EventStream, Op, OpStatus, Resolution, SyncConfig, SyncEngine, SyncEvent};
use sync_rest::RestTransport;
use sync_sqlx::SqliteStore;

use self::stage::{Stage, say};
use self::user::User;
use self::watched::{WatchedStore, WatchedTransport};
use crate::Result;
use crate::line::Line;
use crate::phase::Phase;
use crate::tables::{KINDS, config, create_sql, schema};

/// How often a process that is to come to rest tries to.
const MOST_RUNS: u32 = 400;
/// So long the next life waits for the last one, which could not release its lease. There is no
/// shorter one.
const LEASE: Duration = Duration::from_millis(100);
/// The longest pause between two runs.
const LONGEST_PAUSE: Duration = Duration::from_millis(2);

/// What the parent asks of the process.
#[derive(Debug, Clone)]
pub(crate) struct Orders {
    pub(crate) url: String,
    pub(crate) file: PathBuf,
    pub(crate) seed: u64,
    /// The number of its user's first write.
    pub(crate) first: u64,
    /// The phase in which it takes its time; `None` = none.
    pub(crate) aim: Option<Phase>,
    /// Is it to sync till nothing is left to do, instead of writing till it is killed?
    pub(crate) rests: bool,
}

impl Orders {
    /// As words of a command line.
    pub(crate) fn words(&self) -> Vec<String> {
        vec![
            self.url.clone(),
            self.file.display().to_string(),
            self.seed.to_string(),
            self.first.to_string(),
            self.aim.map_or("none", Phase::name).to_owned(),
            self.rests.to_string(),
        ]
    }

    pub(crate) fn read(words: &[String]) -> Option<Self> {
        let [url, file, seed, first, aim, rests] = words else {
            return None;
        };
        Some(Self {
            url: url.clone(),
            file: PathBuf::from(file),
            seed: seed.parse().ok()?,
            first: first.parse().ok()?,
            aim: Phase::named(aim),
            rests: rests.parse().ok()?,
        })
    }
}

/// Settings that let a process that was killed go on at once.
fn settings(aim: Option<Phase>) -> SyncConfig {
    // Only one kind at a time is swept, where the sweep is what is looked at.
    let kinds_at_once = if aim == Some(Phase::Sweep) { 1 } else { 4 };
    SyncConfig::default()
        .with_page_size(40)
        .with_pull_concurrency(kinds_at_once)
        .with_max_retries(2)
        .with_backoff_min(Duration::from_millis(1))
        .with_backoff_max(Duration::from_millis(5))
        .with_conflict_retry_delay(Duration::from_millis(1))
        .with_max_outbox_try_count(3)
        .with_lease_duration(LEASE)
}

/// Lives as the parent says.
pub(crate) fn live(orders: &Orders) -> Result<()> {
    let stage = Arc::new(Stage::new(orders.aim, orders.seed));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (engine, store) = build(orders, &stage).await?;
        stage.built();
        if orders.rests {
            return come_to_rest(&engine).await;
        }
        let user = User::new(engine.clone(), store, orders.seed, orders.first);
        let runs = sync_on(engine.clone(), stage, orders);
        tokio::try_join!(user.write_on(), runs, listen(engine.events()))?;
        Ok(())
    })
}

async fn build(orders: &Orders, stage: &Arc<Stage>) -> Result<(SyncEngine, Arc<WatchedStore>)> {
    stage.linger();
    let file = SqliteStore::open(&orders.file).await?;
    for kind in KINDS {
        stage.linger();
        let sql = sqlx::AssertSqlSafe(create_sql(kind));
        sqlx::raw_sql(sql).execute(file.pool()).await?;
    }
    let store = Arc::new(WatchedStore {
        file,
        stage: stage.clone(),
    });
    let transport = WatchedTransport {
        rest: RestTransport::builder(&orders.url).build()?,
        stage: stage.clone(),
    };
    let mut builder = SyncEngine::builder(store.clone(), transport).config(settings(orders.aim));
    for kind in KINDS {
        builder = builder.schema(schema(kind)?, config(kind));
    }
    Ok((builder.build().await?, store))
}

/// Syncs again and again, now and then everything from zero.
async fn sync_on(engine: SyncEngine, stage: Arc<Stage>, orders: &Orders) -> Result<()> {
    let mut dice = fastrand::Rng::with_seed(!orders.seed);
    let one_in = if orders.aim == Some(Phase::Sweep) {
        2
    } else {
        8
    };
    loop {
        stage.run_begins();
        if dice.u8(..one_in) == 0 {
            engine.full_resync(false).await?;
        } else {
            engine.sync().await?;
        }
        // There is nothing to wait for: an app whose runs follow each other without a pause would
        // be killed in nothing but a run.
        tokio::time::sleep(LONGEST_PAUSE.mul_f64(dice.f64())).await;
    }
}

/// Tells what a strategy took from the user.
async fn listen(mut events: EventStream) -> Result<()> {
    while let Some(event) = events.next().await {
        tell(&event);
    }
    Ok(())
}

fn tell(event: &SyncEvent) {
    if let SyncEvent::ConflictResolved {
        conflict,
        resolution: Resolution::AcceptServer,
        ..
    } = event
    {
        say(&Line::Decided {
            kind: conflict.kind.to_string(),
            id: conflict.entity_id.to_string(),
        });
    }
}

/// Syncs till nothing but what the server refuses is left.
async fn come_to_rest(engine: &SyncEngine) -> Result<()> {
    let mut events = engine.events();
    engine.outbox().retry_all().await?;
    let mut resynced = false;
    let mut last = None;
    for _ in 0..MOST_RUNS {
        let report = if resynced {
            engine.sync().await?
        } else {
            engine.full_resync(false).await?
        };
        while let Some(Some(event)) = futures::FutureExt::now_or_never(events.next()) {
            tell(&event);
        }
        let waiting = engine.outbox().list(&OpQuery::default()).await?;
        let at_rest = report.is_complete() && waits_for_stuck(&waiting);
        if at_rest && resynced {
            return Ok(());
        }
        resynced = at_rest;
        until_one_is_due(&waiting).await;
        last = Some((report, waiting));
    }
    Err(format!("it does not come to rest: {last:?}").into())
}

/// Waits for the first of the operations that were put off; not at all if there is none.
async fn until_one_is_due(ops: &[Op]) {
    let now = Env::system().now().unix_millis();
    let put_off = ops.iter().filter_map(|op| op.next_attempt_at);
    let first = put_off.filter(|due| *due > now).min().unwrap_or(now);
    let wait = u64::try_from(first - now).unwrap_or(0);
    tokio::time::sleep(Duration::from_millis(wait)).await;
}

/// Are all operations stuck, or behind one that is?
fn waits_for_stuck(ops: &[Op]) -> bool {
    let mut seen = BTreeSet::new();
    // The oldest of each record decides.
    let heads = ops
        .iter()
        .filter(|op| seen.insert((&op.kind, &op.entity_id)));
    heads
        .map(|head| head.status)
        .all(|status| status == OpStatus::Stuck)
}
