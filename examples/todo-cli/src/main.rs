//! An offline-first to-do list: `cargo run -p todo-cli -- --help`.
//!
//! - `arguments`: what can be asked for
//! - `todo`: what is synchronised
//! - `app`: the file and the engine
//! - `ids`: telling a to-do by the end of its id
//! - `waiting`: what waits to be sent, and why
//! - `queue`: conflicts, what was decided, and the outbox, as the engine tells them
//! - `merge`: the three sides of a conflict, field by field
//! - `prompt`: asking a person about them
//! - `commands`: one file for each group of commands
//! - `screen`, `table`: how it looks
//! - `failure`: what can go wrong, what to do about it, and exit codes

mod app;
mod arguments;
mod commands;
mod failure;
mod ids;
mod merge;
mod prompt;
mod queue;
mod screen;
mod table;
mod todo;
mod waiting;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::Arguments;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let json = arguments.json;
    match commands::run(arguments).await {
        Ok(exit) => exit.into(),
        Err(failure) => {
            screen::failure(&failure, json);
            failure.exit.into()
        }
    }
}
