//! Many worlds on all cores; of several that fail always the first is told.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use sync_testkit::sim::{Failure, Outcome, Simulation, Tested, Violation};

/// The first world in which something is found, and what.
pub(crate) struct Found {
    pub(crate) seed: u64,
    pub(crate) violation: Violation,
}

/// Looks at all these worlds.
pub(crate) fn hunt(simulation: &Simulation, seeds: Range<u64>) -> Result<Tested, Box<Failure>> {
    let (tested, found) = first_found(
        simulation,
        seeds,
        || (),
        |outcome| outcome.violations.first().cloned(),
    );
    match found {
        None => Ok(tested),
        Some(found) => Err(Box::new(simulation.failure(found.seed, found.violation))),
    }
}

/// Looks at worlds until one is found that interests; every thread begins with `prepare`.
pub(crate) fn first_found(
    simulation: &Simulation,
    seeds: Range<u64>,
    prepare: impl Fn() + Sync,
    interests: impl Fn(&Outcome) -> Option<Violation> + Sync,
) -> (Tested, Option<Found>) {
    let next = AtomicU64::new(seeds.start);
    let end = AtomicU64::new(seeds.end);
    let found: Mutex<Option<Found>> = Mutex::new(None);
    let total: Mutex<Tested> = Mutex::new(Tested::default());
    let worker = || {
        prepare();
        let mut tested = Tested::default();
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= end.load(Ordering::SeqCst) {
                break;
            }
            let outcome = simulation.run(seed);
            if let Some(violation) = interests(&outcome) {
                // Those before it are still looked at, those behind it need not be.
                end.fetch_min(seed, Ordering::SeqCst);
                let mut found = found
                    .lock()
                    .unwrap_or_else(|poisoned| poisoned.into_inner());
                if found.as_ref().is_none_or(|other| seed < other.seed) {
                    *found = Some(Found { seed, violation });
                }
            } else {
                tested.count(&outcome);
            }
        }
        let mut total = total
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        total.add(&tested);
    };
    thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..cores {
            scope.spawn(worker);
        }
    });
    let tested = total
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let found = found
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    (tested, found)
}
