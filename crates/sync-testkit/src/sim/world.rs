//! A world: some clients, a server, what is between them, and somebody who watches.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sync_core::Kind;
use sync_core::json::JsonMap;

use super::arrival::push_all;
use super::check::ledger::Ledger;
use super::check::{Unexplained, Violation};
use super::client::{Client, ENDLESS, What, shift};
use super::counters::Counters;
use super::latest::Written;
use super::link::{Shared, World as SharedWorld, lock};
use super::schedule::{Asked, Fate, Setup, Step, Strategy, Until};
use super::server::{Key, SimServer};
use super::tables::{SimTable, Values, row_id};

/// A world at work.
pub(crate) struct World<'a> {
    pub(crate) setup: Setup,
    pub(crate) tables: &'a [SimTable],
    pub(crate) shared: SharedWorld,
    pub(crate) clients: Vec<Client>,
    pub(crate) ledger: Ledger,
    pub(crate) values: Values,
    pub(crate) keys: Vec<Key>,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) unexplained: BTreeMap<u8, Vec<Unexplained>>,
    /// Did every client merge field by field from the start?
    pub(crate) always_auto_preserve: bool,
    /// Entities that a client has written what the server refuses.
    pub(crate) offended: BTreeSet<(u8, Key)>,
    pub(crate) spoiled: BTreeSet<Key>,
    /// Rows of which some client's table had one before the server ever heard of it.
    pub(super) unclaimed: BTreeSet<Key>,
    /// How urgent each kind is.
    pub(super) urgency: BTreeMap<Kind, i32>,
    /// Did some table of some client ever go another way?
    pub(super) has_turned: bool,
    /// What each client's user wrote into each entity, in order.
    pub(super) writes: BTreeMap<(u8, Key), Vec<Written>>,
}

impl<'a> World<'a> {
    pub(crate) fn new(setup: &Setup, tables: &'a [SimTable], with_story: bool) -> Self {
        let mut server = SimServer::new(setup.habits);
        server.references = tables
            .iter()
            .flat_map(|table| table.parents().map(|own| (table.kind().clone(), own)))
            .collect();
        let local = tables.iter().flat_map(|table| {
            let fields = table.local_fields();
            fields.map(|field| (table.kind().clone(), field.to_owned()))
        });
        // Nobody's clock starts in the same instant.
        server.advance(Duration::from_secs(10));
        let shared = Arc::new(Mutex::new(Shared {
            server,
            late: VecDeque::new(),
            counters: Counters::default(),
            story: with_story.then(Vec::new),
            local: local.collect(),
            seen: Vec::new(),
        }));
        let keys = tables.iter().enumerate().flat_map(|(place, table)| {
            (0..setup.rows).map(move |row| (table.kind().clone(), row_id(place, row)))
        });
        let clients = 0..setup.clients.max(1);
        let values = Values::new(setup.habits.trims);
        let mut world = Self {
            setup: setup.clone(),
            tables,
            clients: clients
                .map(|number| Client::new(number, setup, &shared))
                .collect(),
            shared,
            ledger: Ledger::default(),
            values,
            keys: keys.collect(),
            kinds: tables.iter().map(|table| table.kind().clone()).collect(),
            violations: Vec::new(),
            unexplained: BTreeMap::new(),
            always_auto_preserve: setup.strategy == Strategy::AutoPreserve,
            offended: BTreeSet::new(),
            spoiled: BTreeSet::new(),
            unclaimed: BTreeSet::new(),
            urgency: super::urgency::of_tables(tables, setup),
            has_turned: false,
            writes: BTreeMap::new(),
        };
        if let Some(existing) = setup.existing {
            world.bring_rows(existing);
        }
        for client in 0..world.clients.len() {
            match setup.existing {
                Some(existing) => world.open_first(client, existing),
                None => world.start(client),
            }
        }
        world
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }

    pub(crate) fn fail(&mut self, violation: Violation) {
        self.violations.push(violation);
    }

    pub(crate) fn start(&mut self, client: usize) {
        let (tables, setup) = (self.tables, self.setup.clone());
        if let Some(one) = self.clients.get_mut(client)
            && let Err(text) = one.start(tables, &setup)
        {
            self.fail(Violation::new("I10", text));
        }
        self.observe(client, None, &[]);
    }

    /// Does one step, and notes what it breaks.
    pub(crate) fn step(&mut self, step: &Step) {
        {
            let mut shared = self.lock();
            shared.counters.step(step);
            shared.tell(|| format!("{step}"));
            // Every step takes a moment.
            shared.server.advance(Duration::from_millis(50));
        }
        match step {
            Step::User { client, act } => self.act(self.client(*client), *act),
            Step::DieWriting {
                client,
                act,
                awaits,
            } => self.die_writing(self.client(*client), *act, *awaits),
            Step::Ask {
                client,
                what,
                after_seconds,
            } => self.ask(self.client(*client), *what, *after_seconds),
            Step::Go {
                client,
                until,
                fates,
            } => self.go(self.client(*client), *until, fates),
            Step::Crash { client } => self.crash(self.client(*client)),
            Step::SwitchStrategy { client, strategy } => {
                let client = self.client(*client);
                // What it decided before, it decided in its own way.
                self.hear(client);
                self.always_auto_preserve &= *strategy == Strategy::AutoPreserve;
                self.clients[client].strategy = *strategy;
                self.clients[client].still = None;
                self.crash(client);
            }
            Step::Turn { client, table, way } => self.turn(self.client(*client), *table, *way),
            Step::Guest {
                client,
                discards,
                awaits,
            } => self.guest(self.client(*client), *discards, *awaits),
            Step::StandStill { client } => self.stand_still(self.client(*client)),
            Step::Wake { client } => self.wake(self.client(*client)),
            Step::Update { client } => self.update_app(self.client(*client)),
            Step::Copy { from, to } => self.copy(self.client(*from), self.client(*to)),
            Step::SetClock { client, seconds } => {
                shift(&self.clients[self.client(*client)].env, *seconds);
            }
            Step::Wait { seconds } => self.wait(Duration::from_secs(u64::from(*seconds))),
            Step::Deliver { newest } => self.deliver(*newest),
            Step::Server { act } => self.server_act(*act),
        }
        self.take_link_reports();
    }

    fn client(&self, number: u8) -> usize {
        usize::from(number) % self.clients.len()
    }

    fn take_link_reports(&mut self) {
        let mut shared = self.lock();
        let seen = std::mem::take(&mut shared.seen);
        let complaints = std::mem::take(&mut shared.server.complaints);
        let too_early = std::mem::take(&mut shared.server.too_early);
        // What a restored backup took back may take effect once more.
        let counts = shared.server.habits.are_exact()
            && shared.server.taken_back.is_empty()
            && !shared.server.was_restored_knowingly();
        let twice: Vec<String> = shared
            .server
            .effects
            .iter()
            .filter(|(_, count)| **count > 1 && counts)
            .map(|(op, count)| format!("{op} took effect {count} times"))
            .collect();
        drop(shared);
        for (invariant, text) in seen {
            self.fail(Violation::new(invariant, text));
        }
        for text in too_early {
            self.fail(Violation::new("I4", text));
        }
        for text in complaints.into_iter().chain(twice) {
            self.fail(Violation::new("I5", text));
        }
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.lock().server.advance(time);
        for client in &self.clients {
            client.env.advance(time);
        }
    }

    pub(crate) fn deliver(&mut self, newest: bool) {
        let mut shared = self.lock();
        let request = if newest {
            shared.late.pop_back()
        } else {
            shared.late.pop_front()
        };
        if let Some(request) = request {
            shared.counters.count("late request arrives");
            shared.tell(|| format!("    {:?}", request.ops));
            push_all(&mut shared, &request);
        }
    }

    // -- what a client has under way -----------------------------------------------------------

    pub(crate) fn ask(&mut self, client: usize, what: Asked, after_seconds: u16) {
        let is_at = self.lock().server.changes;
        let one = &mut self.clients[client];
        one.env
            .advance(Duration::from_secs(u64::from(after_seconds)));
        let runs = one.tasks.iter().filter(|task| task.what == What::Run);
        let runs = runs.count();
        // Who asks again and again is served once.
        if runs < 3 {
            one.begin(What::Run, Some(what), is_at);
        }
        if runs > 0 {
            self.lock().counters.count("sync during a run");
        } else {
            lock(&self.clients[client].link.own).forget_departures();
        }
    }

    pub(crate) fn go(&mut self, client: usize, until: Until, fates: &[Fate]) {
        let one = &self.clients[client];
        one.note_known();
        let start = {
            let mut own = lock(&one.link.own);
            own.fates = fates.iter().copied().collect();
            own.requests
        };
        let mut awaits: u32 = 0;
        while !self.clients[client].tasks.is_empty() {
            self.poll(client);
            awaits += 1;
            let requests = lock(&self.clients[client].link.own).requests - start;
            match until {
                Until::Awaits(limit) if awaits >= u32::from(limit) => break,
                Until::Requests(limit) if requests >= u32::from(limit) => break,
                _ if awaits > ENDLESS => {
                    let name = self.clients[client].name();
                    self.fail(Violation::new("I10", "a run does not end").of(name));
                    self.clients[client].tasks.clear();
                }
                _ => {}
            }
        }
        lock(&self.clients[client].link.own).fates.clear();
    }

    /// Polls a client once and looks at what it committed and told.
    pub(crate) fn poll(&mut self, client: usize) {
        let tasks = self.clients[client].tasks.iter();
        let discards = tasks.filter_map(|task| match &task.what {
            What::Discard(key) => Some(key.clone()),
            _ => None,
        });
        let discards: Vec<Key> = discards.collect();
        let mut tasks = self.clients[client].tasks.iter();
        self.clients[client].decides_by_hand = tasks.any(|task| task.what == What::Resolve);
        let ended = self.clients[client].poll();
        self.judge_questions(client);
        self.observe(client, None, &discards);
        self.judge_urgency(client);
        self.hear(client);
        for (task, result) in ended {
            self.ended(client, &task, result);
        }
        if self.clients[client].tasks.is_empty() {
            self.explain(client);
        }
    }

    pub(crate) fn crash(&mut self, client: usize) {
        self.stop(client);
        self.start(client);
    }

    /// The process ends; what is committed stays.
    pub(crate) fn stop(&mut self, client: usize) {
        let one = &mut self.clients[client];
        if one.tasks.iter().any(|task| task.what == What::Run) {
            self.lock().counters.count("crash during a run");
            self.ledger.events_lost = true;
        }
        self.hear(client);
        let one = &mut self.clients[client];
        one.die();
        let (number, name) = (one.number, one.name());
        self.observe(client, None, &[]);
        for gone in self.unexplained.remove(&number).unwrap_or_default() {
            if !gone.may_be_untold() {
                self.fail(gone.violation().of(name));
            }
        }
    }

    /// The table of a key.
    pub(crate) fn table_of(&self, key: &Key) -> Option<&'a SimTable> {
        self.tables.iter().find(|table| *table.kind() == key.0)
    }

    /// The table of an entity, if this strategy of a client settles its conflicts, and nobody by hand.
    pub(crate) fn table_settled_by(
        &self,
        client: usize,
        key: &Key,
        strategy: Strategy,
    ) -> Option<&'a SimTable> {
        let one = &self.clients[client];
        let table = self.table_of(key).filter(|_| !one.decides_by_hand)?;
        (table.strategy(&self.setup, one.strategy) == strategy).then_some(table)
    }

    /// The live content of a row of a client.
    pub(crate) fn row(&self, client: usize, key: &Key) -> Option<JsonMap> {
        self.clients[client].seen.live(key).cloned()
    }
}

impl World<'_> {
    pub(crate) fn into_outcome(self, failed_at: Option<usize>, steps: u64) -> super::Outcome {
        let mut shared = self.lock();
        let story = shared.story.take().unwrap_or_default();
        let counters = shared.counters.clone();
        let databases: Vec<_> = self.clients.iter().map(|one| &one.seen).collect();
        let end = format!("{:?}\n{databases:?}", shared.server.history);
        drop(shared);
        super::Outcome {
            violations: self.violations,
            failed_at,
            steps,
            counters,
            story,
            end,
        }
    }
}
