//! What must hold when nothing moves any more (I2, I5, I7, I8).

use std::collections::BTreeSet;

use super::Violation;
use super::ledger::Ledger;
use super::lost;
use super::ruled;
use crate::sim::client::Client;
use crate::sim::schedule::{Setup, Strategy};
use crate::sim::seen::same_content;
use crate::sim::server::{Key, Revival, SimServer};
use crate::sim::tables::SimTable;

/// I7: every database says what the server says, of everything but these.
pub(crate) fn agree<'a>(
    clients: &[Client],
    keys: impl Iterator<Item = &'a Key>,
    server: &SimServer,
    unclaimed: &BTreeSet<Key>,
) -> Vec<Violation> {
    let mut found = Vec::new();
    for key in keys {
        if server.is_untold(key) {
            continue;
        }
        let stored = server
            .record(key)
            .and_then(|stored| stored.content.as_ref());
        for client in clients {
            let row = client.seen.live(key);
            let same = match (row, stored) {
                (Some(row), Some(stored)) => same_content(row, stored),
                (None, None) => true,
                // A row that nobody sends, of a record that the server never had, or no more.
                (Some(_), None) => {
                    server.record(key).is_none()
                        && unclaimed.contains(key)
                        && client.seen.is_unclaimed(key)
                }
                _ => false,
            };
            if !same && !client.seen.quarantined.contains(key) {
                let text = format!("the row is {row:?}, the server has {stored:?}");
                let whom = format!("{} {}", client.name(), key.1);
                found.push(Violation::new("I7", text).of(whom));
            }
        }
    }
    found
}

/// What users wrote is what there is, as far as the strategy and the server's habits promise it; and
/// which promises there were.
pub(crate) fn all_is_well(
    tables: &[SimTable],
    setup: &Setup,
    always_auto_preserve: &dyn Fn(&SimTable) -> bool,
    ledger: &Ledger,
    server: &SimServer,
) -> (Vec<Violation>, Vec<&'static str>) {
    let mut found = Vec::new();
    let mut judged = Vec::new();
    for (key, record) in &ledger.records {
        let Some(table) = tables.iter().find(|table| *table.kind() == key.0) else {
            continue;
        };
        if server.taken_back.contains(key) || setup.habits.revival != Revival::Done {
            continue;
        }
        let end = server
            .record(key)
            .and_then(|stored| stored.content.as_ref());
        let manual = table.strategy(setup, setup.strategy) == Strategy::Manual;
        // To a deletion that waits behind its own create, what the server trimmed is an edit that
        // its user has not seen (semantics 3, Ack); to a repeat that the server does not
        // recognise, it is one of somebody else's.
        let may_deceive = !record.deleted.is_empty() || !setup.habits.are_exact();
        let is_trimmed = setup.habits.trims && may_deceive;
        if !manual && !is_trimmed {
            found.extend(lost::only_writer(record, end).map(|violation| violation.of(&key.1)));
        }
        // What a server makes of a value while its next edit waits is a change of somebody else's, which
        // a rule may prefer.
        let is_settled_blindly = setup.habits.trims && table.has_rules();
        if !setup.habits.are_exact()
            || !always_auto_preserve(table)
            || record.is_loose
            || is_settled_blindly
        {
            continue;
        }
        let lost = lost::field_by_field(table, key, ledger, end, &mut judged);
        found.extend(lost.into_iter().map(|violation| violation.of(&key.1)));
        if server.was_restored_knowingly() {
            continue;
        }
        if let Some(end) = end {
            let sums = ruled::increments(table, record, end, &mut judged);
            found.extend(sums.into_iter().map(|violation| violation.of(&key.1)));
        }
        if !record.deleted.is_empty() || !record.copied.is_empty() {
            // What a deletion took may come back with an edit that did not know of it.
            continue;
        }
        let history = server.history.get(key).map_or(&[][..], Vec::as_slice);
        found.extend(lost::nothing_twice(table, history).map(|violation| violation.of(&key.1)));
    }
    (found, judged)
}
