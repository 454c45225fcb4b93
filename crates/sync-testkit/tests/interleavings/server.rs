//! A server in a few lines, with the habits of many.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sync_core::json::JsonMap;
use sync_core::transport::{Features, PullRequest, PushChange, PushOp, PushOutcome};
use sync_core::{OpId, Precondition, Record, ServerState, Timestamp, Version};

/// 2026-01-01T00:00:00Z; the n-th change is stamped n milliseconds later.
const START_MILLIS: i64 = 1_767_225_600_000;

/// What this server does and does not do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habits {
    /// A repeated key is answered as before.
    pub(crate) honours_keys: bool,
    /// A success brings the stored record.
    pub(crate) answers_with_record: bool,
    /// `If-None-Match: *` is checked.
    pub(crate) checks_if_absent: bool,
    /// A conflict is an answer that a repeated key gets again.
    pub(crate) remembers_conflicts: bool,
    /// What is deleted is shown as a tombstone rather than as 404.
    pub(crate) shows_tombstones: bool,
    /// It cannot compare versions: every edit of a live record is a conflict.
    pub(crate) cannot_compare: bool,
}

/// A server as it should be.
pub(crate) const GOOD: Habits = Habits {
    honours_keys: true,
    answers_with_record: true,
    checks_if_absent: true,
    remembers_conflicts: false,
    shows_tombstones: true,
    cannot_compare: false,
};

/// One state of one record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) id: String,
    pub(crate) version: i64,
    /// `None` = deleted.
    pub(crate) content: Option<JsonMap>,
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) habits: Habits,
    pub(crate) records: BTreeMap<String, Stored>,
    /// Every state that ever was, in order.
    pub(crate) history: Vec<Stored>,
    pub(crate) applied: BTreeSet<OpId>,
    /// What no client may do, and one did.
    pub(crate) complaints: Vec<String>,
    answers: BTreeMap<String, PushOutcome>,
    requests: BTreeMap<String, (PushChange, Precondition)>,
}

impl Stored {
    pub(crate) fn stamp(&self) -> Timestamp {
        Timestamp::from_unix_millis(START_MILLIS + self.version)
    }

    fn to_json(&self) -> JsonMap {
        let mut record = self.content.clone().unwrap_or_default();
        let stamp = self.stamp().to_json();
        record.insert("id".to_owned(), json!(self.id));
        record.insert(
            "deleted_at".to_owned(),
            if self.content.is_some() {
                Value::Null
            } else {
                stamp.clone()
            },
        );
        record.insert("updated_at".to_owned(), stamp);
        record
    }

    fn state(&self) -> ServerState {
        ServerState::of(Record::new(self.to_json()), None)
    }
}

impl Server {
    pub(crate) fn new(habits: Habits) -> Self {
        Self {
            habits,
            records: BTreeMap::new(),
            history: Vec::new(),
            applied: BTreeSet::new(),
            complaints: Vec::new(),
            answers: BTreeMap::new(),
            requests: BTreeMap::new(),
        }
    }

    pub(crate) fn features(&self) -> Features {
        let keys = if self.habits.honours_keys {
            "idempotency"
        } else {
            ""
        };
        let absent = if self.habits.checks_if_absent {
            "if-absent"
        } else {
            ""
        };
        Features::parse(&format!("{keys},{absent}"))
    }

    /// The live content of a record.
    pub(crate) fn content(&self, id: &str) -> Option<&JsonMap> {
        self.records.get(id)?.content.as_ref()
    }

    pub(crate) fn knows(&self, key: &str) -> bool {
        self.habits.honours_keys && self.answers.contains_key(key)
    }

    pub(crate) fn fetch(&self, id: &str) -> ServerState {
        let shown = |stored: &&Stored| stored.content.is_some() || self.habits.shows_tombstones;
        self.records
            .get(id)
            .filter(shown)
            .map_or_else(ServerState::gone, Stored::state)
    }

    /// Rows behind the cursor, oldest first.
    pub(crate) fn pull(&self, request: &PullRequest) -> Vec<Value> {
        let is_behind = |stored: &&Stored| match (&request.since, &request.after_id) {
            (None, _) => true,
            (Some(since), None) => stored.stamp() >= *since,
            (Some(since), Some(id)) => (stored.stamp(), &*stored.id) > (since.clone(), id.as_str()),
        };
        let mut rows: Vec<&Stored> = self.records.values().filter(is_behind).collect();
        rows.sort_by_key(|stored| stored.version);
        rows.truncate(request.limit as usize);
        rows.into_iter()
            .map(|stored| Value::Object(stored.to_json()))
            .collect()
    }

    pub(crate) fn push(&mut self, op: &PushOp) -> PushOutcome {
        let bytes = (op.change.clone(), op.precondition.clone());
        let first = self
            .requests
            .entry(op.key.clone())
            .or_insert_with(|| bytes.clone());
        if *first != bytes {
            self.complaints.push(format!(
                "key {} came with {first:?}, then {bytes:?}",
                op.key
            ));
        }
        if self.knows(&op.key) {
            return self.answers[&op.key].clone();
        }
        let answer = self.apply(op);
        let remembered = match answer {
            PushOutcome::Accepted { .. } => true,
            _ => self.habits.remembers_conflicts,
        };
        if remembered {
            self.answers.insert(op.key.clone(), answer.clone());
        }
        answer
    }

    fn apply(&mut self, op: &PushOp) -> PushOutcome {
        let id = op.id.as_str();
        let present = self.records.get(id);
        let is_live = present.is_some_and(|stored| stored.content.is_some());
        let deletes = op.change == PushChange::Delete;
        let fits = match (&op.precondition, present) {
            (Precondition::Force, _) => true,
            (Precondition::IfAbsent, _) => !(self.habits.checks_if_absent && is_live),
            (Precondition::IfBase { .. }, None) => false,
            (Precondition::IfBase { version }, Some(stored)) => {
                let repeats_deletion = deletes && !is_live;
                let incomparable = self.habits.cannot_compare && is_live;
                version.stamp == stored.stamp() && !repeats_deletion && !incomparable
            }
        };
        if !fits {
            return self.conflict(id);
        }
        if deletes && !is_live {
            return PushOutcome::Gone { state: None };
        }
        let content = match &op.change {
            PushChange::Delete => None,
            PushChange::Upsert { record, .. } => {
                let mut content = record.fields().clone();
                for field in ["id", "updated_at", "deleted_at"] {
                    content.remove(field);
                }
                Some(content)
            }
        };
        let version = i64::try_from(self.history.len()).unwrap() + 1;
        let stored = Stored {
            id: id.to_owned(),
            version,
            content,
        };
        self.applied.insert(op.op_id.clone());
        self.history.push(stored.clone());
        let state = self.habits.answers_with_record.then(|| stored.state());
        self.records.insert(id.to_owned(), stored);
        PushOutcome::Accepted { state }
    }

    fn conflict(&self, id: &str) -> PushOutcome {
        match self.fetch(id) {
            ServerState::Deleted { version: None, .. } => PushOutcome::Gone { state: None },
            state => {
                let time = state
                    .version()
                    .map(|version: &Version| version.stamp.clone());
                PushOutcome::Conflict {
                    state: Some(state),
                    time,
                }
            }
        }
    }
}
