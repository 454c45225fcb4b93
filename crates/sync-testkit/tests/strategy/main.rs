//! One conflict each, from the answer that revealed it to the state after it: the reference cases,
//! and further ones of the same form that the law decides.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod case;
mod check;
mod corrupt;
mod deciders;
mod script;

use serde_json::Value;
use sync_core::SyncConfig;

use self::case::{Outcome, play};

const REFERENCE: &str = include_str!("../cases/strategy.json");
const MORE: &str = include_str!("../cases/strategy_more.json");

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}

/// Reads a table: as many cases as announced, each with an id of its own.
fn load(table: &str, count: usize) -> Vec<Value> {
    let cases: Vec<Value> = serde_json::from_str(table).unwrap();
    let mut ids: Vec<&str> = cases.iter().map(id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), cases.len(), "two cases share an id");
    assert_eq!(cases.len(), count, "cases were added or lost");
    cases
}

fn id(case: &Value) -> &str {
    case["id"].as_str().expect("every case has an id")
}

fn assert_all(cases: &[Value]) {
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let outcome = block_on(play(case));
            let differences = check::differences(&case["expected"], &outcome);
            (!differences.is_empty()).then(|| format!("{}: {}", id(case), differences.join("; ")))
        })
        .collect();
    let (failed, all) = (failures.len(), cases.len());
    assert!(
        failures.is_empty(),
        "{failed} of {all} cases fail:\n{}",
        failures.join("\n")
    );
}

/// With any single expectation of any case altered, that case must fail.
fn assert_every_expectation_counts(cases: &[Value]) {
    for case in cases {
        let outcome: Outcome = block_on(play(case));
        let corruptions = corrupt::corruptions(&case["expected"]);
        assert!(!corruptions.is_empty(), "{} expects nothing", id(case));
        for corrupted in corruptions {
            let differences = check::differences(&corrupted, &outcome);
            assert!(
                !differences.is_empty(),
                "{} passes although it expects {corrupted}",
                id(case)
            );
        }
    }
}

#[test]
fn the_engine_settles_conflicts_as_the_reference_cases_say() {
    assert_all(&load(REFERENCE, 47));
}

#[test]
fn the_engine_settles_conflicts_as_the_further_cases_say() {
    assert_all(&load(MORE, 104));
}

#[test]
fn no_expectation_of_a_case_goes_unchecked() {
    assert_every_expectation_counts(&load(REFERENCE, 47));
    assert_every_expectation_counts(&load(MORE, 104));
}

#[test]
fn the_engine_pauses_before_each_further_round_but_not_before_the_first() {
    let delay = SyncConfig::default().conflict_retry_delay;
    let cases = load(MORE, 104);
    let pauses = |name: &str| {
        let case = cases.iter().find(|case| id(case) == name);
        let outcome = block_on(play(case.expect("the case exists")));
        outcome
            .slept
            .into_iter()
            .filter(|slept| *slept == delay)
            .count()
    };
    assert_eq!(pauses("one-round-allowed"), 0);
    assert_eq!(pauses("three-rounds-allowed"), 2);
}
