//! Who wrote last (semantics 4.5). The time of an edit is the device's, corrected by what the device
//! knew of the server's clock when it was made, and is compared with the server's stamp: what the
//! checker knows of clocks, of writes, and of decisions between them (I12).

use serde_json::Value;
use sync_core::json::{JsonMap, same_field};
use sync_core::{Conflict, Resolution, SyncEvent};

use super::check::Violation;
use super::client::Client;
use super::link::lock;
use super::schedule::{Act, Asked, Setup, Step, Strategy, Until};
use super::server::Key;
use super::updates;
use super::world::World;

const SECOND: i128 = 1_000_000_000;
/// Closer than this nobody says who was later: answers are under way for a while, and differences
/// below a second are not corrected.
const CERTAIN: i128 = 5 * SECOND;

/// What a device knows of the server's clock: by how much it is ahead of the device's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offset {
    /// `None`: the checker cannot tell.
    known: Option<i128>,
    /// What the next process will know.
    kept: Option<i128>,
    /// Do two processes ask, of which each knows only what it was told itself?
    is_of_two: bool,
}

impl Default for Offset {
    fn default() -> Self {
        // Without any answer the device's clock is as good as it gets.
        Self {
            known: Some(0),
            kept: Some(0),
            is_of_two: false,
        }
    }
}

impl Offset {
    /// An answer told the server's time.
    pub(super) fn is(&mut self, nanos: i128) {
        self.known = (!self.is_of_two).then_some(nanos);
    }

    /// A run is over, and what it learned is in the database.
    pub(super) fn is_kept(&mut self) {
        self.kept = self.known;
    }

    /// Another process begins with what is in the database, perhaps beside one that stands still.
    pub(super) fn restarts(&mut self, beside_another: bool) {
        self.is_of_two = beside_another;
        let same = self
            .known
            .zip(self.kept)
            .is_some_and(|(known, kept)| (known - kept).abs() < SECOND);
        if !same || beside_another {
            self.known = None;
        }
    }

    /// The database is another device's.
    pub(super) fn is_a_copy(&mut self) {
        (self.known, self.kept) = (None, None);
    }
}

/// From when to when something was done, as its device could know it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span(Option<(i128, i128)>);

impl Span {
    pub(super) fn at(client: &Client) -> Self {
        Self(client.corrected().map(|now| (now, now)))
    }

    /// It takes until now. What is known of the server's clock may have changed for the worse since,
    /// and back: an answer that was under way for long makes it look late.
    pub(super) fn reaches(&mut self, client: &Client) {
        let both = self.0.zip(client.corrected());
        self.0 = both.map(|((from, to), now)| (from.min(now), to.max(now)));
    }
}

/// A write that was queued.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// `None` = deleted.
    edit: Option<JsonMap>,
    span: Span,
    /// The same by the device's own clock.
    wall: i128,
}

impl Written {
    /// May it be part of an edit that ends as this record?
    fn may_be_in(&self, local: Option<&JsonMap>) -> bool {
        match (&self.edit, local) {
            (None, None) => true,
            (Some(edit), Some(local)) => edit
                .iter()
                .all(|(name, value)| same_field(local.get(name), Some(value))),
            _ => false,
        }
    }

    /// Did nobody else write what it writes?
    fn is_unmistakable(&self, of_few_values: &[&str]) -> bool {
        self.edit.as_ref().is_none_or(|edit| {
            let mut fields = edit.iter();
            fields.any(|(name, value)| {
                !matches!(value, Value::Null) && !of_few_values.contains(&name.as_str())
            })
        })
    }
}

impl Client {
    fn wall(&self) -> i128 {
        self.env.env().now().unix_nanos()
    }

    /// The time by this device's clock, corrected as far as it can be; `None`: the checker cannot tell.
    fn corrected(&self) -> Option<i128> {
        Some(self.wall() + lock(&self.link.own).offset.known?)
    }
}

/// Lets devices with wrong clocks write one after the other where the last write wins. It is drawn
/// apart, so that everything else stays what it was.
pub(super) fn draw(seed: u64, setup: &Setup, steps: &mut Vec<Step>) {
    if setup.strategy != Strategy::LastWriteWins || setup.clients < 2 {
        return;
    }
    let mut rng = fastrand::Rng::with_seed(seed.rotate_left(7) ^ 0x6c61_7374);
    for _ in 0..rng.u32(2..5) {
        let scene = scene(&mut rng, setup.clients);
        let place = rng.usize(..=steps.len());
        steps.splice(place..place, scene);
    }
}

fn scene(rng: &mut fastrand::Rng, clients: u8) -> Vec<Step> {
    let one = rng.u8(..clients);
    let other = (one + 1) % clients;
    let (table, row) = (rng.u8(..2), rng.u8(..5));
    let mut steps = Vec::new();
    if rng.bool() {
        let seconds = [-86_400, -3_600, 3_600, 86_400][rng.usize(..4)];
        steps.push(Step::SetClock {
            client: one,
            seconds,
        });
    }
    let sync = |client, steps: &mut Vec<Step>| {
        steps.push(Step::Ask {
            client,
            what: Asked::Sync,
            after_seconds: 0,
        });
        steps.push(Step::Go {
            client,
            until: Until::End,
            fates: Vec::new(),
        });
    };
    for client in [one, other] {
        sync(client, &mut steps);
    }
    let mut writers = vec![one, other];
    if rng.bool() {
        writers.push([one, other][rng.usize(..2)]);
    }
    for client in writers {
        let act = Act::Write {
            table,
            row,
            fields: 1 << rng.u16(..5),
            removes: false,
        };
        steps.push(Step::User { client, act });
        let seconds = rng.u32(10..60);
        steps.push(Step::Wait { seconds });
    }
    let mut both = [one, other];
    rng.shuffle(&mut both);
    for client in both {
        sync(client, &mut steps);
    }
    steps
}

impl World<'_> {
    /// A client's user wrote, or deleted, in this time.
    pub(super) fn note_write(
        &mut self,
        client: usize,
        key: &Key,
        edit: Option<&JsonMap>,
        mut span: Span,
    ) {
        let one = &self.clients[client];
        span.reaches(one);
        let written = Written {
            edit: edit.cloned(),
            span,
            wall: one.wall(),
        };
        let of_client = (one.number, key.clone());
        self.writes.entry(of_client).or_default().push(written);
    }

    /// What waits on one client waits on the other one too from now on.
    pub(super) fn copy_writes(&mut self, from: u8, to: u8) {
        self.writes.retain(|(client, _), _| *client != to);
        let copied = self
            .writes
            .iter()
            .filter(|((client, _), _)| *client == from);
        let copied = copied.map(|((_, key), writes)| ((to, key.clone()), writes.clone()));
        let copied: Vec<_> = copied.collect();
        self.writes.extend(copied);
    }

    /// I12: where the last write wins, it is the later one that did.
    pub(super) fn judge_last_write(&mut self, client: usize, event: &SyncEvent) {
        let SyncEvent::ConflictResolved {
            conflict,
            resolution,
            ..
        } = event
        else {
            return;
        };
        // An answer of another epoch is not used, so that nobody can tell what it taught.
        if self.lock().server.was_restored_knowingly() {
            return;
        }
        let key = (conflict.kind.clone(), conflict.entity_id.clone());
        let settled = self.table_settled_by(client, &key, Strategy::LastWriteWins);
        let Some(table) = settled else {
            return;
        };
        let Some(writes) = self.writes.get(&(self.clients[client].number, key.clone())) else {
            return;
        };
        let few = table.fields_of_few_values();
        let Some(edit) = Edit::of(conflict, writes, &few) else {
            return;
        };
        let name = self.clients[client].name();
        match edit.judge(conflict, resolution) {
            Ok(told) => {
                let mut shared = self.lock();
                told.iter().for_each(|class| shared.counters.count(class));
            }
            Err(text) => self.fail(Violation::new("I12", text).of(&key.1).of(name)),
        }
    }
}

/// When the newest write of an edit was made, at the earliest and at the latest.
struct Edit {
    from: i128,
    to: i128,
    wall: i128,
}

impl Edit {
    fn of(conflict: &Conflict, writes: &[Written], few: &[&str]) -> Option<Self> {
        let mut local = conflict.local.clone();
        if let Some(local) = &mut local {
            updates::to_new(&conflict.kind, local.fields_mut());
        }
        let local = local.as_ref().map(|local| local.fields());
        let is_in = |written: &Written| written.may_be_in(local);
        // A deletion that waits is not made anew by creating and deleting again behind it: it may be
        // any of them.
        let first = match local {
            None => 0,
            Some(_) => writes
                .iter()
                .rposition(|written| is_in(written) && written.is_unmistakable(few))?,
        };
        let mut found: Option<Self> = None;
        for written in writes.get(first..)?.iter().filter(|written| is_in(written)) {
            let (from, to) = written.span.0?;
            let wall = written.wall;
            found = Some(match found {
                None => Self { from, to, wall },
                Some(edit) => Self {
                    from: edit.from.min(from),
                    to: edit.to.max(to),
                    wall,
                },
            });
        }
        found
    }

    /// Is the decision the one that the times ask for? Returns what is to be counted.
    fn judge(
        &self,
        conflict: &Conflict,
        resolution: &Resolution,
    ) -> Result<Vec<&'static str>, String> {
        let bears = conflict.local_time.unix_nanos();
        let (from, to) = (self.from - CERTAIN, self.to + CERTAIN);
        if !(from..=to).contains(&bears) {
            let (behind, span) = (bears - self.from, self.to - self.from);
            return Err(format!(
                "an edit bears a time {behind} ns from where it began, and took {span} ns"
            ));
        }
        let Some(version) = conflict.server.version() else {
            return Ok(Vec::new());
        };
        let stamp = version.stamp.unix_nanos();
        let local_wins = match (from > stamp, to < stamp) {
            (true, _) => true,
            (_, true) => false,
            _ => return Ok(Vec::new()),
        };
        let is_right = match resolution {
            Resolution::AcceptClient => local_wins,
            Resolution::AcceptServer => !local_wins,
            _ => false,
        };
        if !is_right {
            let ahead = self.from - stamp;
            return Err(format!(
                "an edit made {ahead} ns after the server's record was decided by {resolution:?}"
            ));
        }
        let mut told = vec![if local_wins {
            "last write was here"
        } else {
            "last write was there"
        }];
        let (sooner, later) = (self.wall - CERTAIN > stamp, self.wall + CERTAIN < stamp);
        if (local_wins && later) || (!local_wins && sooner) {
            told.push("device's clock would have erred");
        }
        Ok(told)
    }
}
