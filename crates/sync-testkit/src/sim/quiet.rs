//! The end of a world: the network heals, everybody syncs until nothing moves, and what is there
//! is judged.

use std::collections::BTreeSet;
use std::time::Duration;

use sync_core::json::JsonMap;
use sync_core::{Kind, Op, OpStatus};

use super::check::{self, Violation};
use super::client::What;
use super::related;
use super::schedule::{Asked, Decision, Until};
use super::server::{Deletion, Key, Revival};
use super::world::World;

/// So many rounds of everybody's syncs must be enough.
const ROUNDS: u32 = 14;

impl World<'_> {
    /// Heals everything and judges what is there.
    pub(crate) fn end(&mut self) {
        self.lock().tell(|| "the network heals".to_owned());
        while !self.lock().late.is_empty() {
            self.deliver(false);
        }
        for client in 0..self.clients.len() {
            self.wake(client);
        }
        self.turn_all_back();
        self.wait(Duration::from_secs(600));
        // Whoever offends or is spoiled holds up nobody but itself (I11).
        let settled = self.settle(Asked::Sync);
        if settled && self.violations.is_empty() {
            let set_aside: Vec<Key> = self
                .keys
                .iter()
                .filter(|key| {
                    self.clients
                        .iter()
                        .any(|one| !one.seen.ops_of(key).is_empty())
                })
                .cloned()
                .collect();
            // What goes without a tombstone is found by a full resync, and asked for once in each.
            let lost = self.lock().server.was_restored_knowingly();
            if self.setup.habits.deletion != Deletion::Hard && !lost {
                self.judge_agreement("I11", |key| !set_aside.contains(key));
            }
        }
        self.mend();
        self.apologise();
        self.settle(Asked::Sync);
        self.lift();
        let lost = self.lock().server.was_restored_knowingly();
        if self.setup.habits.deletion == Deletion::Hard || lost {
            self.wait(Duration::from_secs(600));
            self.settle(Asked::Resync { clear_data: false });
        }
        self.settle(Asked::Sync);
        if !self.violations.is_empty() {
            return;
        }
        self.judge();
    }

    /// Everybody syncs until nothing moves; what is put off stays so. `false`: it never ends.
    fn settle(&mut self, mut asked: Asked) -> bool {
        for _ in 0..ROUNDS {
            let before = self.lock().server.changes;
            for client in 0..self.clients.len() {
                self.go(client, Until::End, &[]);
                self.ask(client, asked, 600);
                self.go(client, Until::End, &[]);
            }
            asked = Asked::Sync;
            let waits = self.clients.iter().any(|one| {
                let is_pending = |ops: &[Op]| {
                    ops.first()
                        .is_some_and(|head| head.status == OpStatus::Pending)
                };
                // What it waits for is pending itself, or waits for somebody.
                let mut queues = one.seen.ops.iter();
                queues.any(|(key, ops)| {
                    is_pending(ops)
                        && !related::may_wait(self.tables, &one.seen, &BTreeSet::new(), key)
                })
            });
            let moved = before != self.lock().server.changes;
            if !self.violations.is_empty() {
                return false;
            }
            if !moved && !waits {
                return true;
            }
        }
        let ops: Vec<_> = self
            .clients
            .iter()
            .flat_map(|one| one.seen.all_ops())
            .collect();
        let hopeless = self.setup.habits.revival != Revival::Done;
        if hopeless {
            return true;
        }
        let text = format!("it never settles: {ops:?}");
        self.fail(Violation::new("I10", text));
        false
    }

    /// Users decide what waits for them: what is stuck is tried again, and at last given up.
    fn lift(&mut self) {
        for round in 0..6 {
            let mut waits = false;
            for client in 0..self.clients.len() {
                if self.clients[client].seen.ops.is_empty() {
                    continue;
                }
                waits = true;
                self.retry(client);
                let decision = [Decision::Client, Decision::Server, Decision::Merged][round % 3];
                if self.has_deferred(client) {
                    self.loosen_all(client);
                    self.clients[client].begin_resolve(decision);
                    self.go(client, Until::End, &[]);
                }
                if round > 3 {
                    self.give_up(client);
                }
            }
            if !waits || !self.settle(Asked::Sync) {
                return;
            }
        }
    }

    fn has_deferred(&self, client: usize) -> bool {
        let mut ops = self.clients[client].seen.all_ops();
        ops.any(|op| op.status == OpStatus::Deferred)
    }

    fn loosen_all(&mut self, client: usize) {
        let keys: Vec<Key> = self.clients[client].seen.ops.keys().cloned().collect();
        for key in keys {
            self.ledger.loosen(&key);
        }
    }

    fn give_up(&mut self, client: usize) {
        self.loosen_all(client);
        let keys: Vec<Key> = self.clients[client].seen.ops.keys().cloned().collect();
        for key in keys {
            self.clients[client].begin(What::Discard(key), None, 0);
            self.go(client, Until::End, &[]);
        }
    }

    fn judge_agreement(&mut self, name: &'static str, is_meant: impl Fn(&Key) -> bool) {
        let shared = self.lock();
        let keys = self.keys.iter().filter(|key| is_meant(key));
        let found = check::agree(&self.clients, keys, &shared.server, &self.unclaimed);
        drop(shared);
        for mut violation in found {
            violation.invariant = name;
            self.fail(violation);
        }
    }

    fn judge(&mut self) {
        self.judge_agreement("I7", |_| true);
        let untold = |key: &Key| self.lock().server.is_untold(key);
        let mut left = Vec::new();
        for one in &self.clients {
            for op in one.seen.all_ops() {
                let key = (op.kind.clone(), op.entity_id.clone());
                if !untold(&key) {
                    left.push(format!("{} still waits: {op:?}", one.name()));
                }
            }
        }
        for text in left {
            self.fail(Violation::new("I10", text));
        }
        let always = self.always_auto_preserve;
        let found = {
            let mut shared = self.lock();
            let (found, judged) = check::all_is_well(
                self.tables,
                &self.setup,
                &|table| table.always_auto_preserve(&self.setup, always),
                &self.ledger,
                &shared.server,
            );
            judged.iter().for_each(|class| shared.counters.count(class));
            found
        };
        for violation in found {
            self.fail(violation);
        }
    }

    /// Asks the app's own rule about every live record.
    pub(crate) fn judge_by(&mut self, rule: &dyn Fn(&Kind, &JsonMap) -> Result<(), String>) {
        let mut broken = Vec::new();
        for (key, stored) in self.lock().server.records() {
            if let Some(content) = &stored.content
                && let Err(text) = rule(&key.0, content)
            {
                broken.push(Violation::new("app", text).of(&key.1));
            }
        }
        self.violations.extend(broken);
    }
}
