//! Starts the commands of a step and shows each as it can be typed.

use crate::{Result, workspace};
use cargo_metadata::{
    Metadata,
    camino::{Utf8Path, Utf8PathBuf},
};
use std::{env, ffi::OsString, io, process::Command};

/// The feature that builds only where OpenSSL's headers are; it has a step of its own.
pub(super) const SQLCIPHER: &str = "sqlcipher";

/// What a step knows of the workspace.
pub(super) struct Runner {
    root: Utf8PathBuf,
    target: Utf8PathBuf,
    library_features: Vec<(String, Vec<String>)>,
}

impl Runner {
    pub(super) fn new(metadata: &Metadata) -> Self {
        let library_features = workspace::library_crates(metadata).map(|package| {
            let features = package.features.keys();
            let features = features.filter(|name| *name != "default" && *name != SQLCIPHER);
            (package.name.to_string(), features.cloned().collect())
        });
        Self {
            root: metadata.workspace_root.clone(),
            target: metadata.target_directory.clone(),
            library_features: library_features.collect(),
        }
    }

    pub(super) fn root(&self) -> &Utf8Path {
        &self.root
    }

    pub(super) fn target(&self) -> &Utf8Path {
        &self.target
    }

    /// All features of the libraries that build on every machine, as cargo's `--features` wants them.
    pub(super) fn portable_features(&self) -> String {
        let all = self.library_features();
        let all = all.flat_map(|(package, features)| {
            features
                .iter()
                .map(move |feature| format!("{package}/{feature}"))
        });
        all.collect::<Vec<_>>().join(",")
    }

    /// Each library crate with its features, without `default` and those that want more of a machine.
    pub(super) fn library_features(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.library_features
            .iter()
            .map(|(name, features)| (name.as_str(), features.as_slice()))
    }

    pub(super) fn cargo(&self, arguments: &[&str]) -> Result<()> {
        run("cargo", workspace::cargo(&self.root).args(arguments))
    }

    pub(super) fn cargo_with_env(
        &self,
        (name, value): (&str, &str),
        arguments: &[&str],
    ) -> Result<()> {
        let mut command = workspace::cargo(&self.root);
        run("cargo", command.args(arguments).env(name, value))
    }

    /// Runs a tool that `.ci/install-tools` installs.
    pub(super) fn tool(&self, name: &str, arguments: &[&str]) -> Result<()> {
        run(name, self.tool_command(name)?.args(arguments))
    }

    pub(super) fn tool_with_env(
        &self,
        name: &str,
        (key, value): (&str, &str),
        arguments: &[&str],
    ) -> Result<()> {
        run(
            name,
            self.tool_command(name)?.args(arguments).env(key, value),
        )
    }

    fn tool_command(&self, name: &str) -> Result<Command> {
        let mut command = Command::new(name);
        command
            .current_dir(&self.root)
            .env("PATH", self.path_with_tools()?);
        Ok(command)
    }

    fn path_with_tools(&self) -> Result<OsString> {
        let tools = self.target.join("ci-tools/bin").into_std_path_buf();
        let path = env::var_os("PATH").unwrap_or_default();
        Ok(env::join_paths(
            std::iter::once(tools).chain(env::split_paths(&path)),
        )?)
    }
}

/// Shows the command, runs it, and fails when it fails; `name` is what a person would type.
fn run(name: &str, command: &mut Command) -> Result<()> {
    let shown = shown(name, command);
    println!("$ {shown}");
    let status = command.status().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            format!("{name} is not installed; `bash .ci/install-tools` installs it")
        }
        _ => format!("cannot start {name}: {error}"),
    })?;
    if status.success() {
        return Ok(());
    }
    Err(format!("`{shown}` failed ({status})").into())
}

fn shown(name: &str, command: &Command) -> String {
    let settings = command.get_envs().filter(|(key, _)| *key != "PATH");
    let settings = settings.filter_map(|(key, value)| {
        Some(format!(
            "{}={}",
            key.display(),
            quoted(&value?.to_string_lossy())
        ))
    });
    let arguments = command
        .get_args()
        .map(|argument| quoted(&argument.to_string_lossy()));
    settings
        .chain([name.to_owned()])
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

fn quoted(word: &str) -> String {
    if word.is_empty() || word.contains(char::is_whitespace) {
        format!("'{word}'")
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_can_be_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        command
            .args(["doc", "--features", ""])
            .env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(
            shown("cargo", &command),
            "RUSTDOCFLAGS='-D warnings' cargo doc --features ''"
        );
    }

    #[test]
    fn a_missing_tool_is_an_error_that_says_how_to_get_it() {
        let error = run("no-such-tool", &mut Command::new("no-such-tool-here")).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("no-such-tool is not installed; `bash .ci/install-tools`")
        );
    }

    #[test]
    fn a_command_that_fails_fails_the_step() {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let error = run("cargo", Command::new(cargo).arg("--no-such-option")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("`cargo --no-such-option` failed")
        );
    }
}
