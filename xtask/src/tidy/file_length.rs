//! A file that is long usually holds two things.

use super::{Problem, sources};
use crate::Result;
use cargo_metadata::Metadata;
use std::path::Path;

const MOST_LINES: usize = 400;
const MOST_LINES_OF_TESTS: usize = 600;

pub(super) fn check(metadata: &Metadata) -> Result<Vec<Problem>> {
    let root = metadata.workspace_root.as_std_path();
    let mut problems = Vec::new();
    for file in sources::rust_files(root)? {
        let path = file.strip_prefix(root)?;
        problems.extend(too_long(path, sources::read(&file)?.lines().count()));
    }
    Ok(problems)
}

fn too_long(path: &Path, lines: usize) -> Option<Problem> {
    let most = if sources::is_test_file(path) {
        MOST_LINES_OF_TESTS
    } else {
        MOST_LINES
    };
    (lines > most).then(|| {
        let path = path.display();
        format!("{path}: {lines} lines, at most {most}: split it by what it does, or move its tests to a sibling file")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_file_of_401_lines_is_too_long() {
        let path = Path::new("crates/sync-core/src/engine.rs");
        assert_eq!(too_long(path, 400), None);
        let problem = too_long(path, 401);
        assert!(problem.is_some_and(|text| text.contains("engine.rs: 401 lines, at most 400")));
    }

    #[test]
    fn a_test_file_may_be_longer() {
        let path = Path::new("crates/sync-core/tests/engine.rs");
        assert_eq!(too_long(path, 600), None);
        assert!(too_long(path, 601).is_some());
    }
}
