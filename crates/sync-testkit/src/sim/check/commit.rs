//! What may change from one commit to the next (I1, I3, I6, I7, I9, I10).

use std::collections::BTreeMap;

use sync_core::json::{JsonMap, same_field};
use sync_core::{Change, Kind, Op, OpId, Timestamp};

use super::Violation;
use crate::sim::client::Task;
use crate::sim::seen::{Seen, same_content};
use crate::sim::server::{Key, SimServer};

/// Compares two states of one client's database, one commit apart. `written` = the entity that its
/// user changed in between.
pub(crate) fn between(
    before: &Seen,
    now: &Seen,
    written: Option<&Key>,
    server: &SimServer,
) -> Vec<Violation> {
    let mut found = Vec::new();
    for (key, ops) in &now.ops {
        if written != Some(key) {
            found.extend(not_clobbered(before, now, key, ops));
        }
        found.extend(row_says_what_waits(now, key, ops));
    }
    for (key, version) in &now.versions {
        if server.is_untold(key) || !now.is_settled(key) {
            continue;
        }
        let Some(version) = version else { continue };
        if !server.taken_back.contains(key) {
            found.extend(no_way_back(before, key, &version.stamp));
        }
        found.extend(as_the_server_had_it(now, key, &version.stamp, server));
    }
    if server.habits.epochs {
        let lost = server.taken_back.iter();
        found.extend(lost.filter_map(|key| exported(before, now, key, server)));
    }
    if before.cursors != now.cursors {
        found.extend(cursor_behind_data(now, server));
        found.extend(cursor_goes_on(before, now));
    }
    found
}

/// I3: while the same operations wait, the row stays as the user left it.
fn not_clobbered(before: &Seen, now: &Seen, key: &Key, ops: &[Op]) -> Option<Violation> {
    let same_ops = before
        .ops_of(key)
        .iter()
        .map(|op| &op.op_id)
        .eq(ops.iter().map(|op| &op.op_id));
    let same_row = match (before.live(key), now.live(key)) {
        (Some(one), Some(other)) => same_content(one, other),
        (None, None) => true,
        _ => false,
    };
    (same_ops && !same_row).then(|| {
        let (was, is) = (before.live(key), now.live(key));
        let text = format!("a row with operations changed from {was:?} to {is:?}");
        Violation::new("I3", text).of(&key.1)
    })
}

/// I3: the row is what the newest operation says.
fn row_says_what_waits(now: &Seen, key: &Key, ops: &[Op]) -> Option<Violation> {
    let newest = ops.last()?;
    let holds = match (&newest.written, now.live(key)) {
        (Change::Delete, row) => row.is_none(),
        (Change::Upsert { payload, changed }, Some(row)) => payload
            .fields()
            .iter()
            .filter(|(name, _)| {
                changed
                    .as_ref()
                    .is_some_and(|changed| changed.contains(name))
            })
            .all(|(name, value)| same_field(row.get(name), Some(value))),
        (Change::Upsert { .. }, None) => false,
    };
    (!holds && !now.quarantined.contains(key)).then(|| {
        let row = now.live(key);
        let text = format!(
            "the row is {row:?}, but what waits says {:?}",
            newest.written
        );
        Violation::new("I3", text).of(&key.1)
    })
}

/// I9: what is known of a record never becomes older.
fn no_way_back(before: &Seen, key: &Key, stamp: &Timestamp) -> Option<Violation> {
    let known = before.newest_known(key)?;
    (*stamp < known).then(|| {
        let text = format!("the row went back from {known} to {stamp}");
        Violation::new("I9", text).of(&key.1)
    })
}

/// I2: what a restored server has lost is exported before it is replaced.
fn exported(before: &Seen, now: &Seen, key: &Key, server: &SimServer) -> Option<Violation> {
    let row = before.live(key)?;
    let version = before.versions.get(key)?.as_ref()?;
    if !before.is_settled(key) || !now.is_settled(key) {
        return None;
    }
    let is_replaced = match now.versions.get(key) {
        Some(Some(other)) => other.stamp < version.stamp,
        Some(None) => false,
        None => !now.rows.contains_key(key),
    };
    let mut history = server.history.get(key)?.iter();
    let was_lost = history.any(|stored| {
        let content = stored.content.as_ref();
        server.has_lost(stored)
            && server.shown(stored.exact) == version.stamp
            && content.is_some_and(|content| same_content(content, row))
    });
    let is_kept = now.exported.iter().any(|kept| same_content(kept, row));
    (is_replaced && was_lost && !is_kept).then(|| {
        let text = format!("{row:?} was lost by the server, and is nowhere any more");
        Violation::new("I2", text).of(&key.1)
    })
}

/// I9: a row that is nobody's but the server's is what the server had under that stamp.
fn as_the_server_had_it(
    now: &Seen,
    key: &Key,
    stamp: &Timestamp,
    server: &SimServer,
) -> Option<Violation> {
    if now.quarantined.contains(key) {
        return None;
    }
    let history = server.history.get(key).into_iter().flatten();
    let had = history
        .rev()
        .find(|stored| server.shown(stored.exact) == *stamp);
    let row = now.live(key);
    let same = match (had.map(|stored| &stored.content), row) {
        (Some(Some(had)), Some(row)) => same_content(had, row),
        (Some(None), row) => row.is_none(),
        _ => false,
    };
    (!same).then(|| {
        let text = format!("the row is {row:?} under {stamp}, the server had {had:?}");
        Violation::new("I9", text).of(&key.1)
    })
}

/// I6: the cursor has not passed anything that the database does not know.
fn cursor_behind_data(now: &Seen, server: &SimServer) -> Vec<Violation> {
    let mut found = Vec::new();
    for (key, stored) in server.records() {
        let Some(cursor) = now.cursors.get(&key.0) else {
            continue;
        };
        let stamp = server.shown(stored.exact);
        let passed = cursor.since.as_ref().is_some_and(|since| {
            stamp < *since
                || (stamp == *since && cursor.after_id.as_ref().is_some_and(|id| key.1 <= *id))
        });
        if passed && !knows(now, key, &stamp, stored.content.is_some(), server) {
            let (since, known) = (&cursor.since, now.newest_known(key));
            let shadow = now.shadows.get(key);
            let text = format!(
                "the cursor stands at {since:?}, but {stamp} is not known: {known:?}, {shadow:?}"
            );
            found.push(Violation::new("I6", text).of(&key.1));
        }
    }
    found
}

/// I9: the cursor never goes back, unless everything is pulled again.
fn cursor_goes_on(before: &Seen, now: &Seen) -> Vec<Violation> {
    let mut found = Vec::new();
    for (kind, was) in &before.cursors {
        let is = now.cursors.get(kind).cloned().unwrap_or_default();
        if is.generation == was.generation && is.since < was.since {
            let (was, is) = (&was.since, &is.since);
            let text = format!("the cursor went back from {was:?} to {is:?}");
            found.push(Violation::new("I9", text).of(kind));
        } else if is.generation < was.generation {
            let (was, is) = (was.generation, is.generation);
            let text = format!("the generation went back from {was} to {is}");
            found.push(Violation::new("I9", text).of(kind));
        }
    }
    found
}

/// Does the database know of this state of the server's, or of a newer one?
fn knows(now: &Seen, key: &Key, stamp: &Timestamp, is_live: bool, server: &SimServer) -> bool {
    server.taken_back.contains(key)
        || now.quarantined.contains(key)
        || now.newest_known(key).is_some_and(|known| known >= *stamp)
        // A tombstone of something that is not here needs not be remembered for ever, nor one of
        // something that is created anew.
        || (!is_live && (now.live(key).is_none() || creates(now, key) || knows_it_is_gone(now, key)))
}

/// Did a 404 tell that it is gone, whatever its tombstone's stamp is?
fn knows_it_is_gone(now: &Seen, key: &Key) -> bool {
    let shadow = now.shadows.get(key);
    let parked = shadow.and_then(|shadow| shadow.parked.as_ref());
    parked.is_some_and(|parked| parked.is_deleted() && parked.version().is_none())
}

/// Do the operations of this entity bring it into being?
fn creates(now: &Seen, key: &Key) -> bool {
    let shadow = now.shadows.get(key);
    !now.ops_of(key).is_empty() && shadow.is_none_or(|shadow| shadow.base.live().is_none())
}

/// I7: a run that says it is complete has brought everything that was there when it was asked for.
pub(crate) fn pulled_everything(
    task: &Task,
    now: &Seen,
    server: &SimServer,
    is_pulled: impl Fn(&Kind) -> bool,
) -> Vec<Violation> {
    let was_there = server
        .records()
        .filter(|(_, stored)| stored.number <= task.server_was_at)
        .filter(|(key, _)| now.cursors.contains_key(&key.0) && is_pulled(&key.0))
        .filter(|(_, stored)| server.is_listed(stored));
    let missing = was_there.filter(|(key, stored)| {
        let stamp = server.shown(stored.exact);
        !knows(now, key, &stamp, stored.content.is_some(), server)
    });
    missing
        .map(|(key, stored)| {
            let stamp = server.shown(stored.exact);
            let text = format!("a complete run did not bring the state of {stamp}");
            Violation::new("I7", text).of(&key.1)
        })
        .collect()
}

/// I10: a call covers every operation that was queued before it: none is as if nobody had asked.
pub(crate) fn tried_everything(
    task: &Task,
    now: &Seen,
    sent: &BTreeMap<OpId, u32>,
    may_wait: impl Fn(&Key) -> bool,
) -> Vec<Violation> {
    let untouched = task.waited.iter().filter(|(key, ops)| {
        let was_sent = ops.iter().any(|op| sent.contains_key(&op.op_id));
        let shadow = now.shadows.get(*key);
        let is_in_conflict = shadow.is_some_and(|shadow| shadow.parked.is_some());
        now.ops_of(key) == ops.as_slice() && !was_sent && !is_in_conflict && !may_wait(key)
    });
    untouched
        .map(|(key, _)| {
            let text = "it was queued before the call, and the call's run did not try it";
            Violation::new("I10", text).of(&key.1)
        })
        .collect()
}

/// I1: a write that queued something is in the table and in the outbox; one that did not changed
/// nothing.
pub(crate) fn wrote_both(
    before: &Seen,
    now: &Seen,
    key: &Key,
    edit: Option<&JsonMap>,
    queued: bool,
) -> Option<Violation> {
    if !queued {
        let same =
            before.rows.get(key) == now.rows.get(key) && before.ops.get(key) == now.ops.get(key);
        let text = "a write that says it changed nothing changed something";
        return (!same).then(|| Violation::new("I1", text).of(&key.1));
    }
    // A create that never left vanishes with its deletion, and what the server has comes into force.
    let vanished = edit.is_none() && now.ops_of(key).is_empty() && !before.ops_of(key).is_empty();
    if vanished {
        return None;
    }
    let in_table = match edit {
        Some(edit) => now.live(key).is_some_and(|row| {
            edit.iter()
                .all(|(name, value)| same_field(row.get(name), Some(value)))
        }),
        None => now.live(key).is_none(),
    };
    let says_so = |op: &Op| match (&op.written, edit) {
        (Change::Upsert { payload, .. }, Some(edit)) => edit
            .iter()
            .all(|(name, value)| same_field(payload.get(name), Some(value))),
        (Change::Delete, None) => true,
        _ => false,
    };
    let in_outbox = now.ops_of(key).last().is_some_and(says_so);
    (!(in_table && in_outbox)).then(|| {
        let text = format!("a write is in the table: {in_table}, in the outbox: {in_outbox}");
        Violation::new("I1", text).of(&key.1)
    })
}
