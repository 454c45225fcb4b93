//! What other devices do on the server, and what goes wrong on the way to it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use sync_testkit::{Fault, MockServer, Route};

use super::file::Key;
use crate::Result;
use crate::phase::Phase;
use crate::tables::{FLAGS, KINDS, LABELS, LONGEST_TEXT, NOTES, TALLIES, ids, record, refused_ids};

/// What others count at once, so that no count of theirs looks like one from here.
const STEP: i64 = 1_000;
/// So many rows at most are removed without a trace between two rests: more, and a sweep holds.
const MOST_PURGES: usize = 12;
/// So many notes are edited from both sides.
const MOST_NOTES: usize = 40;
/// The server's clock moves on by so much with every edit.
const HEARTBEAT: Duration = Duration::from_millis(200);

/// All other devices together.
#[derive(Debug)]
pub(crate) struct Others {
    server: MockServer,
    number: u64,
    /// Notes that they edit.
    notes: Vec<String>,
    /// What they added to the list of each note.
    pub(crate) tokens: BTreeMap<String, Vec<String>>,
    /// What they counted in each tally.
    pub(crate) counts: BTreeMap<String, i64>,
    /// Records that they created, edited or deleted.
    pub(crate) touched: BTreeSet<Key>,
    /// Notes that come and go without anybody else editing them.
    passing: Vec<String>,
    purges: usize,
    /// Rows that no table takes.
    bad: Vec<String>,
}

impl Others {
    /// Fills the server.
    pub(crate) fn new(server: &MockServer) -> Result<Self> {
        server.set_clock(&sync_core::Env::system().now());
        for kind in KINDS {
            server.seed(kind, ids(kind).map(|id| record(&id, "seed", &[])))?;
        }
        // More than one page.
        let passing: Vec<String> = (0..60).map(|number| format!("passing-{number}")).collect();
        server.seed(NOTES, passing.iter().map(|id| record(id, "passing", &[])))?;
        Ok(Self {
            server: server.clone(),
            number: 0,
            notes: ids(NOTES).collect(),
            tokens: BTreeMap::new(),
            counts: BTreeMap::new(),
            // Whoever creates one without having seen it meets it as a conflict.
            touched: ids(LABELS).map(|id| (LABELS.to_owned(), id)).collect(),
            passing,
            purges: 0,
            bad: Vec::new(),
        })
    }

    /// The process has created a note, which others may edit too.
    pub(crate) fn hear_of_note(&mut self, id: &str) {
        if self.notes.len() < MOST_NOTES {
            self.notes.push(id.to_owned());
        }
    }

    /// One edit.
    pub(crate) fn act(&mut self, dice: &mut fastrand::Rng) {
        self.number += 1;
        self.server.advance(HEARTBEAT);
        match dice.u8(..100) {
            0..35 => self.add_token(dice),
            35..55 => self.count(dice),
            55..70 => self.set_text(LABELS, dice),
            70..83 => self.set_text(FLAGS, dice),
            83..86 => self.delete(dice),
            86..92 => self.pass_by(),
            92..95 => self.purge(dice),
            95..98 => self.spoil(dice),
            _ => self.repair(dice),
        }
    }

    fn add_token(&mut self, dice: &mut fastrand::Rng) {
        let id = self.notes[dice.usize(..self.notes.len())].clone();
        let token = format!("s{}", self.number);
        let is_first = dice.bool();
        let edited = self.server.update_with(NOTES, &id, |note| {
            let mut tokens = note["tokens"].as_array().cloned().unwrap_or_default();
            let place = if is_first { 0 } else { tokens.len() };
            tokens.insert(place, token.clone().into());
            json!({ "tokens": tokens })
        });
        if edited.is_some() {
            self.tokens.entry(id).or_default().push(token);
        }
    }

    fn count(&mut self, dice: &mut fastrand::Rng) {
        let id = some_id(TALLIES, dice);
        let add = |tally: &Value| json!({ "count": tally["count"].as_i64().unwrap_or(0) + STEP });
        if self.server.update_with(TALLIES, &id, add).is_some() {
            *self.counts.entry(id).or_default() += STEP;
        }
    }

    /// Deleted records come back.
    fn set_text(&mut self, kind: &str, dice: &mut fastrand::Rng) {
        let id = some_id(kind, dice);
        let text = format!("s{}", self.number);
        self.server.update(kind, &id, json!({ "text": text }));
        self.touched.insert((kind.to_owned(), id));
    }

    fn delete(&mut self, dice: &mut fastrand::Rng) {
        let kind = if dice.bool() { LABELS } else { FLAGS };
        let id = some_id(kind, dice);
        if self.server.delete(kind, &id) {
            self.touched.insert((kind.to_owned(), id));
        }
    }

    fn pass_by(&mut self) {
        let id = format!("passing-{}", self.number + 1_000);
        self.server.update(NOTES, &id, record(&id, "passing", &[]));
        self.passing.push(id);
    }

    fn purge(&mut self, dice: &mut fastrand::Rng) {
        if self.purges < MOST_PURGES && !self.passing.is_empty() {
            self.purges += 1;
            let id = self.passing.swap_remove(dice.usize(..self.passing.len()));
            self.server.purge(NOTES, &id);
        }
    }

    /// A row that the table refuses: too long a text, or a number that is none.
    fn spoil(&mut self, dice: &mut fastrand::Rng) {
        let id = format!("bad-{}", self.number);
        let mut note = record(&id, "bad", &[]);
        if dice.bool() {
            note["text"] = "x".repeat(LONGEST_TEXT + 1).into();
        } else {
            note["count"] = "many".into();
        }
        self.server.update(NOTES, &id, note);
        self.bad.push(id);
    }

    fn repair(&mut self, dice: &mut fastrand::Rng) {
        if !self.bad.is_empty() {
            let id = self.bad.swap_remove(dice.usize(..self.bad.len()));
            self.server.update(NOTES, &id, record(&id, "repaired", &[]));
        }
    }

    /// The rows that no table takes as they are.
    pub(crate) fn bad_rows(&self) -> BTreeSet<Key> {
        let key = |id: &String| (NOTES.to_owned(), id.clone());
        self.bad.iter().map(key).collect()
    }

    /// The process has come to rest: what was removed may be followed by more.
    pub(crate) fn rested(&mut self) {
        self.purges = 0;
    }
}

fn some_id(kind: &str, dice: &mut fastrand::Rng) -> String {
    let all: Vec<String> = ids(kind).collect();
    all[dice.usize(..all.len())].clone()
}

/// What always goes wrong: some records are refused.
pub(crate) fn refuse(server: &MockServer) {
    server.clear_faults();
    for id in refused_ids() {
        let refused = server.fault(Fault::status(422));
        refused.on(Route::Put).only(FLAGS, &id).always();
    }
}

/// What goes wrong in one life. Where a request is aimed at, it takes its time.
pub(crate) fn disturb(server: &MockServer, aim: Option<Phase>, dice: &mut fastrand::Rng) {
    refuse(server);
    let route = match aim {
        Some(Phase::Wire) => Some(Route::Push),
        Some(Phase::Asking) => Some(Route::Pull),
        _ => None,
    };
    if let Some(route) = route {
        let delay = || Fault::delay(Duration::from_micros(1_000));
        server.fault(delay()).on(route.clone()).always();
        server.fault(delay().after_work()).on(route).always();
    }
    for _ in 0..dice.u8(..4) {
        let (fault, route) = match dice.u8(..12) {
            0 => (Fault::status(500), Route::Any),
            1 => (Fault::status(503), Route::Any),
            2 => (Fault::status(429), Route::Any),
            3 => (Fault::drop_before(), Route::Any),
            4 | 5 => (Fault::drop_after(), Route::Push),
            6 => (Fault::drop_after(), Route::Pull),
            7 => (Fault::empty_body(), Route::Push),
            8 => (Fault::incomplete_conflict(), Route::Push),
            9 => (Fault::invalid_json(), Route::Any),
            10 => (Fault::html(), Route::Any),
            _ => (Fault::page_of(3), Route::Pull),
        };
        let skipped = dice.usize(..12);
        server.fault(fault).on(route).skip(skipped).times(2);
    }
}
