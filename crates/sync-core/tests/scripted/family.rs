//! Lists with todos, and folders in folders: a device, and a server that keeps what it is given.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use futures::stream;
use serde_json::{Value, json};
use sync_core::store::{OpQuery, QuarantineEntry};
use sync_core::transport::{
    Answer, Capabilities, Features, FetchRequest, PullPage, PullRequest, PushChange, PushOp,
    PushOutcome, PushRequest, PushResult, WakeupStream,
};
use sync_core::{
    BlockedBy, Column, ColumnType, EntityId, Kind, MemoryStore, Op, Precondition, Record,
    RecordWriter, ServerState, SoftDelete, SyncConfig, SyncEngine, SyncReport, TableConfig,
    TableSchema, Timestamp, Transport, TransportError,
};

pub(crate) fn kind(name: &str) -> Kind {
    Kind::new(name).unwrap()
}

pub(crate) fn id(text: &str) -> EntityId {
    EntityId::new(text).unwrap()
}

/// A server that takes everything but what it is told to refuse.
#[derive(Debug, Clone, Default)]
pub(crate) struct Home(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    rows: BTreeMap<(String, String), Value>,
    refused: BTreeSet<String>,
    batch: u32,
    clock: i64,
    pushed: Vec<String>,
}

impl State {
    fn write(&mut self, kind: &str, mut row: Value) -> Value {
        self.clock += 1;
        let stamp = Timestamp::from_unix_millis(1_700_000_000_000 + self.clock);
        row["updated_at"] = stamp.to_json();
        let id = row["id"].as_str().unwrap().to_owned();
        self.rows.insert((kind.to_owned(), id), row.clone());
        row
    }

    fn push(&mut self, op: &PushOp) -> PushOutcome {
        let id = op.id.to_string();
        let (verb, row) = match &op.change {
            PushChange::Upsert { record, .. } => ("put", Value::from(record.clone())),
            PushChange::Delete => (
                "delete",
                json!({"id": id, "deleted_at": "2026-01-01T00:00:00Z"}),
            ),
        };
        self.pushed.push(format!("{verb} {id}"));
        if self.refused.contains(&id) {
            let message = "no".to_owned();
            return PushOutcome::Refused {
                status: 422,
                message,
            };
        }
        let key = (op.kind.to_string(), id);
        if let (Some(here), Precondition::IfBase { version }) =
            (self.rows.get(&key), &op.precondition)
            && here["updated_at"] != version.stamp.to_json()
        {
            let state = ServerState::of(Record::try_from(here.clone()).unwrap(), None);
            return PushOutcome::Conflict {
                state: Some(state),
                time: None,
            };
        }
        let row = self.write(op.kind.as_str(), row);
        let state = ServerState::of(Record::try_from(row).unwrap(), None);
        PushOutcome::Accepted { state: Some(state) }
    }
}

impl Home {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Somebody else writes a row.
    pub(crate) fn has(&self, kind: &str, row: Value) {
        self.state().write(kind, row);
    }

    pub(crate) fn deletes(&self, kind: &str, id: &str) {
        let row = json!({"id": id, "deleted_at": "2026-01-01T00:00:00Z"});
        self.state().write(kind, row);
    }

    /// A row is gone without a trace.
    pub(crate) fn loses(&self, kind: &str, id: &str) {
        let key = (kind.to_owned(), id.to_owned());
        self.state().rows.remove(&key).unwrap();
    }

    pub(crate) fn refuses(&self, id: &str) {
        self.state().refused.insert(id.to_owned());
    }

    pub(crate) fn refuses_nothing(&self) {
        self.state().refused.clear();
    }

    pub(crate) fn takes_batches_of(&self, operations: u32) {
        self.state().batch = operations;
    }

    /// What was pushed since the last call, in order: `put l1`, `delete t1`.
    pub(crate) fn pushed(&self) -> Vec<String> {
        std::mem::take(&mut self.state().pushed)
    }
}

fn answer<T>(value: T) -> Answer<T> {
    let mut answer = Answer::new(value);
    answer.features = Some(Features::parse("if-absent, idempotency"));
    answer
}

#[async_trait]
impl Transport for Home {
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        let from = request.since.map(|since| (since, request.after_id));
        let state = self.state();
        let own = state
            .rows
            .iter()
            .filter(|(key, _)| key.0 == request.kind.as_str());
        let mut rows: Vec<(Timestamp, &String, &Value)> = own
            .map(|(key, row)| {
                (
                    Timestamp::from_json(&row["updated_at"]).unwrap(),
                    &key.1,
                    row,
                )
            })
            .collect();
        rows.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
        let rows = rows.into_iter().filter(|(stamp, id, _)| match &from {
            None => true,
            Some((since, None)) => stamp >= since,
            Some((since, Some(after))) => (stamp, id.as_str()) > (since, after.as_str()),
        });
        let page = rows
            .take(request.limit as usize)
            .map(|(_, _, row)| row.clone());
        Ok(answer(PullPage::new(page.collect())))
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        let mut state = self.state();
        let results = request
            .ops
            .iter()
            .map(|op| PushResult::new(op.key.clone(), state.push(op)));
        Ok(answer(results.collect()))
    }

    async fn fetch(&self, request: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        let key = (request.kind.to_string(), request.id.to_string());
        let row = self.state().rows.get(&key).cloned();
        let state = row.map(|row| ServerState::of(Record::try_from(row).unwrap(), None));
        Ok(answer(state.unwrap_or_else(ServerState::gone)))
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        Ok(answer(()))
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        Ok(Box::pin(stream::empty()))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("home").with_max_batch(self.state().batch)
    }
}

/// A device with lists, todos and folders.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) store: MemoryStore,
    pub(crate) engine: SyncEngine,
    pub(crate) home: Home,
}

pub(crate) fn table(name: &str, fields: &[&str]) -> TableSchema {
    let schema =
        TableSchema::new(kind(name), name, "id").column(Column::new("id", ColumnType::Text));
    let stamp = Column::new("updated_at", ColumnType::Timestamp).nullable();
    fields.iter().fold(schema.column(stamp), |schema, field| {
        schema.column(Column::new(*field, ColumnType::Text).nullable())
    })
}

impl Family {
    pub(crate) async fn new() -> Self {
        Self::at(Home::default(), 500).await
    }

    /// A device of this server, with pages of this size.
    pub(crate) async fn at(home: Home, page_size: u32) -> Self {
        let store = MemoryStore::new();
        let config = SyncConfig::default()
            .with_max_outbox_try_count(1)
            .with_page_size(page_size);
        let purged = || TableConfig::new().soft_delete(SoftDelete::Purge);
        let engine = SyncEngine::builder(store.clone(), home.clone())
            .config(config)
            .schema(table("lists", &["name"]), purged())
            .schema(
                table("todos", &["title", "list_id"]),
                purged().references("list_id", "lists"),
            )
            .schema(
                table("folders", &["name", "parent_id"]),
                purged().references("parent_id", "folders"),
            )
            .bare_transport()
            .build()
            .await
            .unwrap();
        let family = Self {
            store,
            engine,
            home,
        };
        family.sync().await;
        family.home.pushed();
        family
    }

    pub(crate) async fn sync(&self) -> SyncReport {
        self.engine.sync().await.unwrap()
    }

    fn records(&self, kind: &str) -> RecordWriter {
        self.engine.records(kind).unwrap()
    }

    pub(crate) async fn list(&self, id: &str) {
        self.insert("lists", json!({"id": id, "name": "N"})).await;
    }

    pub(crate) async fn todo(&self, id: &str, list: &str) {
        let todo = json!({"id": id, "title": "T", "list_id": list});
        self.insert("todos", todo).await;
    }

    pub(crate) async fn folder(&self, id: &str, parent: Option<&str>) {
        let folder = json!({"id": id, "name": "N", "parent_id": parent});
        self.insert("folders", folder).await;
    }

    pub(crate) async fn insert(&self, kind: &str, row: Value) {
        let record = Record::try_from(row).unwrap();
        self.records(kind).insert(record).await.unwrap();
    }

    pub(crate) async fn replace(&self, kind: &str, row: Value) {
        let record = Record::try_from(row).unwrap();
        assert!(self.records(kind).replace(record).await.unwrap());
    }

    pub(crate) async fn delete(&self, kind: &str, row: &str) {
        assert!(self.records(kind).delete(&id(row)).await.unwrap());
    }

    /// The ids of a table's rows.
    pub(crate) fn rows(&self, name: &str) -> Vec<String> {
        let rows = self.store.rows(&kind(name)).into_iter();
        rows.map(|row| row.id().unwrap().to_string()).collect()
    }

    pub(crate) async fn ops(&self) -> Vec<Op> {
        self.engine
            .outbox()
            .list(&OpQuery::default())
            .await
            .unwrap()
    }

    pub(crate) async fn quarantined(&self, name: &str) -> Vec<QuarantineEntry> {
        self.engine
            .quarantine()
            .list(&kind(name), 100)
            .await
            .unwrap()
    }

    /// The blocked entities, each with what is in its way.
    pub(crate) async fn blocked(&self) -> Vec<(String, String)> {
        let blocked = self.engine.outbox().blocked().await.unwrap().into_iter();
        let told = blocked.map(|blocked| {
            let by = match blocked.by {
                BlockedBy::Operation(op) => op.entity_id.to_string(),
                BlockedBy::MissingParent { id, .. } => format!("missing {id}"),
                other => panic!("{other:?}"),
            };
            (blocked.op.entity_id.to_string(), by)
        });
        told.collect()
    }
}
