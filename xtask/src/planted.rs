//! Builds with defects that can be switched on.

use std::env;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

use crate::Result;

/// Says to this program that Cargo calls it in the compiler's place.
const IN_PLACE_OF_COMPILER: &str = "XTASK_IN_PLACE_OF_COMPILER";

/// Lets this call of Cargo build the workspace's own crates with planted defects.
///
/// All else stays as it is: what they depend on has no defects and is not built a second time, as it
/// would be with other `RUSTFLAGS`. Cargo never takes what a wrapper made for the compiler's own,
/// so that nothing planted gets into a normal build.
pub(crate) fn plant(cargo: &mut Command) -> Result<()> {
    cargo.env("RUSTC_WORKSPACE_WRAPPER", env::current_exe()?);
    cargo.env(IN_PLACE_OF_COMPILER, "yes");
    Ok(())
}

/// What the compiler said, if Cargo called this program in its place.
pub(crate) fn compiled() -> Option<ExitCode> {
    env::var_os(IN_PLACE_OF_COMPILER)?;
    let mut words = env::args_os().skip(1);
    // Cargo names the compiler first.
    let compiler: OsString = words.next()?;
    let status = Command::new(&compiler)
        .args(words)
        .args(["--cfg", "sync_planted"])
        .status();
    Some(match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {} does not start: {error}", compiler.display());
            ExitCode::FAILURE
        }
    })
}
