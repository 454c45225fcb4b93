//! Users who delete what is still on its way, while others edit it. It is drawn apart, so that other
//! worlds stay what they are.

use super::schedule::{Act, Asked, Setup, Step, Until};

/// The field that holds a list, as a bit.
const LIST: u16 = 0b1000;

/// Adds such scenes to one world in three.
pub(crate) fn add(seed: u64, setup: &Setup, steps: &mut Vec<Step>) {
    let mut rng = fastrand::Rng::with_seed(seed.rotate_left(29) ^ 0x6861_7374);
    if rng.u32(..3) != 0 {
        return;
    }
    for _ in 0..rng.usize(1..4) {
        let place = rng.usize(..=steps.len());
        let scene = scene(&mut rng, setup);
        steps.splice(place..place, scene);
    }
}

/// Two edit one record, one of them deletes it while the own edit is under way.
fn scene(rng: &mut fastrand::Rng, setup: &Setup) -> Vec<Step> {
    let (client, row) = (rng.u8(..setup.clients), rng.u8(..setup.rows.max(1)));
    let other = (client + 1) % setup.clients;
    let user = |client, act| Step::User { client, act };
    let write = |fields| Act::Write {
        table: 0,
        row,
        fields,
        removes: false,
    };
    let sync = |client| Step::Ask {
        client,
        what: Asked::Sync,
        after_seconds: 200,
    };
    let go = |client, until| Step::Go {
        client,
        until,
        fates: Vec::new(),
    };
    vec![
        user(client, write(LIST)),
        sync(client),
        go(client, Until::End),
        sync(other),
        go(other, Until::End),
        user(other, write(1 << rng.u16(..5))),
        user(client, write(1 << rng.u16(..5))),
        sync(other),
        go(other, Until::End),
        sync(client),
        go(client, Until::Requests(rng.u8(1..4))),
        user(client, Act::Delete { table: 0, row }),
        go(client, Until::End),
    ]
}
