//! `cargo xtask hazards`: each hazard of `docs/hazards.md` has a test that bears its number, or a reason in
//! `docs/decisions.md`; with `--prove`, the planted defects that correspond turn such tests red.

mod prove;

use std::fs;

use crate::existing_tests::{self, Test};
use crate::{Result, tables, workspace};

/// So many were found in the original.
const COUNT: usize = 64;

struct Hazard {
    /// As in `E7`.
    number: usize,
    severity: String,
    title: String,
    defect: Option<String>,
}

impl Hazard {
    fn is_answered_by(&self, test: &Test) -> bool {
        test.name()
            .starts_with(&format!("hazard_e{:02}_", self.number))
    }
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    match arguments {
        [] => check(),
        [flag] if flag == "--prove" => {
            check()?;
            prove::run(&read()?)
        }
        _ => Err("usage: cargo xtask hazards [--prove]".into()),
    }
}

fn check() -> Result<()> {
    let hazards = read()?;
    let reasons = reasons()?;
    let tests = existing_tests::of(&existing_tests::build(|command| {
        command.arg("--workspace");
        Ok(())
    })?)?;
    let mut gaps = Vec::new();
    for hazard in &hazards {
        let found: Vec<&Test> = tests
            .iter()
            .filter(|test| hazard.is_answered_by(test))
            .collect();
        print_row(hazard, &found, reasons.contains(&hazard.number));
        if found.is_empty() && !reasons.contains(&hazard.number) {
            gaps.push(format!(
                "E{} has neither a test nor a reason",
                hazard.number
            ));
        }
        for test in found.iter().filter(|test| test.ignored) {
            gaps.push(format!("E{}: {} is ignored", hazard.number, test.path));
        }
    }
    let of_none = |test: &&Test| {
        test.name().starts_with("hazard_")
            && !hazards.iter().any(|hazard| hazard.is_answered_by(test))
    };
    gaps.extend(
        tests
            .iter()
            .filter(of_none)
            .map(|test| format!("{} names no hazard of the table", test.path)),
    );
    if gaps.is_empty() {
        println!("\nall {COUNT} hazards are answered");
        return Ok(());
    }
    Err(gaps.join("\n").into())
}

fn print_row(hazard: &Hazard, tests: &[&Test], has_reason: bool) {
    println!(
        "E{:<3} {}  {}",
        hazard.number, hazard.severity, hazard.title
    );
    for test in tests {
        println!("         {}", test.path);
    }
    if has_reason {
        println!("         cannot occur: docs/decisions.md");
    }
}

/// The table, in order and without a gap.
fn read() -> Result<Vec<Hazard>> {
    let path = workspace::metadata()?
        .workspace_root
        .join("docs/hazards.md");
    let rows = tables::rows(&fs::read_to_string(&path)?);
    let mut hazards = Vec::new();
    for row in rows {
        let [number, severity, title, _, defect] = &row[..] else {
            return Err(format!("{path}: a row does not have five cells: {row:?}").into());
        };
        let number = numbered(number).ok_or_else(|| format!("{path}: {number:?} is no hazard"))?;
        hazards.push(Hazard {
            number,
            severity: severity.clone(),
            title: title.clone(),
            defect: Some(defect.clone()).filter(|defect| !defect.is_empty()),
        });
    }
    let in_order = hazards.iter().map(|hazard| hazard.number).eq(1..=COUNT);
    if !in_order {
        return Err(format!("{path} does not list E1 to E{COUNT} in order").into());
    }
    Ok(hazards)
}

/// The hazards of which a table in the decisions says why they cannot occur.
fn reasons() -> Result<Vec<usize>> {
    let path = workspace::metadata()?
        .workspace_root
        .join("docs/decisions.md");
    let rows = tables::rows(&fs::read_to_string(path)?);
    Ok(rows
        .iter()
        .filter_map(|row| numbered(row.first()?))
        .collect())
}

fn numbered(cell: &str) -> Option<usize> {
    cell.strip_prefix('E')?.parse().ok()
}
