//! Engines with one planted defect each: the simulator must find every one.

use std::time::Instant;

use sync_core::planted::{Defect, plant};
use sync_testkit::sim::{Simulation, Violation};

use crate::arguments::Arguments;
use crate::hunt::first_found;

/// No longer schedule counts as an explanation.
const SHORT: usize = 30;

/// How one defect was found.
struct Proof {
    seed: u64,
    violation: Violation,
    steps: usize,
    /// Is all well in the same world, and in the shrunk one, when the defect is switched off?
    green_without: bool,
}

pub(crate) fn prove(arguments: &Arguments) -> bool {
    let simulation = Simulation::default().steps(arguments.steps);
    let started = Instant::now();
    println!("| defect | seed | breaks | steps | green without | what the checker says |");
    println!("|---|---:|---|---:|---|---|");
    let mut all = true;
    let mut count = 0;
    for defect in Defect::ALL {
        let is_meant = arguments
            .only
            .as_deref()
            .is_none_or(|only| only == defect.name());
        if !is_meant {
            continue;
        }
        count += 1;
        match look(&simulation, arguments, defect) {
            Some(proof) => {
                all &= proof.green_without;
                println!(
                    "| {} | {} | {} | {} | {} | {} |",
                    defect.name(),
                    proof.seed,
                    proof.violation.invariant,
                    proof.steps,
                    if proof.green_without { "yes" } else { "NO" },
                    short(&proof.violation.what),
                );
            }
            None => {
                all = false;
                println!("| {} | NOT FOUND | | | | |", defect.name());
            }
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "\n{count} defects, {} seeds at most each ({seconds:.1} s)",
        arguments.seeds
    );
    all
}

/// The first world in which the defect is found and can be told shortly.
fn look(simulation: &Simulation, arguments: &Arguments, defect: Defect) -> Option<Proof> {
    let mut first = arguments.first;
    loop {
        let proof = look_from(simulation, arguments, defect, first)?;
        if proof.steps <= SHORT {
            return Some(proof);
        }
        first = proof.seed + 1;
    }
}

fn look_from(
    simulation: &Simulation,
    arguments: &Arguments,
    defect: Defect,
    first: u64,
) -> Option<Proof> {
    let expected = defect.breaks();
    let seeds = first..arguments.last();
    let (_, found) = first_found(
        simulation,
        seeds,
        || plant(Some(defect)),
        |outcome| {
            let violation = outcome.violations.first()?;
            expected
                .contains(&violation.invariant)
                .then(|| violation.clone())
        },
    );
    let found = found?;
    let whole = simulation.schedule(found.seed);
    plant(Some(defect));
    let short = simulation.shrink(&whole, &found.violation);
    let outcome = simulation.replay(&short);
    plant(None);
    let is_green = |schedule| simulation.replay(schedule).violations.is_empty();
    let green_without = is_green(&whole) && is_green(&short);
    if arguments.only.is_some() {
        plant(Some(defect));
        for line in simulation.tell(&short).story {
            println!("{line}");
        }
        plant(None);
        println!("{short}");
    }
    Some(Proof {
        seed: found.seed,
        violation: outcome
            .violations
            .into_iter()
            .next()
            .unwrap_or(found.violation),
        steps: short.steps.len(),
        green_without,
    })
}

/// The beginning of a text, on one line of a table.
fn short(text: &str) -> String {
    let text = text.replace('|', "\\|");
    let cut: String = text.chars().take(90).collect();
    if cut.len() < text.len() {
        format!("{cut} …")
    } else {
        cut
    }
}
