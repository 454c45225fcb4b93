//! The suite for servers: on a server with all that the protocol has, and on servers that break it.

use sync_rest::RestTransport;
use sync_testkit::transport_conformance::{
    Ability, BEHAVIORS, Behavior, RealServer, SERVER_BEHAVIORS,
};
use sync_testkit::{MockServer, MockServerBuilder, conformance, server_conformance};

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
