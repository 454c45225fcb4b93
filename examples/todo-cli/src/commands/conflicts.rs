//! `conflicts`: to-dos that were changed here and elsewhere.

use std::io::{self, IsTerminal as _};

use serde_json::{Value, json};
use sync_core::{Conflict, Resolution};

use super::{Manner, history};
use crate::app::App;
use crate::arguments::{ConflictsAction, Side};
use crate::failure::{Exit, Failure};
use crate::prompt::{Decision, Prompt};
use crate::queue;
use crate::screen::{self, plain};
use crate::table;
use crate::todo::{Todo, short};

pub(super) async fn run(
    app: &App,
    manner: &Manner,
    action: Option<ConflictsAction>,
) -> Result<Exit, Failure> {
    match action.unwrap_or(ConflictsAction::List) {
        ConflictsAction::List => list(app, manner).await,
        ConflictsAction::History => history::list(app, manner).await,
        ConflictsAction::Undo { id } => history::undo(app, manner, &id).await,
        ConflictsAction::Resolve { id, take } => resolve(app, manner, id.as_deref(), take).await,
    }
}

async fn list(app: &App, manner: &Manner) -> Result<Exit, Failure> {
    let open = queue::conflicts(&app.engine).await?;
    if manner.json {
        let rows: Vec<Value> = open.iter().map(|conflict| {
            json!({"op_id": conflict.op_id.to_string(), "id": conflict.entity_id.as_str(),
                   "before": conflict.base_record(), "here": conflict.local, "server": conflict.server_record()})
        }).collect();
        screen::json(&rows)?;
        return Ok(Exit::Done);
    }
    if open.is_empty() {
        screen::line("no conflicts");
        return Ok(Exit::Done);
    }
    let mut rows = vec![
        ["id", "before", "here", "server"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for conflict in &open {
        let side = |todo: Option<&Todo>, none: &str| plain(todo.map_or(none, |todo| &todo.title));
        rows.push(vec![
            short(conflict.entity_id.as_str()).to_owned(),
            side(conflict.base_record(), "(new)"),
            side(conflict.local.as_ref(), "(removed)"),
            side(conflict.server_record(), "(removed)"),
        ]);
    }
    screen::table(&rows);
    screen::line("\ndecide them: todo-cli conflicts resolve");
    Ok(Exit::Done)
}

async fn resolve(
    app: &App,
    manner: &Manner,
    id: Option<&str>,
    take: Option<Side>,
) -> Result<Exit, Failure> {
    let mut open = queue::conflicts(&app.engine).await?;
    if let Some(end) = id {
        open.retain(|conflict| !end.is_empty() && conflict.entity_id.as_str().ends_with(end));
        if open.is_empty() {
            let what = format!("no conflict waits of a to-do whose id ends with {end:?}");
            return Err(Failure::new(what, "`todo-cli conflicts` lists them"));
        }
    }
    let asks = take.is_none() && !open.is_empty();
    if asks && (manner.json || !io::stdin().is_terminal()) {
        return Err(Failure::usage(
            "nobody is there to be asked",
            "give --take here or --take server",
        ));
    }
    let mut left = 0;
    let mut decided = 0;
    for conflict in &open {
        let decision = match take {
            Some(side) => Decision::Take(side),
            None => ask(conflict)?,
        };
        let Some(resolution) = resolution(decision) else {
            left += 1;
            continue;
        };
        if queue::resolve(&app.engine, conflict, resolution).await? {
            decided += 1;
        } else {
            left += 1;
            screen::line(format_args!(
                "{} has changed meanwhile: sync, and look again",
                short(conflict.entity_id.as_str())
            ));
        }
    }
    if manner.json {
        screen::json(&json!({"decided": decided, "open": left}))?;
    } else {
        screen::line(match (decided, left) {
            (0, 0) => "no conflicts".to_owned(),
            (_, 0) => format!("{decided} decided; the next sync sends it"),
            _ => format!("{decided} decided, {left} left for later"),
        });
    }
    Ok(if left > 0 {
        Exit::Conflicts
    } else {
        Exit::Done
    })
}

fn ask(conflict: &Conflict<Todo>) -> Result<Decision, Failure> {
    let (typed, shown) = (io::stdin().lock(), io::stdout().lock());
    Ok(Prompt {
        typed,
        shown,
        width: table::width(),
    }
    .decide(conflict)?)
}

/// `None` = later.
fn resolution(decision: Decision) -> Option<Resolution<Todo>> {
    match decision {
        Decision::Later => None,
        Decision::Take(Side::Here) => Some(Resolution::AcceptClient),
        Decision::Take(Side::Server) => Some(Resolution::AcceptServer),
        Decision::Merged(todo) => Some(Resolution::AcceptMerged(todo)),
    }
}
