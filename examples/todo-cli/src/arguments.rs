//! What can be asked for.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, Parser, Subcommand, ValueEnum};

const AFTER: &str = "\
Everything but `sync` works without a server and without a network.

With --json a failure is JSON, too, on standard error: {\"error\", \"try\", \"exit\"}. Only a call that cannot be
understood is answered in words.

Exit codes:
  0  done
  1  failed; the message says what to do
  2  called wrongly
  3  synced, but conflicts wait for you: todo-cli conflicts resolve
  4  the server could not be reached, or not everything got through; nothing is lost";

/// Where the list is if nobody says so.
const FILE: &str = "todos.db";

/// A to-do list that works offline and syncs when there is a network.
#[derive(Debug, Parser)]
#[command(
    name = "todo-cli",
    version,
    after_help = AFTER,
    arg_required_else_help = true
)]
pub(crate) struct Arguments {
    #[arg(
        long,
        global = true,
        help_heading = "Everywhere",
        value_name = "FILE",
        help = "The SQLite file that holds the list; it is made when it is not there [env: TODO_FILE] [default: todos.db]"
    )]
    file: Option<PathBuf>,
    #[arg(
        long,
        global = true,
        help_heading = "Everywhere",
        value_name = "URL",
        help = "The server to sync with [env: TODO_SERVER]"
    )]
    server: Option<String>,
    /// Print JSON, for other programs.
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The environment is read here and not by clap, whose advice on wrong calls would show what is set
/// there as required.
impl Arguments {
    pub(crate) fn file(&self) -> PathBuf {
        let file = self.file.clone();
        file.or_else(|| environment("TODO_FILE").map(PathBuf::from))
            .unwrap_or_else(|| FILE.into())
    }

    pub(crate) fn server(&self) -> Option<String> {
        let server = self.server.clone().filter(|url| !url.is_empty());
        server.or_else(|| {
            environment("TODO_SERVER").map(|server| server.to_string_lossy().into_owned())
        })
    }
}

/// What is empty is not set.
fn environment(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a to-do.
    Add {
        /// What there is to do.
        title: String,
        #[command(flatten)]
        more: Details,
    },
    /// List the to-dos that are not done.
    List {
        /// The done ones, too.
        #[arg(long)]
        all: bool,
    },
    /// Show one to-do in full.
    Show(Which),
    /// Change a to-do.
    Edit {
        #[command(flatten)]
        which: Which,
        /// What there is to do.
        #[arg(long)]
        title: Option<String>,
        #[command(flatten)]
        more: Details,
    },
    /// Tick a to-do off.
    Done {
        #[command(flatten)]
        which: Which,
        /// It is not done after all.
        #[arg(long)]
        undo: bool,
    },
    /// Remove a to-do.
    Rm(Which),
    /// Send what waits, and bring what others changed.
    Sync,
    /// Say what is in the file and what waits; needs no network.
    Status,
    /// What waits to be sent.
    Outbox {
        #[command(subcommand)]
        action: Option<OutboxAction>,
    },
    /// To-dos that were changed here and elsewhere.
    Conflicts {
        #[command(subcommand)]
        action: Option<ConflictsAction>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The to-do's id, or as much of its end as tells it from the others.
    pub(crate) id: String,
}

/// An empty text clears.
#[derive(Debug, Args)]
pub(crate) struct Details {
    /// More about it; "" clears.
    #[arg(long)]
    pub(crate) notes: Option<String>,
    /// When it is due, as 2026-12-24; "" clears.
    #[arg(long, value_name = "DATE", value_parser = due)]
    pub(crate) due: Option<String>,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum OutboxAction {
    /// List it (default).
    List,
    /// Let what was set aside take part again with the next sync.
    Retry,
    /// Give up what waits for one to-do; what the server has comes back.
    Discard {
        /// The to-do's id, or its end.
        id: String,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ConflictsAction {
    /// List them (default).
    List,
    /// Decide them: asks about each field that both sides changed.
    Resolve {
        /// The id of one to-do, or its end; all, if it is left out.
        id: Option<String>,
        /// Take this side whole, without asking.
        #[arg(long, value_enum)]
        take: Option<Side>,
    },
    /// List what was decided, by you or without a question; the newest first.
    History,
    /// Take back the newest decision about a to-do.
    Undo {
        /// The to-do's id, or its end.
        id: String,
    },
}

/// One of the two sides of a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// What was done here.
    Here,
    /// What the server has.
    Server,
}

/// A day, or nothing.
pub(crate) fn due(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d");
    day.map(|day| day.to_string())
        .map_err(|_| "not a day of the calendar; write it as 2026-12-24".to_owned())
}
