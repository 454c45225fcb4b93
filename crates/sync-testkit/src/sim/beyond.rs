//! What another app knows of a record and the clients' tables do not: a field without a column,
//! which every client's edits must carry.

use sync_core::transport::{PushChange, PushOp};

use super::schedule::{ServerAct, Step};

/// A field of the built-in table `things` for which no client has a column.
pub(super) const UNKNOWN: &str = "z";

/// Lets another app write the unknown field in one world in four. It is drawn apart, so that the
/// others stay what they are.
pub(super) fn draw(seed: u64, steps: &mut Vec<Step>) {
    let mut rng = fastrand::Rng::with_seed(seed.rotate_left(41) ^ 0x6265_796f_6e64);
    if rng.u32(..4) != 0 {
        return;
    }
    for _ in 0..rng.u32(2..9) {
        let place = rng.usize(..=steps.len());
        let act = ServerAct::Extend {
            table: 0,
            row: rng.u8(..5),
        };
        steps.insert(place, Step::Server { act });
    }
}

/// Does an operation carry what the client itself does not know?
pub(super) fn carries(op: &PushOp) -> bool {
    let PushChange::Upsert { record, .. } = &op.change else {
        return false;
    };
    record.get(UNKNOWN).is_some_and(|value| !value.is_null())
}
