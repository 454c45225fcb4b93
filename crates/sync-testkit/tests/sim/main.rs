//! The simulator: it finds nothing in the engine as it is, always does the same, and finds what is
//! wrong with an app.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod regressions;
mod relatives;
mod scenes;

use serde_json::Value;
use sync_core::{
    Column, ColumnType, Conflict, Kind, MergeFunction, Resolution, TableConfig, TableSchema,
    resolve_fn,
};
use sync_testkit::sim::{SimTable, Simulation, Tested};

/// Two hundred worlds in all, on as many cores as there are.
fn quarter(number: u64) -> Tested {
    let seeds = number * 50..(number + 1) * 50;
    let tested = Simulation::default().check(seeds);
    tested.unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn no_invariant_breaks_in_the_first_fifty_worlds() {
    assert_eq!(quarter(0).steps, 10_000);
}

#[test]
fn no_invariant_breaks_in_fifty_more_worlds() {
    assert_eq!(quarter(1).steps, 10_000);
}

#[test]
fn no_invariant_breaks_in_a_third_fifty_of_worlds() {
    assert_eq!(quarter(2).steps, 10_000);
}

#[test]
fn no_invariant_breaks_in_a_fourth_fifty_of_worlds() {
    assert_eq!(quarter(3).steps, 10_000);
}

#[test]
fn the_same_seed_is_the_same_run_to_the_byte() {
    let simulation = Simulation::default();
    for seed in [3, 7, 23] {
        let schedule = simulation.schedule(seed);
        let (one, other) = (simulation.tell(&schedule), simulation.tell(&schedule));
        assert_eq!(one.story, other.story, "seed {seed}");
        assert_eq!(one.end, other.end, "seed {seed}");
        assert_eq!(one.counters, other.counters, "seed {seed}");
        assert!(one.story.len() > 500, "much happens in it");
    }
}

#[test]
fn different_seeds_are_different_runs() {
    let simulation = Simulation::default().steps(50);
    let ends: std::collections::BTreeSet<String> =
        (0..10).map(|seed| simulation.run(seed).end).collect();
    assert_eq!(ends.len(), 10);
}

fn counters_of_visits(merge: MergeFunction) -> Simulation {
    let schema = TableSchema::new(Kind::new("visits").unwrap(), "visits", "id")
        .column(Column::new("id", ColumnType::Text))
        .column(Column::new("place", ColumnType::Text).nullable())
        .column(Column::new("note", ColumnType::Text).nullable());
    let table = SimTable::new(schema, TableConfig::new().merge(merge));
    Simulation::of([table]).steps(80).rule(|_, record| {
        let has_place = record.get("place").is_some_and(Value::is_string);
        has_place
            .then_some(())
            .ok_or_else(|| "a visit without a place".to_owned())
    })
}

#[test]
fn a_merge_function_that_drops_a_field_is_found_by_the_app_s_own_rule() {
    let sound = counters_of_visits(MergeFunction::new(|local, server| {
        let mut merged = server.clone();
        merged.extend(local.clone());
        // Both sides have a place; a cleared one gives way.
        if merged["place"].is_null() {
            merged.insert("place".to_owned(), server["place"].clone());
        }
        merged
    }));
    let careless = counters_of_visits(MergeFunction::new(|local, _| {
        let mut merged = local.clone();
        merged.remove("place");
        merged
    }));
    let failure = careless
        .check(0..60)
        .expect_err("some world has a conflict");
    assert_eq!(failure.violation.invariant, "app");
    assert!(failure.violation.what.contains("a visit without a place"));
    assert!(failure.schedule.steps.len() < 20, "and it is told shortly");
    assert_ne!(
        sound
            .check(0..20)
            .unwrap()
            .counters
            .of("merge leaves as it was returned"),
        0
    );
    let of_failure = sound.replay(&failure.schedule);
    assert!(
        of_failure.violations.is_empty(),
        "{:?}",
        of_failure.violations
    );
}

fn plans(config: TableConfig) -> Simulation {
    let schema = TableSchema::new(Kind::new("plans").unwrap(), "plans", "id")
        .column(Column::new("id", ColumnType::Text))
        .column(Column::new("title", ColumnType::Text).nullable())
        .column(Column::new("steps", ColumnType::Json).nullable());
    Simulation::of([SimTable::new(schema, config)]).steps(80)
}

#[test]
fn a_table_of_an_app_is_judged_by_its_own_strategy() {
    use sync_core::ConflictStrategy::{AutoPreserve, ClientWins, LastWriteWins, ServerWins};
    for strategy in [AutoPreserve, ClientWins, LastWriteWins, ServerWins] {
        let tested = plans(TableConfig::new().strategy(strategy)).check(0..25);
        let tested = tested.unwrap_or_else(|failure| panic!("{strategy}: {failure}"));
        assert_ne!(tested.counters.of("conflict detected"), 0);
    }
}

#[test]
fn rules_of_an_apps_fields_are_judged() {
    use sync_core::FieldMerge::{Max, Server, SumDelta, Union};
    let column = |name, ty| Column::new(name, ty).nullable();
    let schema = TableSchema::new(Kind::new("articles").unwrap(), "articles", "id")
        .column(Column::new("id", ColumnType::Text))
        .column(column("name", ColumnType::Text).merge(Server))
        .column(column("best", ColumnType::Integer).merge(Max))
        .column(column("stock", ColumnType::Integer).merge(SumDelta))
        .column(column("tags", ColumnType::Json).merge(Union));
    let tested = Simulation::of([SimTable::new(schema, TableConfig::new())]).check(0..60);
    let tested = tested.unwrap_or_else(|failure| panic!("{failure}"));
    for class in [
        "field kept there by rule",
        "greatest kept by rule",
        "increments added by rule",
        "both united by rule",
        "utmost of several values",
    ] {
        assert_ne!(tested.counters.of(class), 0, "{class}");
    }
}

#[test]
fn a_resolver_of_an_app_takes_part() {
    let resolver = resolve_fn(|conflict: Conflict| async move {
        Ok(match conflict.local {
            Some(local) => Resolution::AcceptMerged(local),
            None => Resolution::AcceptServer,
        })
    });
    let tested = plans(TableConfig::new().resolver(resolver)).check(0..25);
    let tested = tested.unwrap_or_else(|failure| panic!("{failure}"));
    assert_ne!(tested.counters.of("merged"), 0);
}

#[test]
fn everything_that_can_happen_happens_within_two_hundred_worlds() {
    let mut tested = Tested::default();
    let simulation = Simulation::default().steps(60);
    for seed in 0..200 {
        tested.count(&simulation.run(seed));
    }
    assert_eq!(tested.counters.missing(), Vec::<&str>::new());
}
