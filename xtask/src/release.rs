//! Tasks that are programs of their own, in a release build.

use std::process::Command;

use crate::{Result, planted};

/// Runs the program of a package. With `--planted` among the arguments it is built with defects
/// that can be switched on. Did it succeed?
pub(crate) fn run(package: &str, arguments: &[String]) -> Result<bool> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--quiet", "--release", "--package", package]);
    if arguments.iter().any(|argument| argument == "--planted") {
        planted::plant(&mut command)?;
    }
    let status = command.arg("--").args(arguments).status()?;
    Ok(status.success())
}
