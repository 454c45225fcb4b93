//! The Rust files of this repository.

use crate::Result;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The `.rs` files below `directory`, sorted; build output and hidden folders are left out.
pub(super) fn rust_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut directories = vec![directory.to_path_buf()];
    while let Some(directory) = directories.pop() {
        let entries = fs::read_dir(&directory)
            .map_err(|error| format!("cannot list {}: {error}", directory.display()))?;
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                let name = entry.file_name();
                if name != "target" && !name.to_string_lossy().starts_with('.') {
                    directories.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

pub(super) fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file)
        .map_err(|error| format!("cannot read {}: {error}", file.display()).into())
}

/// True for a file that holds nothing but tests: `tests/…`, `tests.rs`, `…_tests.rs`.
pub(super) fn is_test_file(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem == "tests"
        || stem.ends_with("_tests")
        || path.components().any(|part| part.as_os_str() == "tests")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_files_are_known_by_their_place_or_name() {
        for path in [
            "crates/a/tests/pull.rs",
            "src/push/tests.rs",
            "src/push_tests.rs",
        ] {
            assert!(is_test_file(Path::new(path)), "{path}");
        }
        for path in ["src/push.rs", "src/contests.rs", "src/testing.rs"] {
            assert!(!is_test_file(Path::new(path)), "{path}");
        }
    }
}
