//! `conflicts`: to-dos that were changed here and elsewhere.

use serde_json::{Value, json};
use sync_core::Record;

use super::{Manner, history, resolve};
use crate::app::App;
use crate::arguments::ConflictsAction;
use crate::failure::{Exit, Failure};
use crate::ids::short;
use crate::queue::{self, Dispute};
use crate::screen::{self, plain};

pub(super) async fn run(
    app: &App,
    manner: &Manner,
    action: Option<ConflictsAction>,
) -> Result<Exit, Failure> {
    match action.unwrap_or(ConflictsAction::List) {
        ConflictsAction::List => list(app, manner).await,
        ConflictsAction::History => history::list(app, manner).await,
        ConflictsAction::Undo { id } => history::undo(app, manner, &id).await,
        ConflictsAction::Resolve { id, take } => {
            resolve::run(app, manner, id.as_deref(), take).await
        }
    }
}

async fn list(app: &App, manner: &Manner) -> Result<Exit, Failure> {
    let open = queue::conflicts(&app.engine).await?;
    if manner.json {
        let open: Vec<Value> = open.iter().map(entry).collect();
        screen::json(&open)?;
        return Ok(Exit::Done);
    }
    if open.is_empty() {
        screen::line("no conflicts");
        return Ok(Exit::Done);
    }
    let heading = ["id", "before", "here", "server"];
    let heading = heading.map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = [heading].into_iter().chain(open.iter().map(row)).collect();
    screen::table(&rows);
    screen::line("\ndecide them: todo-cli conflicts resolve");
    for dispute in &open {
        if let Err(why) = &dispute.todos {
            unreadable(dispute, why);
        }
    }
    Ok(Exit::Done)
}

/// Says so, and what can be done about it.
pub(super) fn unreadable(dispute: &Dispute, why: &str) {
    let (id, why) = (short(dispute.id()), plain(why));
    screen::line(format_args!(
        "\nthis version cannot read the conflict of {id} ({why});\n\
         a newer one may, or take a side whole: todo-cli conflicts resolve {id} --take here|server"
    ));
}

fn row(dispute: &Dispute) -> Vec<String> {
    let records = &dispute.records;
    vec![
        short(dispute.id()).to_owned(),
        title(records.base_record(), "(new)"),
        title(records.local.as_ref(), "(removed)"),
        title(records.server_record(), "(removed)"),
    ]
}

fn title(side: Option<&Record>, none: &str) -> String {
    let Some(side) = side else {
        return none.to_owned();
    };
    let title = side.get("title").and_then(Value::as_str);
    title.map_or("(unreadable)".to_owned(), plain)
}

fn entry(dispute: &Dispute) -> Value {
    let records = &dispute.records;
    let mut entry = match &dispute.todos {
        Ok(conflict) => json!({
            "before": conflict.base_record(),
            "here": conflict.local,
            "server": conflict.server_record(),
        }),
        Err(why) => json!({
            "before": records.base_record(),
            "here": records.local,
            "server": records.server_record(),
            "unreadable": why,
        }),
    };
    entry["id"] = json!(dispute.id());
    entry["op_id"] = json!(records.op_id.to_string());
    entry
}
