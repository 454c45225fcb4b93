//! One client's way to the server: every request can stop, get lost, come late or twice, and is
//! watched.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::stream;
use sync_core::transport::{
    Answer, Capabilities, Features, FetchRequest, PullPage, PullRequest, PushOp, PushRequest,
    PushResult, WakeupStream,
};
use sync_core::{
    Kind, OpId, Precondition, ServerState, Timestamp, Transport, TransportError, TransportErrorKind,
};

use super::beyond;
use super::counters::Counters;
use super::failures::failure;
use super::latest::Offset;
use super::local::{self, LocalField};
use super::merging::{self, Asked};
use super::pause::pause;
use super::schedule::Fate;
use super::server::{Key, Keys, SimServer};
use super::terms::{self, Way};
use super::updates;
use super::urgency::Departures;
use crate::FakeEnv;

/// What all links of a world share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) server: SimServer,
    /// Pushes that were thought lost and have not arrived yet.
    pub(crate) late: VecDeque<PushRequest>,
    pub(crate) counters: Counters,
    /// What happened, line by line, if somebody wants to read it.
    pub(crate) story: Option<Vec<String>>,
    /// Fields that are never sent.
    pub(super) local: Vec<LocalField>,
    /// Invariants that a link saw broken.
    pub(crate) seen: Vec<(&'static str, String)>,
}

impl Shared {
    pub(crate) fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(line());
        }
    }
}

/// A world's shared part behind a lock.
pub(crate) type World = Arc<Mutex<Shared>>;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One client's way to the server.
#[derive(Debug, Clone)]
pub(crate) struct SimLink {
    pub(crate) client: u8,
    pub(crate) max_batch: u32,
    pub(crate) world: World,
    pub(crate) own: Arc<Mutex<Own>>,
    pub(super) env: FakeEnv,
}

/// What one link remembers.
#[derive(Debug, Default)]
pub(crate) struct Own {
    /// What becomes of the next requests.
    pub(crate) fates: VecDeque<Fate>,
    /// Rows that a list may leave out, because this client has them as they are.
    pub(crate) known: BTreeSet<(Key, Timestamp)>,
    pub(crate) requests: u32,
    /// Entities with a push under way.
    in_flight: BTreeMap<Key, u32>,
    /// The last operation that was sent of each entity.
    last_sent: BTreeMap<Key, OpId>,
    /// Kinds of which a page has come.
    pub(crate) pulled: BTreeSet<Kind>,
    /// So often the process of this link stood still.
    stood_still: u32,
    /// How often each operation went out since the run began.
    pub(crate) sent: BTreeMap<OpId, u32>,
    /// What left since then, in order.
    pub(super) departures: Departures,
    /// What the merge functions said last of each entity, if nothing has happened to it since.
    pub(super) merges: BTreeMap<Key, Asked>,
    /// What they were asked and nobody has looked at yet.
    pub(super) asked: Vec<Asked>,
    /// Is the app an old one?
    pub(crate) speaks_old: bool,
    /// Which way the tables travel; both ways if nothing is said.
    pub(super) ways: BTreeMap<Kind, Way>,
    /// What the process knows of the server's clock.
    pub(super) offset: Offset,
    /// So many questions wait for a resolver's answer.
    pub(super) questions: u32,
}

impl Own {
    pub(crate) fn of_app(speaks_old: bool) -> Self {
        Self {
            speaks_old,
            ..Self::default()
        }
    }

    /// A run is asked for while none is under way.
    pub(super) fn forget_departures(&mut self) {
        self.sent.clear();
        self.departures = Departures::default();
    }

    pub(super) fn has_stood_still(&self) -> bool {
        self.stood_still > 0
    }

    /// The database is another client's from now on, and so is the app.
    pub(crate) fn becomes(&mut self, pulled: BTreeSet<Kind>, speaks_old: bool) {
        (self.pulled, self.speaks_old) = (pulled, speaks_old);
        self.known.clear();
        self.last_sent.clear();
        self.offset.is_a_copy();
    }
}

/// Entities are in flight until the answer is there, or nobody waits for it any more.
struct InFlight<'a> {
    own: &'a Mutex<Own>,
    keys: Vec<Key>,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut own = lock(self.own);
        for key in &self.keys {
            if let Some(count) = own.in_flight.get_mut(key) {
                *count = count.saturating_sub(1);
            }
        }
    }
}

impl SimLink {
    /// Nobody waits for the answers that are under way.
    pub(crate) fn stands_still(&self) {
        let mut own = lock(&self.own);
        own.in_flight.clear();
        own.stood_still += 1;
    }

    /// An answer reaches the process that asked, and tells it the server's time.
    fn reaches<T>(&self, answer: &Answer<T>) {
        if let Some(date) = &answer.server_date {
            let ahead = date.unix_nanos() - self.env.env().now().unix_nanos();
            lock(&self.own).offset.is(ahead);
        }
    }

    fn speaks_old(&self) -> bool {
        lock(&self.own).speaks_old
    }

    fn next_fate(&self) -> Fate {
        let mut own = lock(&self.own);
        own.requests += 1;
        let fate = own.fates.pop_front().unwrap_or(Fate::Arrives);
        drop(own);
        lock(&self.world).counters.fate(fate);
        fate
    }

    pub(super) fn answer<T>(&self, shared: &Shared, value: T) -> Answer<T> {
        let mut answer = Answer::new(value);
        let habits = &shared.server.habits;
        answer.features = habits.declares.then(|| Features::parse(&habits.features()));
        answer.server_date = Some(shared.server.now());
        answer.epoch = shared.server.epoch();
        answer
    }

    /// Everything that is sent is watched (I4).
    fn leaves(&self, ops: &[PushOp]) -> InFlight<'_> {
        let mut own = lock(&self.own);
        let mut broken = Vec::new();
        let keys: Vec<Key> = ops
            .iter()
            .map(|op| (op.kind.clone(), op.id.clone()))
            .collect();
        for (key, op) in keys.iter().zip(ops) {
            let count = own.in_flight.entry(key.clone()).or_default();
            *count += 1;
            if *count > 1 {
                broken.push(format!(
                    "two operations of {}/{} are in flight",
                    key.0, key.1
                ));
            }
            if own.ways.get(&key.0) == Some(&Way::Pulled) {
                broken.push(format!("{}/{} is sent, and is only pulled", key.0, key.1));
            }
            let last = own.last_sent.insert(key.clone(), op.op_id.clone());
            if last.is_some_and(|last| op.op_id < last) {
                broken.push(format!(
                    "an older operation of {}/{} is sent after a newer one",
                    key.0, key.1
                ));
            }
            *own.sent.entry(op.op_id.clone()).or_default() += 1;
            own.departures.pushes(key, &op.op_id);
        }
        drop(own);
        let mut shared = lock(&self.world);
        for _ in ops.iter().filter(|op| beyond::carries(op)) {
            shared.counters.count("client sends an unknown field");
        }
        for _ in ops.iter().filter(|op| terms::is_part(op)) {
            shared.counters.count("update in part");
        }
        merging::leave(self, &mut shared, ops);
        for op in ops {
            if let Some(field) = local::carried(op, &shared.local) {
                let text = format!("{field} of {} stays on its device, and was sent", op.id);
                shared.seen.push(("I7", text));
            }
        }
        shared
            .seen
            .extend(broken.into_iter().map(|text| ("I4", text)));
        InFlight {
            own: &self.own,
            keys,
        }
    }

    /// What a fate does to a request that only reads, before it arrives.
    fn read_failure(&self, fate: Fate, what: &str) -> Option<TransportError> {
        let failure = match fate {
            Fate::Arrives | Fate::Twice | Fate::LeavesOut | Fate::Muddled => return None,
            other => failure(other),
        };
        let client = self.client;
        lock(&self.world).tell(|| format!("    {client} {what}: {fate:?}"));
        Some(failure)
    }

    /// A request that may come late: only where the server would check it, or would know it again
    /// whatever it answered first. Elsewhere no client can keep an old create from reviving what
    /// was deleted since.
    pub(super) fn may_come_late(shared: &Shared, request: &PushRequest) -> bool {
        let habits = &shared.server.habits;
        let honours = habits.keys == Keys::Honoured && habits.stores_conflicts;
        let is_checked = |op: &PushOp| matches!(op.precondition, Precondition::IfBase { .. });
        honours || request.ops.iter().all(is_checked)
    }
}

#[async_trait]
impl Transport for SimLink {
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        lock(&self.own).departures.pulls(&request.kind);
        pause().await;
        let fate = self.next_fate();
        if let Some(failure) = self.read_failure(fate, "pull") {
            pause().await;
            return Err(failure);
        }
        let is_sent_only = lock(&self.own).ways.get(&request.kind) == Some(&Way::Sent);
        let answer = {
            let mut shared = lock(&self.world);
            if is_sent_only {
                let text = format!("{} is pulled, and is only sent", request.kind);
                shared.seen.push(("I7", text));
            }
            let leaves_out = (fate == Fate::LeavesOut)
                .then(|| self.left_out(&shared.server, &request))
                .flatten();
            let page = shared
                .server
                .list(self.client, &request, leaves_out.as_ref());
            let client = self.client;
            shared.tell(|| {
                let place = (&request.since, &request.after_id, &request.page_token);
                format!("    {client} pull {} {place:?}: {page:?}", request.kind)
            });
            match page {
                Ok(mut page) => {
                    if self.speaks_old() {
                        updates::page_to_old(&request.kind, &mut page);
                    }
                    Ok(self.answer(&shared, page))
                }
                Err(_expired) => Err(TransportError::new(
                    TransportErrorKind::CursorExpired,
                    "the cursor has expired",
                )
                .with_status(410)),
            }
        };
        pause().await;
        if let Ok(answer) = &answer {
            self.reaches(answer);
            lock(&self.own).pulled.insert(request.kind);
        }
        answer
    }

    async fn push(
        &self,
        mut request: PushRequest,
    ) -> Result<Answer<Vec<PushResult>>, TransportError> {
        let speaks_old = self.speaks_old();
        if speaks_old {
            updates::request_to_new(&mut request);
        }
        let _in_flight = self.leaves(&request.ops);
        let stood_still = lock(&self.own).stood_still;
        pause().await;
        let mut fate = self.next_fate();
        if stood_still != lock(&self.own).stood_still
            && !Self::may_come_late(&lock(&self.world), &request)
        {
            fate = Fate::Lost;
        }
        let answer = {
            let mut shared = lock(&self.world);
            self.arrive(&mut shared, &request, fate)
        };
        pause().await;
        answer.map(|mut answer| {
            self.reaches(&answer);
            if speaks_old {
                updates::results_to_old(&request.ops, &mut answer.value);
            }
            answer
        })
    }

    async fn fetch(&self, request: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        pause().await;
        let fate = self.next_fate();
        if let Some(failure) = self.read_failure(fate, "fetch") {
            pause().await;
            return Err(failure);
        }
        let answer = {
            let mut shared = lock(&self.world);
            let key = (request.kind.clone(), request.id.clone());
            let mut state = shared.server.fetch(&key);
            if self.speaks_old() {
                updates::state_to_old(&request.kind, &mut state);
            }
            let client = self.client;
            shared.tell(|| format!("    {client} fetch {}: {state:?}", request.id));
            self.answer(&shared, state)
        };
        pause().await;
        self.reaches(&answer);
        Ok(answer)
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        Ok(Answer::new(()))
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        Ok(Box::pin(stream::empty()))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("simulation").with_max_batch(self.max_batch)
    }
}
