//! `status`: what is in the file and what waits.

use serde_json::json;

use super::Manner;
use crate::app::App;
use crate::failure::{Exit, Failure};
use crate::queue;
use crate::screen;
use crate::waiting::{self, State};

pub(super) async fn show(
    app: &App,
    manner: &Manner,
    server: Option<&str>,
) -> Result<Exit, Failure> {
    let todos = app.todos.list().await?;
    let open = todos.iter().filter(|todo| !todo.done).count();
    let waiting = waiting::all(app).await?;
    let (refused, stuck) = (
        waiting::count(&waiting, State::Refused),
        waiting::count(&waiting, State::Stuck),
    );
    let conflicts = queue::conflicts(&app.engine).await?.len();
    // What the server has and this version cannot keep: another program may have written it.
    let unreadable = app.engine.quarantine().count().await?;
    if manner.json {
        screen::json(&json!({
            "server": server,
            "open": open,
            "done": todos.len() - open,
            "waiting": waiting.len(),
            "refused": refused,
            "stuck": stuck,
            "conflicts": conflicts,
            "unreadable": unreadable,
        }))?;
        return Ok(Exit::Done);
    }
    let rows = [
        (
            "to-dos",
            format!("{open} open, {} done", todos.len() - open),
        ),
        (
            "waiting",
            format!(
                "{} to be sent, {refused} refused, {stuck} set aside",
                waiting.len()
            ),
        ),
        ("conflicts", conflicts.to_string()),
        ("unreadable", unreadable.to_string()),
        ("server", server.unwrap_or("none").to_owned()),
    ];
    for (name, value) in rows {
        screen::line(format_args!("{name:<10} {value}"));
    }
    Ok(Exit::Done)
}
