//! Whether everything that users wrote is where it belongs at the end (I2, I5, I8).

use std::collections::BTreeSet;

use serde_json::Value;
use sync_core::FieldMerge;
use sync_core::json::JsonMap;

use super::Violation;
use super::ledger::{Ledger, Record};
use super::ruled;
use crate::sim::seen::same_content;
use crate::sim::server::{Key, Stored};
use crate::sim::tables::{Parts, SimTable};

/// Nobody but one wrote: what that one left is what there is.
pub(crate) fn only_writer(record: &Record, end: Option<&JsonMap>) -> Option<Violation> {
    if record.writers.len() != 1 || record.is_loose || !record.copied.is_empty() {
        return None;
    }
    let same = match (&record.last, end) {
        (Some(last), Some(end)) => same_content(&trimmed(last), end),
        (None, None) => true,
        _ => false,
    };
    (!same).then(|| {
        let last = &record.last;
        Violation::new(
            "I2",
            format!("its only writer left {last:?}, the server has {end:?}"),
        )
    })
}

fn trimmed(record: &JsonMap) -> JsonMap {
    let trimmed = record.iter().map(|(name, value)| {
        let value = match value {
            Value::String(text) => Value::from(text.trim()),
            other => other.clone(),
        };
        (name.clone(), value)
    });
    trimmed.collect()
}

/// Under field-wise merging every value is one that nobody replaced knowingly.
pub(crate) fn field_by_field(
    table: &SimTable,
    key: &Key,
    ledger: &Ledger,
    end: Option<&JsonMap>,
    judged: &mut Vec<&'static str>,
) -> Vec<Violation> {
    let Some(record) = ledger.records.get(key).filter(|record| !record.is_loose) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    match end {
        None => found.extend(lost_by_deletion(table, key, record, ledger)),
        Some(end) => {
            let parts = table.parts(end);
            found.extend(plain_parts(table, key, (record, &parts), ledger, judged));
            found.extend(lists(table, record, &parts));
        }
    }
    found
}

/// Values that somebody wrote and nobody replaced.
fn leaves(edits: &[(Value, Value)]) -> Vec<&Value> {
    let is_replaced = |value: &Value| edits.iter().any(|(before, _)| before == value);
    let written = edits.iter().map(|(_, after)| after);
    written
        .filter(|after| !after.is_null() && !is_replaced(after))
        .collect()
}

/// Was one of two values given up, and did an event say so, or may one have said so?
fn was_contested(ledger: &Ledger, key: &Key, part: &str) -> bool {
    let field = part.split('.').next().unwrap_or(part);
    ledger.events_lost || ledger.contested.contains(&(key.clone(), field.to_owned()))
}

fn lost_by_deletion(
    table: &SimTable,
    key: &Key,
    record: &Record,
    ledger: &Ledger,
) -> Vec<Violation> {
    let mut found = Vec::new();
    let seen_plain = |part: &str, value: &Value| {
        let mut seen = record.deleted.iter().map(|parts| parts.plain.get(part));
        seen.any(|seen| seen == Some(value))
    };
    let told = record.edits.iter();
    for (part, edits) in told.filter(|(part, _)| !table.is_settled_silently(part)) {
        for leaf in leaves(edits) {
            if !seen_plain(part, leaf) && !was_contested(ledger, key, part) {
                let text = format!("{part} = {leaf} was deleted by nobody who saw it");
                found.push(Violation::new("I8", text));
            }
        }
    }
    for (list, added) in &record.added {
        for element in added {
            let was_removed = record
                .removed
                .get(list)
                .is_some_and(|set| set.contains(element));
            if !was_removed && !seen_in_list(record, list, element) {
                let text = format!("{element:?} of {list} was deleted by nobody who saw it");
                found.push(Violation::new("I8", text));
            }
        }
    }
    found
}

fn seen_in_list(record: &Record, list: &str, element: &String) -> bool {
    let mut lists = record
        .deleted
        .iter()
        .filter_map(|parts| parts.lists.get(list));
    lists.any(|list| list.contains(element))
}

fn plain_parts(
    table: &SimTable,
    key: &Key,
    (record, end): (&Record, &Parts),
    ledger: &Ledger,
    judged: &mut Vec<&'static str>,
) -> Vec<Violation> {
    let mut found = Vec::new();
    for (part, edits) in &record.edits {
        let value = end.plain.get(part).unwrap_or(&Value::Null);
        let was_cleared = edits.iter().any(|(_, after)| after.is_null());
        let seen = |leaf: &Value| {
            let mut seen = record.deleted.iter().map(|parts| parts.plain.get(part));
            seen.any(|seen| seen == Some(leaf))
        };
        let mut alive = leaves(edits);
        alive.retain(|leaf| !seen(leaf));
        let is_allowed = alive.contains(&value)
            || record.was_copied(part, value)
            || (value.is_null() && was_cleared)
            || (!record.deleted.is_empty()
                && (alive.is_empty()
                    || table.is_settled_silently(part)
                    || was_contested(ledger, key, part)));
        if !is_allowed {
            let text = format!("{part} ends as {value}, of {edits:?}");
            found.push(Violation::new("I8", text));
            continue;
        }
        let has_one_past = record.deleted.is_empty() && record.copied.is_empty();
        let gave_way = ruled::gave_way(table.rule(part), edits, &alive, value);
        if let Ok(gave_way) = gave_way
            && has_one_past
            && !was_cleared
        {
            if alive.len() > 1 {
                judged.push("utmost of several values");
            }
            if let Some(lost) = gave_way {
                let text = format!("{part} ends as {value}, and {lost} gave way to nothing");
                found.push(Violation::new("I8", text));
            }
            continue;
        }
        let is_named = was_contested(ledger, key, part);
        let is_named = is_named || table.is_settled_silently(part);
        if alive.len() > 1 && record.deleted.is_empty() && !is_named {
            let text = format!("{part}: of {alive:?} one was lost and no event named it");
            found.push(Violation::new("I8", text));
        }
    }
    found
}

fn lists(table: &SimTable, record: &Record, end: &Parts) -> Vec<Violation> {
    let mut found = Vec::new();
    let nothing = BTreeSet::new();
    for (list, added) in &record.added {
        let removed = record.removed.get(list).unwrap_or(&nothing);
        let elements = end.lists.get(list).cloned().unwrap_or_default();
        let set: BTreeSet<String> = elements.iter().cloned().collect();
        if set.len() != elements.len() {
            let text = format!("{list} ends with doubled elements: {elements:?}");
            found.push(Violation::new("I5", text));
        }
        let is_lost = |element: &&String| {
            !removed.contains(*element)
                && !set.contains(*element)
                && !seen_in_list(record, list, element)
        };
        let lost: Vec<&String> = added.iter().filter(is_lost).collect();
        // What one side removed comes back if the other side changed the list.
        let is_united = table.rule(list) == FieldMerge::Union;
        let is_back = |element: &&String| {
            let may_be_back =
                is_united || !record.deleted.is_empty() || record.element_was_copied(list, element);
            !added.contains(*element) || (removed.contains(*element) && !may_be_back)
        };
        let back: Vec<&String> = set.iter().filter(is_back).collect();
        if !lost.is_empty() || !back.is_empty() {
            let text =
                format!("{list} ends as {elements:?}: lost {lost:?}, back though removed {back:?}");
            found.push(Violation::new("I8", text));
        }
    }
    found
}

/// A value that was replaced does not come back while the record lives.
pub(crate) fn nothing_twice(table: &SimTable, history: &[Stored]) -> Option<Violation> {
    let mut past: Vec<(String, Value)> = Vec::new();
    let mut last = Parts::default();
    for stored in history {
        let Some(content) = &stored.content else {
            past.clear();
            last = Parts::default();
            continue;
        };
        let now = table.parts(content);
        for (part, value) in &now.plain {
            if value.is_null() || last.plain.get(part) == Some(value) {
                continue;
            }
            if past.contains(&(part.clone(), value.clone())) {
                let who = &stored.op;
                let text = format!("{part} was {value} before and is so again, by {who:?}");
                return Some(Violation::new("I5", text));
            }
            past.push((part.clone(), value.clone()));
        }
        last = now;
    }
    None
}
