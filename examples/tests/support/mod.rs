//! Runs a built example as a user would.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// What an example did, and the folder that it took for temporary files.
pub(crate) struct Run {
    pub(crate) output: Output,
    pub(crate) temp: TempDir,
}

impl Run {
    /// Standard output of a run that succeeded.
    pub(crate) fn stdout(&self) -> String {
        let errors = String::from_utf8_lossy(&self.output.stderr);
        assert!(
            self.output.status.success(),
            "{}: {errors}",
            self.output.status
        );
        String::from_utf8(self.output.stdout.clone()).unwrap()
    }

    /// The files that are left in the temporary folder.
    pub(crate) fn left_behind(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.temp.path()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

/// Runs an example in a fresh folder that is its place for temporary files, too.
pub(crate) fn run(example: &str, options: &[&str]) -> Run {
    let temp = tempfile::tempdir().unwrap();
    let mut command = Command::new(binary(example));
    command.args(options).current_dir(temp.path());
    for variable in ["TMPDIR", "TMP", "TEMP"] {
        command.env(variable, temp.path());
    }
    let output = command.output().unwrap();
    Run { output, temp }
}

/// Cargo builds examples before it runs tests, unless it was asked for single targets.
fn binary(example: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let name = format!("{example}{}", std::env::consts::EXE_SUFFIX);
    let binary = profile.join("examples").join(name);
    let hint = "build it first: cargo build --package examples --examples";
    assert!(binary.exists(), "{} is not there; {hint}", binary.display());
    binary
}
