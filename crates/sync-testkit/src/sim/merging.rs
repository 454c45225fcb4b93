//! Merge functions, the built-in one and an app's own, whatever they return: each is asked about the
//! newest state of the server and the edit as its user left it, and what it returned is what goes
//! out, but for what is not its to say (I8).

use std::panic::resume_unwind;

use serde_json::Value;
use sync_core::json::{JsonMap, same_field};
use sync_core::system_fields::is_system_field;
use sync_core::transport::{PushChange, PushOp};
use sync_core::{Conflict, MergeFunction, OpId, Precondition, Record, Timestamp, default_merge};

use super::check::Violation;
use super::link::{Shared, SimLink, lock};
use super::schedule::{Setup, Strategy};
use super::seen::same_content;
use super::server::{Key, SimServer, Stamps};
use super::tables::SimTable;
use super::updates;
use super::world::World;

/// What a merge function was asked, and what it said, under the names that everybody knows.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    key: Key,
    op_id: OpId,
    local: Option<JsonMap>,
    server: JsonMap,
    stamp: Timestamp,
    returned: JsonMap,
}

impl Asked {
    /// `None`: this was about a deletion, or decided by another rule.
    fn of(conflict: &Conflict, returned: Option<&Record>) -> Option<Self> {
        let new = |record: &Record| {
            let mut fields = record.fields().clone();
            updates::to_new(&conflict.kind, &mut fields);
            fields
        };
        Some(Self {
            key: (conflict.kind.clone(), conflict.entity_id.clone()),
            op_id: conflict.op_id.clone(),
            local: conflict.local.as_ref().map(new),
            server: new(conflict.server_record()?),
            stamp: conflict.server.version()?.stamp.clone(),
            returned: new(returned?),
        })
    }

    /// Is this operation, which leaves, what the function made of it?
    fn judge(&self, op: &PushOp, local: &[&str]) -> Result<(), String> {
        let base = match &op.precondition {
            Precondition::IfBase { version } => Some(&version.stamp),
            _ => None,
        };
        if base != Some(&self.stamp) {
            let (asked, leaves) = (&self.stamp, &op.precondition);
            return Err(format!(
                "merged with the state of {asked}, it leaves under {leaves:?}"
            ));
        }
        let PushChange::Upsert { record, .. } = &op.change else {
            return Err("merged, it leaves as a deletion".to_owned());
        };
        let wanted = |name: &str| {
            let of = if is_system_field(name) {
                &self.server
            } else {
                &self.returned
            };
            of.get(name)
        };
        let is_meant = |name: &&String| !local.contains(&name.as_str()) && !name.starts_with('_');
        let told = record.fields().keys();
        let changed = self.returned.keys().filter(|name| {
            let is_new = !same_field(self.returned.get(*name), self.server.get(*name));
            is_new && !is_system_field(name)
        });
        let mut names = told.chain(changed).filter(is_meant);
        let other = names.find(|name| !same_field(record.get(name), wanted(name)));
        other.map_or(Ok(()), |name| {
            let (is, was) = (record.get(name), wanted(name));
            Err(format!(
                "{name} leaves as {is:?}, the merge function said {was:?}"
            ))
        })
    }
}

/// Lets the built-in tables have a function that says what is not its to say in half of the worlds.
pub(super) fn draw(seed: u64, setup: &mut Setup) {
    let mut rng = fastrand::Rng::with_seed(seed.rotate_left(37) ^ 0x6d65_7267);
    setup.forges = rng.bool();
}

/// The function of a table, watched; `None`: it has none.
pub(super) fn function(
    table: &SimTable,
    setup: &Setup,
    strategy: Strategy,
    link: &SimLink,
) -> Option<MergeFunction> {
    if table.strategy(setup, strategy) != Strategy::Merge {
        return None;
    }
    let own = table.config.merge.clone();
    let inner = own.unwrap_or_else(|| {
        if setup.forges && table.is_built_in {
            forging(table)
        } else {
            MergeFunction::new(default_merge)
        }
    });
    let link = link.clone();
    Some(MergeFunction::of_conflict(move |conflict| {
        match inner.merge(conflict) {
            Ok(returned) => {
                let mut own = lock(&link.own);
                match Asked::of(conflict, returned.as_ref()) {
                    Some(asked) => {
                        own.merges.insert(asked.key.clone(), asked.clone());
                        own.asked.push(asked);
                    }
                    None => {
                        let key = (conflict.kind.clone(), conflict.entity_id.clone());
                        own.merges.remove(&key);
                    }
                }
                returned
            }
            // It fails as it would have failed without anybody who watches.
            Err(error) => resume_unwind(Box::new(error.to_string())),
        }
    }))
}

/// Everything that is here over what is there, and a word about what is nobody's: whose record it
/// is, when it was written, and what stays on a device.
fn forging(table: &SimTable) -> MergeFunction {
    let local: Vec<String> = table.local_fields().map(str::to_owned).collect();
    MergeFunction::new(move |mine, theirs| {
        let mut merged = theirs.clone();
        merged.extend(mine.clone());
        let forged = ["id", "updated_at"].into_iter();
        for name in forged.chain(local.iter().map(String::as_str)) {
            merged.insert(name.to_owned(), Value::from("forged"));
        }
        merged
    })
}

/// Looks at operations that leave a device.
pub(super) fn leave(link: &SimLink, shared: &mut Shared, ops: &[PushOp]) {
    let habits = shared.server.habits;
    if habits.stamps == Stamps::Truncated || shared.server.was_restored_knowingly() {
        // The server cannot check what it was merged with, or has forgotten it.
        return;
    }
    for op in ops {
        let key = (op.kind.clone(), op.id.clone());
        let own = lock(&link.own);
        if own.has_stood_still() || shared.server.taken_back.contains(&key) {
            continue;
        }
        let Some(asked) = own.merges.get(&key).filter(|own| own.op_id == op.op_id) else {
            continue;
        };
        if creates_anew(&shared.server, &key, op) {
            continue;
        }
        let local = shared.local.iter().filter(|(kind, _)| *kind == op.kind);
        let local: Vec<&str> = local.map(|(_, field)| field.as_str()).collect();
        match asked.judge(op, &local) {
            Ok(()) => shared.counters.count("merge leaves as it was returned"),
            Err(text) => shared
                .seen
                .push(("I8", format!("{}/{}: {text}", op.kind, op.id))),
        }
    }
}

/// Does a create go out on a deletion of what it never knew? That is no conflict, so that nobody is
/// asked (semantics 4).
fn creates_anew(server: &SimServer, key: &Key, op: &PushOp) -> bool {
    let Precondition::IfBase { version } = &op.precondition else {
        return false;
    };
    let mut history = server.history.get(key).into_iter().flatten();
    history.any(|stored| stored.content.is_none() && server.shown(stored.exact) == version.stamp)
}

impl World<'_> {
    /// Looks at what merge functions were asked since the last look, before anything of it is seen
    /// in the database.
    pub(super) fn judge_questions(&mut self, client: usize) {
        let one = &self.clients[client];
        let (asked, has_stood_still) = {
            let mut own = lock(&one.link.own);
            if one.decides_by_hand {
                own.merges.clear();
            }
            (std::mem::take(&mut own.asked), own.has_stood_still())
        };
        let name = one.name();
        for asked in asked {
            let judged = self.judge_question(client, &asked, has_stood_still);
            let mut shared = self.lock();
            match judged {
                Ok(()) => shared.counters.count("merge function asked"),
                Err(text) => {
                    drop(shared);
                    self.fail(Violation::new("I8", text).of(&asked.key.1).of(name));
                }
            }
        }
    }

    fn judge_question(
        &self,
        client: usize,
        asked: &Asked,
        has_stood_still: bool,
    ) -> Result<(), String> {
        let seen = &self.clients[client].seen;
        if has_stood_still {
            return Ok(());
        }
        let newest = seen
            .ops_of(&asked.key)
            .last()
            .map(|op| op.written.payload());
        let is_edit = match (newest, &asked.local) {
            (Some(Some(written)), Some(local)) => same_content(written.fields(), local),
            (Some(None), None) => true,
            _ => false,
        };
        if !is_edit {
            let local = &asked.local;
            return Err(format!(
                "a merge function was asked about {local:?}, what waits is {newest:?}"
            ));
        }
        let shared = self.lock();
        if shared.server.taken_back.contains(&asked.key) || shared.server.was_restored_knowingly() {
            return Ok(());
        }
        let stamp = &asked.stamp;
        if let Some(known) = seen.newest_known(&asked.key).filter(|known| stamp < known) {
            return Err(format!(
                "a merge function was asked about {stamp}, {known} is known"
            ));
        }
        let mut history = shared.server.history.get(&asked.key).into_iter().flatten();
        let had_it = history.any(|stored| {
            let content = stored.content.as_ref();
            shared.server.shown(stored.exact) == *stamp
                && content.is_some_and(|content| same_content(content, &asked.server))
        });
        if had_it {
            return Ok(());
        }
        let server = &asked.server;
        Err(format!(
            "a merge function was asked about {server:?} of {stamp}, which the server never had"
        ))
    }

    /// The user writes: what was decided before is decided anew.
    pub(super) fn forget_merge(&self, client: usize, key: &Key) {
        lock(&self.clients[client].link.own).merges.remove(key);
    }
}
