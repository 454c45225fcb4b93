//! `outbox`: what waits to be sent.

use serde_json::{Value, json};
use sync_core::{EntityId, Op, Precondition};

use super::Manner;
use crate::app::App;
use crate::arguments::OutboxAction;
use crate::failure::{Exit, Failure};
use crate::queue;
use crate::screen::{self, count, plain};
use crate::todo::short;

pub(super) async fn run(
    app: &App,
    manner: &Manner,
    action: Option<OutboxAction>,
) -> Result<Exit, Failure> {
    match action.unwrap_or(OutboxAction::List) {
        OutboxAction::List => list(app, manner).await,
        OutboxAction::Retry => retry(app, manner).await,
        OutboxAction::Discard { id } => discard(app, manner, &id).await,
    }
}

async fn list(app: &App, manner: &Manner) -> Result<Exit, Failure> {
    let waiting = queue::waiting(&app.engine).await?;
    if manner.json {
        let rows: Vec<Value> = waiting.iter().map(|op| {
            json!({"id": op.entity_id.as_str(), "change": change(op), "state": queue::state(op), "attempts": op.attempts(),
                "reason": op.reason()})
        }).collect();
        screen::json(&rows)?;
        return Ok(Exit::Done);
    }
    if waiting.is_empty() {
        screen::line("nothing waits to be sent");
        return Ok(Exit::Done);
    }
    let mut rows = vec![
        ["id", "change", "title", "state", "why"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for op in &waiting {
        let title = op
            .written
            .payload()
            .and_then(|todo| todo.get("title")?.as_str());
        rows.push(vec![
            short(op.entity_id.as_str()).to_owned(),
            change(op).to_owned(),
            plain(title.unwrap_or_default()),
            queue::state(op).to_owned(),
            plain(op.reason().unwrap_or_default()),
        ]);
    }
    screen::table(&rows);
    Ok(Exit::Done)
}

async fn retry(app: &App, manner: &Manner) -> Result<Exit, Failure> {
    let woken = queue::retry(&app.engine).await?;
    if manner.json {
        screen::json(&json!({"woken": woken}))?;
    } else {
        let what = count(woken, "change takes", "changes take");
        screen::line(format_args!("{what} part again with the next sync"));
    }
    Ok(Exit::Done)
}

async fn discard(app: &App, manner: &Manner, end: &str) -> Result<Exit, Failure> {
    // What was removed here is no to-do any more, but its removal waits.
    let waiting = queue::waiting(&app.engine).await?;
    let mut ids: Vec<&EntityId> = waiting.iter().map(|op| &op.entity_id).collect();
    ids.retain(|id| !end.is_empty() && id.as_str().ends_with(end));
    ids.dedup();
    let [id] = ids[..] else {
        let what = match ids.len() {
            0 => format!("nothing waits of a to-do whose id ends with {end:?}"),
            _ => format!("{end:?} is the end of several ids"),
        };
        return Err(Failure::new(what, "`todo-cli outbox` shows what waits"));
    };
    let discarded = queue::discard(&app.engine, id).await?;
    if manner.json {
        let gone = discarded.op_ids.len();
        screen::json(
            &json!({"id": id.as_str(), "discarded": gone, "maybe_applied": discarded.maybe_applied}),
        )?;
    } else {
        let what = count(discarded.op_ids.len() as u64, "change", "changes");
        let but = if discarded.maybe_applied {
            ", but the server may have it"
        } else {
            ""
        };
        screen::line(format_args!(
            "gave up {what} of {}{but}",
            short(id.as_str())
        ));
    }
    Ok(Exit::Done)
}

fn change(op: &Op) -> &'static str {
    match (&op.precondition, op.written.is_delete()) {
        (_, true) => "remove",
        (Some(Precondition::IfAbsent), _) => "add",
        _ => "edit",
    }
}
