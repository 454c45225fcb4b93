//! Looks for lost data in simulated worlds (`cargo xtask sim`), and proves that it can find it
//! (`cargo xtask sim --planted`).

mod arguments;
mod hunt;
#[cfg(sync_planted)]
mod planted;

use std::process::ExitCode;
use std::time::Instant;

use sync_testkit::sim::Simulation;

use crate::arguments::Arguments;

/// From so many seeds on everything that can happen must have happened.
const ENOUGH_FOR_EVERYTHING: u64 = 200;

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("{problem}\n\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    if run(&arguments) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn run(arguments: &Arguments) -> bool {
    if arguments.planted {
        return planted(arguments);
    }
    let simulation = Simulation::default().steps(arguments.steps);
    let started = Instant::now();
    let tested = match hunt::hunt(&simulation, arguments.first..arguments.last()) {
        Ok(tested) => tested,
        Err(failure) => {
            eprintln!("{failure}");
            return false;
        }
    };
    println!("{tested} ({:.1} s)", started.elapsed().as_secs_f64());
    let missing = tested.counters.missing();
    if tested.seeds >= ENOUGH_FOR_EVERYTHING && !missing.is_empty() {
        eprintln!("never happened: {}", missing.join(", "));
        return false;
    }
    true
}

#[cfg(sync_planted)]
fn planted(arguments: &Arguments) -> bool {
    planted::prove(arguments)
}

#[cfg(not(sync_planted))]
fn planted(_: &Arguments) -> bool {
    eprintln!("this build has no planted defects: run `cargo xtask sim --planted`");
    false
}
