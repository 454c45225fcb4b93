//! What cargo says about this workspace, and how to start cargo.

use crate::Result;
use cargo_metadata::{Metadata, MetadataCommand, Package, camino::Utf8Path};
use std::{env, process::Command};

/// The workspace members; their dependencies are not resolved.
pub(crate) fn metadata() -> Result<Metadata> {
    Ok(MetadataCommand::new().no_deps().exec()?)
}

/// The cargo that started this task, so that a chosen toolchain stays chosen.
pub(crate) fn cargo(root: &Utf8Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// The crates that users depend on: the members that may be published.
pub(crate) fn library_crates(metadata: &Metadata) -> impl Iterator<Item = &Package> {
    metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| package.publish.as_ref().is_none_or(|to| !to.is_empty()))
}
