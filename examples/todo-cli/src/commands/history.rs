//! `conflicts history` and `conflicts undo`: what was decided, and taking it back.

use serde_json::{Value, json};
use sync_core::store::{Decided, ResolvedConflict};
use sync_core::{Record, Undo};

use super::Manner;
use crate::app::App;
use crate::failure::{Exit, Failure};
use crate::queue;
use crate::screen::{self, plain};
use crate::todo::{Todo, short};

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
        ["id", "here", "server", "decided", "became"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for conflict in &past {
        rows.push(vec![
            short(conflict.entity_id.as_str()).to_owned(),
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
    let newest = past
        .iter()
        .find(|conflict| !end.is_empty() && conflict.entity_id.as_str().ends_with(end));
    let Some(conflict) = newest else {
        let what = format!("nothing was decided about a to-do whose id ends with {end:?}");
        return Err(Failure::new(
            what,
            "`todo-cli conflicts history` lists what was",
        ));
    };
    let refused = match queue::undo(&app.engine, &conflict.op_id).await? {
        Undo::Queued | Undo::NothingToUndo => None,
        Undo::NotSettled => Some((
            "it is not settled with the server yet",
            "run `todo-cli sync` first",
        )),
        Undo::MovedOn => Some((
            "the to-do has changed since",
            "edit it: the history has both sides",
        )),
        _ => Some(("the decision never came into force", "edit the to-do")),
    };
    if let Some((why, advice)) = refused {
        return Err(Failure::new(
            format!("the decision cannot be taken back: {why}"),
            advice,
        ));
    }
    if manner.json {
        screen::json(&json!({"undone": conflict.entity_id.as_str()}))?;
    } else {
        screen::line("taken back; the next sync sends it");
    }
    Ok(Exit::Done)
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
        "in_force": conflict.in_force,
    })
}
