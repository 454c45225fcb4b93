//! Two processes on one database: one stands still at an await, another one starts and takes its
//! work over, and the first one wakes.

use sync_core::event::EventStream;

use super::client::{Client, ENDLESS, Task, What};
use super::schedule::{Act, Asked, Fate, Setup, Step, Until};
use super::world::World;

/// A process that stands still: what it has under way, and what it told that nobody heard yet.
pub(crate) struct Still {
    tasks: Vec<Task>,
    events: Vec<EventStream>,
}

impl Client {
    fn stand_still(&mut self) {
        self.still = Some(Still {
            tasks: std::mem::take(&mut self.tasks),
            events: std::mem::take(&mut self.events),
        });
        self.engine = None;
        self.link.stands_still();
    }

    fn wake(&mut self) {
        if let Some(still) = self.still.take() {
            self.tasks.extend(still.tasks);
            self.events.extend(still.events);
        }
    }
}

impl World<'_> {
    /// The process of a client that has something under way stands still, and another one starts.
    pub(crate) fn stand_still(&mut self, client: usize) {
        if self.clients[client].still.is_some() {
            return;
        }
        // Within a transaction it would keep everybody out, and the database would say so.
        for _ in 0..ENDLESS {
            if self.clients[client].store.writers() == 0 {
                break;
            }
            self.poll(client);
        }
        let mut tasks = self.clients[client].tasks.iter();
        if !tasks.any(|task| task.what == What::Run) {
            return;
        }
        self.lock().counters.count("process stands still");
        self.hear(client);
        self.clients[client].stand_still();
        self.start(client);
    }

    /// It goes on, beside the one that was started meanwhile.
    pub(crate) fn wake(&mut self, client: usize) {
        if self.clients[client].still.is_some() {
            self.lock().counters.count("process wakes");
            self.clients[client].wake();
        }
    }
}

/// Lets processes stand still in some worlds. It is drawn apart, so that the others stay what they
/// are.
pub(crate) fn weave(seed: u64, setup: &Setup, steps: &mut Vec<Step>) {
    let mut rng = fastrand::Rng::with_seed(!seed);
    if rng.u32(..3) != 0 {
        return;
    }
    for _ in 0..rng.usize(1..4) {
        let place = rng.usize(..=steps.len());
        let scene = scene(&mut rng, setup);
        steps.splice(place..place, scene);
    }
}

fn scene(rng: &mut fastrand::Rng, setup: &Setup) -> Vec<Step> {
    let client = rng.u8(..setup.clients);
    let other = (client + 1) % setup.clients;
    let (table, row) = (rng.u8(..2), rng.u8(..5));
    let mut steps = vec![write(rng, client, (table, row))];
    if rng.bool() {
        steps.push(write(rng, client, (table, row + 1)));
    }
    steps.push(ask(rng, client));
    let fates = match rng.u32(..4) {
        0 => vec![Fate::AnswerLost],
        1 => vec![Fate::Arrives, Fate::NotLeft],
        _ => Vec::new(),
    };
    let until = if rng.bool() {
        Until::Requests(rng.u8(1..5))
    } else {
        Until::Awaits(rng.u8(2..60))
    };
    steps.push(go(client, until, fates));
    steps.push(Step::StandStill { client });
    if rng.bool() {
        steps.extend([write(rng, other, (table, row)), ask(rng, other)]);
        steps.push(go(other, Until::End, Vec::new()));
    }
    if rng.bool() {
        steps.push(write(rng, client, (table, row)));
    }
    if rng.u32(..4) > 0 {
        steps.extend([ask(rng, client), go(client, Until::End, Vec::new())]);
    }
    if rng.bool() {
        steps.extend([write(rng, client, (table, row)), ask(rng, client)]);
        let until = Until::Awaits(rng.u8(1..40));
        steps.push(go(client, until, Vec::new()));
    }
    steps.push(Step::Wake { client });
    if rng.bool() {
        let until = Until::Awaits(rng.u8(1..40));
        steps.push(go(client, until, Vec::new()));
        steps.push(write(rng, client, (table, row)));
    }
    steps.push(go(client, Until::End, Vec::new()));
    steps
}

fn write(rng: &mut fastrand::Rng, client: u8, (table, row): (u8, u8)) -> Step {
    let act = Act::Write {
        table,
        row,
        fields: 1 << rng.u16(..5),
        removes: false,
    };
    Step::User { client, act }
}

fn ask(rng: &mut fastrand::Rng, client: u8) -> Step {
    let what = [Asked::Sync, Asked::Sync, Asked::Push, Asked::Pull][rng.usize(..4)];
    Step::Ask {
        client,
        what,
        after_seconds: [0, 200][rng.usize(..2)],
    }
}

fn go(client: u8, until: Until, fates: Vec<Fate>) -> Step {
    Step::Go {
        client,
        until,
        fates,
    }
}
