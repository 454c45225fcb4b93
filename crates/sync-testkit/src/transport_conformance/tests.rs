use super::skip::judge;
use super::{Ability, BEHAVIORS, Skipped};

/// Every module of behaviours.
const SOURCES: [&str; 7] = [
    include_str!("answers.rs"),
    include_str!("batch.rs"),
    include_str!("fetch.rs"),
    include_str!("manners.rs"),
    include_str!("pull.rs"),
    include_str!("push.rs"),
    include_str!("reach.rs"),
];

#[test]
fn every_behavior_that_is_written_is_listed() {
    let is_listed = |name: &str| BEHAVIORS.iter().any(|behavior| behavior.name == name);
    let written = SOURCES.iter().flat_map(|source| source.lines());
    let written = written.filter_map(|line| line.strip_prefix("pub async fn ")?.split('(').next());
    let forgotten: Vec<_> = written.filter(|name| !is_listed(name)).collect();
    assert!(
        forgotten.is_empty(),
        "add to the list of `transport_conformance!`: {forgotten:?}"
    );
}

const SKIPPED: Result<(), Skipped> = Err(Skipped(Ability::Redirect));

#[test]
fn a_behavior_that_was_shown_is_not_spoken_of() {
    assert_eq!(judge("b", Ok(()), false, true), Ok(None));
}

#[test]
fn a_skipped_behavior_is_named_with_its_reason() {
    let note = judge("b", SKIPPED, false, false).unwrap().unwrap();
    assert_eq!(note, "skipped: b: the server cannot redirect");
}

#[test]
fn a_skipped_behavior_fails_in_continuous_integration_unless_it_is_listed() {
    assert!(
        judge("b", SKIPPED, false, true)
            .unwrap_err()
            .contains("skipped: b:")
    );
    let note = judge("b", SKIPPED, true, true).unwrap().unwrap();
    assert!(note.starts_with("skipped as listed: b:"), "{note}");
}

#[test]
fn a_listed_behavior_that_was_shown_fails() {
    for strict in [false, true] {
        assert!(
            judge("b", Ok(()), true, strict)
                .unwrap_err()
                .contains("take it off")
        );
    }
}
