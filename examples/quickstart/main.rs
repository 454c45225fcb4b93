//! Two devices, one server, no network for a while: `cargo run --example quickstart`.
//!
//! - `model`: what is synchronised, and how its conflicts are settled
//! - `device`: a SQLite file and an engine that talks HTTP
//! - `story`: what happens, from the first sync to the last
//! - `strategies`: what each of the six made of the same conflict
//! - `replicas`: what server and devices hold, and whether it is the same
//! - `screen`: how it looks

mod device;
mod model;
mod replicas;
mod screen;
mod story;
mod strategies;

use std::error::Error;
use std::process::ExitCode;

use screen::Screen;

const HELP: &str = "\
Two devices edit the same records offline, sync over HTTP, and end up equal.

Everything is real: HTTP on a loopback port, one SQLite file for each device.
The files lie in a temporary folder that is removed at the end.

Usage: cargo run --example quickstart [-- OPTION]

Options:
  --json   print the final states and nothing else, each as kind, id, record:
           {\"server\": …, \"device_a\": …, \"device_b\": …}
  --help   print this help

Exit code: 0 if all replicas are equal, else 1; 2 for an unknown option.
";

#[tokio::main]
async fn main() -> ExitCode {
    let options: Vec<String> = std::env::args().skip(1).collect();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let json = match options[..] {
        [] => false,
        ["--json"] => true,
        ["--help" | "-h"] => {
            Screen::new(true).line(HELP.trim_end());
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("unknown options {options:?}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match run(json).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart failed: {}", with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

/// The temporary folder goes with its owner, whatever happens in it.
async fn run(json: bool) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let screen = Screen::new(!json);
    let replicas = tokio::select! {
        told = story::tell(folder.path(), &screen) => told?,
        _ = tokio::signal::ctrl_c() => return Err("interrupted".into()),
    };
    folder.close()?;
    if json {
        Screen::new(true).line(&serde_json::to_string(&replicas)?);
    }
    replicas.check()?;
    screen.line(&format!("\n{}", screen.good("all replicas equal")));
    Ok(())
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!("\n  because: {error}"));
        cause = error.source();
    }
    text
}
