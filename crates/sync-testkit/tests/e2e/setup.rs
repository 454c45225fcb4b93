//! Devices with a file each, and a server between them.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{FutureExt, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sync_core::store::OpQuery;
use sync_core::{
    ChangedFields, ConflictStrategy, EntityId, EventStream, Kind, Op, Record, RecordWriter,
    SyncConfig, SyncEngine, SyncEntity, SyncError, SyncEvent, SyncReport, TableConfig,
};
use sync_rest::{RestTransport, RestTransportBuilder};
use sync_sqlx::SqliteStore;
use sync_testkit::{FakeEnv, MockServer};
use tempfile::TempDir;

thread_local! {
    /// Devices must not make the same ids.
    static SEEDS: Cell<u64> = const { Cell::new(1) };
}

/// The kind of the tests.
pub(crate) const NOTES: &str = "notes";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "notes")]
pub(crate) struct Note {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    pub(crate) mood: Option<i64>,
    pub(crate) energy: Option<i64>,
    #[sync(local_only)]
    pub(crate) pinned: Option<bool>,
    pub(crate) updated_at: Option<DateTime<Utc>>,
    pub(crate) deleted_at: Option<DateTime<Utc>>,
}

/// A second kind, without a mark for deleted rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "labels")]
pub(crate) struct Label {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) updated_at: Option<DateTime<Utc>>,
}

/// The columns that server and devices have in common.
const COMPARED: [&str; 5] = ["id", "title", "body", "mood", "energy"];

/// What a device is made of.
pub(crate) struct Setup {
    url: String,
    folder: Arc<TempDir>,
    world: FakeEnv,
    table: TableConfig,
    config: SyncConfig,
    rest: Box<dyn FnOnce(RestTransportBuilder) -> RestTransportBuilder>,
    labels: Option<TableConfig>,
    account: Option<&'static str>,
}

impl Setup {
    pub(crate) fn new(server: &MockServer) -> Self {
        let world = FakeEnv::new(SEEDS.replace(SEEDS.get() + 1));
        world.auto_advance(Duration::from_secs(20));
        Self {
            url: server.url(),
            folder: Arc::new(tempfile::tempdir().unwrap()),
            world,
            table: TableConfig::new(),
            config: SyncConfig::default()
                .with_max_retries(1)
                // Its heartbeat sleeps longer than the world lets pass by itself.
                .with_lease_duration(Duration::from_secs(90)),
            rest: Box::new(|rest| rest),
            labels: None,
            account: None,
        }
    }

    pub(crate) fn strategy(self, strategy: ConflictStrategy) -> Self {
        self.table(|table| table.strategy(strategy))
    }

    pub(crate) fn table(mut self, change: impl FnOnce(TableConfig) -> TableConfig) -> Self {
        self.table = change(self.table);
        self
    }

    pub(crate) fn config(mut self, change: impl FnOnce(SyncConfig) -> SyncConfig) -> Self {
        self.config = change(self.config);
        self
    }

    pub(crate) fn rest(
        mut self,
        change: impl FnOnce(RestTransportBuilder) -> RestTransportBuilder + 'static,
    ) -> Self {
        self.rest = Box::new(change);
        self
    }

    pub(crate) fn with_labels(self) -> Self {
        self.labels(TableConfig::new())
    }

    pub(crate) fn labels(mut self, table: TableConfig) -> Self {
        self.labels = Some(table);
        self
    }

    pub(crate) fn account(mut self, account: &'static str) -> Self {
        self.account = Some(account);
        self
    }

    /// The file of another device, which must be gone.
    pub(crate) fn file_of(mut self, folder: Arc<TempDir>) -> Self {
        self.folder = folder;
        self
    }

    pub(crate) fn world(mut self, world: &FakeEnv) -> Self {
        self.world = world.clone();
        self
    }

    pub(crate) async fn open(self) -> Device {
        self.try_open().await.unwrap()
    }

    pub(crate) async fn try_open(self) -> Result<Device, SyncError> {
        let store = SqliteStore::open(path_in(&self.folder)).await.unwrap();
        store.create_table::<Note>().await.unwrap();
        store.create_table::<Label>().await.unwrap();
        let rest = (self.rest)(RestTransport::builder(&self.url).env(self.world.env()));
        let builder = SyncEngine::builder(store.clone(), rest.build().unwrap())
            .table_with::<Note>(self.table)
            .config(self.config)
            .env(self.world.env());
        let builder = match self.labels {
            Some(table) => builder.table_with::<Label>(table),
            None => builder,
        };
        let builder = match self.account {
            Some(account) => builder.account(account),
            None => builder,
        };
        let engine = builder.build().await?;
        Ok(Device {
            events: Mutex::new(engine.events()),
            notes: engine.records(NOTES).unwrap(),
            engine,
            store,
            folder: self.folder,
            world: self.world,
        })
    }
}

pub(crate) fn path_in(folder: &TempDir) -> PathBuf {
    folder.path().join("app.db")
}

/// An app: its engine, its file and its clock.
pub(crate) struct Device {
    pub(crate) engine: SyncEngine,
    pub(crate) notes: RecordWriter,
    pub(crate) store: SqliteStore,
    pub(crate) folder: Arc<TempDir>,
    pub(crate) world: FakeEnv,
    events: Mutex<EventStream>,
}

/// A device with the default settings.
pub(crate) async fn device(server: &MockServer) -> Device {
    Setup::new(server).open().await
}

/// A device that knows labels too.
pub(crate) async fn two_kinds(server: &MockServer) -> Device {
    Setup::new(server).with_labels().open().await
}

pub(crate) fn kind() -> Kind {
    Kind::new(NOTES).unwrap()
}

pub(crate) fn entity(id: &str) -> EntityId {
    EntityId::new(id).unwrap()
}

/// What the user does.
impl Device {
    /// Inserts a note; what is not said is null.
    pub(crate) async fn create(&self, id: &str, fields: Value) {
        self.try_create(id, fields).await.unwrap();
    }

    pub(crate) async fn try_create(&self, id: &str, fields: Value) -> Result<(), SyncError> {
        let mut note = json!({"id": id, "title": "", "body": null, "mood": null, "energy": null});
        overlay(&mut note, &fields);
        self.notes.insert(Record::try_from(note).unwrap()).await
    }

    /// Changes some fields of a note.
    pub(crate) async fn edit(&self, id: &str, fields: Value) {
        let changed: ChangedFields = fields.as_object().unwrap().keys().cloned().collect();
        let mut note = json!({"id": id});
        overlay(&mut note, &fields);
        let record = Record::try_from(note).unwrap();
        assert!(self.notes.change(record, &changed).await.unwrap());
    }

    pub(crate) async fn delete(&self, id: &str) {
        assert!(self.notes.delete(&entity(id)).await.unwrap());
    }

    pub(crate) async fn sync(&self) -> SyncReport {
        self.engine.sync().await.unwrap()
    }

    /// Syncs and expects that all there was to do was done.
    pub(crate) async fn sync_fully(&self) -> SyncReport {
        let report = self.sync().await;
        assert!(report.is_complete(), "{report:?}");
        assert_eq!(report.pending, 0, "{:?}", self.ops().await);
        report
    }

    /// Time passes, more than any back-off.
    pub(crate) fn wait(&self) {
        self.world.advance(Duration::from_secs(600));
    }
}

/// What the test sees.
impl Device {
    /// A row as plain SQL reads it, deleted or not.
    pub(crate) async fn row(&self, id: &str) -> Option<Value> {
        let sql = "SELECT json_object('id', id, 'title', title, 'body', body, 'mood', mood, \
                   'energy', energy, 'pinned', pinned, 'updated_at', updated_at, \
                   'deleted_at', deleted_at) FROM notes WHERE id = ?";
        let text: Option<String> = sqlx::query_scalar(sql)
            .bind(id)
            .fetch_optional(self.store.pool())
            .await
            .unwrap();
        text.map(|text| serde_json::from_str(&text).unwrap())
    }

    /// A row that is not deleted.
    pub(crate) async fn live(&self, id: &str) -> Option<Value> {
        self.row(id).await.filter(|row| row["deleted_at"].is_null())
    }

    /// The compared fields of all live rows.
    pub(crate) async fn all(&self) -> BTreeMap<String, Value> {
        let sql = "SELECT json_object('id', id, 'title', title, 'body', body, 'mood', mood, \
                   'energy', energy, 'updated_at', updated_at) FROM notes WHERE deleted_at IS NULL";
        let texts: Vec<String> = sqlx::query_scalar(sql)
            .fetch_all(self.store.pool())
            .await
            .unwrap();
        let rows = texts.iter().map(|text| serde_json::from_str(text).unwrap());
        rows.map(|row: Value| (row["id"].as_str().unwrap().to_owned(), compared(&row)))
            .collect()
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql)
            .fetch_one(self.store.pool())
            .await
            .unwrap()
    }

    /// The queue, oldest first.
    pub(crate) async fn ops(&self) -> Vec<Op> {
        self.engine
            .outbox()
            .list(&OpQuery::default())
            .await
            .unwrap()
    }

    /// What happened since the last call.
    pub(crate) fn events(&self) -> Vec<SyncEvent> {
        let mut stream = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let next = || stream.next().now_or_never().flatten();
        std::iter::from_fn(next).collect()
    }

    /// The names of what happened since the last call, as `ConflictDetected`.
    pub(crate) fn event_names(&self) -> Vec<String> {
        self.events().iter().map(name_of).collect()
    }
}

pub(crate) fn name_of(event: &SyncEvent) -> String {
    let text = format!("{event:?}");
    let end = text.find([' ', '(', '{']).unwrap_or(text.len());
    text[..end].to_owned()
}

pub(crate) fn overlay(note: &mut Value, fields: &Value) {
    let note = note.as_object_mut().unwrap();
    note.extend(fields.as_object().unwrap().clone());
}

fn compared(record: &Value) -> Value {
    let pairs = COMPARED.map(|name| (name.to_owned(), record[name].clone()));
    Value::Object(pairs.into_iter().collect())
}

/// A server with these switches' defaults and one note, `n1`.
pub(crate) async fn server_with_note() -> MockServer {
    let server = MockServer::start().await.unwrap();
    seed_note(&server);
    server
}

pub(crate) fn seed_note(server: &MockServer) {
    let note = json!({"id": "n1", "title": "Old", "body": "base", "mood": 3, "energy": null});
    server.seed(NOTES, [note]).unwrap();
}

pub(crate) fn many(count: usize) -> Vec<Value> {
    let note = |number| json!({"id": format!("n{number:05}"), "title": format!("T{number}")});
    (0..count).map(note).collect()
}

/// Syncs everybody until nothing is left to bring, and expects all replicas to equal the server.
pub(crate) async fn converge(server: &MockServer, devices: &[&Device]) {
    for _ in 0..2 {
        for device in devices {
            device.wait();
            device.sync_fully().await;
        }
    }
    for device in devices {
        assert_equal(server, device).await;
    }
    assert_eq!(server.reused_keys(), Vec::<String>::new());
}

/// Names what differs between a device and the server.
async fn assert_equal(server: &MockServer, device: &Device) {
    let (here, there) = (device.all().await, server.all(NOTES));
    let ids: BTreeSet<&String> = here.keys().chain(there.keys()).collect();
    let pairs = ids
        .into_iter()
        .map(|id| (here.get(id).cloned(), there.get(id).map(compared)));
    let different: Vec<_> = pairs.filter(|(here, there)| here != there).collect();
    assert_eq!(different, [], "device and server differ");
}

/// Do these fields have these values?
#[track_caller]
pub(crate) fn assert_fields(record: Option<&Value>, fields: &Value) {
    let record = record.unwrap_or_else(|| panic!("there is no record with {fields}"));
    for (name, value) in fields.as_object().unwrap() {
        assert_eq!(&record[name], value, "{name} of {record}");
    }
}
