use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use sync_rest::RestTransport;

use super::skip::judge;
use super::{Ability, BEHAVIORS, RealServer, SERVER_BEHAVIORS, Skipped, section};
use crate::{MockServer, MockServerBuilder, conformance};

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

/// The page that the messages name, here as the server's author reads it.
const PROTOCOL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol.md");

#[test]
fn every_behavior_of_a_server_names_a_section_that_is_there() {
    let page = std::fs::read_to_string(PROTOCOL).unwrap();
    let headings: Vec<_> = page.lines().filter(|line| line.starts_with('#')).collect();
    for behavior in SERVER_BEHAVIORS {
        let section = section::of(behavior.name).unwrap();
        let is_there = |heading: &&str| heading.trim_start_matches('#').trim().starts_with(section);
        assert!(headings.iter().any(is_there), "{section}");
    }
}

/// What the failure of a behaviour says, and the trail beside it, on a server that breaks a rule.
fn failure(name: &str, server: MockServerBuilder) -> (String, String) {
    let behavior = SERVER_BEHAVIORS.iter().find(|known| known.name == name);
    conformance::run(async {
        let mock = server.start().await.unwrap();
        let transport = RestTransport::builder(mock.url()).build().unwrap();
        let server = RealServer::new(transport).keep(mock);
        let run = AssertUnwindSafe((behavior.unwrap().run)(&server));
        let panic = run.catch_unwind().await.unwrap_err();
        (*panic.downcast::<String>().unwrap(), server.trail())
    })
}

#[test]
fn a_failure_shows_what_the_server_was_asked_and_what_it_answered() {
    let (message, trail) = failure(
        "an_update_on_an_old_version_is_a_conflict",
        MockServer::builder().checks_base(false),
    );
    assert!(message.contains("409 with `current`"), "{message}");
    assert!(message.contains("a success (2xx)"), "{message}");
    for shown in [
        "asked:    PUT /conformance_notes/a, X-Force-Update: true,",
        "asked:    PUT /conformance_notes/a, _baseUpdatedAt 20",
        "X-Idempotency-Key: k1, body {",
        "answered: a success (2xx) with {",
        "asked:    GET /conformance_notes/a",
    ] {
        assert!(trail.contains(shown), "no `{shown}` in:\n{trail}");
    }
    assert!(!trail.contains(".without("), "{trail}");
}

#[test]
fn a_failure_of_what_is_optional_says_how_to_leave_it_out() {
    let server = MockServer::builder().ignore_keys(true);
    let (message, trail) = failure("the_same_key_takes_effect_once", server);
    assert!(message.contains("a key that comes again"), "{message}");
    let way_out =
        "If the server does not honour idempotency keys, say so: `.without([Ability::Keys])`";
    assert!(trail.contains(way_out), "{trail}");
}
