//! What must hold whenever the process dies, and what must hold when it has come to rest.

use std::collections::BTreeMap;

use serde_json::Value;
use sync_core::Timestamp;

use super::file::{File, Key, Queued, Row};
use super::ledger::{Fate, Ledger, Violation, contains};
use super::others::Others;
use crate::tables::{FIELDS, KINDS, NOTES, TALLIES, mark, refused_ids};

/// What the server has, live records only.
pub(crate) type Server = BTreeMap<Key, Value>;

/// How many writes ended in which way.
pub(crate) type Account = BTreeMap<Fate, u64>;

/// Coalesced, an entity has at most so many operations.
const MOST_OPS: usize = 2;

/// What must hold in the file of a process that was killed at any moment.
pub(crate) fn after_kill(
    file: &File,
    server: &Server,
    ledger: &Ledger,
    others: &Others,
) -> (Account, Vec<Violation>) {
    let mut found = Vec::new();
    if file.integrity != "ok" {
        let what = format!("integrity_check says {}", file.integrity);
        found.push(Violation::new("I1", what));
    }
    rows_say_what_was_written(file, ledger, &mut found);
    rows_say_what_waits(file, &mut found);
    cursors_pass_nothing(file, server, &mut found);
    let mut account = Account::new();
    for (key, kept) in &ledger.records {
        for number in &kept.writes {
            let fate = ledger.fate(key, *number, file, server.get(key), &others.touched);
            match fate {
                Some(fate) => *account.entry(fate).or_default() += 1,
                None => found.push(Violation::new(
                    "I2",
                    format!(
                        "write {number} of {key:?} is lost: the row is {:?}, operations {:?}, the server has {:?}",
                        file.rows.get(key),
                        file.ops_of(key),
                        server.get(key)
                    ),
                )),
            }
        }
    }
    (account, found)
}

/// Nobody removes from the list of a note: whatever was written is in the row for good.
fn rows_say_what_was_written(file: &File, ledger: &Ledger, found: &mut Vec<Violation>) {
    let notes = ledger.records.iter().filter(|(key, _)| key.0 == NOTES);
    for (key, kept) in notes {
        let row = file.live(key);
        if kept.is_deleted {
            if row.is_some() {
                let what = format!("{key:?} was deleted and is there again");
                found.push(Violation::new("I1", what));
            }
            continue;
        }
        let lacks = |number: &&u64| {
            !row.is_some_and(|row| contains(&row.fields["tokens"], &mark(**number)))
        };
        if let Some(number) = kept.writes.iter().find(lacks) {
            let what = format!("write {number} of {key:?} is not in its row: {row:?}");
            found.push(Violation::new("I3", what));
        }
    }
}

/// A row with operations says what the newest one says.
fn rows_say_what_waits(file: &File, found: &mut Vec<Violation>) {
    for (key, ops) in &file.ops {
        if ops.len() > MOST_OPS {
            let what = format!("{key:?} has {} operations", ops.len());
            found.push(Violation::new("I4", what));
        }
        let row = file.live(key);
        let agrees = match (ops.last(), row) {
            (Some(Queued { payload: None, .. }), row) => row.is_none(),
            (
                Some(Queued {
                    payload: Some(payload),
                    ..
                }),
                Some(row),
            ) => same(row, payload),
            _ => false,
        };
        if !agrees {
            let what = format!(
                "{key:?}: the row is {row:?}, the newest operation {:?}",
                ops.last()
            );
            found.push(Violation::new("I3", what));
        }
    }
}

fn same(row: &Row, record: &Value) -> bool {
    FIELDS.iter().all(|name| row.fields[*name] == record[*name])
}

/// Whatever lies before a cursor is known.
fn cursors_pass_nothing(file: &File, server: &Server, found: &mut Vec<Violation>) {
    for (key, record) in server {
        let cursor = file.cursors.get(&key.0);
        let Some(since) = cursor.and_then(|cursor| cursor.since.as_ref()) else {
            continue;
        };
        let Ok(stamp) = Timestamp::from_json(&record["updated_at"]) else {
            continue;
        };
        let is_known = || {
            file.ops.contains_key(key)
                || file.shadows.contains(key)
                || file.quarantined.contains(key)
                || file.versions.get(key).is_some_and(|known| *known >= stamp)
        };
        if stamp < *since && !is_known() {
            let what = format!(
                "the cursor of {} is at {since}, and {} of {stamp} is not known: {:?}",
                key.0,
                key.1,
                file.versions.get(key)
            );
            found.push(Violation::new("I6", what));
        }
    }
}

/// What must hold when nothing is left to do.
pub(crate) fn at_rest(
    file: &File,
    server: &Server,
    ledger: &Ledger,
    others: &Others,
) -> Vec<Violation> {
    let mut found = Vec::new();
    only_refused_wait(file, &mut found);
    replicas_equal(file, server, others, &mut found);
    for (key, note) in server.iter().filter(|(key, _)| key.0 == NOTES) {
        found.extend(each_once(key, note, tokens(key, ledger, others)));
    }
    for (key, tally) in server.iter().filter(|(key, _)| key.0 == TALLIES) {
        let own = ledger.records.get(key).map_or(0, |kept| kept.writes.len());
        let theirs = others.counts.get(&key.1).copied().unwrap_or(0);
        let expected = i64::try_from(own)
            .unwrap_or(i64::MAX)
            .saturating_add(theirs);
        if tally["count"] != expected {
            let what = format!(
                "{key:?} was counted to {expected} and is {}",
                tally["count"]
            );
            found.push(Violation::new("I5", what));
        }
    }
    found
}

fn only_refused_wait(file: &File, found: &mut Vec<Violation>) {
    let refused: Vec<String> = refused_ids().collect();
    for (key, ops) in &file.ops {
        let is_meant = refused.contains(&key.1) && ops.iter().any(|op| op.is_stuck);
        if !is_meant {
            let what = format!("{key:?} still waits: {ops:?}");
            found.push(Violation::new("I10", what));
        }
    }
}

/// Every replica equals the server, but for what waits and what no table takes.
fn replicas_equal(file: &File, server: &Server, others: &Others, found: &mut Vec<Violation>) {
    let bad = others.bad_rows();
    for key in &bad {
        if !file.quarantined.contains(key) {
            let what = format!("{key:?} cannot be applied and is not in quarantine");
            found.push(Violation::new("I7", what));
        }
    }
    let free = |key: &&Key| !bad.contains(*key) && !file.ops.contains_key(*key);
    for key in server.keys().filter(free) {
        let agrees = file.live(key).is_some_and(|row| same(row, &server[key]));
        if !agrees {
            let (row, record) = (file.rows.get(key), &server[key]);
            let what = format!("{key:?}: here {row:?}, on the server {record}");
            found.push(Violation::new("I7", what));
        }
    }
    let here = file.rows.iter().filter(|(_, row)| !row.is_deleted);
    for (key, row) in here.filter(|(key, _)| free(key)) {
        if !server.contains_key(key) {
            let what = format!("{key:?} is {row:?}, and the server does not have it");
            found.push(Violation::new("I7", what));
        }
    }
}

/// The elements of a note's list, as everybody wrote them.
fn tokens<'a>(
    key: &Key,
    ledger: &'a Ledger,
    others: &'a Others,
) -> impl Iterator<Item = String> + 'a {
    let own = ledger.records.get(key).map(|kept| &kept.writes);
    let own = own.into_iter().flatten().map(|number| mark(*number));
    let theirs = others.tokens.get(&key.1).into_iter().flatten().cloned();
    own.chain(theirs)
}

/// Each element of the list once: none lost, none twice, none from nowhere.
fn each_once(key: &Key, note: &Value, expected: impl Iterator<Item = String>) -> Option<Violation> {
    let there = note["tokens"].as_array().into_iter().flatten();
    let mut more: Vec<&str> = there.map(|token| token.as_str().unwrap_or("?")).collect();
    let mut lost = Vec::new();
    for token in expected {
        match more.iter().position(|other| *other == token) {
            Some(place) => {
                more.swap_remove(place);
            }
            None => lost.push(token),
        }
    }
    if lost.is_empty() && more.is_empty() {
        return None;
    }
    let there = &note["tokens"];
    let what = format!("{key:?} lacks {lost:?}, has {more:?} too much: {there}");
    Some(Violation::new("I8", what))
}

/// The live records of the server.
pub(crate) fn server_records(server: &sync_testkit::MockServer) -> Server {
    let of_kind = |kind: &'static str| {
        let records = server.all(kind).into_iter();
        records.map(move |(id, record)| ((kind.to_owned(), id), record))
    };
    KINDS.into_iter().flat_map(of_kind).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_element_that_is_lost_or_there_twice_or_from_nowhere_is_told() {
        let key = (NOTES.to_owned(), "notes-1".to_owned());
        let told = |tokens: &[&str]| {
            let expected = ["w1", "s2"].map(str::to_owned).into_iter();
            each_once(&key, &json!({ "tokens": tokens }), expected).map(|found| found.what)
        };
        assert_eq!(told(&["s2", "w1"]), None);
        for (tokens, expected) in [
            (&["s2"][..], r#"lacks ["w1"], has [] too much"#),
            (&["w1", "s2", "w1"], r#"lacks [], has ["w1"] too much"#),
            (&["w1", "s2", "w9"], r#"lacks [], has ["w9"] too much"#),
        ] {
            let what = told(tokens).unwrap();
            assert!(what.contains(expected), "{what}");
        }
    }
}
