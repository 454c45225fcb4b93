//! What everybody did and saw, and whether the invariants hold at the end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sync_core::json::JsonMap;
use sync_core::transport::PushChange;
use sync_core::{OpId, Resolution, SyncEvent, Timestamp};

use crate::device::{Device, FIELDS};
use crate::world::{ID, World};

/// What an observer of everything writes down.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Each value that a user wrote into a plain field, with the value that it replaced.
    replaced: BTreeMap<&'static str, Vec<(Value, Value)>>,
    added: BTreeSet<String>,
    removed: BTreeSet<String>,
    was_deleted: bool,
    writers: BTreeSet<&'static str>,
    /// What the last user left: `None` = deleted.
    last: Option<JsonMap>,
    /// What each device's user wrote last into each field: an edit may fold into an operation that
    /// then lands without being sent again.
    wishes: BTreeMap<&'static str, JsonMap>,
    newest_seen: BTreeMap<&'static str, Timestamp>,
    story: Vec<String>,
    failures: Vec<String>,
}

fn elements(list: &Value) -> BTreeSet<String> {
    let texts = list
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

fn edited(row: &JsonMap) -> JsonMap {
    let fields = FIELDS
        .iter()
        .filter_map(|field| Some(((*field).to_owned(), row.get(*field)?.clone())));
    fields.collect()
}

impl Ledger {
    pub(crate) fn say(&mut self, line: impl Into<String>) {
        self.story.push(line.into());
    }

    pub(crate) fn fail(&mut self, failure: String) {
        self.failures.push(failure);
    }

    // -- what users do -------------------------------------------------------------------------

    pub(crate) fn wrote(&mut self, device: &'static str, row: Option<&JsonMap>, edit: &JsonMap) {
        self.say(format!("{device} writes {edit:?}"));
        self.writers.insert(device);
        self.wishes.entry(device).or_default().extend(edit.clone());
        let mut last = row.map(edited).unwrap_or_default();
        last.extend(edit.clone());
        self.last = Some(last);
        for field in FIELDS {
            let Some(after) = edit.get(field) else {
                continue;
            };
            let before = row.map_or(Value::Null, |row| row[field].clone());
            if field == "t" {
                let (before, after) = (elements(&before), elements(after));
                self.added.extend(after.difference(&before).cloned());
                self.removed.extend(before.difference(&after).cloned());
            } else {
                self.replaced
                    .entry(field)
                    .or_default()
                    .push((before, after.clone()));
            }
        }
    }

    pub(crate) fn deleted(&mut self, device: &'static str) {
        self.say(format!("{device} deletes"));
        self.writers.insert(device);
        self.was_deleted = true;
        self.last = None;
    }

    // -- what is seen after each step ----------------------------------------------------------

    pub(crate) fn observe(&mut self, world: &mut World) {
        for device in &mut world.devices {
            let lines: Vec<String> = device.link.log.lock().unwrap().lines.drain(..).collect();
            self.story.extend(
                lines
                    .into_iter()
                    .map(|line| format!("  {}: {line}", device.name)),
            );
            for event in device.new_events() {
                self.heard(device, &event);
            }
            self.no_way_back(device);
        }
    }

    fn heard(&mut self, device: &Device, event: &SyncEvent) {
        match event {
            SyncEvent::OperationPushed {
                op_id, is_delete, ..
            } => {
                let wish = self.wishes.get(device.name);
                if !took_effect(device, op_id, *is_delete, wish) {
                    self.fail(format!(
                        "I2 {op_id} of {} is gone without effect",
                        device.name
                    ));
                }
            }
            SyncEvent::ConflictResolved {
                resolution: Resolution::AcceptServer,
                ..
            }
            | SyncEvent::ConflictDetected { .. }
            | SyncEvent::PreconditionUnreliable { .. } => {}
            _ => return,
        }
        self.say(format!("  {}: {event}", device.name));
    }

    fn no_way_back(&mut self, device: &Device) {
        let Some(stamp) = device.known_stamp(ID) else {
            return;
        };
        if let Some(newest) = self.newest_seen.get(device.name)
            && stamp < *newest
        {
            self.fail(format!(
                "I9 the row of {} went back from {newest} to {stamp}",
                device.name
            ));
        }
        self.newest_seen.insert(device.name, stamp);
    }

    // -- the end -------------------------------------------------------------------------------

    pub(crate) fn judge(&mut self, world: &World) {
        let server = world.server.lock().unwrap();
        let on_server = server.content(ID).map(edited);
        let complaints = server.complaints.iter().cloned();
        self.failures.extend(complaints);
        for device in &world.devices {
            let row = device.row(ID).as_ref().map(edited);
            if device.ops().is_empty() && row != on_server {
                self.fail(format!(
                    "I7 {} has {row:?}, the server {on_server:?}",
                    device.name
                ));
            }
        }
        if self.writers.len() == 1 && on_server != self.last {
            self.fail(format!(
                "SINGLE the only user left {:?}, the server has {on_server:?}",
                self.last
            ));
        }
        // Without keys, or without comparable versions, a window of one round trip remains.
        let habits = server.habits;
        if !habits.honours_keys || habits.cannot_compare {
            return;
        }
        if world.strategy == sync_core::ConflictStrategy::AutoPreserve
            && !self.was_deleted
            && let Some(record) = &on_server
        {
            self.nothing_lost(record);
        }
        if world.strategy != sync_core::ConflictStrategy::ClientWins {
            let contents: Vec<_> = server
                .history
                .iter()
                .map(|stored| stored.content.clone())
                .collect();
            self.nothing_twice(&contents);
        }
    }

    /// I8: what the record says is what somebody wrote and nobody replaced.
    fn nothing_lost(&mut self, record: &JsonMap) {
        for (field, edits) in std::mem::take(&mut self.replaced) {
            let is_last = |value: &Value| {
                edits.iter().any(|(_, after)| after == value)
                    && edits.iter().all(|(before, _)| before != value)
            };
            if !is_last(&record[field]) {
                self.fail(format!(
                    "I8 {field} ends as {}, of {edits:?}",
                    record[field]
                ));
            }
        }
        let list = record["t"].as_array().map_or(0, Vec::len);
        let (ended, wanted) = (elements(&record["t"]), &self.added - &self.removed);
        if ended != wanted || ended.len() != list {
            self.fail(format!(
                "I8 the list ends as {}, expected {wanted:?}",
                record["t"]
            ));
        }
    }

    /// I5: a value that was replaced does not come back while the record lives.
    fn nothing_twice(&mut self, history: &[Option<JsonMap>]) {
        for field in ["a", "b", "c"] {
            let mut past: Vec<&Value> = Vec::new();
            for content in history {
                let Some(value) = content.as_ref().map(|content| &content[field]) else {
                    past.clear();
                    continue;
                };
                if past.last() == Some(&value) {
                    continue;
                }
                if past.contains(&value) {
                    self.fail(format!("I5 {field} was {value} before: {past:?}"));
                }
                past.push(value);
            }
        }
    }

    /// The failures, and behind them the story that led there.
    pub(crate) fn into_failures(mut self, world: &World) -> Vec<String> {
        if self.failures.is_empty() {
            return Vec::new();
        }
        let server = world.server.lock().unwrap();
        self.failures.push(format!("story on {:?}:", server.habits));
        self.failures.extend(self.story);
        self.failures
    }
}

/// Did the server take the operation, or is what it wanted there anyway?
fn took_effect(device: &Device, op_id: &OpId, is_delete: bool, wish: Option<&JsonMap>) -> bool {
    let server = device.link.server.lock().unwrap();
    let asked = match is_delete {
        true => Some(PushChange::Delete),
        false => device.link.log.lock().unwrap().asked.get(op_id).cloned(),
    };
    let was_there = |asked: &PushChange| {
        let mut states = server.history.iter().map(|stored| stored.content.as_ref());
        states.any(|content| says(asked, content))
    };
    server.applied.contains(op_id)
        || asked.is_none_or(|asked| was_there(&asked) || was_there(&edited_since(asked, wish)))
}

/// What was asked for, with what the user has written since.
fn edited_since(mut asked: PushChange, wish: Option<&JsonMap>) -> PushChange {
    if let PushChange::Upsert { record, .. } = &mut asked {
        let wish = wish.into_iter().flatten();
        record
            .fields_mut()
            .extend(wish.map(|(field, value)| (field.clone(), value.clone())));
    }
    asked
}

/// Does the stored state say what this change asked for?
fn says(change: &PushChange, content: Option<&JsonMap>) -> bool {
    match (change, content) {
        (PushChange::Delete, None) => true,
        (PushChange::Upsert { record, changed }, Some(content)) => {
            let asked = |field: &&str| {
                changed
                    .as_ref()
                    .is_none_or(|changed| changed.contains(field))
            };
            FIELDS
                .iter()
                .filter(|field| asked(field))
                .all(|field| record.get(field) == content.get(*field))
        }
        _ => false,
    }
}
