//! Tasks that are programs of their own, in a release build; with planted defects in a build of its own.

use std::process::Command;

use crate::Result;

/// Runs the program of a package. With `--planted` among the arguments it is built with defects
/// that can be switched on. Did it succeed?
pub(crate) fn run(package: &str, arguments: &[String]) -> Result<bool> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--quiet", "--release", "--package", package]);
    if arguments.iter().any(|argument| argument == "--planted") {
        // Never in a normal build: neither its flags nor its files meet those of one.
        let files = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/planted");
        command.args(["--target-dir", files]);
        command.env("RUSTFLAGS", "--cfg sync_planted");
    }
    let status = command.arg("--").args(arguments).status()?;
    Ok(status.success())
}
