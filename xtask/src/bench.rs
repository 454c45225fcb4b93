//! Speed beside raw SQLite, in a release build.

use std::process::Command;

use crate::Result;

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--quiet", "--release", "--package", "bench", "--"]);
    let status = command.args(arguments).status()?;
    if status.success() {
        Ok(())
    } else {
        Err("bench failed".into())
    }
}
