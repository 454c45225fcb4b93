//! The project's own tasks, run as `cargo xtask <task>`.
//!
//! Every check that runs on a build machine is a task here, so that a red job has a command to repeat it locally.

mod bench;
mod ci;
mod crash;
mod existing_tests;
mod fuzz;
mod hazards;
mod msrv;
mod parity;
mod planted;
mod release;
mod sim;
mod tables;
mod tidy;
mod workspace;

use std::{env, error::Error, process::ExitCode};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// One row of `cargo xtask`; a new task is one more row in [`TASKS`].
struct Task {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Result<()>,
}

const TASKS: &[Task] = &[
    Task {
        name: "bench",
        about: "speed beside raw SQLite: W1 (pull 100,000 rows) and W3 (local writes)",
        run: bench::run,
    },
    Task {
        name: "ci",
        about: "everything a change must pass; `ci STEP…` runs some, `ci --skip STEP` all but one",
        run: ci::run,
    },
    Task {
        name: "hazards",
        about: "each known hazard has a test; `hazards --prove` breaks the library and sees it go red",
        run: hazards::run,
    },
    Task {
        name: "crash",
        about: "kills a process that writes and syncs, and looks for lost data; `crash --planted` as for sim",
        run: crash::run,
    },
    Task {
        name: "fuzz",
        about: "random bytes for everything that reads a server's; `--seconds N` each, `--target T` one",
        run: fuzz::run,
    },
    Task {
        name: "msrv",
        about: "builds every library crate with the oldest compiler it promises",
        run: msrv::run,
    },
    Task {
        name: "parity",
        about: "what the Dart family tests is tested here, or a reason says why not",
        run: parity::run,
    },
    Task {
        name: "sim",
        about: "simulated worlds that look for lost data; `sim --planted` proves that they find it",
        run: sim::run,
    },
    Task {
        name: "tidy",
        about: "the house rules: dependencies, module levels, file lengths, manifests",
        run: tidy::run,
    },
];

fn main() -> ExitCode {
    if let Some(outcome) = planted::compiled() {
        return outcome;
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        eprint!("{}", usage());
        return ExitCode::from(2);
    };
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        eprint!("unknown task `{name}`\n\n{}", usage());
        return ExitCode::from(2);
    };
    match (task.run)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    let rows = TASKS
        .iter()
        .map(|task| format!("  {:<8} {}\n", task.name, task.about));
    format!("usage: cargo xtask TASK\n\n{}", rows.collect::<String>())
}
