//! `cargo xtask parity`: what `docs/parity.md` names in answer to the Dart family's tests exists.

use std::fs;

use crate::existing_tests::{self, Test};
use crate::{Result, tables, workspace};

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if !arguments.is_empty() {
        return Err("usage: cargo xtask parity".into());
    }
    let path = workspace::metadata()?.workspace_root.join("docs/parity.md");
    let rows = tables::rows(&fs::read_to_string(&path)?);
    let tests = existing_tests::of(&existing_tests::build(|command| {
        command.arg("--workspace");
        Ok(())
    })?)?;
    let mut problems = Vec::new();
    let (mut tested, mut with_reason, mut theirs) = (0, 0, 0);
    for row in &rows {
        let [group, count, here] = &row[..] else {
            return Err(format!("{path}: a row does not have three cells: {row:?}").into());
        };
        theirs += count.parse::<usize>()?;
        let named = references(here);
        if here.is_empty() {
            problems.push(format!("{group}: neither a test nor a reason"));
        } else if named.is_empty() {
            with_reason += 1;
        } else {
            tested += 1;
        }
        for reference in named.iter().filter(|reference| !exists(&tests, reference)) {
            problems.push(format!("{group}: there is no test `{reference}`"));
        }
        println!("{group} ({count}): {here}");
    }
    println!(
        "\n{} groups with {theirs} tests: {tested} answered by tests, {with_reason} by a reason alone",
        rows.len()
    );
    if problems.is_empty() {
        return Ok(());
    }
    Err(problems.join("\n").into())
}

/// What stands in backquotes and has the form of a path.
fn references(cell: &str) -> Vec<&str> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.filter(|text| text.contains("::")).collect()
}

/// Is this a test that will run, or a module with one?
fn exists(tests: &[Test], reference: &str) -> bool {
    let module = format!("{}::", reference.trim_end_matches("::"));
    tests
        .iter()
        .any(|test| !test.ignored && (test.path == reference || test.path.starts_with(&module)))
}

#[cfg(test)]
mod tests {
    use super::{exists, references};
    use crate::existing_tests::Test;

    #[test]
    fn paths_in_backquotes_are_references_and_other_words_are_not() {
        let cell = "`e2e::runs`, `sim::`; `skipConflictingOps` is gone";
        assert_eq!(references(cell), ["e2e::runs", "sim::"]);
    }

    #[test]
    fn a_module_a_program_and_a_whole_name_are_found_and_a_part_of_a_name_is_not() {
        let test = |ignored| Test {
            path: "e2e::runs::a_run".to_owned(),
            ignored,
        };
        for reference in ["e2e::", "e2e::runs", "e2e::runs::a_run"] {
            assert!(exists(&[test(false)], reference), "{reference}");
            assert!(!exists(&[test(true)], reference), "ignored: {reference}");
        }
        for reference in ["e2e::run", "e2e::runs::a", "http::"] {
            assert!(!exists(&[test(false)], reference), "{reference}");
        }
    }
}
