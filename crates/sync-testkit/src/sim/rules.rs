//! Fields with rules of their own for what both sides changed (`FieldMerge`): which worlds have
//! them, and how users meet there.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use sync_core::FieldMerge;

use super::later::whole_sync;
use super::schedule::{Act, Asked, Fate, ServerAct, Setup, Step, Strategy, Until};
use super::server::{Keys, Stamps};
use super::tables::{FieldKind, SimTable};

/// A field of a built-in table that has a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldRule {
    /// The place of the table.
    pub table: u8,
    /// The place of the field among those that users edit.
    pub field: u8,
    /// Its rule.
    pub rule: MergeRule,
}

/// What becomes of a value that both sides changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MergeRule {
    /// The local one remains.
    Local,
    /// The server's remains.
    Server,
    /// The greater one remains.
    Max,
    /// The smaller one remains.
    Min,
    /// Both increments count.
    SumDelta,
    /// Everything that either side has remains.
    Union,
}

impl MergeRule {
    fn to_core(self) -> FieldMerge {
        match self {
            Self::Local => FieldMerge::Local,
            Self::Server => FieldMerge::Server,
            Self::Max => FieldMerge::Max,
            Self::Min => FieldMerge::Min,
            Self::SumDelta => FieldMerge::SumDelta,
            Self::Union => FieldMerge::Union,
        }
    }
}

const TEXT: [MergeRule; 4] = [
    MergeRule::Max,
    MergeRule::Local,
    MergeRule::Server,
    MergeRule::Min,
];
const NUMBER: [MergeRule; 7] = [
    MergeRule::SumDelta,
    MergeRule::SumDelta,
    MergeRule::SumDelta,
    MergeRule::Max,
    MergeRule::Min,
    MergeRule::Local,
    MergeRule::Server,
];
const INSIDE: [MergeRule; 4] = [
    MergeRule::Union,
    MergeRule::Union,
    MergeRule::Local,
    MergeRule::Server,
];
/// The fields of the built-in tables and what they may have.
const FIELDS: [(u8, u8, &[MergeRule]); 8] = [
    (0, 0, &TEXT),
    (0, 1, &TEXT),
    (0, 2, &NUMBER),
    (0, 3, &INSIDE),
    (0, 4, &INSIDE),
    (1, 0, &TEXT),
    (2, 0, &TEXT),
    (2, 1, &TEXT),
];

/// Gives rules to fields in one world in three, and lets two users meet at such fields. It is drawn
/// apart, so that the rest stays what it was.
pub(super) fn draw(seed: u64, setup: &mut Setup, steps: &mut Vec<Step>) {
    let mut rng = fastrand::Rng::with_seed(seed.rotate_left(23) ^ 0x0072_756c_6573);
    if rng.u32(..3) != 0 {
        return;
    }
    for (table, field, rules) in FIELDS {
        if rng.u32(..5) < 2 {
            continue;
        }
        let rule = rules[rng.usize(..rules.len())];
        setup.rules.push(FieldRule { table, field, rule });
    }
    // What a server makes of a value that waits to be replaced is a change of somebody else's, which
    // a rule may prefer.
    setup.habits.trims = false;
    if rng.bool() {
        // What a rule promises of the end it promises where nothing is covered or done twice.
        let habits = &mut setup.habits;
        (habits.keys, habits.declares, habits.checks_absence) = (Keys::Honoured, true, true);
        if habits.stamps == Stamps::Truncated {
            habits.stamps = Stamps::Micros;
        }
        setup.strategy = Strategy::AutoPreserve;
        for terms in &mut setup.terms {
            terms.strategy = None;
        }
    }
    let is_there = |own: &&FieldRule| own.table < 2 || setup.related;
    let met: Vec<FieldRule> = setup.rules.iter().filter(is_there).copied().collect();
    if met.is_empty() || setup.clients < 2 {
        return;
    }
    for _ in 0..rng.u32(2..6) {
        let own = met[rng.usize(..met.len())];
        let scene = scene(&mut rng, setup.clients, own);
        let place = rng.usize(..=steps.len());
        steps.splice(place..place, scene);
    }
    let counts = |own: &&FieldRule| own.rule == MergeRule::SumDelta;
    if let Some(own) = met.iter().find(counts) {
        // Who creates what somebody else has created knows no base.
        steps.splice(..0, beginning(setup.clients, own));
    }
}

/// The server has everything that is counted, and everybody knows it.
fn beginning(clients: u8, own: &FieldRule) -> Vec<Step> {
    let write = |row| {
        let act = ServerAct::Write {
            table: own.table,
            row,
            field: own.field,
            commits_late: false,
        };
        Step::Server { act }
    };
    let mut steps: Vec<Step> = (0..5).map(write).collect();
    for client in 0..clients {
        steps.extend(whole_sync(client));
    }
    steps
}

/// Two users edit the same field of what both have seen, one of them on a bad line.
fn scene(rng: &mut fastrand::Rng, clients: u8, own: FieldRule) -> Vec<Step> {
    let one = rng.u8(..clients);
    let other = (one + 1) % clients;
    let row = rng.u8(..5);
    let write = |client| Step::User {
        client,
        act: Act::Write {
            table: own.table,
            row,
            fields: 1 << own.field,
            removes: false,
        },
    };
    let mut steps = Vec::new();
    steps.push(write(one));
    for client in [one, other] {
        steps.extend(whole_sync(client));
    }
    steps.extend([write(one), write(other)]);
    let bad = [Fate::Lost, Fate::AnswerLost, Fate::Arrives, Fate::Late];
    steps.extend([
        Step::Ask {
            client: one,
            what: [Asked::Push, Asked::Sync][rng.usize(..2)],
            after_seconds: 200,
        },
        Step::Go {
            client: one,
            until: Until::End,
            fates: vec![bad[rng.usize(..4)]],
        },
    ]);
    if rng.bool() {
        steps.push(write(one));
    }
    for client in [other, one, other] {
        steps.extend(whole_sync(client));
    }
    steps
}

/// The tables of a world, whose fields have its rules.
pub(super) fn tables_of<'a>(tables: &'a [SimTable], setup: &Setup) -> Cow<'a, [SimTable]> {
    if setup.rules.is_empty() {
        return Cow::Borrowed(tables);
    }
    let mut tables = tables.to_vec();
    for own in &setup.rules {
        let Some(table) = tables.get_mut(usize::from(own.table)) else {
            continue;
        };
        let Some(field) = table.fields.get_mut(usize::from(own.field)) else {
            continue;
        };
        if !table.is_built_in {
            continue;
        }
        if own.rule == MergeRule::SumDelta {
            field.1 = FieldKind::Counter;
        }
        let columns = table.schema.columns.iter_mut();
        for column in columns.filter(|column| column.field == field.0) {
            column.merge = own.rule.to_core();
        }
    }
    Cow::Owned(tables)
}

impl SimTable {
    pub(crate) fn rule(&self, field: &str) -> FieldMerge {
        self.schema.merge_rule(field)
    }

    pub(crate) fn has_rules(&self) -> bool {
        let mut columns = self.schema.columns.iter();
        columns.any(|column| column.merge != FieldMerge::Auto)
    }

    /// Is one side's value of this field kept as a whole, whatever is inside?
    pub(crate) fn is_whole(&self, field: &str) -> bool {
        matches!(self.rule(field), FieldMerge::Local | FieldMerge::Server)
    }

    /// Does one of two values give way by the rule, so that no event names the field?
    pub(crate) fn is_settled_silently(&self, field: &str) -> bool {
        matches!(self.rule(field), FieldMerge::Max | FieldMerge::Min)
    }

    /// May a user's value of this field give way although no conflict of the record is decided
    /// against the user?
    pub(crate) fn may_give_way(&self, field: &str) -> bool {
        !matches!(self.rule(field), FieldMerge::Auto | FieldMerge::Local)
    }
}
