//! An engine whose server counts what it is asked, in a world whose time moves when told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::{StreamExt, stream};
use serde_json::json;
use sync_core::transport::{
    Answer, Capabilities, FetchRequest, PullPage, PullRequest, PushOutcome, PushRequest,
    PushResult, Wakeup, WakeupStream,
};
use sync_core::{
    Column, ColumnType, Kind, MemoryStore, Record, RetryPolicy, ServerState, SyncConfig,
    SyncEngine, TableConfig, TableSchema, Transport, TransportError, TransportErrorKind,
};
use sync_testkit::{FakeEnv, FaultyTransport, TransportScript};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
/// Between an edit or a wake-up and its run.
pub(crate) const PAUSE: Duration = Duration::from_millis(250);
pub(crate) const MOMENT: Duration = Duration::from_millis(1);

pub(crate) fn kind(name: &str) -> Kind {
    Kind::new(name).unwrap()
}

pub(crate) fn changed(name: &str) -> Wakeup {
    Wakeup::Kind(kind(name))
}

/// A server without records that counts what it is asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Server(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) pulled: Vec<String>,
    /// A kind of which it answers no pull.
    pub(crate) refused: Option<Kind>,
    pub(crate) pushes: usize,
    pub(crate) openings: usize,
    pub(crate) channels: VecDeque<UnboundedReceiver<Wakeup>>,
}

impl Server {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Who next asks for a channel gets the other end of this one; without one, there is none.
    pub(crate) fn channel(&self) -> UnboundedSender<Wakeup> {
        let (sender, receiver) = unbounded();
        self.state().channels.push_back(receiver);
        sender
    }

    /// The kinds that were pulled since the last call, in the order of their names.
    pub(crate) fn pulled(&self) -> Vec<String> {
        let mut pulled = std::mem::take(&mut self.state().pulled);
        pulled.sort();
        pulled
    }

    pub(crate) fn pushes(&self) -> usize {
        std::mem::take(&mut self.state().pushes)
    }

    pub(crate) fn openings(&self) -> usize {
        std::mem::take(&mut self.state().openings)
    }
}

#[async_trait]
impl Transport for Server {
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        let mut state = self.state();
        state.pulled.push(request.kind.to_string());
        if state.refused.as_ref() == Some(&request.kind) {
            let message = "as the test wants it";
            return Err(TransportError::new(TransportErrorKind::Rejected, message));
        }
        Ok(Answer::new(PullPage::new(Vec::new())))
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        self.state().pushes += 1;
        let done = |op: sync_core::transport::PushOp| {
            PushResult::new(op.key, PushOutcome::Accepted { state: None })
        };
        Ok(Answer::new(request.ops.into_iter().map(done).collect()))
    }

    async fn fetch(&self, _: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        Ok(Answer::new(ServerState::gone()))
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        Ok(Answer::new(()))
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        let mut state = self.state();
        state.openings += 1;
        Ok(match state.channels.pop_front() {
            Some(channel) => channel.boxed(),
            None => stream::empty().boxed(),
        })
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("here")
    }
}

/// Ten seconds for each failure.
#[derive(Debug)]
pub(crate) struct TenSeconds;

impl RetryPolicy for TenSeconds {
    fn delay(&self, attempt: u32, _: u64) -> Duration {
        10 * SECOND * attempt
    }
}

/// An engine of two tables, not started yet.
pub(crate) struct App {
    pub(crate) world: FakeEnv,
    pub(crate) script: TransportScript,
    pub(crate) server: Server,
    pub(crate) engine: SyncEngine,
}

impl App {
    pub(crate) async fn new() -> Self {
        Self::with(|config| config).await
    }

    pub(crate) async fn with(change: impl FnOnce(SyncConfig) -> SyncConfig) -> Self {
        let (world, server) = (FakeEnv::new(1), Server::default());
        let script = TransportScript::new(world.env());
        let transport = FaultyTransport::new(Arc::new(server.clone()), script.clone());
        let schema = |name| {
            TableSchema::new(kind(name), name, "id")
                .column(Column::new("id", ColumnType::Text))
                .column(Column::new("updated_at", ColumnType::Timestamp).nullable())
        };
        let engine = SyncEngine::builder(MemoryStore::new(), transport)
            .schema(schema("labels"), TableConfig::new())
            .schema(schema("notes"), TableConfig::new())
            .config(change(SyncConfig::default()))
            .env(world.env())
            .retry_policy(Arc::new(TenSeconds))
            .bare_transport()
            .build()
            .await
            .unwrap();
        Self {
            world,
            script,
            server,
            engine,
        }
    }

    /// An app that has started, whose first runs are over.
    pub(crate) async fn started(self) -> Self {
        self.engine.start_auto();
        self.pass(PAUSE).await;
        self.server.pulled();
        self.server.openings();
        self
    }

    /// Time passes, and whoever has something to do does it.
    pub(crate) async fn pass(&self, time: Duration) {
        calm().await;
        self.world.advance(time);
        calm().await;
    }

    pub(crate) async fn write(&self, id: &str) {
        let record = Record::try_from(json!({"id": id})).unwrap();
        let notes = self.engine.records("notes").unwrap();
        notes.insert(record).await.unwrap();
    }
}

/// Everybody has had all the turns that there is something to do for.
pub(crate) async fn calm() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
