//! The suite for servers, asked over HTTP of the program itself: nothing here knows that it is written in Rust.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the lints spare tests, but not the helpers beside them"
)]

use std::process::{Command, Stdio};

use sync_rest::RestTransport;
use sync_testkit::server_conformance;
use sync_testkit::transport_conformance::{Ability, RealServer, ServerProcess};

/// A server of its own, with an empty database, for each behaviour.
async fn fresh() -> RealServer {
    let folder = tempfile::tempdir().unwrap();
    let started = ServerProcess::start(|address| {
        // Yours, told its address in its own way: `Command::new("./my-server")`.
        let mut command = Command::new(env!("CARGO_BIN_EXE_axum-server"));
        command.arg(folder.path().join("server.db"));
        command.arg(address.to_string()).stdout(Stdio::null());
        command
    });
    let process = started.await.unwrap_or_else(|why| panic!("{why}"));
    let transport = RestTransport::builder(process.url()).build().unwrap();
    RealServer::new(transport)
        .without([Ability::Filter, Ability::LiveChannel, Ability::PageTokens])
        .keep(process)
        .keep(folder)
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
