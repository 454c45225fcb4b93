//! `cargo xtask tidy`: the rules that a reviewer would otherwise repeat.

mod adapters;
mod core_dependencies;
mod file_length;
mod levels;
mod manifests;
mod paths;
mod sources;

use crate::{Result, workspace};
use cargo_metadata::Metadata;

/// A broken rule: where, what, and what to do.
type Problem = String;

/// A rule's name and its check.
type Rule = (&'static str, fn(&Metadata) -> Result<Vec<Problem>>);

const RULES: &[Rule] = &[
    (
        "sync-core depends on no database and no HTTP crate",
        core_dependencies::check,
    ),
    ("no adapter depends on another adapter", adapters::check),
    (
        "the modules of sync-core import downwards only",
        levels::check,
    ),
    ("source files stay short", file_length::check),
    (
        "every manifest has the workspace lints and a rust-version",
        manifests::check,
    ),
];

/// Checks every rule before it fails, so that one run shows all there is to mend.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if let Some(argument) = arguments.first() {
        return Err(format!("`tidy` takes no arguments, got `{argument}`").into());
    }
    let metadata = workspace::metadata()?;
    let mut broken = 0;
    for (name, check) in RULES {
        let problems = check(&metadata)?;
        println!("{} {name}", if problems.is_empty() { "ok " } else { "BAD" });
        for problem in &problems {
            println!("      {problem}");
        }
        broken += problems.len();
    }
    match broken {
        0 => Ok(()),
        1 => Err("tidy found 1 problem".into()),
        n => Err(format!("tidy found {n} problems").into()),
    }
}
