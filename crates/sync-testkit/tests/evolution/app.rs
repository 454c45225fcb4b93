//! An app in some version: its table, its file, its engine.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use serde_json::{Value, json};
use sync_core::store::OpQuery;
use sync_core::{
    ChangedFields, Column, ColumnType, EventStream, Kind, Op, Record, SyncConfig, SyncEngine,
    SyncEvent, SyncOptions, SyncReport, TableConfig, TableSchema,
};
use sync_rest::RestTransport;
use sync_sqlx::SqliteStore;
use sync_testkit::{FakeEnv, MockServer};

pub(crate) const TODOS: &str = "todos";

/// What one version of an app is made of.
#[derive(Clone)]
pub(crate) struct Version {
    /// The app's own migration.
    pub(crate) sql: &'static str,
    pub(crate) schema: TableSchema,
    pub(crate) table: TableConfig,
}

impl Version {
    pub(crate) fn new(sql: &'static str, columns: &[(&str, ColumnType)]) -> Self {
        let schema = TableSchema::new(Kind::new(TODOS).unwrap(), TODOS, "id")
            .column(Column::new("id", ColumnType::Text))
            .column(Column::new("title", ColumnType::Text))
            .column(Column::new("updated_at", ColumnType::Timestamp).nullable())
            .column(Column::new("deleted_at", ColumnType::Timestamp).nullable());
        let columns = columns
            .iter()
            .map(|(name, ty)| Column::new(*name, *ty).nullable());
        Self {
            sql,
            schema: columns.fold(schema, TableSchema::column),
            table: TableConfig::new(),
        }
    }

    pub(crate) fn table(mut self, table: TableConfig) -> Self {
        self.table = table;
        self
    }
}

/// The first version of the app.
pub(crate) fn first() -> Version {
    let sql = "CREATE TABLE IF NOT EXISTS todos (id TEXT PRIMARY KEY NOT NULL, \
               title TEXT NOT NULL, done INTEGER, updated_at TEXT, deleted_at TEXT)";
    Version::new(sql, &[("done", ColumnType::Boolean)])
}

pub(crate) struct App {
    pub(crate) engine: SyncEngine,
    pub(crate) store: SqliteStore,
    pub(crate) world: FakeEnv,
    path: PathBuf,
    events: Mutex<EventStream>,
}

impl App {
    /// Starts this version of the app on a file.
    pub(crate) async fn start(
        server: &MockServer,
        path: &Path,
        version: &Version,
        world: &FakeEnv,
    ) -> Self {
        world.auto_advance(Duration::from_secs(20));
        let store = SqliteStore::open(path).await.unwrap();
        let sql = sqlx::raw_sql(version.sql);
        sql.execute(store.pool()).await.unwrap();
        let transport = RestTransport::builder(server.url()).env(world.env());
        let engine = SyncEngine::builder(store.clone(), transport.build().unwrap())
            .schema(version.schema.clone(), version.table.clone())
            .config(SyncConfig::default().with_max_retries(1))
            .env(world.env())
            .build()
            .await
            .unwrap();
        Self {
            events: Mutex::new(engine.events()),
            engine,
            store,
            world: world.clone(),
            path: path.to_owned(),
        }
    }

    /// Ends the process; the file is whole.
    pub(crate) async fn stop(self) -> PathBuf {
        self.engine.shutdown().await;
        self.store.close().await.unwrap();
        self.path
    }

    /// The app is updated.
    pub(crate) async fn update(self, server: &MockServer, version: &Version) -> Self {
        let world = self.world.clone();
        let path = self.stop().await;
        Self::start(server, &path, version, &world).await
    }

    pub(crate) async fn create(&self, id: &str, mut fields: Value) {
        fields["id"] = json!(id);
        let record = Record::try_from(fields).unwrap();
        self.engine
            .records(TODOS)
            .unwrap()
            .insert(record)
            .await
            .unwrap();
    }

    pub(crate) async fn edit(&self, id: &str, mut fields: Value) {
        let changed: ChangedFields = fields.as_object().unwrap().keys().cloned().collect();
        fields["id"] = json!(id);
        let record = Record::try_from(fields).unwrap();
        let records = self.engine.records(TODOS).unwrap();
        assert!(records.change(record, &changed).await.unwrap());
    }

    /// A run that pulls nothing.
    pub(crate) async fn push(&self) -> SyncReport {
        self.world.advance(Duration::from_secs(600));
        let options = SyncOptions::default().no_pull();
        self.engine.sync_with(options).await.unwrap()
    }

    pub(crate) async fn sync(&self) -> SyncReport {
        self.world.advance(Duration::from_secs(600));
        self.engine.sync().await.unwrap()
    }

    pub(crate) async fn sync_fully(&self) {
        let report = self.sync().await;
        assert!(report.is_complete(), "{report:?}");
        assert_eq!(report.pending, 0, "{:?}", self.ops().await);
    }

    pub(crate) async fn ops(&self) -> Vec<Op> {
        self.engine
            .outbox()
            .list(&OpQuery::default())
            .await
            .unwrap()
    }

    /// One value, as the app's own SQL reads it.
    pub(crate) async fn text(&self, sql: &'static str) -> Option<String> {
        let value = sqlx::query_scalar(sql).fetch_optional(self.store.pool());
        value.await.unwrap().flatten()
    }

    /// The names of what happened since the last call, as `ConflictDetected`.
    pub(crate) fn events(&self) -> Vec<String> {
        let mut stream = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let next = || stream.next().now_or_never().flatten();
        std::iter::from_fn(next)
            .map(|event| name_of(&event))
            .collect()
    }
}

fn name_of(event: &SyncEvent) -> String {
    let text = format!("{event:?}");
    let end = text.find([' ', '(', '{']).unwrap_or(text.len());
    text[..end].to_owned()
}

/// Do these fields of the server's record have these values?
#[track_caller]
pub(crate) fn assert_there(server: &MockServer, id: &str, fields: &Value) {
    let record = server.get(TODOS, id);
    let record = record.unwrap_or_else(|| panic!("the server has no {id}"));
    for (name, value) in fields.as_object().unwrap() {
        assert_eq!(&record[name], value, "{name} of {record}");
    }
}
