//! Tables on terms of their own: each built-in table may settle conflicts, keep deleted rows, be
//! pulled and sent in its own way; and an app may be updated to one that only pulls a table, or only
//! sends it, and back.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sync_core::transport::{PushChange, PushOp};
use sync_core::{Direction, Kind, Payload, SoftDelete, SyncError, TableConfig};

use super::check::Violation;
use super::later::whole_sync;
use super::link::lock;
use super::schedule::{Act, Setup, Step, Strategy};
use super::server::Key;
use super::tables::SimTable;
use super::world::World;

/// Both tables whose direction may change; what refers to the first one stays without a way.
const FIRST: u8 = 0;
const SECOND: u8 = 1;

/// The settings of one built-in table; what is `None` is as in the rest of the world.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// How its conflicts are settled, whatever its client's other tables do.
    pub strategy: Option<Strategy>,
    /// Does the row of a deleted entity stay?
    pub keeps_deleted: Option<bool>,
    /// Do edits of one entity fold into one operation?
    pub coalesce: Option<bool>,
    /// Rows per page.
    pub page_size: Option<u8>,
    /// How urgent it is.
    pub priority: i8,
    /// Do updates carry only what was changed, where the server takes that?
    pub in_part: bool,
    /// After how many hours do the rows of deleted entities go, whatever `keeps_deleted` says?
    #[serde(default)]
    pub purges_after: Option<u16>,
    /// The interval of automatic runs, in seconds; runs that somebody asks for take no notice.
    #[serde(default)]
    pub interval: Option<u16>,
}

/// Which way a table travels on a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Way {
    /// Both ways.
    Both,
    /// It is only pulled.
    Pulled,
    /// It is only sent.
    Sent,
}

impl Way {
    fn to_core(self) -> Direction {
        match self {
            Self::Both => Direction::Both,
            Self::Pulled => Direction::PullOnly,
            Self::Sent => Direction::PushOnly,
        }
    }
}

/// Draws terms for the tables of half of the worlds, and turns of a table in one of six. They are
/// drawn apart, so that the rest stays what it was.
pub(super) fn draw(seed: u64, setup: &mut Setup, steps: &mut Vec<Step>) {
    let mut rng = fastrand::Rng::with_seed(seed.rotate_left(17) ^ 0x0074_6572_6d73);
    setup.habits.takes_parts = rng.bool();
    if rng.bool() {
        setup.terms = (0..3).map(|_| terms(&mut rng)).collect();
        let mut times = fastrand::Rng::with_seed(seed.rotate_left(31) ^ 0x7469_6d65_7300);
        for terms in &mut setup.terms {
            add_times(&mut times, terms);
        }
    }
    if rng.u32(..6) == 0 {
        for _ in 0..rng.u32(1..4) {
            let scene = scene(&mut rng, setup.clients);
            let place = rng.usize(..=steps.len());
            steps.splice(place..place, scene);
        }
    }
}

fn terms(rng: &mut fastrand::Rng) -> Terms {
    let sometimes = |rng: &mut fastrand::Rng| rng.u32(..3) == 0;
    Terms {
        strategy: sometimes(rng).then(|| Strategy::ALL[rng.usize(..Strategy::ALL.len())]),
        keeps_deleted: sometimes(rng).then(|| rng.bool()),
        coalesce: sometimes(rng).then(|| rng.bool()),
        page_size: sometimes(rng).then(|| [1, 2, 3, 50][rng.usize(..4)]),
        priority: [0, 0, 1, -1][rng.usize(..4)],
        in_part: rng.bool(),
        ..Terms::default()
    }
}

fn add_times(rng: &mut fastrand::Rng, terms: &mut Terms) {
    let sometimes = |rng: &mut fastrand::Rng| rng.u32(..3) == 0;
    terms.purges_after = sometimes(rng).then(|| [1, 24, 24 * 30][rng.usize(..3)]);
    terms.interval = sometimes(rng).then(|| rng.u16(1..));
}

/// An edit waits when the app is updated to one that does not send, or does not pull; its user goes
/// on, and the next update takes that back.
fn scene(rng: &mut fastrand::Rng, clients: u8) -> Vec<Step> {
    let (client, table) = (rng.u8(..clients), [FIRST, SECOND][rng.usize(..2)]);
    let way = match table {
        SECOND if rng.bool() => Way::Sent,
        _ => Way::Pulled,
    };
    let turn = |way| Step::Turn { client, table, way };
    let write = |rng: &mut fastrand::Rng, client| Step::User {
        client,
        act: Act::Write {
            table,
            row: rng.u8(..5),
            fields: 1 << rng.u16(..5),
            removes: false,
        },
    };
    let mut steps = vec![write(rng, client), turn(way), write(rng, client)];
    steps.push(write(rng, (client + 1) % clients));
    steps.extend(whole_sync((client + 1) % clients));
    steps.extend(whole_sync(client));
    if rng.bool() {
        steps.extend([write(rng, client), turn(Way::Both)]);
    }
    steps
}

/// Does an update carry nothing but its id and what was changed?
pub(super) fn is_part(op: &PushOp) -> bool {
    let PushChange::Upsert { record, changed } = &op.change else {
        return false;
    };
    let is_told = |name: &String| name == "id" || changed.iter().any(|own| own.contains(name));
    changed.is_some() && record.fields().keys().all(is_told)
}

impl Setup {
    fn terms_of(&self, table: &SimTable) -> Option<&Terms> {
        let place = ["things", "notes", "parts"];
        let place = place.iter().position(|name| *name == table.kind().as_str());
        self.terms.get(place.filter(|_| table.is_built_in)?)
    }
}

impl SimTable {
    /// How urgent it is, for its own sake.
    pub(super) fn priority(&self, setup: &Setup) -> i32 {
        let own = setup.terms_of(self).map(|terms| terms.priority.into());
        own.unwrap_or(self.config.priority)
    }

    /// How its conflicts are settled on a client of this strategy: a table of an app's own, and one
    /// on terms of its own, have theirs.
    pub(crate) fn strategy(&self, setup: &Setup, of_client: Strategy) -> Strategy {
        if !self.is_built_in {
            return Strategy::of_core(self.config.strategy.unwrap_or_default());
        }
        let own = setup.terms_of(self).and_then(|terms| terms.strategy);
        own.unwrap_or(of_client)
    }

    /// The settings of a built-in table, but for who decides its conflicts.
    pub(super) fn config_in(&self, setup: &Setup, strategy: Strategy, way: Way) -> TableConfig {
        let terms = setup.terms_of(self).copied().unwrap_or_default();
        let keeps = terms.keeps_deleted.unwrap_or(setup.keeps_deleted);
        let purges_after = terms.purges_after.filter(|_| way != Way::Sent);
        let soft_delete = match purges_after {
            Some(hours) => SoftDelete::PurgeAfter(Duration::from_secs(u64::from(hours) * 3600)),
            None if keeps => SoftDelete::Keep,
            None => SoftDelete::Purge,
        };
        let mut config = self
            .config
            .clone()
            .soft_delete(soft_delete)
            .priority(terms.priority.into())
            .direction(way.to_core());
        if let Some(rows) = terms.page_size.filter(|_| way != Way::Sent) {
            config = config.page_size(rows.into());
        }
        if way == Way::Pulled {
            // Nothing more has a meaning.
            return config;
        }
        if let Some(seconds) = terms.interval.filter(|_| way != Way::Sent) {
            config = config.sync_interval(Duration::from_secs(seconds.into()));
        }
        if let Some(whose) = self.existing_rows(setup) {
            config = config.existing_rows(whose);
        }
        let payload = if terms.in_part {
            Payload::Changed
        } else {
            Payload::Full
        };
        config
            .strategy(self.strategy(setup, strategy).to_core())
            .coalesce(terms.coalesce.unwrap_or(setup.coalesce))
            .payload(payload)
    }

    /// Has every client merged it field by field, if those of no terms of their own have?
    pub(super) fn always_auto_preserve(&self, setup: &Setup, others: bool) -> bool {
        match setup.terms_of(self).and_then(|terms| terms.strategy) {
            Some(own) => own == Strategy::AutoPreserve,
            None if self.is_built_in => others,
            None => self.strategy(setup, Strategy::AutoPreserve) == Strategy::AutoPreserve,
        }
    }
}

impl super::client::Client {
    /// Which way a kind travels here.
    pub(super) fn way(&self, kind: &Kind) -> Way {
        let own = lock(&self.link.own);
        own.ways.get(kind).copied().unwrap_or(Way::Both)
    }
}

impl World<'_> {
    /// The app is updated: one of its tables goes another way from now on.
    pub(super) fn turn(&mut self, client: usize, table: u8, way: Way) {
        let Some((table, (kind, _))) = self.place(table, 0) else {
            return;
        };
        if !table.is_built_in {
            return;
        }
        self.hear(client);
        let class = match way {
            Way::Both => "table goes both ways again",
            Way::Pulled => "table is only pulled",
            Way::Sent => "table is only sent",
        };
        self.lock().counters.count(class);
        self.has_turned = true;
        lock(&self.clients[client].link.own).ways.insert(kind, way);
        self.clients[client].still = None;
        self.crash(client);
    }

    /// Every table goes both ways again.
    pub(super) fn turn_all_back(&mut self) {
        for client in 0..self.clients.len() {
            let ways = std::mem::take(&mut lock(&self.clients[client].link.own).ways);
            if !ways.is_empty() {
                self.clients[client].still = None;
                self.crash(client);
            }
        }
    }

    /// Is nothing of this written here? That it is refused, and says so, is judged where it fails.
    pub(super) fn refuses(&mut self, client: usize, key: &Key, error: &SyncError) -> bool {
        let is_meant = self.clients[client].way(&key.0) == Way::Pulled;
        let is_refusal = matches!(error, SyncError::PullOnly { .. });
        if is_meant && is_refusal {
            self.lock().counters.count("write refused");
        } else if is_refusal {
            self.fail(Violation::new("I1", "a write is refused that is meant"));
        }
        is_refusal
    }
}
