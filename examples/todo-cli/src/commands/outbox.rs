//! `outbox`: what waits to be sent.

use serde_json::{Value, json};

use super::Manner;
use crate::app::App;
use crate::arguments::OutboxAction;
use crate::failure::{Exit, Failure};
use crate::ids::{self, short};
use crate::queue;
use crate::screen::{self, count};
use crate::waiting::{self, Waiting};

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
    let waiting = waiting::all(app).await?;
    if manner.json {
        let waiting: Vec<Value> = waiting.iter().map(Waiting::json).collect();
        screen::json(&waiting)?;
    } else if waiting.is_empty() {
        screen::line("nothing waits to be sent");
    } else {
        screen::table(&waiting::rows(&waiting));
    }
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
    let waiting = waiting::all(app).await?;
    let missing = Failure::new(
        format!("nothing waits of a to-do whose id ends with {end:?}"),
        "`todo-cli outbox` shows what waits",
    );
    let id = ids::the_one(
        end,
        waiting.iter().map(|change| change.id.as_str()),
        missing,
    )?;
    let discarded = queue::discard(&app.engine, id).await?;
    let gone = discarded.op_ids.len() as u64;
    if manner.json {
        screen::json(
            &json!({"id": id, "discarded": gone, "maybe_applied": discarded.maybe_applied}),
        )?;
    } else {
        let what = count(gone, "change", "changes");
        let but = if discarded.maybe_applied {
            ", but the server may have it"
        } else {
            ""
        };
        screen::line(format_args!("gave up {what} of {}{but}", short(id)));
    }
    Ok(Exit::Done)
}
