//! The guides show code that is there: every block of Rust stands in an adapter, word for word.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the lints spare tests, but not the helpers beside them"
)]

use std::fs;
use std::path::{Path, PathBuf};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The Rust blocks of a page, line by line.
fn blocks(page: &str) -> Vec<Vec<&str>> {
    let mut blocks = Vec::new();
    let mut open: Option<Vec<&str>> = None;
    for line in page.lines() {
        match &mut open {
            Some(_) if line == "```" => blocks.extend(open.take()),
            Some(block) => block.push(line),
            None if line == "```rust" => open = Some(Vec::new()),
            None => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// Do these lines stand in the source, one after another and indented alike?
fn stands_in(source: &str, block: &[&str]) -> bool {
    let source: Vec<&str> = source.lines().collect();
    source.windows(block.len()).any(|lines| {
        let indent = lines[0].strip_suffix(block[0]);
        indent.is_some_and(|indent| {
            let mut pairs = lines.iter().zip(block);
            indent.trim().is_empty()
                && pairs.all(|(line, shown)| match line.strip_prefix(indent) {
                    Some(rest) => rest == *shown,
                    None => line.is_empty() && shown.is_empty(),
                })
        })
    })
}

/// Every block of the page must stand in one of these files.
fn assert_shown(page: &str, folder: &str, test: &str) {
    let folder = project().join("examples/src").join(folder);
    let files = fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let test = project().join("examples/tests").join(test);
    let sources: Vec<String> = files.chain([test]).map(|file| read(&file)).collect();
    let page = read(&project().join("docs").join(page));
    let blocks = blocks(&page);
    assert!(blocks.len() > 5, "a guide shows its code");
    for block in blocks {
        let found = sources.iter().any(|source| stands_in(source, &block));
        assert!(found, "this is not there any more:\n{}", block.join("\n"));
    }
}

#[test]
fn the_guide_to_stores_shows_the_store_as_it_is() {
    assert_shown("writing-a-store.md", "file_store", "file_store.rs");
}

#[test]
fn the_guide_to_transports_shows_the_transport_as_it_is() {
    assert_shown("writing-a-transport.md", "in_process", "in_process.rs");
}

#[test]
fn the_guides_name_behaviors_that_exist() {
    let known: Vec<&str> = sync_testkit::conformance::BEHAVIORS
        .iter()
        .copied()
        .chain(
            sync_testkit::transport_conformance::BEHAVIORS
                .iter()
                .map(|behavior| behavior.name),
        )
        .collect();
    for page in ["writing-a-store.md", "writing-a-transport.md"] {
        let page = read(&project().join("docs").join(page));
        let rows = page
            .lines()
            .filter(|line| line.starts_with("| ") && line.ends_with("` |"));
        let named: Vec<&str> = rows
            .flat_map(|row| row.rsplit('|').nth(1).unwrap().split('`'))
            .filter(|name| name.len() > 10 && name.contains('_'))
            .collect();
        assert!(named.len() > 5, "the table names behaviors");
        for name in named {
            assert!(known.contains(&name), "no behavior `{name}`");
        }
    }
}

#[test]
fn a_block_that_differs_is_noticed() {
    let source = "impl A {\n    fn a() {\n        b();\n    }\n}\n";
    assert!(stands_in(source, &["fn a() {", "    b();", "}"]));
    for other in [
        ["fn a() {", "    c();", "}"],
        ["fn a() {", "b();", "}"],
        ["a() {", "    b();", "}"],
    ] {
        assert!(!stands_in(source, &other), "{other:?}");
    }
}
