//! The tests that exist, as the test programs themselves list them.

use std::process::{Command, Output};
use std::str;

use cargo_metadata::{Message, camino::Utf8PathBuf};

use crate::{Result, workspace};

/// A built test program.
pub(crate) struct Program {
    /// The name of its target: `e2e`, or `sync_core` for a library's own tests.
    pub(crate) name: String,
    executable: Utf8PathBuf,
    folder: Utf8PathBuf,
}

/// One test.
pub(crate) struct Test {
    /// `program::module::function`.
    pub(crate) path: String,
    pub(crate) ignored: bool,
}

impl Test {
    /// The function's name alone.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit("::").next().unwrap_or(&self.path)
    }

    /// How the program knows it.
    pub(crate) fn path_in_program(&self) -> &str {
        self.path
            .split_once("::")
            .map_or(self.path.as_str(), |(_, path)| path)
    }
}

/// Builds the workspace's test programs; `change` may alter the call.
pub(crate) fn build(change: impl FnOnce(&mut Command) -> Result<()>) -> Result<Vec<Program>> {
    let metadata = workspace::metadata()?;
    let mut command = workspace::cargo(&metadata.workspace_root);
    command.args([
        "test",
        "--no-run",
        "--message-format",
        "json-render-diagnostics",
    ]);
    change(&mut command)?;
    let output = command.stderr(std::process::Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err("the tests cannot be built".into());
    }
    let mut programs = Vec::new();
    for message in Message::parse_stream(&*output.stdout) {
        if let Message::CompilerArtifact(artifact) = message?
            && artifact.profile.test
            && let (Some(executable), Some(folder)) =
                (artifact.executable, artifact.manifest_path.parent())
        {
            programs.push(Program {
                name: artifact.target.name.replace('-', "_"),
                executable,
                folder: folder.to_owned(),
            });
        }
    }
    Ok(programs)
}

impl Program {
    /// Its tests.
    pub(crate) fn tests(&self) -> Result<Vec<Test>> {
        let ignored = self.list(&["--ignored"])?;
        let as_test = |path: String| Test {
            ignored: ignored.contains(&path),
            path: format!("{}::{path}", self.name),
        };
        Ok(self.list(&[])?.into_iter().map(as_test).collect())
    }

    fn list(&self, more: &[&str]) -> Result<Vec<String>> {
        let mut command = self.command();
        command.args(["--list", "--format", "terse"]).args(more);
        let Output { status, stdout, .. } = command.output()?;
        if !status.success() {
            return Err(format!("{} does not list its tests", self.name).into());
        }
        let test = |line: &str| Some(line.strip_suffix(": test")?.to_owned());
        Ok(str::from_utf8(&stdout)?.lines().filter_map(test).collect())
    }

    /// A call of the program, where `cargo test` would make it.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        command.current_dir(&self.folder);
        command
    }
}

/// All tests of these programs.
pub(crate) fn of(programs: &[Program]) -> Result<Vec<Test>> {
    let mut tests = Vec::new();
    for program in programs {
        tests.append(&mut program.tests()?);
    }
    Ok(tests)
}
