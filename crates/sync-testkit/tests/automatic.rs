//! Automatic runs: when they begin, what they pull, and how long they wait. Time moves when told.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

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
use sync_testkit::{Call, FakeEnv, FaultyTransport, TransportFault, TransportScript};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// Between an edit or a wake-up and its run.
const PAUSE: Duration = Duration::from_millis(250);
const MOMENT: Duration = Duration::from_millis(1);

fn kind(name: &str) -> Kind {
    Kind::new(name).unwrap()
}

fn changed(name: &str) -> Wakeup {
    Wakeup::Kind(kind(name))
}

/// A server without records that counts what it is asked.
#[derive(Debug, Clone, Default)]
struct Server(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    pulled: Vec<String>,
    /// A kind of which it answers no pull.
    refused: Option<Kind>,
    pushes: usize,
    openings: usize,
    channels: VecDeque<UnboundedReceiver<Wakeup>>,
}

impl Server {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Who next asks for a channel gets the other end of this one; without one, there is none.
    fn channel(&self) -> UnboundedSender<Wakeup> {
        let (sender, receiver) = unbounded();
        self.state().channels.push_back(receiver);
        sender
    }

    /// The kinds that were pulled since the last call, in the order of their names.
    fn pulled(&self) -> Vec<String> {
        let mut pulled = std::mem::take(&mut self.state().pulled);
        pulled.sort();
        pulled
    }

    fn pushes(&self) -> usize {
        std::mem::take(&mut self.state().pushes)
    }

    fn openings(&self) -> usize {
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
struct TenSeconds;

impl RetryPolicy for TenSeconds {
    fn delay(&self, attempt: u32, _: u64) -> Duration {
        10 * SECOND * attempt
    }
}

/// An engine of two tables, not started yet.
struct App {
    world: FakeEnv,
    script: TransportScript,
    server: Server,
    engine: SyncEngine,
}

impl App {
    async fn new() -> Self {
        Self::with(|config| config).await
    }

    async fn with(change: impl FnOnce(SyncConfig) -> SyncConfig) -> Self {
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
    async fn started(self) -> Self {
        self.engine.start_auto();
        self.pass(PAUSE).await;
        self.server.pulled();
        self.server.openings();
        self
    }

    /// Time passes, and whoever has something to do does it.
    async fn pass(&self, time: Duration) {
        calm().await;
        self.world.advance(time);
        calm().await;
    }

    async fn write(&self, id: &str) {
        let record = Record::try_from(json!({"id": id})).unwrap();
        let notes = self.engine.records("notes").unwrap();
        notes.insert(record).await.unwrap();
    }
}

/// Everybody has had all the turns that there is something to do for.
async fn calm() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_wake_up_pulls_what_it_names_a_moment_later() {
    let app = App::new().await;
    let channel = app.server.channel();
    let app = app.started().await;
    channel.unbounded_send(changed("notes")).unwrap();
    app.pass(PAUSE - MOMENT).await;
    assert_eq!(app.server.pulled(), [""; 0]);
    app.pass(MOMENT).await;
    assert_eq!(app.server.pulled(), ["notes"]);
    app.pass(MINUTE).await;
    assert_eq!(app.server.pulled(), [""; 0], "it was answered once");
}

#[tokio::test]
async fn wake_ups_that_come_together_are_one_run() {
    let app = App::new().await;
    let channel = app.server.channel();
    let app = app.started().await;
    for name in ["notes", "labels", "notes", "notes", "labels"] {
        channel.unbounded_send(changed(name)).unwrap();
        app.pass(PAUSE / 10).await;
    }
    app.pass(PAUSE / 2).await;
    assert_eq!(app.server.pulled(), ["labels", "notes"]);
    app.pass(MINUTE).await;
    assert_eq!(app.server.pulled(), [""; 0]);
}

#[tokio::test]
async fn missed_events_wake_up_every_kind_and_a_stranger_none() {
    let app = App::new().await;
    let channel = app.server.channel();
    let app = app.started().await;
    channel.unbounded_send(changed("strangers")).unwrap();
    app.pass(MINUTE).await;
    assert_eq!(app.server.pulled(), [""; 0]);
    channel.unbounded_send(Wakeup::Everything).unwrap();
    app.pass(PAUSE).await;
    assert_eq!(app.server.pulled(), ["labels", "notes"]);
}

#[tokio::test]
async fn what_changed_before_the_channel_was_open_is_looked_for() {
    let app = App::new().await;
    let _channel = app.server.channel();
    let opening = app.script.hold(Call::Wakeups);
    app.engine.start_auto();
    app.pass(MINUTE).await;
    assert_eq!(app.server.pulled(), ["labels", "notes"]);
    opening.release();
    app.pass(PAUSE).await;
    assert_eq!(app.server.pulled(), ["labels", "notes"]);
}

#[tokio::test]
async fn wake_ups_during_a_run_are_answered_by_one_run_after_it() {
    let app = App::new().await;
    let channel = app.server.channel();
    let app = app.started().await;
    let on_its_way = app.script.hold(Call::Pull);
    channel.unbounded_send(changed("notes")).unwrap();
    app.pass(PAUSE).await;
    for _ in 0..3 {
        channel.unbounded_send(changed("labels")).unwrap();
    }
    on_its_way.release();
    app.pass(Duration::ZERO).await;
    assert_eq!(app.server.pulled(), ["notes"]);
    app.pass(PAUSE).await;
    assert_eq!(app.server.pulled(), ["labels"]);
}

#[tokio::test]
async fn a_kind_is_pulled_again_after_a_run_that_failed_and_not_before_the_back_off() {
    let app = App::new().await;
    let channel = app.server.channel();
    let app = app.started().await;
    let lost = TransportFault::Before(TransportErrorKind::Offline);
    app.script.next(Call::Pull, lost);
    channel.unbounded_send(changed("notes")).unwrap();
    app.pass(PAUSE).await;
    // Whoever wakes it up meanwhile waits too.
    channel.unbounded_send(changed("labels")).unwrap();
    app.pass(10 * SECOND - MOMENT).await;
    assert_eq!(app.server.pulled(), [""; 0]);
    app.pass(MOMENT).await;
    assert_eq!(app.server.pulled(), ["labels", "notes"]);
}

#[tokio::test]
async fn a_kind_that_cannot_be_pulled_backs_off_alone() {
    let app = App::new().await;
    let channel = app.server.channel();
    app.server.state().refused = Some(kind("labels"));
    let app = app.started().await;
    app.write("a").await;
    channel.unbounded_send(changed("notes")).unwrap();
    channel.unbounded_send(changed("labels")).unwrap();
    app.pass(PAUSE).await;
    assert_eq!(
        (app.server.pulled(), app.server.pushes()),
        (vec!["notes".to_owned()], 1)
    );
    app.pass(10 * SECOND - 2 * PAUSE).await;
    assert_eq!(app.server.pulled(), ["labels"]);
    app.pass(20 * SECOND - MOMENT).await;
    assert_eq!(app.server.pulled(), [""; 0]);
    app.server.state().refused = None;
    app.pass(MOMENT).await;
    assert_eq!(app.server.pulled(), ["labels"]);
    app.pass(4 * MINUTE).await;
    assert_eq!(app.server.pulled(), [""; 0], "it is in order again");
}

#[tokio::test]
async fn a_server_that_asks_for_a_pause_gets_it_whoever_wakes_up_or_edits() {
    let app = App::new().await;
    let channel = app.server.channel();
    let app = app.started().await;
    let asked = 10 * MINUTE;
    app.script
        .next(Call::Pull, TransportFault::Unavailable(asked));
    channel.unbounded_send(changed("notes")).unwrap();
    app.pass(PAUSE).await;
    channel.unbounded_send(changed("notes")).unwrap();
    app.write("a").await;
    app.pass(asked - MOMENT).await;
    assert_eq!(
        (app.server.pulled(), app.server.pushes()),
        (Vec::new(), 0),
        "longer than the back-off and the interval"
    );
    app.pass(MOMENT).await;
    assert_eq!(app.server.pulled(), ["labels", "notes"]);
    assert_eq!(app.server.pushes(), 1);
}

#[tokio::test]
async fn a_pause_that_a_push_is_asked_for_holds_for_pulls_too() {
    let app = App::new().await.started().await;
    let busy = TransportFault::Unavailable(10 * MINUTE);
    app.script.next(Call::Push, busy);
    app.write("a").await;
    app.pass(PAUSE).await;
    app.pass(10 * MINUTE - MOMENT).await;
    assert_eq!((app.server.pulled().len(), app.server.pushes()), (0, 0));
    app.pass(MOMENT).await;
    assert_eq!((app.server.pulled().len(), app.server.pushes()), (2, 1));
}

#[tokio::test]
async fn of_several_pauses_that_are_asked_for_the_longest_counts() {
    for (first, second) in [(20 * SECOND, MINUTE), (MINUTE, 20 * SECOND)] {
        let app = App::new().await;
        app.script
            .next(Call::Pull, TransportFault::Unavailable(first))
            .next(Call::Pull, TransportFault::Unavailable(second));
        app.engine.start_auto();
        app.pass(MINUTE - MOMENT).await;
        assert_eq!(app.server.pulled(), [""; 0]);
        app.pass(MOMENT).await;
        assert_eq!(app.server.pulled(), ["labels", "notes"]);
    }
}

#[tokio::test]
async fn no_server_holds_automatic_runs_up_for_longer_than_the_ceiling() {
    for call in [Call::Pull, Call::Push] {
        let app = App::new().await;
        app.write("a").await;
        let busy = TransportFault::Unavailable(1_000 * HOUR);
        app.script.next(call, busy);
        app.engine.start_auto();
        app.pass(Duration::ZERO).await;
        app.server.pulled();
        app.pass(HOUR - MOMENT).await;
        assert_eq!(app.server.pulled(), [""; 0]);
        app.pass(MOMENT).await;
        assert_eq!(app.server.pulled(), ["labels", "notes"]);
    }
}

#[tokio::test]
async fn a_channel_that_is_lost_is_opened_again_after_a_back_off() {
    let app = App::new().await;
    let first = app.server.channel();
    let app = app.started().await;
    let second = app.server.channel();
    drop(first);
    app.pass(10 * SECOND - MOMENT).await;
    assert_eq!(app.server.openings(), 0);
    app.pass(MOMENT).await;
    assert_eq!(app.server.openings(), 1);
    app.pass(PAUSE).await;
    assert_eq!(
        app.server.pulled(),
        [""; 0],
        "it tells itself what was missed"
    );
    second.unbounded_send(changed("notes")).unwrap();
    app.pass(PAUSE).await;
    assert_eq!(app.server.pulled(), ["notes"]);
}

#[tokio::test]
async fn a_channel_that_does_not_open_is_asked_for_less_and_less_often() {
    let app = App::new().await;
    let fails = TransportFault::Before(TransportErrorKind::Offline);
    app.script.next_times(3, Call::Wakeups, &fails);
    app.engine.start_auto();
    for wait in [10, 20, 30] {
        app.pass(wait * SECOND - MOMENT).await;
        assert_eq!(app.server.openings(), 0);
        app.pass(MOMENT).await;
    }
    assert_eq!(app.server.openings(), 1);
}

#[tokio::test]
async fn only_a_channel_that_held_for_a_while_makes_up_for_failures() {
    for (held, wait) in [(MINUTE, 20), (3 * MINUTE, 10)] {
        let app = App::new().await;
        let fails = TransportFault::Before(TransportErrorKind::Offline);
        app.script.next(Call::Wakeups, fails);
        let channel = app.server.channel();
        let app = app.started().await;
        app.pass(10 * SECOND).await;
        assert_eq!(app.server.openings(), 1);
        app.pass(held).await;
        drop(channel);
        app.pass(wait * SECOND - MOMENT).await;
        assert_eq!(app.server.openings(), 0);
        app.pass(MOMENT).await;
        assert_eq!(app.server.openings(), 1);
    }
}

#[tokio::test]
async fn a_channel_is_not_asked_for_before_the_server_wants_it() {
    let app = App::new().await;
    let busy = TransportFault::Unavailable(10 * MINUTE);
    app.script.next(Call::Wakeups, busy);
    let app = app.started().await;
    app.pass(10 * MINUTE - PAUSE - MOMENT).await;
    assert_eq!(app.server.openings(), 0);
    assert_eq!(app.server.pulled().len(), 2, "runs do not wait for it");
    app.pass(MOMENT).await;
    assert_eq!(app.server.openings(), 1);
}

#[tokio::test]
async fn no_channel_is_asked_for_while_runs_are_to_pause() {
    let app = App::new().await;
    let busy = TransportFault::Unavailable(10 * MINUTE);
    app.script.next_times(2, Call::Pull, &busy);
    app.engine.start_auto();
    app.pass(10 * MINUTE - MOMENT).await;
    assert_eq!(app.server.openings(), 0);
    app.pass(MOMENT).await;
    assert_eq!(app.server.openings(), 1);
}

#[tokio::test]
async fn a_server_without_a_channel_is_asked_for_one_as_seldom_as_for_changes() {
    let app = App::new().await.started().await;
    app.pass(5 * MINUTE - PAUSE - MOMENT).await;
    assert_eq!((app.server.openings(), app.server.pulled().len()), (0, 0));
    app.pass(MOMENT).await;
    assert_eq!((app.server.openings(), app.server.pulled().len()), (1, 2));
}

#[tokio::test]
async fn the_channel_closes_with_automatic_runs() {
    let app = App::new().await;
    let channel = app.server.channel();
    let app = app.started().await;
    assert!(!channel.is_closed());
    app.engine.stop_auto();
    calm().await;
    assert!(channel.is_closed());
}

#[tokio::test]
async fn listening_keeps_no_engine_alive() {
    let app = App::new().await;
    let channel = app.server.channel();
    let app = app.started().await;
    drop(app.engine);
    calm().await;
    assert!(channel.is_closed());
}

#[tokio::test]
async fn an_interval_without_end_leaves_runs_to_edits_and_wake_ups() {
    let app = App::with(|config| config.with_auto_interval(Duration::MAX)).await;
    let channel = app.server.channel();
    let app = app.started().await;
    app.pass(1_000 * HOUR).await;
    assert_eq!(app.server.pulled(), [""; 0]);
    channel.unbounded_send(changed("notes")).unwrap();
    app.pass(PAUSE).await;
    assert_eq!(app.server.pulled(), ["notes"]);
}
