//! The suite for servers, asked over HTTP.
#![expect(
    clippy::unwrap_used,
    reason = "the lints spare tests, but not the helpers beside them"
)]

mod support;

use support::Server;
use sync_rest::RestTransport;
use sync_testkit::server_conformance;
use sync_testkit::transport_conformance::{Ability, RealServer};

async fn fresh() -> RealServer {
    let server = Server::start().await;
    let transport = RestTransport::builder(&server.url).build().unwrap();
    RealServer::new(transport)
        .without([Ability::Filter, Ability::LiveChannel, Ability::PageTokens])
        .keep(server)
}

server_conformance!(fresh(), skips: [
    // What is optional, and left out of this server.
    a_chain_of_tokens_brings_every_row_once,
    a_filter_is_passed_on_to_the_letter,
    a_change_wakes_who_listens,
    every_listener_is_woken,
    a_listener_that_leaves_holds_nobody_up,
    each_operation_of_a_batch_has_its_own_result,
    a_batch_of_the_greatest_size_is_taken,
    a_batch_is_taken_in_part,
    upserts_and_deletes_share_a_batch,
    kinds_share_a_batch,
    a_delete_of_what_is_missing_holds_no_batch_up,
    a_batch_that_comes_again_takes_effect_once,
]);
