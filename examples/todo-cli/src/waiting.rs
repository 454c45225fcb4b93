//! What waits to be sent, and why.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use sync_core::store::OpQuery;
use sync_core::{EntityId, Op, OpStatus, Precondition};

use crate::app::App;
use crate::failure::Failure;
use crate::ids::short;
use crate::screen::plain;

/// What a change waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// The next sync sends it.
    Pending,
    /// The server did not take it; a later sync tries again.
    Refused,
    /// A person has to decide.
    Conflict,
    /// It was refused too often, and is not sent until somebody acts.
    Stuck,
}

impl State {
    fn of(op: &Op) -> Self {
        match op.status {
            OpStatus::Deferred => Self::Conflict,
            OpStatus::Stuck => Self::Stuck,
            OpStatus::Pending if op.try_count > 0 => Self::Refused,
            _ => Self::Pending,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Refused => "refused",
            Self::Conflict => "conflict",
            Self::Stuck => "stuck",
        }
    }
}

/// A change that waits. Later changes of a to-do wait for its first one.
pub(crate) struct Waiting {
    pub(crate) id: EntityId,
    pub(crate) state: State,
    /// Does it take part in the next sync, however soon that is?
    pub(crate) is_due: bool,
    change: &'static str,
    title: Option<String>,
    reason: Option<String>,
    attempts: u32,
}

impl Waiting {
    fn new(op: &Op, first: &Op, titles: &BTreeMap<String, String>) -> Self {
        let state = State::of(first);
        let reason = match state {
            State::Conflict => Some("waits for your decision"),
            _ => first.reason(),
        };
        let record = op.written.payload();
        let title = record.and_then(|todo| todo.get("title")?.as_str());
        let before = titles.get(op.entity_id.as_str());
        Self {
            id: op.entity_id.clone(),
            state,
            is_due: state == State::Pending && first.next_attempt().is_none(),
            change: change(op),
            title: title.or(before.map(String::as_str)).map(str::to_owned),
            reason: reason.map(str::to_owned),
            attempts: op.attempts(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "id": self.id.as_str(),
            "change": self.change,
            "title": self.title,
            "state": self.state,
            "attempts": self.attempts,
            "reason": self.reason,
        })
    }

    fn row(&self) -> Vec<String> {
        vec![
            short(self.id.as_str()).to_owned(),
            self.change.to_owned(),
            plain(self.title.as_deref().unwrap_or_default()),
            self.state.word().to_owned(),
            plain(self.reason.as_deref().unwrap_or_default()),
        ]
    }
}

/// Everything that waits, in the order of writing.
pub(crate) async fn all(app: &App) -> Result<Vec<Waiting>, Failure> {
    let ops = app.engine.outbox().list(&OpQuery::default()).await?;
    let titles = app.titles_before().await?;
    let mut first: BTreeMap<&EntityId, &Op> = BTreeMap::new();
    let waiting = ops.iter().map(|op| {
        let first = first.entry(&op.entity_id).or_insert(op);
        Waiting::new(op, first, &titles)
    });
    Ok(waiting.collect())
}

pub(crate) fn count(waiting: &[Waiting], state: State) -> usize {
    waiting
        .iter()
        .filter(|change| change.state == state)
        .count()
}

/// The rows of a table, with its heading.
pub(crate) fn rows(waiting: &[Waiting]) -> Vec<Vec<String>> {
    let heading = ["id", "change", "title", "state", "why"];
    let heading = heading.map(str::to_owned).to_vec();
    let rows = waiting.iter().map(Waiting::row);
    [heading].into_iter().chain(rows).collect()
}

fn change(op: &Op) -> &'static str {
    match (&op.precondition, op.written.is_delete()) {
        (_, true) => "remove",
        (Some(Precondition::IfAbsent), _) => "add",
        _ => "edit",
    }
}
