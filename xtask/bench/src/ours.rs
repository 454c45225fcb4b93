//! Our arm: the same work through the public API.

use std::path::Path;
use std::time::Instant;

use sync_core::{SyncConfig, SyncEngine, SyncError, SyncOptions};
use sync_rest::RestTransport;
use sync_sqlx::{SqliteStore, Synchronous};

use crate::data::{Task, task};
use crate::measure::{Latencies, Measured};
use crate::{PAGE, Result};

async fn engine(url: &str, path: &Path) -> Result<SyncEngine> {
    engine_on(url, SqliteStore::open(path).await?).await
}

async fn engine_on(url: &str, store: SqliteStore) -> Result<SyncEngine> {
    store.create_table::<Task>().await?;
    let engine = SyncEngine::builder(store, RestTransport::new(url)?)
        .table::<Task>()
        .config(SyncConfig::default().with_page_size(PAGE))
        .build()
        .await?;
    Ok(engine)
}

/// W1: the first pull.
pub(crate) async fn pull(url: &str, path: &Path) -> Result<Measured> {
    let engine = engine(url, path).await?;
    let started = Instant::now();
    let report = engine.sync_with(SyncOptions::default().no_push()).await?;
    if !report.is_complete() {
        return Err(format!("the pull did not complete: {report:?}").into());
    }
    Ok(Measured::rows(report.stats.pulled, started.elapsed()))
}

/// W3: one typed insert after the other.
pub(crate) async fn write(path: &Path, count: u64) -> Result<Latencies> {
    let engine = engine("http://127.0.0.1:9", path).await?;
    let tasks = engine.writer::<Task>()?;
    let mut latencies = Latencies::default();
    for number in 0..count {
        let row = task(number);
        let started = Instant::now();
        tasks.insert(&row).await?;
        latencies.add(started.elapsed());
    }
    Ok(latencies)
}

/// Typed inserts of many writers at the same time, every commit on the disk.
pub(crate) async fn write_at_once(path: &Path, count: u64, writers: u64) -> Result<Measured> {
    let builder = SqliteStore::builder(path).synchronous(Synchronous::Full);
    let engine = engine_on("http://127.0.0.1:9", builder.open().await?).await?;
    let started = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for writer in 0..writers {
        let tasks = engine.writer::<Task>()?;
        running.spawn(async move {
            for number in (writer..count).step_by(writers as usize) {
                tasks.insert(&task(number)).await?;
            }
            Ok::<_, SyncError>(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(Measured::rows(count, started.elapsed()))
}
