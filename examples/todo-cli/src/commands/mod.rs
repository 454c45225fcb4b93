//! What each command does.

mod conflicts;
mod history;
mod outbox;
mod resolve;
mod status;
mod sync;
mod todos;

use sync_core::transport::Offline;
use sync_rest::RestTransport;

use crate::app::App;
use crate::arguments::{Arguments, Command};
use crate::failure::{Exit, Failure};

/// How a command prints, and whom it may ask.
struct Manner {
    json: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let app = open(&arguments).await?;
    let outcome = carry_out(&app, arguments).await;
    let closed = app.close().await;
    let exit = outcome?;
    closed?;
    Ok(exit)
}

/// Only `sync` needs a server: to the others it does not matter whether its address is any good.
async fn open(arguments: &Arguments) -> Result<App, Failure> {
    let file = arguments.file();
    if !matches!(arguments.command, Command::Sync) {
        return App::open(&file, Offline::new("only `sync` asks the server")).await;
    }
    let Some(server) = arguments.server() else {
        return Err(Failure::usage(
            "there is no server to sync with",
            "give --server URL, or set TODO_SERVER",
        ));
    };
    let advice = "give --server an address like https://example.org/api";
    let transport = RestTransport::new(&server);
    let transport = transport.map_err(|error| Failure::of("the server", &error, advice))?;
    App::open(&file, transport).await
}

async fn carry_out(app: &App, arguments: Arguments) -> Result<Exit, Failure> {
    let server = arguments.server();
    let manner = Manner {
        json: arguments.json,
    };
    match arguments.command {
        Command::Add { title, more } => todos::add(app, &manner, &title, &more).await,
        Command::List { all } => todos::list(app, &manner, all).await,
        Command::Show(which) => todos::show(app, &manner, &which.id).await,
        Command::Edit { which, title, more } => {
            todos::edit(app, &manner, &which.id, title.as_deref(), &more).await
        }
        Command::Done { which, undo } => todos::done(app, &manner, &which.id, !undo).await,
        Command::Rm(which) => todos::remove(app, &manner, &which.id).await,
        Command::Sync => sync::run(app, &manner).await,
        Command::Status => status::show(app, &manner, server.as_deref()).await,
        Command::Outbox { action } => outbox::run(app, &manner, action).await,
        Command::Conflicts { action } => conflicts::run(app, &manner, action).await,
    }
}
