//! The merge functions and the diff: the reference cases, the rules that these do not cover, and properties of random records.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking, and reads better with literals passed by value"
)]

mod support;

mod cases;
mod depth;
mod law;
mod list_rules;
mod oracle;
mod policies;
mod properties;
mod rules;

use proptest::test_runner::{Config, RngSeed};
use serde_json::Value;
use sync_core::json::JsonMap;

/// The object that a `json!` literal is.
fn object(value: Value) -> JsonMap {
    match value {
        Value::Object(object) => object,
        other => panic!("not an object: {other}"),
    }
}

/// The same cases on every machine; the variables `PROPTEST_RNG_SEED` and `PROPTEST_CASES` ask for
/// others.
fn config(cases: u32) -> Config {
    let asked = Config::default();
    Config {
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
    }
}
