//! `cargo xtask msrv`: builds every library crate with the oldest compiler that its manifest promises.

use crate::{Result, workspace};
use cargo_metadata::Package;
use std::process::Command;

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if let Some(argument) = arguments.first() {
        return Err(format!("`msrv` takes no arguments, got `{argument}`").into());
    }
    let metadata = workspace::metadata()?;
    for package in workspace::library_crates(&metadata) {
        let toolchain = oldest_toolchain(package)?;
        println!("{} with Rust {toolchain}", package.name);
        rustup(&["toolchain", "install", &toolchain, "--profile", "minimal"])?;
        let target = metadata.target_directory.join("msrv");
        rustup(&[
            "run",
            &toolchain,
            "cargo",
            "check",
            "--locked",
            "--all-features",
            "--package",
            &package.name,
            "--target-dir",
            target.as_str(),
        ])?;
    }
    Ok(())
}

fn oldest_toolchain(package: &Package) -> Result<String> {
    let version = package.rust_version.as_ref();
    let version = version.ok_or_else(|| {
        format!(
            "{} has no rust-version: add one to its manifest",
            package.name
        )
    })?;
    Ok(version.to_string())
}

fn rustup(arguments: &[&str]) -> Result<()> {
    let status = Command::new("rustup")
        .args(arguments)
        // cargo sets these for the task itself; they would override the toolchain asked for
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .env_remove("RUSTC")
        .status()
        .map_err(|error| {
            format!("cannot start rustup, which brings the older compilers: {error}")
        })?;
    if status.success() {
        return Ok(());
    }
    Err(format!("`rustup {}` failed ({status})", arguments.join(" ")).into())
}
