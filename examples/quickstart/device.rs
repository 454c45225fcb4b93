//! A device: a SQLite file, and an engine that talks HTTP.

use std::error::Error;
use std::path::Path;

use futures::{FutureExt, StreamExt};
use indicatif::ProgressBar;
use sqlx::AssertSqlSafe;
use sync_core::{EntityId, SyncConfig, SyncEngine, SyncEvent, SyncReport, TxMode};
use sync_rest::RestTransport;
use sync_sqlx::SqliteStore;

use crate::model::{self, DIARIES, Territory};
use crate::replicas::Replica;

pub(crate) struct Device {
    pub(crate) name: &'static str,
    pub(crate) engine: SyncEngine,
    store: SqliteStore,
}

impl Device {
    /// Opens a fresh database in the folder and builds an engine that syncs it with the server.
    pub(crate) async fn open(
        name: &'static str,
        folder: &Path,
        server: &str,
    ) -> Result<Self, Box<dyn Error>> {
        let store = SqliteStore::open(folder.join(name).with_extension("db")).await?;
        for sql in model::create_tables_sql() {
            let statement = sqlx::query(AssertSqlSafe(sql));
            statement.execute(store.pool()).await?;
        }
        let transport = RestTransport::builder(server).build()?;
        let mut builder = SyncEngine::builder(store.clone(), transport)
            .config(SyncConfig::default().with_page_size(50))
            .table::<Territory>();
        for (kind, strategy) in DIARIES {
            builder = builder.schema(model::diary_schema(kind)?, model::diary_config(strategy));
        }
        let engine = builder.build().await?;
        Ok(Self {
            name,
            engine,
            store,
        })
    }

    /// One run, and what it told.
    pub(crate) async fn sync(&self) -> Result<(SyncReport, Vec<SyncEvent>), Box<dyn Error>> {
        self.sync_with(&ProgressBar::hidden()).await
    }

    /// One run, and what it told; the bar follows the pages that come in.
    pub(crate) async fn sync_with(
        &self,
        bar: &ProgressBar,
    ) -> Result<(SyncReport, Vec<SyncEvent>), Box<dyn Error>> {
        let mut told = Vec::new();
        let mut hear = |event: SyncEvent| {
            if let SyncEvent::PullPageProcessed { page_size, .. } = &event {
                bar.inc(*page_size);
            }
            told.push(event);
        };
        let mut events = self.engine.events();
        let mut run = std::pin::pin!(self.engine.sync());
        let report = loop {
            tokio::select! {
                biased;
                Some(event) = events.next() => hear(event),
                report = &mut run => break report?,
            }
        };
        while let Some(Some(event)) = events.next().now_or_never() {
            hear(event);
        }
        Ok((report, told))
    }

    /// Every row of every table, as the app would find it.
    pub(crate) async fn replica(&self) -> Result<Replica, Box<dyn Error>> {
        let mut replica = Replica::new();
        for kind in self.engine.kinds() {
            // Here every table bears the name of its kind.
            let sql = AssertSqlSafe(format!("SELECT id FROM {kind}"));
            let ids: Vec<String> = sqlx::query_scalar(sql).fetch_all(self.store.pool()).await?;
            let ids: Vec<EntityId> = ids.iter().map(EntityId::new).collect::<Result<_, _>>()?;
            let mut tx = self.engine.store().begin(TxMode::Read).await?;
            let mut rows = std::collections::BTreeMap::new();
            for record in tx.get(&kind, &ids).await? {
                rows.insert(record.id()?.to_string(), record.into());
            }
            replica.insert(kind.to_string(), rows);
        }
        Ok(replica)
    }

    /// Ends the engine and frees the file.
    pub(crate) async fn close(self) -> Result<(), Box<dyn Error>> {
        self.engine.shutdown().await;
        Ok(self.store.close().await?)
    }
}
