//! Looks for lost data in simulated worlds.

use std::process::ExitCode;

use sync_testkit::sim::{Simulation, Tested};

fn main() -> ExitCode {
    let arguments: Vec<u64> = std::env::args().skip(1).map(|a| a.parse().unwrap_or(0)).collect();
    let (from, to, steps) = (arguments[0], arguments[1], arguments[2]);
    let simulation = Simulation::default().steps(steps as u32);
    let mut tested = Tested::default();
    let mut bad = std::collections::BTreeMap::new();
    for seed in from..to {
        let outcome = simulation.run(seed);
        tested.counters.add(&outcome.counters);
        tested.seeds += 1;
        if let Some(violation) = outcome.violations.first() {
            bad.entry(violation.invariant).or_insert_with(Vec::new).push((seed, outcome.failed_at, violation.what.chars().take(300).collect::<String>()));
        }
    }
    println!("{tested}\nmissing {:?}", tested.counters.missing());
    for (k, v) in &bad {
        println!("{k}: {} seeds", v.len());
        for x in v.iter().take(4) { println!("   {x:?}"); }
    }
    if arguments.len() > 3 {
        if let Err(failure) = simulation.check(from..to) { println!("{failure}"); }
    }
    ExitCode::SUCCESS
}
