//! What each command does.

mod conflicts;
mod history;
mod outbox;
mod status;
mod sync;
mod todos;

use crate::app::App;
use crate::arguments::{Arguments, Command};
use crate::failure::{Exit, Failure};

/// How a command prints, and whom it may ask.
struct Manner {
    json: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let server = arguments.server.as_deref().filter(|url| !url.is_empty());
    let manner = Manner {
        json: arguments.json,
    };
    if server.is_none() && matches!(arguments.command, Command::Sync) {
        return Err(Failure::usage(
            "there is no server to sync with",
            "give --server URL, or set TODO_SERVER",
        ));
    }
    let app = App::open(&arguments.file, server).await?;
    let outcome = match arguments.command {
        Command::Add { title, more } => todos::add(&app, &manner, &title, &more).await,
        Command::List { all } => todos::list(&app, &manner, all).await,
        Command::Show(which) => todos::show(&app, &manner, &which.id).await,
        Command::Edit { which, title, more } => {
            todos::edit(&app, &manner, &which.id, title.as_deref(), &more).await
        }
        Command::Done { which, undo } => todos::done(&app, &manner, &which.id, !undo).await,
        Command::Rm(which) => todos::remove(&app, &manner, &which.id).await,
        Command::Sync => sync::run(&app, &manner).await,
        Command::Status => status::show(&app, &manner, server).await,
        Command::Outbox { action } => outbox::run(&app, &manner, action).await,
        Command::Conflicts { action } => conflicts::run(&app, &manner, action).await,
    };
    let closed = app.close().await;
    let exit = outcome?;
    closed?;
    Ok(exit)
}
