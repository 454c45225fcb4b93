//! What stays on a device: columns that are never sent, and that nobody but their user changes
//! (semantics 7).

use sync_core::Kind;
use sync_core::json::{JsonMap, same_field};
use sync_core::transport::{PushChange, PushOp};

use super::check::Violation;
use super::schedule::{Act, Setup, Step};
use super::seen::Seen;
use super::server::Key;
use super::tables::{FieldKind, SimTable};

/// A column of the built-in table `things` that stays on the device.
pub(super) const MARK: &str = "mark";

/// A field that stays on the device; of which kind.
pub(super) type LocalField = (Kind, String);

/// Lets users write what stays on their devices in one world in four. It is drawn apart, so that
/// the others stay what they are.
pub(super) fn draw(seed: u64, setup: &Setup, steps: &mut Vec<Step>) {
    let mut rng = fastrand::Rng::with_seed(seed.rotate_left(53) ^ 0x006c_6f63_616c);
    if rng.u32(..4) != 0 {
        return;
    }
    for _ in 0..rng.u32(2..9) {
        let place = rng.usize(..=steps.len());
        let client = rng.u8(..setup.clients);
        let act = Act::Mark {
            table: 0,
            row: rng.u8(..5),
            fields: if rng.bool() { 0 } else { 1 << rng.u16(..5) },
        };
        steps.insert(place, Step::User { client, act });
    }
}

impl SimTable {
    /// Its fields that stay on the device.
    pub(super) fn local_fields(&self) -> impl Iterator<Item = &str> {
        let columns = self.schema.columns.iter();
        let local = columns.filter(|column| column.local_only);
        local.map(|column| column.field.as_str())
    }

    /// One of them, as users edit it.
    pub(super) fn local_column(&self) -> Option<(String, FieldKind, sync_core::ColumnType)> {
        let column = self.schema.columns.iter().find(|one| one.local_only)?;
        Some((column.field.clone(), FieldKind::Unique, column.ty))
    }
}

/// What of an operation was to stay on the device.
pub(super) fn carried<'a>(op: &'a PushOp, local: &'a [LocalField]) -> Option<&'a str> {
    let PushChange::Upsert { record, .. } = &op.change else {
        return None;
    };
    let is_carried = |(kind, field): &&LocalField| *kind == op.kind && record.get(field).is_some();
    local
        .iter()
        .find(is_carried)
        .map(|(_, field)| field.as_str())
}

/// I3: what stays on the device changes by nobody but its user, for as long as the row is there.
pub(super) fn kept(before: &Seen, now: &Seen, written: Option<&Key>) -> Vec<Violation> {
    let others = before.local.iter().filter(|(key, _)| written != Some(*key));
    let found = others.filter_map(|(key, was)| changed(was, now.local.get(key)?, key));
    found.collect()
}

/// I3: after a write, it is what its user made of it.
pub(super) fn written(before: &Seen, now: &Seen, key: &Key, edit: &JsonMap) -> Option<Violation> {
    let mut wanted = before.local.get(key).cloned().unwrap_or_default();
    wanted.extend(edit.clone());
    changed(&wanted, now.local.get(key)?, key)
}

fn changed(was: &JsonMap, is: &JsonMap, key: &Key) -> Option<Violation> {
    let mut names = was.keys().chain(is.keys());
    let same = names.all(|name| same_field(was.get(name), is.get(name)));
    (!same).then(|| {
        let text = format!("what stays on the device changed from {was:?} to {is:?}");
        Violation::new("I3", text).of(&key.1)
    })
}
