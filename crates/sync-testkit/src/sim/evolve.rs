//! Draws updates of apps and copies of databases into a schedule, from numbers of their own, so
//! that the rest of a world is what it would be without them.

use super::later::whole_sync;
use super::schedule::{Act, Setup, Step};

/// Adds them to some worlds.
pub(crate) fn evolve(seed: u64, setup: &mut Setup, steps: &mut Vec<Step>) {
    let mut rng = fastrand::Rng::with_seed(!seed);
    if rng.u32(..5) == 0 {
        setup.old_apps = rng.u8(1..32);
        for client in 0..setup.clients {
            // Some are never updated.
            if (setup.old_apps >> client) & 1 == 1 && rng.u32(..6) > 0 {
                let scene = update(&mut rng, client);
                insert(&mut rng, steps, scene);
            }
        }
    }
    if setup.clients > 1 && rng.u32(..6) == 0 {
        for _ in 0..rng.u32(1..4) {
            let scene = copy(&mut rng, setup.clients);
            insert(&mut rng, steps, scene);
        }
    }
}

fn insert(rng: &mut fastrand::Rng, steps: &mut Vec<Step>, scene: Vec<Step>) {
    let place = rng.usize(..=steps.len());
    steps.splice(place..place, scene);
}

fn write(rng: &mut fastrand::Rng, client: u8, row: u8) -> Step {
    let act = Act::Write {
        table: 0,
        row,
        fields: 1 << rng.u16(..5),
        removes: false,
    };
    Step::User { client, act }
}

/// An edit waits when the app is updated, and another one follows.
fn update(rng: &mut fastrand::Rng, client: u8) -> Vec<Step> {
    let row = rng.u8(..5);
    let mut steps = Vec::new();
    if rng.bool() {
        steps.extend(whole_sync(client));
    }
    if rng.u32(..4) > 0 {
        steps.push(write(rng, client, row));
    }
    steps.push(Step::Update { client });
    if rng.bool() {
        steps.push(write(rng, client, row));
    }
    steps
}

/// An edit waits when the database is copied, and the users of both go on.
fn copy(rng: &mut fastrand::Rng, clients: u8) -> Vec<Step> {
    let (from, row) = (rng.u8(..clients), rng.u8(..5));
    let to = (from + rng.u8(1..clients)) % clients;
    let mut steps = whole_sync(to).to_vec();
    steps.extend(whole_sync(from));
    steps.push(write(rng, from, row));
    steps.push(Step::Copy { from, to });
    for client in [from, to] {
        if rng.u32(..3) > 0 {
            steps.push(write(rng, client, row));
        }
    }
    let mut both = [from, to];
    rng.shuffle(&mut both);
    for client in both {
        if rng.u32(..3) > 0 {
            steps.extend(whole_sync(client));
        }
    }
    steps
}
