//! The modules of sync-core stand on levels; a module imports from its own level and from those below.

use super::{
    Problem,
    paths::{self, CratePath},
    sources,
};
use crate::Result;
use cargo_metadata::Metadata;
use std::{collections::BTreeMap, path::Path};

/// The top-level modules of sync-core, the lowest level first. `lib.rs` stands above all and is free.
const LEVELS: &[&[&str]] = &[
    &[
        "planted",
        "contents",
        "base64",
        "id",
        "time",
        "json",
        "env",
        "system_fields",
    ],
    &[
        "record",
        "op",
        "entity",
        "changed_fields",
        "version",
        "field_merge",
        "schema",
        "upcast",
        "travel",
    ],
    &["store", "transport", "conflict", "merge"],
    &["error", "config", "table", "event", "stats"],
    &[
        "backoff",
        "lease",
        "layers",
        "outbox",
        "answer",
        "quarantine",
        "references",
        "priority",
        "owed",
        "context",
        "identity",
    ],
    &["push", "pull"],
    &["engine", "writer"],
];

const TABLE: &str = "LEVELS in xtask/src/tidy/levels.rs";

pub(super) fn check(metadata: &Metadata) -> Result<Vec<Problem>> {
    let root = metadata.workspace_root.as_std_path();
    let source_root = root.join("crates/sync-core/src");
    let exports = Exports::of(&sources::read(&source_root.join("lib.rs"))?)?;
    let mut problems = Vec::new();
    for file in sources::rust_files(&source_root)? {
        let module = module_of(file.strip_prefix(&source_root)?);
        let path = file.strip_prefix(root)?;
        if module.is_empty() || sources::is_test_file(path) {
            continue;
        }
        let source = sources::read(&file)?;
        problems.extend(upward_imports(path, &module, &source, &exports)?);
    }
    Ok(problems)
}

/// The module that a file below `src` holds, from the crate's root; empty for the root itself.
fn module_of(path: &Path) -> Vec<String> {
    let mut module: Vec<String> = path
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let is_named_by_folder = |name: &String| name == "mod" || name == "lib";
    module.pop_if(|name| is_named_by_folder(name));
    module
}

fn level(module: &str) -> Option<usize> {
    LEVELS.iter().position(|modules| modules.contains(&module))
}

/// The names that the root makes available as `crate::Name`, with the module each comes from.
struct Exports(BTreeMap<String, String>);

impl Exports {
    fn of(root: &str) -> Result<Self> {
        let paths = paths::root_uses(root)
            .map_err(|error| format!("cannot read lib.rs of sync-core: {error}"))?;
        let pairs = paths.into_iter().filter_map(|path| {
            let module = path.segments.first()?.clone();
            let name = path.alias.or_else(|| path.segments.last().cloned())?;
            Some((name, module))
        });
        Ok(Self(pairs.collect()))
    }

    /// The top-level module that `crate::first` leads to; other crates have none.
    fn module(&self, first: &str) -> std::result::Result<Option<String>, String> {
        if level(first).is_some() {
            return Ok(Some(first.to_owned()));
        }
        let module = self.0.get(first);
        let module = module.ok_or_else(|| {
            format!("`crate::{first}` names no module that the table knows: name the module, or add it to {TABLE}")
        })?;
        Ok(level(module).is_some().then(|| module.clone()))
    }
}

fn upward_imports(
    path: &Path,
    module: &[String],
    source: &str,
    exports: &Exports,
) -> Result<Vec<Problem>> {
    let own = &module[0];
    let Some(own_level) = level(own) else {
        let path = path.display();
        return Ok(vec![format!(
            "{path}: module `{own}` has no level: add it to {TABLE}"
        )]);
    };
    let paths = paths::crate_paths(source, module)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let problem = |import: CratePath| {
        let first = import.segments.first()?;
        let reason = if first == own {
            return None;
        } else {
            match exports.module(first) {
                Ok(Some(other)) if level(&other) > Some(own_level) => {
                    let other_level = level(&other)?;
                    format!(
                        "`{own}` (level {own_level}) imports `{other}` (level {other_level}): imports go downwards only"
                    )
                }
                Ok(_) => return None,
                Err(reason) => reason,
            }
        };
        Some(format!("{}:{}: {reason}", path.display(), import.line))
    };
    Ok(paths.into_iter().filter_map(problem).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "
        pub use engine::SyncEngine;
        pub use record::{Record, system::SystemFields as Fields};
        pub use sync_derive::Derived;
    ";

    fn problems(file: &str, source: &str) -> Vec<Problem> {
        let exports = Exports::of(ROOT).unwrap();
        let module = module_of(Path::new(file));
        upward_imports(Path::new(file), &module, source, &exports).unwrap()
    }

    #[test]
    fn imports_from_below_and_from_siblings_pass() {
        let source = "use crate::{id::Kind, op::Op, Record, Fields, Derived}; use super::version;";
        assert_eq!(problems("record.rs", source), Vec::<Problem>::new());
    }

    #[test]
    fn an_import_from_above_is_reported_with_file_and_line() {
        assert_eq!(
            problems("store/memory.rs", "\nuse crate::engine::SyncEngine;"),
            [
                "store/memory.rs:2: `store` (level 2) imports `engine` (level 6): imports go downwards only"
            ]
        );
    }

    #[test]
    fn an_import_from_above_by_super_is_reported() {
        assert_eq!(
            problems("store/memory.rs", "use super::super::push;").len(),
            1
        );
        assert_eq!(problems("store/mod.rs", "use super::push;").len(), 1);
        assert_eq!(problems("store.rs", "use super::push;").len(), 1);
    }

    #[test]
    fn a_name_that_the_root_re_exports_counts_as_its_module() {
        assert_eq!(problems("push.rs", "use crate::SyncEngine;").len(), 1);
    }

    #[test]
    fn an_import_that_cannot_be_followed_is_reported() {
        for source in ["use crate::*;", "use crate::Nobody;", "use super::*;"] {
            let found = problems("push.rs", source);
            assert!(
                matches!(found.as_slice(), [one] if one.contains("names no module")),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_module_that_the_table_does_not_know_is_reported() {
        let found = problems("helpers.rs", "");
        assert!(matches!(found.as_slice(), [one] if one.contains("add it to LEVELS")));
    }

    #[test]
    fn a_module_is_on_one_level_only() {
        let mut modules = LEVELS.concat();
        modules.sort_unstable();
        let count = modules.len();
        modules.dedup();
        assert_eq!(modules.len(), count);
    }
}
