//! What happens to parents and children in the worlds that have them, drawn apart from everything
//! else, so that other worlds stay as they were.

use super::schedule::ServerAct;
use super::schedule::{Act, Asked, Fate, Setup, Step, Until};

const THINGS: u8 = 0;
const PARTS: u8 = 2;
/// The fields of a part, as bits: its text, and the thing that it belongs to.
const TEXT: u16 = 0b01;
const THING: u16 = 0b10;

/// Adds kin to one world in three.
pub(crate) fn add(seed: u64, setup: &mut Setup, steps: &mut Vec<Step>) {
    let mut rng = fastrand::Rng::with_seed(seed.rotate_left(17) ^ 0x6b69_6e64);
    setup.related = rng.u32(..3) == 0;
    if !setup.related {
        return;
    }
    setup.habits.refuses_orphans = rng.u32(..3) == 0;
    let most = steps.len();
    let mut mixed = Vec::with_capacity(most);
    for step in std::mem::take(steps) {
        match rng.u32(..12) {
            0..3 => mixed.push(step_of(&mut rng, setup)),
            3 => scene(&mut rng, setup, &mut mixed),
            _ => {}
        }
        mixed.push(step);
    }
    mixed.truncate(most);
    *steps = mixed;
}

fn write(rng: &mut fastrand::Rng, table: u8, fields: u16) -> Act {
    Act::Write {
        table,
        row: rng.u8(..5),
        fields,
        removes: false,
    }
}

fn step_of(rng: &mut fastrand::Rng, setup: &Setup) -> Step {
    let client = rng.u8(..setup.clients);
    let (table, row) = ([THINGS, PARTS, PARTS][rng.usize(..3)], rng.u8(..5));
    let act = match rng.u32(..12) {
        0..5 => {
            let fields = [TEXT, THING, TEXT | THING][rng.usize(..3)];
            write(rng, PARTS, fields)
        }
        5 | 6 => Act::Delete { table, row },
        7 => Act::Discard { table, row },
        8 => Act::Offend { table, row },
        9 => {
            let act = ServerAct::Delete { table, row };
            return Step::Server { act };
        }
        _ => {
            let act = ServerAct::Write {
                table,
                row,
                field: rng.u8(..2),
                commits_late: rng.bool(),
            };
            return Step::Server { act };
        }
    };
    Step::User { client, act }
}

/// Somebody offline makes a part, then the thing that it belongs to, and comes back on a bad line.
fn scene(rng: &mut fastrand::Rng, setup: &Setup, steps: &mut Vec<Step>) {
    let client = rng.u8(..setup.clients);
    let row = rng.u8(..5);
    let part = |fields| Act::Write {
        table: PARTS,
        row,
        fields,
        removes: false,
    };
    let thing = write(rng, THINGS, 1);
    for act in [part(TEXT), thing, part(THING), part(THING)] {
        steps.push(Step::User { client, act });
    }
    let bad = [
        Fate::AnswerLost,
        Fate::Status(403),
        Fate::Status(500),
        Fate::Muddled,
    ];
    let fates = match rng.u32(..3) {
        0 => Vec::new(),
        1 => vec![bad[rng.usize(..4)]],
        _ => vec![Fate::Arrives, bad[rng.usize(..4)]],
    };
    steps.push(Step::Ask {
        client,
        what: [Asked::Sync, Asked::Push][rng.usize(..2)],
        after_seconds: 200,
    });
    let until = [Until::End, Until::Requests(rng.u8(1..4))][rng.usize(..2)];
    steps.push(Step::Go {
        client,
        until,
        fates,
    });
}
