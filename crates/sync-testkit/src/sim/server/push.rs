//! How the server answers pushes and fetches.

use sync_core::json::JsonMap;
use sync_core::transport::{PushChange, PushOp, PushOutcome};
use sync_core::{EntityId, Precondition, ServerState, Version};

use serde_json::Value;

use super::{Deletion, Key, Keys, MICRO, Revival, SimServer, Stored};

/// A text that this server never takes.
pub(crate) const OFFENSIVE: &str = "offensive";

impl SimServer {
    pub(crate) fn fetch(&self, key: &Key) -> ServerState {
        let shown =
            |stored: &&Stored| stored.content.is_some() || self.habits.deletion == Deletion::Shown;
        self.record(key)
            .filter(shown)
            .map_or_else(ServerState::gone, |stored| self.state(key, stored))
    }

    pub(crate) fn push(&mut self, op: &PushOp) -> PushOutcome {
        let bytes = (op.change.clone(), op.precondition.clone());
        let first = self
            .requests
            .entry(op.key.clone())
            .or_insert_with(|| bytes.clone());
        if *first != bytes {
            self.complaints.push(format!(
                "the key {} came with {first:?}, then with {bytes:?}",
                op.key
            ));
        }
        if self.habits.keys != Keys::Ignored
            && let Some(answer) = self.answers.get(&op.key)
        {
            return answer.clone();
        }
        let answer = self.apply(op);
        let accepted = matches!(answer, PushOutcome::Accepted { .. });
        if accepted || (self.habits.stores_conflicts && is_conflict(&answer)) {
            self.answers.insert(op.key.clone(), answer.clone());
            self.order.push_back(op.key.clone());
            if let Keys::Forgotten(after) = self.habits.keys
                && self.order.len() > usize::from(after)
                && let Some(oldest) = self.order.pop_front()
            {
                self.answers.remove(&oldest);
            }
        }
        answer
    }

    fn apply(&mut self, op: &PushOp) -> PushOutcome {
        let key = (op.kind.clone(), op.id.clone());
        self.commit_late_of(&key);
        if let Some(refusal) = refusal(op).or_else(|| self.judge_parents(&key, op)) {
            return refusal;
        }
        let present = self.record(&key);
        let is_live = present.is_some_and(|stored| stored.content.is_some());
        let was_deleted = present.is_some() && !is_live;
        let deletes = op.change == PushChange::Delete;
        let fits = match (&op.precondition, present) {
            (Precondition::Force, _) => true,
            (Precondition::IfAbsent, _) => !(self.habits.checks_absence && is_live),
            (Precondition::IfBase { .. }, None) => false,
            (Precondition::IfBase { version }, Some(stored)) => {
                (is_live || !deletes) && self.is_version(stored, version)
            }
        };
        if !fits {
            return self.conflict(&key);
        }
        if deletes && !is_live {
            return PushOutcome::Gone { state: None };
        }
        if was_deleted && !deletes {
            match self.habits.revival {
                Revival::Done => {}
                Revival::Refused => return self.conflict(&key),
                Revival::Pretended => {
                    let state = Some(self.fetch(&key));
                    return PushOutcome::Accepted { state };
                }
            }
        }
        let content = match &op.change {
            PushChange::Delete => None,
            PushChange::Upsert { record, changed } => {
                let mut content = self.kept(record.fields());
                if self.habits.takes_parts && changed.is_some() {
                    let rest = self.content(&key).unwrap_or_default();
                    for (name, value) in rest {
                        content.entry(name).or_insert(value);
                    }
                }
                Some(content)
            }
        };
        let stored = self.stamped(&key, content, Some(op.op_id.clone()));
        let state = self.habits.bodies.then(|| self.state(&key, &stored));
        self.put(&key, stored);
        PushOutcome::Accepted { state }
    }

    /// Looks at what a record refers to: a parent that the server never had, and that its own record
    /// does not name either, was to come first.
    fn judge_parents(&mut self, key: &Key, op: &PushOp) -> Option<PushOutcome> {
        let PushChange::Upsert { record, .. } = &op.change else {
            return None;
        };
        let own = self.references.clone().into_iter();
        for (_, (kind, field)) in own.filter(|(child, _)| *child == key.0) {
            let Some(value) = record.get(&field).filter(|value| value.is_string()) else {
                continue;
            };
            let id = value.as_str().and_then(|text| EntityId::new(text).ok())?;
            let parent = (kind, id);
            self.commit_late_of(&parent);
            let mut states = self.history.get(key).into_iter().flatten();
            let is_named = states.any(|stored| {
                let content = stored.content.as_ref();
                content.is_some_and(|content| content.get(&field) == Some(value))
            });
            if !is_named && !self.history.contains_key(&parent) {
                let text = format!("{} came before its parent {}", key.1, parent.1);
                self.too_early.push(text);
            }
            let is_live = self.content(&parent).is_some();
            if self.habits.refuses_orphans && !is_live {
                return Some(PushOutcome::Refused {
                    status: 422,
                    message: "there is no such parent".to_owned(),
                });
            }
        }
        None
    }

    /// Tags are compared where there are any, else the stamp as it is kept.
    fn is_version(&self, stored: &Stored, version: &Version) -> bool {
        match &version.tag {
            Some(tag) if self.habits.tags => *tag == format!("\"{}\"", stored.exact / MICRO),
            _ => version.stamp.unix_nanos() == stored.exact,
        }
    }

    fn kept(&self, sent: &JsonMap) -> JsonMap {
        let mut content = sent.clone();
        for field in ["id", "updated_at", "deleted_at"] {
            content.remove(field);
        }
        if self.habits.trims {
            trim(&mut content);
        }
        content
    }

    fn conflict(&self, key: &Key) -> PushOutcome {
        let state = self.fetch(key);
        if state == ServerState::gone() {
            return PushOutcome::Gone { state: None };
        }
        if !self.habits.shows_conflicts {
            return PushOutcome::Conflict {
                state: None,
                time: None,
            };
        }
        let time = state.version().map(|version| version.stamp.clone());
        PushOutcome::Conflict {
            state: Some(state),
            time,
        }
    }
}

/// Texts without blanks around them.
pub(crate) fn trim(content: &mut JsonMap) {
    for value in content.values_mut() {
        if let Value::String(text) = value {
            *text = text.trim().to_owned();
        }
    }
}

fn is_conflict(answer: &PushOutcome) -> bool {
    matches!(answer, PushOutcome::Conflict { .. })
}

/// What this server never takes.
fn refusal(op: &PushOp) -> Option<PushOutcome> {
    let PushChange::Upsert { record, .. } = &op.change else {
        return None;
    };
    let is_offensive = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| text.starts_with(OFFENSIVE))
    };
    record
        .fields()
        .values()
        .any(is_offensive)
        .then(|| PushOutcome::Refused {
            status: 422,
            message: "this is not a value that we keep".to_owned(),
        })
}
