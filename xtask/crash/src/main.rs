//! Kills a process that writes and syncs, again and again, and looks for what got lost
//! (`cargo xtask crash`); proves that it would find it (`cargo xtask crash --planted`).

mod arguments;
mod child;
mod line;
mod parent;
mod phase;
mod tables;

use std::error::Error;
use std::process::ExitCode;

use crate::arguments::Arguments;
use crate::child::Orders;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The first word of the command line of the process that is to be killed.
const CHILD: &str = "child";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(orders) = words.split_first().filter(|(first, _)| *first == CHILD) {
        let result = match Orders::read(orders.1) {
            Some(orders) => child::live(&orders),
            None => Err("no orders that this process understands".into()),
        };
        return ended(result);
    }
    match Arguments::read(words.into_iter()) {
        Ok(arguments) => ended(parent::run(&arguments)),
        Err(problem) => {
            eprintln!("{problem}\n\n{}", arguments::USAGE);
            ExitCode::from(2)
        }
    }
}

fn ended(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
