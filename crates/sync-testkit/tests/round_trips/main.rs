//! Hostile JSON on every way through the library comes back to the letter, or is refused: never
//! altered, and never a panic.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod devices;
mod forms;
mod hostile;
mod refused;
mod stamps;
mod stored;
mod typed;
mod wire;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

/// Runs a check on the same cases on every machine; the variables `PROPTEST_RNG_SEED` and
/// `PROPTEST_CASES` ask for others.
fn for_all<S: Strategy>(
    cases: u32,
    strategy: &S,
    check: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let asked = Config::default();
    let config = Config {
        failure_persistence: None,
        cases: if asked.cases == 256 {
            cases
        } else {
            asked.cases
        },
        rng_seed: match asked.rng_seed {
            RngSeed::Random => RngSeed::Fixed(1),
            fixed @ RngSeed::Fixed(_) => fixed,
        },
        ..asked
    };
    if let Err(failure) = TestRunner::new(config).run(strategy, check) {
        panic!("{failure}");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}
