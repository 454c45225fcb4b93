//! Operations that are gone: each must have been taken by the server, decided by a strategy, or
//! given up by name (I2).

use std::collections::BTreeSet;

use serde_json::Value;
use sync_core::json::{JsonMap, same_field};
use sync_core::{Change, Fate, Op, OpId, SyncEvent};

use super::Violation;
use crate::sim::schedule::Strategy;
use crate::sim::seen::Seen;
use crate::sim::server::{Deletion, Key, SimServer};
use crate::sim::tables::SimTable;

/// Operations that are gone, of one entity, for a reason that an event has yet to tell.
#[derive(Debug, Clone)]
pub(crate) struct Unexplained {
    pub(crate) key: Key,
    gone: Vec<Op>,
    /// May a decision have taken them?
    decided: bool,
}

/// Who decides about an entity, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decider<'a> {
    pub(crate) strategy: Strategy,
    pub(crate) table: Option<&'a SimTable>,
}

/// Looks at the operations of one entity that were there before a commit and are not any more.
/// `None`: they are accounted for.
pub(crate) fn account_for(
    before: &Seen,
    now: &Seen,
    key: &Key,
    by_user: bool,
    discards: bool,
    decider: Decider<'_>,
    server: &SimServer,
) -> Option<Unexplained> {
    let left = now.ops_of(key);
    let is_left = |op: &&Op| left.iter().any(|other| other.op_id == op.op_id);
    let ops = before.ops_of(key);
    let gone: Vec<Op> = ops.iter().filter(|op| !is_left(op)).cloned().collect();
    let newest = gone.last()?;
    if discards || took_effect(newest, key, server) {
        return None;
    }
    // What the user wrote since lives on in an operation that is left.
    if left.iter().any(|op| covers(op, newest)) {
        return None;
    }
    let surely_not_applied = gone.iter().all(|op| op.fate != Fate::Unknown);
    let was_create = before
        .shadows
        .get(key)
        .is_none_or(|shadow| shadow.base.live().is_none());
    // A create and its deletion: nobody ever knew.
    if by_user && surely_not_applied && was_create {
        return None;
    }
    if newest.written.is_delete() && is_gone_anyway(key, server, was_create && gone.len() > 1) {
        return None;
    }
    let is_upsert = !newest.written.is_delete();
    let decided = !(decider.strategy == Strategy::AutoPreserve && is_upsert)
        || says_plainly(newest, key, decider.table, server);
    Some(Unexplained {
        key: key.clone(),
        gone,
        decided,
    })
}

/// Did the server carry it out, or does a state that it had say what the operation wants?
fn took_effect(op: &Op, key: &Key, server: &SimServer) -> bool {
    if server.effects.contains_key(&op.op_id) {
        return true;
    }
    let history = server.history.get(key).into_iter().flatten();
    let must_last = server.must_land.contains(&op.op_id);
    let mut states = history
        .filter(|stored| !(must_last && server.has_lost(stored)))
        .map(|stored| stored.content.as_ref());
    states.any(|content| says(op.outgoing(), content) || says(&op.written, content))
}

fn says(change: &Change, content: Option<&JsonMap>) -> bool {
    match (change, content) {
        (Change::Delete, None) => true,
        (Change::Upsert { payload, changed }, Some(content)) => payload
            .fields()
            .iter()
            .filter(|(name, _)| !sync_core::system_fields::is_system_field(name))
            .filter(|(name, _)| {
                changed
                    .as_ref()
                    .is_none_or(|changed| changed.contains(name))
            })
            .all(|(name, value)| {
                let text = value.as_str().map(|text| text.trim().into());
                let trimmed = text.unwrap_or_else(|| value.clone());
                same_field(Some(value), content.get(name))
                    || same_field(Some(&trimmed), content.get(name))
            }),
        _ => false,
    }
}

/// Does what is left want what the gone one wanted?
fn covers(left: &Op, gone: &Op) -> bool {
    match (&left.written, &gone.written) {
        (Change::Delete, _) => true,
        (Change::Upsert { .. }, Change::Delete) => false,
        (
            Change::Upsert { payload, changed },
            Change::Upsert {
                payload: other,
                changed: wanted,
            },
        ) => {
            let is_wanted = |name: &str| {
                !sync_core::system_fields::is_system_field(name)
                    && wanted.as_ref().is_none_or(|wanted| wanted.contains(name))
            };
            other
                .fields()
                .iter()
                .filter(|(name, _)| is_wanted(name))
                .all(|(name, value)| {
                    same_field(payload.get(name), Some(value))
                        && changed
                            .as_ref()
                            .is_none_or(|changed| changed.contains(name))
                })
        }
    }
}

/// A deletion of what is not there.
fn is_gone_anyway(key: &Key, server: &SimServer, never_was: bool) -> bool {
    let stored = server.record(key);
    never_was
        || stored.is_none_or(|stored| stored.content.is_none())
        || server.habits.deletion == Deletion::Hard
            && server
                .history
                .get(key)
                .into_iter()
                .flatten()
                .any(|stored| stored.content.is_none())
}

/// Lists and objects merge by their parts; a value that was cleared before anybody knew of it is
/// no intent.
fn is_plain(value: &Value) -> bool {
    !value.is_array() && !value.is_object() && !value.is_null()
}

/// A merge that equals the server's record is not pushed: every plain field says what the user
/// wanted, or an element of a list did not have to be moved.
fn says_plainly(op: &Op, key: &Key, table: Option<&SimTable>, server: &SimServer) -> bool {
    let (Change::Upsert { payload, changed }, Some(stored)) =
        (&op.written, server.history.get(key))
    else {
        return false;
    };
    // By its rule a value may give way to the server's, or add nothing to it.
    let gives_way = |name: &str| table.is_some_and(|table| table.may_give_way(name));
    let is_changed = |name: &str| {
        !gives_way(name)
            && changed
                .as_ref()
                .is_none_or(|changed| changed.contains(name))
    };
    stored
        .iter()
        .filter_map(|stored| stored.content.as_ref())
        .any(|content| {
            payload
                .fields()
                .iter()
                .filter(|(name, value)| is_changed(name) && is_plain(value))
                .filter(|(name, _)| !sync_core::system_fields::is_system_field(name))
                .all(|(name, value)| same_field(Some(value), content.get(name)))
        })
}

impl Unexplained {
    /// Does this event account for them?
    pub(crate) fn is_told_by(&self, event: &SyncEvent) -> bool {
        let ids: BTreeSet<&OpId> = self.gone.iter().map(|op| &op.op_id).collect();
        match event {
            SyncEvent::ConflictResolved { conflict, .. } => {
                self.decided && ids.contains(&conflict.op_id)
            }
            SyncEvent::OperationsDiscarded { op_ids, .. } => {
                op_ids.iter().any(|id| ids.contains(id))
            }
            _ => false,
        }
    }

    /// May the process have died before it could tell?
    pub(crate) fn may_be_untold(&self) -> bool {
        self.decided
    }

    pub(crate) fn violation(&self) -> Violation {
        let gone: Vec<String> = self
            .gone
            .iter()
            .map(|op| format!("{} {:?} {:?}", op.op_id, op.written, op.fate))
            .collect();
        let text = format!(
            "operations are gone, and neither the server nor a decision took them: {}",
            gone.join(", ")
        );
        Violation::new("I2", text).of(&self.key.1)
    }
}
