//! `conflicts history` and `conflicts undo`: what was decided, and taking it back.

use chrono::{DateTime, Local};
use serde_json::{Value, json};
use sync_core::store::{Decided, ResolvedConflict};
use sync_core::{Record, Timestamp, Undo};

use super::Manner;
use crate::app::App;
use crate::failure::{Exit, Failure};
use crate::ids::{self, short};
use crate::queue;
use crate::screen::{self, plain};
use crate::todo::Todo;

pub(super) async fn list(app: &App, manner: &Manner) -> Result<Exit, Failure> {
    let past = queue::history(&app.engine).await?;
    if manner.json {
        let rows: Vec<Value> = past.iter().map(entry).collect();
        screen::json(&rows)?;
        return Ok(Exit::Done);
    }
    if past.is_empty() {
        screen::line("no conflicts so far");
        return Ok(Exit::Done);
    }
    let mut rows = vec![
        ["id", "when", "here", "server", "decided", "became"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for conflict in &past {
        rows.push(vec![
            short(conflict.entity_id.as_str()).to_owned(),
            when(&conflict.resolved_at),
            title(conflict.local.as_ref()),
            title(conflict.server.live()),
            word(conflict.decided).to_owned(),
            title(conflict.result.as_ref()),
        ]);
    }
    screen::table(&rows);
    Ok(Exit::Done)
}

pub(super) async fn undo(app: &App, manner: &Manner, end: &str) -> Result<Exit, Failure> {
    let past = queue::history(&app.engine).await?;
    let missing = || {
        Failure::new(
            format!("nothing was decided about a to-do whose id ends with {end:?}"),
            "`todo-cli conflicts history` lists what was",
        )
    };
    let id = ids::the_one(
        end,
        past.iter().map(|past| past.entity_id.as_str()),
        missing(),
    )?;
    let newest = past.iter().find(|past| past.entity_id.as_str() == id);
    let newest = newest.ok_or_else(missing)?;
    let undone = taken_back(queue::undo(&app.engine, &newest.op_id).await?)?;
    if manner.json {
        screen::json(&json!({"id": id, "undone": undone}))?;
    } else if undone {
        screen::line("taken back; the next sync sends it");
    } else {
        screen::line("nothing to take back: the to-do says that already");
    }
    Ok(Exit::Done)
}

/// `false`: that changes nothing.
fn taken_back(undo: Undo) -> Result<bool, Failure> {
    let (why, advice) = match undo {
        Undo::Queued => return Ok(true),
        Undo::NothingToUndo => return Ok(false),
        Undo::NotSettled => (
            "it is not settled with the server yet",
            "run `todo-cli sync` first",
        ),
        Undo::MovedOn => (
            "the to-do has changed since",
            "edit it: the history has both sides",
        ),
        Undo::NotInForce => ("it never came into force", "edit the to-do"),
        _ => ("the history does not have it any more", "edit the to-do"),
    };
    let what = format!("the decision cannot be taken back: {why}");
    Err(Failure::new(what, advice))
}

/// By the clock of the place where one is.
fn when(instant: &Timestamp) -> String {
    let instant = DateTime::from_timestamp_millis(instant.unix_millis()).unwrap_or_default();
    let instant = instant.with_timezone(&Local);
    instant.format("%Y-%m-%d %H:%M").to_string()
}

fn word(decided: Decided) -> &'static str {
    match decided {
        Decided::Server => "server",
        Decided::Client => "here",
        Decided::Merged => "merged",
        _ => "given up",
    }
}

fn title(record: Option<&Record>) -> String {
    record
        .and_then(queue::todo)
        .map_or("(removed)".to_owned(), |todo| plain(&todo.title))
}

fn entry(conflict: &ResolvedConflict) -> Value {
    let side = |record: Option<&Record>| -> Option<Todo> { record.and_then(queue::todo) };
    json!({
        "id": conflict.entity_id.as_str(),
        "decided": word(conflict.decided),
        "before": side(conflict.base.live()),
        "here": side(conflict.local.as_ref()),
        "server": side(conflict.server.live()),
        "became": side(conflict.result.as_ref()),
        "decided_at": conflict.resolved_at.to_rfc3339_utc(),
        "in_force": conflict.in_force,
    })
}
