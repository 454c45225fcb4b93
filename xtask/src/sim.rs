//! The simulator, in a release build; with planted defects in a build of its own.

use std::process::Command;

use crate::Result;

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--quiet", "--release", "--package", "sim"]);
    if arguments.iter().any(|argument| argument == "--planted") {
        // Never in a normal build: neither its flags nor its files meet those of one.
        let files = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/planted");
        command.args(["--target-dir", files]);
        command.env("RUSTFLAGS", "--cfg sync_planted");
    }
    let status = command.arg("--").args(arguments).status()?;
    if status.success() {
        Ok(())
    } else {
        Err("the simulator found something, or did not find what it should".into())
    }
}
