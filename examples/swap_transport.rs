//! The todo app on another transport: no HTTP, the server is a map in this process.

mod todo;

use std::collections::BTreeMap;
use std::error::Error;

use async_trait::async_trait;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use sync_core::transport::*;
use sync_core::{EntityId, Precondition, Record, ServerState, SyncEngine, SyncEntity};
use sync_sqlx::SqliteStore;
use todo::Todo;
use tokio::sync::Mutex;

type Rows = BTreeMap<EntityId, Record>;
type Reply<T> = Result<Answer<T>, TransportError>;

/// A server for one kind of entity. The stamp of a write is a second after that of the last one.
#[derive(Debug)]
struct InProcess(Mutex<Rows>);

#[async_trait]
impl Transport for InProcess {
    async fn pull(&self, request: PullRequest) -> Reply<PullPage> {
        let rows = self.0.lock().await;
        let is_new = |row: &&Record| row.stamp().ok() > request.since;
        let mut new: Vec<&Record> = rows.values().filter(is_new).collect();
        new.sort_by_key(|row| row.stamp().ok());
        let page = new.into_iter().take(request.limit as usize).cloned();
        Ok(Answer::new(PullPage::new(page.map(Value::from).collect())))
    }

    async fn push(&self, request: PushRequest) -> Reply<Vec<PushResult>> {
        let mut rows = self.0.lock().await;
        let ops = request.ops.into_iter();
        let results = ops.map(|op| PushResult::new(op.key.clone(), write(&mut rows, op)));
        Ok(Answer::new(results.collect()))
    }

    async fn fetch(&self, request: FetchRequest) -> Reply<ServerState> {
        let found = self.0.lock().await.get(&request.id).map(state_of);
        Ok(Answer::new(found.unwrap_or_else(ServerState::gone)))
    }

    async fn health(&self) -> Reply<()> {
        Ok(Answer::new(()))
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        Ok(Box::pin(futures::stream::empty()))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("in-process")
    }
}

fn state_of(row: &Record) -> ServerState {
    ServerState::of(row.clone(), None)
}

/// Writes what a device sends, if the record is still what the device believes it to be.
fn write(rows: &mut Rows, op: PushOp) -> PushOutcome {
    let state = rows.get(&op.id).map(state_of);
    let current = state.as_ref().and_then(ServerState::version);
    let is_met = match &op.precondition {
        Precondition::IfBase { version } => current == Some(version),
        Precondition::IfAbsent => state.is_none(),
        Precondition::Force => true,
    };
    if !is_met {
        return PushOutcome::Conflict { state, time: None };
    }
    let stamps = rows.values().filter_map(|row| row.get("updated_at"));
    let stamp = json!(stamps.filter_map(Value::as_i64).max().unwrap_or(0) + 1);
    let mut record = match op.change {
        PushChange::Upsert { record, .. } => record,
        PushChange::Delete => [("deleted_at".into(), stamp.clone())].into_iter().collect(),
    };
    record.fields_mut().insert("id".into(), json!(op.id));
    record.fields_mut().insert("updated_at".into(), stamp);
    let state = Some(state_of(&record));
    rows.insert(op.id, record);
    PushOutcome::Accepted { state }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let bread = Record::try_from(todo::on_the_server())?;
    let transport = InProcess(Mutex::new([(bread.id()?, bread)].into())); // the part that is swapped

    let store = SqliteStore::open_in_memory().await?;
    let create_table = sqlx::query(AssertSqlSafe(Todo::create_table_sql()));
    create_table.execute(store.pool()).await?;
    let builder = SyncEngine::builder(store, transport).table::<Todo>();
    todo::run(&builder.build().await?).await
}
