//! A server in memory, with the habits of many, that remembers everything that ever happened to it.

mod habits;
mod list;
mod push;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde_json::{Value, json};
use sync_core::json::JsonMap;
use sync_core::transport::{PushChange, PushOutcome};
use sync_core::{EntityId, Kind, OpId, Precondition, Record, ServerState, Timestamp};

pub use habits::{Deletion, Habits, Keys, Paging, Revival, Stamps};
pub(crate) use push::{OFFENSIVE, trim};

use super::related::Field;

pub(crate) type Key = (Kind, EntityId);

const MICRO: i128 = 1_000;
const MILLI: i128 = 1_000_000;
/// 2026-01-01T00:00:00Z
const START: i128 = 1_767_225_600_000 * MILLI;
/// A transaction takes less time than clients leave for late commits.
const LONGEST_TRANSACTION: Duration = Duration::from_secs(4);

/// One state of one record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    /// Grows with every change of anything, in the order in which changes become visible.
    pub(crate) number: u64,
    /// When it was stamped, in nanoseconds.
    pub(crate) exact: i128,
    /// `None` = deleted.
    pub(crate) content: Option<JsonMap>,
    /// The operation that did it; `None` = another app.
    pub(crate) op: Option<OpId>,
}

/// A change that is stamped but not visible yet.
#[derive(Debug, Clone)]
struct Late {
    key: Key,
    stored: Stored,
    until: Duration,
}

/// What a backup holds.
#[derive(Debug, Clone, Default)]
struct Backup {
    records: BTreeMap<Key, Stored>,
    answers: BTreeMap<String, PushOutcome>,
    order: VecDeque<String>,
    /// The last change in it.
    changes: u64,
}

/// The server.
#[derive(Debug)]
pub(crate) struct SimServer {
    pub(crate) habits: Habits,
    now: Duration,
    last_stamp: i128,
    last_key: Option<Key>,
    records: BTreeMap<Key, Stored>,
    late: Vec<Late>,
    answers: BTreeMap<String, PushOutcome>,
    /// Keys in the order of their answers, to forget the oldest.
    order: VecDeque<String>,
    backup: Option<Backup>,
    /// What each chain of pages shows, as it was at its start.
    chains: Vec<Vec<(Key, Stored)>>,
    /// Kinds and clients whose cursors are no good any more.
    expired: BTreeSet<(u8, Kind)>,
    // -- what only the checker reads
    /// Every state of every record, in order.
    pub(crate) history: BTreeMap<Key, Vec<Stored>>,
    pub(crate) changes: u64,
    /// How often each operation took effect.
    pub(crate) effects: BTreeMap<OpId, u32>,
    /// The same content must come under the same key.
    requests: BTreeMap<String, (PushChange, Precondition)>,
    /// What no client may do, and one did.
    pub(crate) complaints: Vec<String>,
    /// Which fields of which kinds refer to which kinds.
    pub(crate) references: Vec<(Kind, Field)>,
    /// Children that came before their parents.
    pub(crate) too_early: Vec<String>,
    /// Records that a restored backup took back.
    pub(crate) taken_back: BTreeSet<Key>,
    /// Which changes restored backups took back, from behind the first number to the second.
    lost: Vec<(u64, u64)>,
    /// Operations that waited on a device when a backup was restored: what they did before is not
    /// enough.
    pub(crate) must_land: BTreeSet<OpId>,
}

impl SimServer {
    pub(crate) fn new(habits: Habits) -> Self {
        Self {
            habits,
            now: Duration::ZERO,
            last_stamp: START,
            last_key: None,
            records: BTreeMap::new(),
            late: Vec::new(),
            answers: BTreeMap::new(),
            order: VecDeque::new(),
            backup: None,
            chains: Vec::new(),
            expired: BTreeSet::new(),
            history: BTreeMap::new(),
            changes: 0,
            effects: BTreeMap::new(),
            requests: BTreeMap::new(),
            complaints: Vec::new(),
            references: Vec::new(),
            too_early: Vec::new(),
            taken_back: BTreeSet::new(),
            lost: Vec::new(),
            must_land: BTreeSet::new(),
        }
    }

    // -- time ----------------------------------------------------------------------------------

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_unix_nanos(self.nanos())
    }

    fn nanos(&self) -> i128 {
        START + i128::try_from(self.now.as_nanos()).unwrap_or(i128::MAX)
    }

    pub(crate) fn advance(&mut self, time: Duration) {
        self.now += time;
        let now = self.now;
        self.commit_where(|late| late.until <= now);
    }

    /// A stamp that is later than every other one of this record, and of all others unless they
    /// may share one.
    fn next_stamp(&mut self, key: &Key) -> i128 {
        let step = match self.habits.stamps {
            Stamps::Shared if self.may_share(key) => 0,
            // No two of them share the millisecond that is shown.
            Stamps::Truncated => MILLI + 137 * MICRO,
            Stamps::Micros | Stamps::Shared => 137 * MICRO,
        };
        let clock = if step == 0 { 0 } else { self.nanos() };
        let mut stamp = (self.last_stamp + step).max(clock);
        let newest = self.history.get(key).into_iter().flatten();
        let newest = newest.map(|stored| stored.exact).max().unwrap_or(0);
        let late = self.late.iter().filter(|late| late.key == *key);
        let newest = late.map(|late| late.stored.exact).fold(newest, i128::max);
        if stamp <= newest {
            stamp = newest + 137 * MICRO + step;
        }
        self.last_stamp = self.last_stamp.max(stamp);
        self.last_key = Some(key.clone());
        stamp
    }

    /// Two changes share a stamp only if they are made at nearly the same time; a list with a
    /// cursor of its own would never come back to a stamp.
    fn may_share(&self, key: &Key) -> bool {
        self.last_key.as_ref() != Some(key)
            && !self.changes.is_multiple_of(3)
            && self.habits.paging != Paging::Cursor
            && self.nanos() < self.last_stamp + 500 * MILLI
    }

    /// The stamp as clients see it.
    pub(crate) fn shown(&self, exact: i128) -> Timestamp {
        match self.habits.stamps {
            Stamps::Truncated => Timestamp::from_unix_nanos(exact - exact.rem_euclid(MILLI)),
            Stamps::Micros | Stamps::Shared => Timestamp::from_unix_nanos(exact),
        }
    }

    // -- what is stored ------------------------------------------------------------------------

    pub(crate) fn record(&self, key: &Key) -> Option<&Stored> {
        self.records.get(key)
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = (&Key, &Stored)> {
        self.records.iter()
    }

    /// Is the record one that clients can come to know of?
    pub(crate) fn is_listed(&self, stored: &Stored) -> bool {
        stored.content.is_some() || self.habits.deletion != Deletion::Hard
    }

    pub(crate) fn json(&self, key: &Key, stored: &Stored) -> JsonMap {
        let mut record = stored.content.clone().unwrap_or_default();
        let stamp = self.shown(stored.exact).to_json();
        record.insert("id".to_owned(), json!(key.1.as_str()));
        let deleted = if stored.content.is_some() {
            Value::Null
        } else {
            stamp.clone()
        };
        record.insert("deleted_at".to_owned(), deleted);
        record.insert("updated_at".to_owned(), stamp);
        record
    }

    fn state(&self, key: &Key, stored: &Stored) -> ServerState {
        let tag = self
            .habits
            .tags
            .then(|| format!("\"{}\"", stored.exact / MICRO));
        ServerState::of(Record::new(self.json(key, stored)), tag)
    }

    /// Makes a change visible.
    fn put(&mut self, key: &Key, mut stored: Stored) {
        self.changes += 1;
        stored.number = self.changes;
        if let Some(op) = &stored.op {
            *self.effects.entry(op.clone()).or_default() += 1;
        }
        let history = self.history.entry(key.clone()).or_default();
        history.push(stored.clone());
        if stored.content.is_none() && self.habits.deletion == Deletion::Hard {
            self.records.remove(key);
        } else {
            self.records.insert(key.clone(), stored);
        }
    }

    fn stamped(&mut self, key: &Key, content: Option<JsonMap>, op: Option<OpId>) -> Stored {
        Stored {
            number: 0,
            exact: self.next_stamp(key),
            content,
            op,
        }
    }

    fn commit_where(&mut self, is_due: impl Fn(&Late) -> bool) {
        let (due, rest) = std::mem::take(&mut self.late).into_iter().partition(is_due);
        self.late = rest;
        let due: Vec<Late> = due;
        for late in due {
            self.put(&late.key, late.stored);
        }
    }

    /// Whoever changes a record waits for those who hold it.
    fn commit_late_of(&mut self, key: &Key) {
        self.commit_where(|late| late.key == *key);
    }

    pub(crate) fn commit_all(&mut self) {
        self.commit_where(|_| true);
    }

    // -- other apps ----------------------------------------------------------------------------

    /// The live content of a record, changes that nobody sees yet included.
    pub(crate) fn content(&mut self, key: &Key) -> Option<JsonMap> {
        self.commit_late_of(key);
        self.records.get(key)?.content.clone()
    }

    pub(crate) fn write(&mut self, key: &Key, content: Option<JsonMap>, commits_late: bool) {
        self.commit_late_of(key);
        let stored = self.stamped(key, content, None);
        // A server that gives out its own cursors answers for what commits late.
        if commits_late && self.habits.paging != Paging::Cursor {
            let until = self.now + LONGEST_TRANSACTION;
            self.late.push(Late {
                key: key.clone(),
                stored,
                until,
            });
        } else {
            self.put(key, stored);
        }
    }

    pub(crate) fn expire_cursors(&mut self, clients: u8, kinds: &[Kind]) {
        for client in 0..clients {
            let all = kinds.iter().map(|kind| (client, kind.clone()));
            self.expired.extend(all);
        }
    }

    pub(crate) fn back_up(&mut self) {
        self.commit_all();
        self.backup = Some(Backup {
            records: self.records.clone(),
            answers: self.answers.clone(),
            order: self.order.clone(),
            changes: self.changes,
        });
    }

    pub(crate) fn epoch(&self) -> Option<String> {
        self.habits
            .epochs
            .then(|| format!("epoch {}", self.lost.len()))
    }

    /// Did it tell a new epoch, so that no client relies on its keys? What has landed under an answer
    /// that was not used is then looked up, and judged anew if somebody has changed it since.
    pub(crate) fn was_restored_knowingly(&self) -> bool {
        self.habits.epochs && !self.lost.is_empty()
    }

    /// Is this a state that the server lost when a backup was restored?
    pub(crate) fn has_lost(&self, stored: &Stored) -> bool {
        let mut lost = self.lost.iter();
        lost.any(|(from, to)| (from + 1..=*to).contains(&stored.number))
    }

    /// Is this a record of which clients cannot know that a backup took it back?
    pub(crate) fn is_untold(&self, key: &Key) -> bool {
        !self.habits.epochs && self.taken_back.contains(key)
    }

    /// These wait on a device: only what they do from now on counts.
    pub(crate) fn forget_effects<'a>(&mut self, ops: impl Iterator<Item = &'a OpId>) {
        for op in ops {
            self.effects.remove(op);
            self.must_land.insert(op.clone());
        }
    }

    /// `false`: there is no backup.
    pub(crate) fn restore(&mut self) -> bool {
        self.commit_all();
        let Some(backup) = self.backup.clone() else {
            return false;
        };
        for (key, stored) in &self.records {
            if backup.records.get(key) != Some(stored) {
                self.taken_back.insert(key.clone());
            }
        }
        for (key, stored) in &backup.records {
            if self.records.get(key) != Some(stored) {
                self.taken_back.insert(key.clone());
            }
        }
        self.lost.push((backup.changes, self.changes));
        self.records = backup.records;
        self.answers = backup.answers;
        self.order = backup.order;
        self.changes += 1;
        true
    }
}
