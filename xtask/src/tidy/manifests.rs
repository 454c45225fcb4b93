//! Every crate shares the workspace's lints, says which compiler it needs, and replaces nobody's dependencies.

use super::{Problem, sources};
use crate::Result;
use cargo_metadata::Metadata;
use std::path::Path;
use toml::{Table, Value};

pub(super) fn check(metadata: &Metadata) -> Result<Vec<Problem>> {
    let root = metadata.workspace_root.as_std_path();
    let mut problems =
        replaced_dependencies(Path::new("Cargo.toml"), &read(&root.join("Cargo.toml"))?);
    for package in metadata.workspace_packages() {
        let file = package.manifest_path.as_std_path();
        let path = file.strip_prefix(root)?;
        let manifest = read(file)?;
        problems.extend(replaced_dependencies(path, &manifest));
        problems.extend(missing_settings(path, &manifest));
    }
    Ok(problems)
}

fn read(file: &Path) -> Result<Table> {
    sources::read(file)?
        .parse()
        .map_err(|error| format!("cannot parse {}: {error}", file.display()).into())
}

/// A replaced dependency works here and is gone for everybody who uses the published crate.
fn replaced_dependencies(path: &Path, manifest: &Table) -> Vec<Problem> {
    ["patch", "replace"]
        .into_iter()
        .filter(|section| manifest.contains_key(*section))
        .map(|section| {
            let path = path.display();
            format!("{path}: remove [{section}]: users of the published crate do not get it")
        })
        .collect()
}

fn missing_settings(path: &Path, manifest: &Table) -> Vec<Problem> {
    let path = path.display();
    let mut problems = Vec::new();
    let lints = manifest
        .get("lints")
        .and_then(|lints| lints.get("workspace"));
    if lints != Some(&Value::Boolean(true)) {
        problems.push(format!("{path}: add `[lints] workspace = true`"));
    }
    let package = manifest.get("package");
    let rust_version = package.and_then(|package| package.get("rust-version"));
    if rust_version.and_then(Value::as_str).is_none() {
        problems.push(format!(
            "{path}: add `rust-version = \"…\"`, the oldest compiler that builds this crate"
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = 'a'\nrust-version = '1.88'\n[lints]\nworkspace = true\n";

    fn problems(manifest: &str) -> Vec<Problem> {
        let manifest: Table = manifest.parse().unwrap();
        let path = Path::new("Cargo.toml");
        let mut problems = missing_settings(path, &manifest);
        problems.extend(replaced_dependencies(path, &manifest));
        problems
    }

    #[test]
    fn a_manifest_with_all_settings_passes() {
        assert_eq!(problems(GOOD), Vec::<Problem>::new());
    }

    #[test]
    fn a_manifest_without_the_workspace_lints_is_reported() {
        for lints in [
            "",
            "[lints]\nworkspace = false",
            "[lints.rust]\nunsafe_code = 'deny'",
        ] {
            let manifest = GOOD.replace("[lints]\nworkspace = true", lints);
            assert_eq!(
                problems(&manifest),
                ["Cargo.toml: add `[lints] workspace = true`"]
            );
        }
    }

    #[test]
    fn a_manifest_without_its_own_rust_version_is_reported() {
        for setting in ["", "rust-version.workspace = true"] {
            let found = problems(&GOOD.replace("rust-version = '1.88'", setting));
            assert!(matches!(found.as_slice(), [one] if one.contains("rust-version")));
        }
    }

    #[test]
    fn a_patched_dependency_is_reported() {
        let found = problems(&format!(
            "{GOOD}[patch.crates-io]\ntokio = {{ path = '../tokio' }}\n"
        ));
        assert!(matches!(found.as_slice(), [one] if one.contains("remove [patch]")));
    }
}
