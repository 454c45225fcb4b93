//! What is watched while a world goes on: commits, events, and how calls end.

use std::collections::BTreeMap;

use sync_core::{Kind, OpId, PhaseEnd, SyncError, SyncEvent, SyncReport};

use super::check::{self, Decider, Violation};
use super::client::{Client, Task};
use super::existing;
use super::link::lock;
use super::local;
use super::related;
use super::schedule::Strategy;
use super::seen::Seen;
use super::server::Key;
use super::terms::Way;
use super::updates;
use super::world::World;

/// How often one operation may go out in one run.
const OFTEN: u32 = 24;

impl World<'_> {
    /// Looks at the database, if it changed, and at what became of it since the last look.
    /// `written` = by the user, `discards` = being given up.
    pub(crate) fn observe(&mut self, client: usize, written: Option<&Key>, discards: &[Key]) {
        let one = &self.clients[client];
        let commits = one.store.commits();
        if commits == one.seen.commits {
            return;
        }
        let now = match Seen::of(&one.store.memory, &self.keys, self.tables) {
            Ok(mut now) => {
                now.commits = commits;
                now
            }
            Err(error) => {
                self.fail(Violation::new("I10", error.to_string()));
                return;
            }
        };
        let name = one.name();
        let shared = self.lock();
        let mut found = check::between(&one.seen, &now, written, &shared.server);
        found.extend(related::orphans(self.tables, &now));
        found.extend(local::kept(&one.seen, &now, written));
        found.extend(existing::kept(&self.unclaimed, &one.seen, &now, written));
        let mut unexplained = Vec::new();
        for key in one.seen.ops.keys() {
            let gone = check::account_for(
                &one.seen,
                &now,
                key,
                written == Some(key),
                discards.contains(key),
                self.decider(one, key),
                &shared.server,
            );
            unexplained.extend(gone);
        }
        drop(shared);
        for violation in found {
            self.fail(violation.of(name));
        }
        // Who edits a row that cannot show what it was merged with may undo that unknowingly.
        let blind = now
            .quarantined
            .iter()
            .filter(|key| !now.ops_of(key).is_empty());
        for key in blind {
            self.ledger.loosen(key);
        }
        let number = self.clients[client].number;
        self.unexplained
            .entry(number)
            .or_default()
            .extend(unexplained);
        self.clients[client].seen = now;
    }

    fn decider(&self, client: &Client, key: &Key) -> Decider<'_> {
        let table = self.table_of(key);
        let strategy = match table {
            Some(table) if !client.decides_by_hand => table.strategy(&self.setup, client.strategy),
            _ => Strategy::Manual,
        };
        Decider { strategy, table }
    }

    /// Nothing that waits on a device may be lost with the server's past.
    pub(crate) fn note_waiting(&mut self) {
        let mut shared = lock(&self.shared);
        if !shared.server.habits.epochs {
            return;
        }
        // With an answer under way, what the server said of its past still counts.
        let quiet = self.clients.iter().filter(|one| one.tasks.is_empty());
        let waiting = quiet.flat_map(|one| one.seen.all_ops());
        shared.server.forget_effects(waiting.map(|op| &op.op_id));
    }

    pub(crate) fn hear(&mut self, client: usize) {
        let events = self.clients[client].new_events();
        let number = self.clients[client].number;
        for event in events {
            let mut shared = lock(&self.shared);
            shared.counters.event(&event);
            shared.tell(|| format!("    {number} event: {event:?}"));
            drop(shared);
            self.note_contested(&event);
            self.judge_last_write(client, &event);
            self.judge_rules(client, &event);
            if let Some(unexplained) = self.unexplained.get_mut(&number) {
                unexplained.retain(|gone| !gone.is_told_by(&event));
            }
        }
    }

    fn note_contested(&mut self, event: &SyncEvent) {
        let (key, fields) = match event {
            SyncEvent::ConflictResolved {
                conflict,
                contested_fields,
                ..
            } => (
                (conflict.kind.clone(), conflict.entity_id.clone()),
                contested_fields,
            ),
            SyncEvent::DataMerged {
                kind,
                entity_id,
                contested_fields,
                ..
            } => ((kind.clone(), entity_id.clone()), contested_fields),
            _ => return,
        };
        let fields = fields
            .iter()
            .map(|field| updates::new_name(field).to_owned());
        let named = fields.map(|field| (key.clone(), field));
        self.ledger.contested.extend(named);
    }

    /// Whatever is gone must be accounted for when nothing is under way any more.
    pub(crate) fn explain(&mut self, client: usize) {
        let number = self.clients[client].number;
        let name = self.clients[client].name();
        for gone in self.unexplained.remove(&number).unwrap_or_default() {
            self.fail(gone.violation().of(name));
        }
    }

    pub(crate) fn ended(
        &mut self,
        client: usize,
        task: &Task,
        result: Result<Option<SyncReport>, SyncError>,
    ) {
        let name = self.clients[client].name();
        let report = match result {
            Ok(Some(report)) => report,
            Ok(None) => return,
            Err(error) => {
                let text = format!("a call failed: {error}");
                self.fail(Violation::new("I10", text).of(name));
                return;
            }
        };
        let mut own = lock(&self.clients[client].link.own);
        own.offset.is_kept();
        let sent: BTreeMap<OpId, u32> = own.sent.clone();
        let is_asked = own.questions > 0;
        drop(own);
        let mut shared = self.lock();
        let seen = &self.clients[client].seen;
        let mut found = Vec::new();
        if is_asked {
            shared.counters.count("question outlives a run");
        }
        if report.pull == PhaseEnd::Completed {
            shared.counters.count("run complete");
            let is_pulled = |kind: &Kind| self.clients[client].way(kind) != Way::Sent;
            found.extend(check::pulled_everything(
                task,
                seen,
                &shared.server,
                is_pulled,
            ));
        } else {
            shared.counters.count("run incomplete");
        }
        if report.push == PhaseEnd::Completed {
            let may_wait = |key: &Key| related::may_wait(self.tables, seen, &task.queued, key);
            found.extend(check::tried_everything(task, seen, &sent, may_wait));
        }
        let often = sent.iter().find(|(_, count)| **count > OFTEN);
        if let Some((op, count)) = often {
            let text = format!("{op} went out {count} times");
            found.push(Violation::new("I10", text));
        }
        drop(shared);
        for violation in found {
            self.fail(violation.of(name));
        }
    }
}
