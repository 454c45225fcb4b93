use super::BEHAVIORS;

/// Every module of behaviours.
const SOURCES: [&str; 16] = [
    include_str!("atomicity.rs"),
    include_str!("bookkeeping.rs"),
    include_str!("changes.rs"),
    include_str!("concurrency.rs"),
    include_str!("op_queries.rs"),
    include_str!("outbox.rs"),
    include_str!("preparation.rs"),
    include_str!("references.rs"),
    include_str!("refusals.rs"),
    include_str!("rows.rs"),
    include_str!("shadows.rs"),
    include_str!("sweep.rs"),
    include_str!("tombstones.rs"),
    include_str!("unclaimed.rs"),
    include_str!("values.rs"),
    include_str!("versions.rs"),
];

#[test]
fn every_behavior_that_is_written_is_listed() {
    let written = SOURCES.iter().flat_map(|source| source.lines());
    let written = written.filter_map(|line| line.strip_prefix("pub async fn ")?.split('(').next());
    let forgotten: Vec<_> = written.filter(|name| !BEHAVIORS.contains(name)).collect();
    assert!(
        forgotten.is_empty(),
        "add to the list of `store_conformance!`: {forgotten:?}"
    );
}
