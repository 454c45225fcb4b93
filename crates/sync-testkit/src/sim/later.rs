//! What came to the worlds later is drawn from numbers of its own, so that the rest of a world stays
//! what it was.

use super::schedule::{Asked, ServerAct, Setup, Step, Until};

/// Everything that came to the worlds later, one after the other.
pub(super) fn add(seed: u64, most: u32, setup: &mut Setup, steps: &mut Vec<Step>) {
    draw(seed, setup, steps);
    super::processes::weave(seed, setup, steps);
    super::hasty::add(seed, setup, steps);
    super::evolve::evolve(seed, setup, steps);
    steps.truncate(most as usize);
    super::kin::add(seed, setup, steps);
    super::slow::draw(seed, setup);
    super::beyond::draw(seed, steps);
    super::local::draw(seed, setup, steps);
    super::existing::draw(seed, setup);
    super::latest::draw(seed, setup, steps);
    super::terms::draw(seed, setup, steps);
    super::rules::draw(seed, setup, steps);
    super::merging::draw(seed, setup);
    steps.truncate(most as usize);
}

/// Lets backups be restored, and guests come.
fn draw(seed: u64, setup: &mut Setup, steps: &mut Vec<Step>) {
    let mut rng = fastrand::Rng::with_seed(!seed);
    setup.habits.epochs = rng.bool();
    let rng = &mut rng;
    let insert = |rng: &mut fastrand::Rng, steps: &mut Vec<Step>, step| {
        steps.insert(rng.usize(..=steps.len()), step);
    };
    if rng.u32(..8) == 0 {
        for _ in 0..rng.u32(1..4) {
            for act in [ServerAct::Backup, ServerAct::Restore] {
                insert(rng, steps, Step::Server { act });
            }
        }
    }
    if rng.u32(..8) == 0 {
        for _ in 0..rng.u32(1..5) {
            let guest = Step::Guest {
                client: rng.u8(..setup.clients),
                discards: rng.bool(),
                awaits: (rng.u32(..3) == 0).then(|| rng.u8(1..40)),
            };
            insert(rng, steps, guest);
        }
    }
}

/// A whole run of a client that nothing disturbs.
pub(super) fn whole_sync(client: u8) -> [Step; 2] {
    let ask = Step::Ask {
        client,
        what: Asked::Sync,
        after_seconds: 200,
    };
    let go = Step::Go {
        client,
        until: Until::End,
        fates: Vec::new(),
    };
    [ask, go]
}
