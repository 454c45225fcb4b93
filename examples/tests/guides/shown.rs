use std::fs;
use std::path::{Path, PathBuf};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// The text of a page in `docs/`.
pub(crate) fn page(name: &str) -> String {
    read(&project().join("docs").join(name))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The Rust blocks of a page, line by line, without the indentation of a list.
fn blocks(page: &str) -> Vec<Vec<&str>> {
    let mut blocks = Vec::new();
    let mut open: Option<(&str, Vec<&str>)> = None;
    for line in page.lines() {
        match &mut open {
            Some((indent, _)) if line.strip_prefix(*indent) == Some("```") => {
                blocks.extend(open.take().map(|(_, block)| block));
            }
            Some((indent, block)) => block.push(line.strip_prefix(*indent).unwrap_or(line)),
            None => {
                let indent = line.strip_suffix("```rust");
                open = indent
                    .filter(|text| text.trim().is_empty())
                    .map(|indent| (indent, Vec::new()));
            }
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

/// Every block of the page must stand in one of these files of `examples`.
fn assert_shown(name: &str, files: &[PathBuf]) {
    let sources: Vec<String> = files.iter().map(|file| read(file)).collect();
    let page = page(name);
    let blocks = blocks(&page);
    assert!(!blocks.is_empty(), "a guide shows its code");
    for block in blocks {
        let found = sources.iter().any(|source| stands_in(source, &block));
        assert!(
            found,
            "{name} shows what is not there:\n{}",
            block.join("\n")
        );
    }
}

/// An adapter in `examples/src`, and the test that proves it.
fn adapter(folder: &str, test: &str) -> Vec<PathBuf> {
    let examples = project().join("examples");
    let files = fs::read_dir(examples.join("src").join(folder)).unwrap();
    let files = files.map(|file| file.unwrap().path());
    files.chain([examples.join("tests").join(test)]).collect()
}

/// The sources beside this one that are run for a guide.
fn tests(names: &[&str]) -> Vec<PathBuf> {
    let folder = project().join("examples/tests/guides");
    names.iter().map(|name| folder.join(name)).collect()
}

#[test]
fn the_guide_to_stores_shows_the_store_as_it_is() {
    let files = adapter("file_store", "file_store.rs");
    assert_shown("writing-a-store.md", &files);
}

#[test]
fn the_guide_to_transports_shows_the_transport_as_it_is() {
    let files = adapter("in_process", "in_process.rs");
    assert_shown("writing-a-transport.md", &files);
}

#[test]
fn the_guides_for_apps_show_code_that_is_run() {
    for (page, names) in [
        ("tables-and-derive.md", &["tables_and_derive.rs"][..]),
        ("writing.md", &["writing.rs"]),
        ("existing-apis.md", &["existing_apis.rs"]),
        ("existing-data.md", &["existing_data.rs"]),
        ("updates.md", &["existing_data.rs"]),
        ("events-and-errors.md", &["events_and_errors.rs"]),
        ("testing-your-app.md", &["testing_your_app.rs", "todos.rs"]),
    ] {
        assert_shown(page, &tests(names));
    }
}

#[test]
fn the_quick_start_shows_an_example_as_it_is() {
    let example = project().join("examples/two_devices.rs");
    assert_shown("quick-start.md", &[example]);
}

#[test]
fn the_page_for_servers_shows_the_tests_of_one() {
    let tests = project().join("examples/axum-server/tests/conformance.rs");
    assert_shown("server-requirements.md", &[tests]);
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
