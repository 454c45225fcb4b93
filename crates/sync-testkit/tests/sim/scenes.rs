//! Worlds and steps of which the schedules here are written.

use sync_testkit::sim::Act::Write;
use sync_testkit::sim::{
    Act, Asked, Fate, Habits, Schedule, ServerAct, Setup, Simulation, Step, Strategy, Until,
};

pub(crate) const A: u8 = 0;
pub(crate) const B: u8 = 1;

/// The things, the notes.
pub(crate) const THINGS: u8 = 0;
pub(crate) const NOTES: u8 = 1;
/// The parts, each of a thing.
pub(crate) const PARTS: u8 = 2;

pub(crate) fn world(habits: Habits) -> Setup {
    Setup {
        seed: 0,
        clients: 2,
        rows: 1,
        strategy: Strategy::AutoPreserve,
        keeps_deleted: true,
        coalesce: true,
        page_size: 50,
        push_concurrency: 1,
        max_batch: 1,
        clocks_differ: false,
        habits,
        related: false,
        old_apps: 0,
        slow_resolvers: false,
        existing: None,
        terms: Vec::new(),
        forges: false,
        rules: Vec::new(),
    }
}

pub(crate) fn user(client: u8, act: Act) -> Step {
    Step::User { client, act }
}

pub(crate) fn write(client: u8, table: u8, fields: u16) -> Step {
    let (row, removes) = (0, false);
    let act = Write {
        table,
        row,
        fields,
        removes,
    };
    user(client, act)
}

pub(crate) fn server_write(table: u8, field: u8) -> Step {
    let (row, commits_late) = (0, false);
    let act = ServerAct::Write {
        table,
        row,
        field,
        commits_late,
    };
    Step::Server { act }
}

pub(crate) fn spoil(table: u8) -> Step {
    let act = ServerAct::Spoil { table, row: 0 };
    Step::Server { act }
}

/// A whole run in which the requests meet these fates.
pub(crate) fn run(client: u8, what: Asked, fates: &[Fate]) -> [Step; 2] {
    let ask = Step::Ask {
        client,
        what,
        after_seconds: 200,
    };
    let go = Step::Go {
        client,
        until: Until::End,
        fates: fates.to_vec(),
    };
    [ask, go]
}

pub(crate) fn holds(setup: Setup, parts: &[&[Step]]) {
    let steps = parts.concat();
    let schedule = Schedule { setup, steps };
    let simulation = Simulation::default();
    let outcome = simulation.replay(&schedule);
    let story = || simulation.tell(&schedule).story.join("\n");
    let found = outcome.violations.first();
    assert!(found.is_none(), "{}\n{}", found.unwrap(), story());
}

/// A world in which parts refer to things.
pub(crate) fn with_parts(habits: Habits) -> Setup {
    Setup {
        keeps_deleted: false,
        related: true,
        ..world(habits)
    }
}
