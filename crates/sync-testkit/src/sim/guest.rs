//! Somebody else signs in on a client's device, works a little on a server of their own, and
//! leaves. What belongs to one account must be nowhere under another one.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::{FutureExt, stream};
use serde_json::json;
use sync_core::transport::{
    Answer, Capabilities, FetchRequest, PullPage, PullRequest, PushRequest, PushResult,
    WakeupStream,
};
use sync_core::{
    Kind, Op, OpId, Record, ServerState, SignOut, SyncEngine, SyncError, SyncReport, Transport,
    TransportError,
};

use super::check::Violation;
use super::client::{GUEST, complete};
use super::link::lock;
use super::pause::pause;
use super::seen::Seen;
use super::server::{Habits, Key, SimServer};
use super::world::World;

/// A way to the guest's server, on which nothing goes wrong.
#[derive(Debug, Clone)]
struct GuestLink {
    server: Arc<Mutex<SimServer>>,
    pushed: Arc<Mutex<Vec<OpId>>>,
}

#[async_trait]
impl Transport for GuestLink {
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        pause().await;
        let page = lock(&self.server).list(0, &request, None);
        Ok(Answer::new(page.unwrap_or_default()))
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        pause().await;
        let mut server = lock(&self.server);
        let results = request.ops.iter().map(|op| {
            lock(&self.pushed).push(op.op_id.clone());
            PushResult::new(op.key.clone(), server.push(op))
        });
        Ok(Answer::new(results.collect()))
    }

    async fn fetch(&self, request: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        pause().await;
        Ok(Answer::new(
            lock(&self.server).fetch(&(request.kind, request.id)),
        ))
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        Ok(Answer::new(()))
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        Ok(Box::pin(stream::empty()))
    }

    fn capabilities(&self) -> Capabilities {
        // The same address: only the account tells one from the other.
        Capabilities::new("simulation")
    }
}

impl World<'_> {
    /// The owner's process ends and a guest comes; `discards` = the owner gives up what waits
    /// instead of staying signed in; `awaits` = the process dies so early while it opens.
    pub(crate) fn guest(&mut self, client: usize, discards: bool, awaits: Option<u8>) {
        if !lock(&self.clients[client].link.own).ways.is_empty() {
            return;
        }
        self.crash(client);
        let owners: Vec<Op> = self.clients[client].seen.all_ops().cloned().collect();
        if !owners.is_empty() && discards {
            self.sign_out(client);
        } else if !owners.is_empty() {
            return self.turn_away(client, owners.len());
        }
        self.clients[client].die();
        if let Some(awaits) = awaits {
            self.die_opening(client, GUEST, awaits);
        } else if let Err(violation) = self.visit(client, &owners) {
            let name = self.clients[client].name();
            self.fail(violation.of(name));
        }
        self.come_back(client);
    }

    /// What waits is given up by name.
    fn sign_out(&mut self, client: usize) {
        let keys: Vec<Key> = self.clients[client].seen.ops.keys().cloned().collect();
        for key in &keys {
            self.ledger.loosen(key);
        }
        self.lock().counters.count("signed out");
        let Ok(engine) = self.clients[client].engine().cloned() else {
            return;
        };
        let told = match complete(engine.sign_out(SignOut::DiscardPending)) {
            Some(Ok(discarded)) => discarded,
            other => {
                let text = format!("nobody can sign out: {other:?}");
                return self.fail(Violation::new("I2", text));
            }
        };
        let is_told = |key: &&Key| {
            let mut told = told.iter();
            !told.any(|(kind, id, _)| *kind == key.0 && *id == key.1)
        };
        if let Some(key) = keys.iter().find(is_told) {
            let text = "its operations went with a sign-out that did not name them";
            self.fail(Violation::new("I2", text).of(&key.1));
        }
    }

    /// Nobody else may open the database while something waits, and it stays as it is.
    fn turn_away(&mut self, client: usize, waiting: usize) {
        self.lock().counters.count("guest turned away");
        self.clients[client].die();
        let commits = self.clients[client].store.commits();
        let (tables, setup) = (self.tables, self.setup.clone());
        let one = &self.clients[client];
        let builder = one.builder(one.link.clone(), tables, &setup).account(GUEST);
        let refused = matches!(
            complete(builder.build()),
            Some(Err(SyncError::OtherAccount { pending, .. })) if pending == waiting
        );
        if !refused || self.clients[client].store.commits() != commits {
            let text = "another account opened a database in which operations wait";
            self.fail(Violation::new("I2", text));
        }
        self.start(client);
    }

    /// The process dies so early while it opens for this account.
    pub(super) fn die_opening(&mut self, client: usize, account: &str, awaits: u8) {
        let (tables, setup) = (self.tables, self.setup.clone());
        let one = &self.clients[client];
        let builder = one.builder(one.link.clone(), tables, &setup);
        let builder = builder.account(account);
        let mut opening = Box::pin(builder.build());
        let mut polls = 0..awaits;
        while polls.next().is_some() && (&mut opening).now_or_never().is_none() {}
    }

    /// The guest finds nothing of the owner's, works, and leaves nothing that waits.
    fn visit(&mut self, client: usize, owners: &[Op]) -> Result<(), Violation> {
        self.lock().counters.count("guest");
        let Some(kind) = self.kinds.first().cloned() else {
            return Ok(());
        };
        let link = GuestLink {
            server: Arc::new(Mutex::new(SimServer::new(Habits::default()))),
            pushed: Arc::default(),
        };
        let (tables, setup) = (self.tables, self.setup.clone());
        let one = &self.clients[client];
        let builder = one.builder(link.clone(), tables, &setup).account(GUEST);
        let engine = match complete(builder.build()) {
            Some(Ok(engine)) => engine,
            other => {
                let text = format!("a guest cannot open the database: {:?}", other.map(drop_ok));
                return Err(Violation::new("I10", text));
            }
        };
        self.finds_nothing(client)?;
        let report = complete(work(&engine, &kind)).unwrap_or(Err(SyncError::ShutDown));
        if !report.as_ref().is_ok_and(|report| report.pending == 0) {
            let text = format!("a guest's sync fails: {report:?}");
            return Err(Violation::new("I10", text));
        }
        let pushed = lock(&link.pushed);
        let strange = pushed
            .iter()
            .find(|op| owners.iter().any(|own| own.op_id == **op));
        if let Some(op) = strange {
            let text = format!("{op} left in another account's name");
            return Err(Violation::new("I2", text));
        }
        if pushed.is_empty() || lock(&link.server).records().count() != pushed.len() {
            let text = format!("of one write {pushed:?} were sent");
            return Err(Violation::new("I5", text));
        }
        Ok(())
    }

    fn finds_nothing(&self, client: usize) -> Result<(), Violation> {
        let memory = &self.clients[client].store.memory;
        let mut seen = Seen::of(memory, &self.keys, self.tables)
            .map_err(|error| Violation::new("I10", error.to_string()))?;
        // What no server ever heard of is no account's.
        for key in &self.unclaimed {
            if seen.is_unclaimed(key) {
                seen.rows.remove(key);
            }
        }
        if seen.is_empty() {
            return Ok(());
        }
        let text = format!("another account finds what is not its own: {seen:?}");
        Err(Violation::new("I7", text))
    }

    /// The owner comes back, finds nothing or everything, and begins where that leaves off.
    fn come_back(&mut self, client: usize) {
        self.clients[client].die();
        lock(&self.clients[client].link.own).pulled.clear();
        let (tables, setup) = (self.tables, self.setup.clone());
        if let Err(text) = self.clients[client].start(tables, &setup) {
            self.fail(Violation::new("I10", text));
        }
        let commits = self.clients[client].store.commits();
        let memory = &self.clients[client].store.memory;
        match Seen::of(memory, &self.keys, self.tables) {
            Ok(mut seen) => {
                seen.commits = commits;
                self.clients[client].seen = seen;
            }
            Err(error) => self.fail(Violation::new("I10", error.to_string())),
        }
    }
}

fn drop_ok(result: Result<SyncEngine, SyncError>) -> Result<(), SyncError> {
    result.map(drop)
}

/// Pulls, writes a record, sends it.
async fn work(engine: &SyncEngine, kind: &Kind) -> Result<SyncReport, SyncError> {
    engine.sync().await?;
    let id = json!("99999999-9999-4999-8999-999999999999");
    let record = Record::from_iter([("id".to_owned(), id)]);
    let needed = engine.records(kind.as_str())?;
    needed.insert(record).await?;
    engine.sync().await
}
