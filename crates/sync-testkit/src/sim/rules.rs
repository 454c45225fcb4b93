//! Fields with rules of their own for what both sides changed (`FieldMerge`): which worlds have
//! them, how users edit such fields, and what each rule promises of a single decision. What it
//! promises of the end of a world is in `check::ruled`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sync_core::json::{JsonMap, same_field};
use sync_core::{Conflict, FieldMerge, Resolution, SyncEvent};

use super::check::Violation;
use super::later::whole_sync;
use super::schedule::{Act, Asked, Fate, ServerAct, Setup, Step, Strategy, Until};
use super::tables::{FieldKind, SimTable};
use super::updates;
use super::world::World;

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
    let mut rng = fastrand::Rng::with_seed(seed.rotate_left(23) ^ 0x7275_6c65_73);
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

/// What a decision says of one field.
struct Field<'a> {
    local: &'a Value,
    server: &'a Value,
    base: &'a Value,
    /// What it ends as.
    merged: &'a Value,
    /// Was it named as one of which a side lost something?
    is_named: bool,
}

impl Field<'_> {
    /// Is what the rule promises kept? `None`: this says nothing of the rule. Else how it is called.
    fn judge(&self, rule: FieldMerge) -> Option<Result<&'static str, String>> {
        let same = |one: &Value, other: &Value| same_field(Some(one), Some(other));
        let both_changed = !same(self.local, self.base) && !same(self.server, self.base);
        let differ = rule == FieldMerge::SumDelta || !same(self.local, self.server);
        if !both_changed || !differ {
            return None;
        }
        let (class, is_right) = match rule {
            FieldMerge::Local => (
                "field kept here by rule",
                same(self.merged, self.local) && self.is_named,
            ),
            FieldMerge::Server => (
                "field kept there by rule",
                same(self.merged, self.server) && self.is_named,
            ),
            FieldMerge::Max | FieldMerge::Min => {
                let (least, greatest) = in_order(self.local, self.server)?;
                let (class, wanted) = if rule == FieldMerge::Max {
                    ("greatest kept by rule", greatest)
                } else {
                    ("least kept by rule", least)
                };
                (class, same(self.merged, wanted) && !self.is_named)
            }
            FieldMerge::SumDelta => {
                let sum = number(self.server)? + number(self.local)? - number(self.base)?;
                let is_sum = number(self.merged) == Some(sum);
                ("increments added by rule", is_sum && !self.is_named)
            }
            FieldMerge::Union => ("both united by rule", self.is_united()?),
            _ => return None,
        };
        Some(is_right.then_some(class).ok_or_else(|| {
            let Self {
                local,
                server,
                base,
                merged,
                is_named,
            } = self;
            format!(
                "{rule:?} of {local} here and {server} there, both made of {base}, is {merged} (named: {is_named})"
            )
        }))
    }

    fn is_united(&self) -> Option<bool> {
        match (self.local, self.server, self.merged) {
            (Value::Array(local), Value::Array(server), Value::Array(merged)) => {
                let set = |list: &[Value]| list.iter().map(Value::to_string).collect();
                let mut wanted: BTreeSet<String> = set(local);
                wanted.extend(set(server) as BTreeSet<String>);
                Some(set(merged) == wanted && merged.len() == wanted.len())
            }
            (Value::Object(local), Value::Object(server), Value::Object(merged)) => {
                let mut wanted = server.clone();
                wanted.extend(local.clone());
                let mut common = local.iter().filter(|(key, _)| server.contains_key(*key));
                let differs = common.any(|(key, value)| server.get(key) != Some(value));
                Some(*merged == wanted && self.is_named == differs)
            }
            (Value::Array(_), Value::Array(_), _) | (Value::Object(_), Value::Object(_), _) => {
                Some(false)
            }
            _ => None,
        }
    }
}

/// The smaller and the greater of two numbers, or of two texts.
pub(super) fn in_order<'a>(one: &'a Value, other: &'a Value) -> Option<(&'a Value, &'a Value)> {
    let is_less = match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64()? < other.as_f64()?,
        (Value::String(one), Value::String(other)) => one < other,
        _ => return None,
    };
    Some(if is_less { (one, other) } else { (other, one) })
}

/// A number that is counted with; nothing counts as 0.
pub(super) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Null => Some(0),
        other => other.as_i64(),
    }
}

/// What somebody decided about a conflict, with the names that everybody knows.
struct Decided {
    local: JsonMap,
    server: JsonMap,
    base: JsonMap,
    merged: JsonMap,
    changed: Option<BTreeSet<String>>,
    named: BTreeSet<String>,
}

impl Decided {
    /// `None`: no two live records with a known base were merged.
    fn of(conflict: &Conflict, resolution: &Resolution, contested: &[String]) -> Option<Self> {
        let new = |record: &sync_core::Record| {
            let mut fields = record.fields().clone();
            updates::to_new(&conflict.kind, &mut fields);
            fields
        };
        let server = new(conflict.server_record()?);
        let merged = match resolution {
            Resolution::AcceptMerged(merged) => new(merged),
            Resolution::AcceptServer => server.clone(),
            _ => return None,
        };
        let name = |field: &str| updates::new_name(field).to_owned();
        let changed = conflict.changed_fields.as_ref();
        Some(Self {
            local: new(conflict.local.as_ref()?),
            server,
            base: new(conflict.base_record()?),
            merged,
            changed: changed.map(|changed| changed.iter().map(name).collect()),
            named: contested.iter().map(|field| name(field)).collect(),
        })
    }

    fn field<'a>(&'a self, name: &str) -> Option<Field<'a>> {
        let is_changed = self.changed.as_ref().is_none_or(|own| own.contains(name));
        let of = |record: &'a JsonMap| record.get(name).unwrap_or(&Value::Null);
        let local = self.local.get(name).filter(|_| is_changed)?;
        Some(Field {
            local,
            server: of(&self.server),
            base: of(&self.base),
            merged: of(&self.merged),
            is_named: self.named.contains(name),
        })
    }
}

impl World<'_> {
    /// I8: what both sides changed was settled as the field's rule says.
    pub(super) fn judge_rules(&mut self, client: usize, event: &SyncEvent) {
        let SyncEvent::ConflictResolved {
            conflict,
            resolution,
            contested_fields,
        } = event
        else {
            return;
        };
        let key = (conflict.kind.clone(), conflict.entity_id.clone());
        let one = &self.clients[client];
        let Some(table) = self.table_of(&key) else {
            return;
        };
        if one.decides_by_hand
            || table.strategy(&self.setup, one.strategy) != Strategy::AutoPreserve
        {
            return;
        }
        let Some(decided) = Decided::of(conflict, resolution, contested_fields) else {
            return;
        };
        let name = one.name();
        let mut told: BTreeMap<&str, Result<&'static str, String>> = BTreeMap::new();
        for (field, _, _) in &table.fields {
            let judged = decided.field(field);
            let judged = judged.and_then(|judged| judged.judge(table.rule(field)));
            told.extend(judged.map(|judged| (field.as_str(), judged)));
        }
        for (field, judged) in told {
            match judged {
                Ok(class) => self.lock().counters.count(class),
                Err(text) => self.fail(Violation::new("I8", text).of(field).of(&key.1).of(name)),
            }
        }
    }
}
