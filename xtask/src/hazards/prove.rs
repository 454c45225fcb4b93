//! Breaks the library on purpose and wants to see red.

use super::Hazard;
use crate::existing_tests::{self, Program, Test};
use crate::{Result, planted};

/// The packages whose tests answer hazards that a planted defect brings back.
const PACKAGES: [&str; 2] = ["sync-core", "sync-testkit"];

pub(super) fn run(hazards: &[Hazard]) -> Result<()> {
    let programs = existing_tests::build(|command| {
        for package in PACKAGES {
            command.args(["--package", package]);
        }
        planted::plant(command)
    })?;
    println!();
    let mut unproven = Vec::new();
    for hazard in hazards {
        let Some(defect) = &hazard.defect else {
            continue;
        };
        let green = red_tests(&programs, hazard, None)?;
        let red = red_tests(&programs, hazard, Some(defect))?;
        println!("E{:<3} with {defect}:", hazard.number);
        for test in &red {
            println!("         red: {test}");
        }
        if !green.is_empty() {
            unproven.push(format!(
                "E{}: red without any defect: {}",
                hazard.number,
                green.join(", ")
            ));
        } else if red.is_empty() {
            unproven.push(format!("E{}: no test notices {defect}", hazard.number));
        }
    }
    if unproven.is_empty() {
        println!("\nevery planted defect that brings a hazard back turns its test red");
        return Ok(());
    }
    Err(unproven.join("\n").into())
}

/// The hazard's tests that fail.
fn red_tests(programs: &[Program], hazard: &Hazard, defect: Option<&str>) -> Result<Vec<String>> {
    let mut red = Vec::new();
    for program in programs {
        for test in program.tests()? {
            if hazard.is_answered_by(&test) && !passes(program, &test, defect)? {
                red.push(test.path);
            }
        }
    }
    Ok(red)
}

fn passes(program: &Program, test: &Test, defect: Option<&str>) -> Result<bool> {
    let mut command = program.command();
    command.args(["--exact", test.path_in_program()]);
    command.env_remove("SYNC_PLANTED");
    if let Some(defect) = defect {
        command.env("SYNC_PLANTED", defect);
    }
    Ok(command.output()?.status.success())
}
