//! Urgent kinds go first: nothing of a less urgent kind is sent while something of a more urgent one
//! is ready and waits, and pulls begin in that order (I4).
//!
//! Ready is what was queued and untouched when its run was asked for: not refused or in trouble, not
//! in conflict, not behind a parent, of a table that is sent. What a resolver answers late may go at
//! any time; a restored server, and a table that owes a pull, put pulls in front.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::{Kind, OpId};

use super::check::Violation;
use super::client::What;
use super::link::lock;
use super::related;
use super::schedule::{Setup, Strategy};
use super::server::Key;
use super::tables::SimTable;
use super::world::World;

/// What left a device since a run was asked for while none was under way.
#[derive(Debug, Default)]
pub(super) struct Departures {
    /// Operations, since they were last looked at.
    pushed: Vec<(Key, OpId)>,
    /// Kinds, as they were first pulled.
    pulled: Vec<Kind>,
    /// So many of these were looked at.
    judged: usize,
}

impl Departures {
    pub(super) fn pushes(&mut self, key: &Key, op: &OpId) {
        self.pushed.push((key.clone(), op.clone()));
    }

    pub(super) fn pulls(&mut self, kind: &Kind) {
        if !self.pulled.contains(kind) {
            self.pulled.push(kind.clone());
        }
    }
}

/// How urgent each kind is: as the most urgent of those that refer to it, if that is more.
pub(super) fn of_tables(tables: &[SimTable], setup: &Setup) -> BTreeMap<Kind, i32> {
    let own = |table: &SimTable| (table.kind().clone(), table.priority(setup));
    let mut urgency: BTreeMap<Kind, i32> = tables.iter().map(own).collect();
    // As often as a chain of references can be long.
    for _ in tables {
        for table in tables {
            let own = urgency.get(table.kind()).copied().unwrap_or_default();
            for (parent, _) in table.parents() {
                urgency.entry(parent).and_modify(|of| *of = own.max(*of));
            }
        }
    }
    urgency
}

impl World<'_> {
    /// Looks at what left during the last poll of a client.
    pub(super) fn judge_urgency(&mut self, client: usize) {
        let (pushed, pulled, judged, has_stood_still) = {
            let mut own = lock(&self.clients[client].link.own);
            let pushed = std::mem::take(&mut own.departures.pushed);
            let pulled = own.departures.pulled.clone();
            let judged = std::mem::replace(&mut own.departures.judged, pulled.len());
            (pushed, pulled, judged, own.has_stood_still())
        };
        let owes = self.setup.old_apps != 0 || self.has_turned;
        if has_stood_still || owes || self.lock().server.was_restored_knowingly() {
            return;
        }
        for place in judged..pulled.len() {
            self.judge_pull(client, &pulled[..place], &pulled[place]);
        }
        for (key, _) in &pushed {
            self.judge_push(client, key);
        }
    }

    fn urgency_of(&self, kind: &Kind) -> i32 {
        self.urgency.get(kind).copied().unwrap_or_default()
    }

    fn judge_pull(&mut self, client: usize, before: &[Kind], kind: &Kind) {
        let own = self.urgency_of(kind);
        let mut urgent = self.urgency.iter().filter(|(_, of)| **of > own);
        match urgent.clone().find(|(other, _)| !before.contains(other)) {
            Some((other, _)) => {
                let text = format!("{kind} is pulled before {other}, which is more urgent");
                let name = self.clients[client].name();
                self.fail(Violation::new("I4", text).of(name));
            }
            None if urgent.next().is_some() => self.lock().counters.count("urgent pulled first"),
            None => {}
        }
    }

    fn judge_push(&mut self, client: usize, key: &Key) {
        let one = &self.clients[client];
        let asks = self.table_of(key).is_none_or(|table| {
            // Its answers come when they come.
            table.strategy(&self.setup, one.strategy) == Strategy::Manual
        });
        let mut runs = one.tasks.iter().filter(|task| task.what == What::Run);
        let (Some(run), None) = (runs.next(), runs.next()) else {
            return;
        };
        if asks || !run.is_alone {
            return;
        }
        let own = self.urgency_of(&key.0);
        let urgent = run.waited.iter();
        let urgent: Vec<_> = urgent
            .filter(|(other, _)| self.urgency_of(&other.0) > own)
            .collect();
        let waits = urgent.iter().find(|(other, ops)| {
            one.seen.ops_of(other) == ops.as_slice()
                && !related::may_wait(self.tables, &one.seen, &run.queued, other)
        });
        let sent: BTreeSet<OpId> = lock(&one.link.own).sent.keys().cloned().collect();
        let went_first = urgent
            .iter()
            .any(|(_, ops)| ops.iter().any(|op| sent.contains(&op.op_id)));
        if let Some((other, _)) = waits {
            let text = format!(
                "{}/{} is sent while {}/{} waits, which is more urgent",
                key.0, key.1, other.0, other.1
            );
            let name = one.name();
            self.fail(Violation::new("I4", text).of(name));
        } else if went_first {
            self.lock().counters.count("urgent sent first");
        }
    }
}
