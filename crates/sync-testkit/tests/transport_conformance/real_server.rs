//! The suite for servers: on a server with all that the protocol has, and on servers that break it.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::process::Command;

use sync_rest::RestTransport;
use sync_testkit::transport_conformance::{
    Ability, BEHAVIORS, Behavior, RealServer, SERVER_BEHAVIORS, ServerProcess,
};
use sync_testkit::{Deletion, MockServer, MockServerBuilder, conformance, server_conformance};

async fn started(server: MockServerBuilder) -> RealServer {
    let server = server.filter_by("list").start().await.unwrap();
    let transport = RestTransport::builder(server.url()).batch(true);
    RealServer::new(transport.build().unwrap()).keep(server)
}

fn extended() -> MockServerBuilder {
    MockServer::builder().extended().cursors(false)
}

server_conformance!(started(extended()));

#[test]
fn a_server_is_asked_for_all_that_it_can_show() {
    let is_of_servers = |name| SERVER_BEHAVIORS.iter().any(|server| server.name == name);
    let (of_servers, others): (Vec<&Behavior>, Vec<_>) = BEHAVIORS
        .iter()
        .partition(|behavior| is_of_servers(behavior.name));
    assert_eq!(of_servers.len(), SERVER_BEHAVIORS.len());
    for behavior in others {
        let outcome = conformance::run(async {
            let server = started(extended()).await;
            (behavior.run)(&server).await
        });
        assert!(outcome.is_err(), "`{}` can be shown", behavior.name);
    }
}

#[test]
fn what_a_server_was_said_to_lack_is_not_asked_for() {
    for (ability, name) in [
        (Ability::Keys, "the_same_key_takes_effect_once"),
        (Ability::Health, "a_server_that_is_there_is_healthy"),
    ] {
        let found = SERVER_BEHAVIORS
            .iter()
            .find(|behavior| behavior.name == name);
        let outcome = conformance::run(async {
            let server = started(extended()).await.without([ability]);
            (found.unwrap().run)(&server).await
        });
        assert_eq!(outcome.unwrap_err().0, ability);
    }
}

/// A server that does what it must and nothing else.
mod bare {
    use super::*;

    /// Said to lack what it lacks.
    async fn bare() -> RealServer {
        let server = MockServer::builder()
            .ignore_keys(true)
            .if_absent(false)
            .deletion(Deletion::Hard)
            .page_tokens(false)
            .batch(false)
            .events(false)
            .start()
            .await
            .unwrap();
        let transport = RestTransport::builder(server.url()).build().unwrap();
        RealServer::new(transport).without(OPTIONAL).keep(server)
    }

    server_conformance!(bare(), skips: [
        the_same_key_takes_effect_once,
        a_push_that_is_dropped_takes_effect_at_most_once,
        a_create_of_what_exists_is_a_conflict,
        tombstones_come_where_they_are_asked_for,
        a_chain_of_tokens_brings_every_row_once,
        a_filter_is_passed_on_to_the_letter,
        a_change_wakes_who_listens,
        every_listener_is_woken,
        a_listener_that_leaves_holds_nobody_up,
        a_server_that_is_there_is_healthy,
        each_operation_of_a_batch_has_its_own_result,
        a_batch_of_the_greatest_size_is_taken,
        a_batch_is_taken_in_part,
        upserts_and_deletes_share_a_batch,
        kinds_share_a_batch,
        a_delete_of_what_is_missing_holds_no_batch_up,
        a_batch_that_comes_again_takes_effect_once,
    ]);
}

/// All that a server may be said to lack.
const OPTIONAL: [Ability; 7] = [
    Ability::Keys,
    Ability::IfAbsent,
    Ability::Tombstones,
    Ability::PageTokens,
    Ability::Filter,
    Ability::LiveChannel,
    Ability::Health,
];

/// The behaviours that are skipped for this alone.
fn skipped_without(ability: Option<Ability>) -> BTreeSet<String> {
    let mut skipped = BTreeSet::new();
    for behavior in SERVER_BEHAVIORS {
        let outcome = conformance::run(async {
            let server = extended().filter_by("list").start().await.unwrap();
            let transport = RestTransport::builder(server.url()).batch(ability.is_some());
            let server = RealServer::new(transport.build().unwrap()).keep(server);
            (behavior.run)(&server.without(ability)).await
        });
        if outcome.is_err() {
            skipped.insert(behavior.name.to_owned());
        }
    }
    skipped
}

#[test]
fn the_page_for_servers_says_what_each_lack_skips() {
    let page = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/server-requirements.md"
    );
    let page = std::fs::read_to_string(page).unwrap();
    let listed = |cell: &str| -> BTreeSet<String> {
        let row = page
            .lines()
            .find(|line| line.contains(&format!("| {cell} |")));
        let row = row.unwrap_or_else(|| panic!("no row of {cell}"));
        let skips = row
            .trim_end_matches(['|', ' '])
            .rsplit("| ")
            .next()
            .unwrap();
        skips
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    for ability in OPTIONAL {
        let cell = format!("`{ability:?}`");
        assert_eq!(listed(&cell), skipped_without(Some(ability)), "{cell}");
    }
    assert_eq!(
        listed("nothing: `batch(true)` is left out"),
        skipped_without(None)
    );
    let count = format!("Each of its {} behaviours", SERVER_BEHAVIORS.len());
    assert!(page.contains(&count), "the page says “{count}”");
}

/// What is said of a server that cannot be started by this command.
async fn not_started(program: &str, arguments: &[&str]) -> std::io::Error {
    let started = ServerProcess::start(|_| {
        let mut command = Command::new(program);
        command.args(arguments);
        command
    });
    started.await.unwrap_err()
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let error = not_started("./no-such-server", &["--port", "1"]).await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let text = error.to_string();
    assert!(
        text.contains(r#"`"./no-such-server" "--port" "1"` cannot be started"#),
        "{text}"
    );
}

#[tokio::test]
async fn a_program_that_ends_by_itself_is_not_waited_for() {
    let error = not_started("false", &[]).await;
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    let text = error.to_string();
    assert!(text.contains("is not there on 127.0.0.1:"), "{text}");
    assert!(
        text.contains("it ended by itself (exit status: 1)"),
        "{text}"
    );
}
