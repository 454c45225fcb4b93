//! `RestTransport` keeps the contract of `Transport` over real HTTP, and every behaviour of the
//! suite fails on a transport that breaks it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the lints spare tests, but not the helpers beside them"
)]

mod flaws;
mod harness;
mod real_server;
mod wrong;

/// A server that knows everything that the protocol has, batches included.
mod extended {
    use sync_testkit::{MockServer, transport_conformance};

    use crate::harness::RestHarness;

    transport_conformance!(RestHarness::start(MockServer::builder().extended(), true));
}

/// A layer around the transport takes nothing away from it.
mod layered {
    use std::sync::Arc;

    use sync_testkit::{
        FakeEnv, FaultyTransport, MockServer, TransportScript, transport_conformance,
    };

    use crate::harness::RestHarness;

    transport_conformance!(async {
        let harness = RestHarness::start(MockServer::builder().extended(), true).await;
        let script = TransportScript::new(FakeEnv::new(1).env());
        harness.wrapped(|inner| FaultyTransport::new(Arc::new(inner), script))
    });
}

/// The server of the protocol's basic form: no answer has a body, each operation goes alone.
mod plain {
    use sync_testkit::{MockServer, transport_conformance};

    use crate::harness::RestHarness;

    transport_conformance!(
        RestHarness::start(MockServer::builder().bodies(false), false),
        skips: [
            each_operation_of_a_batch_has_its_own_result,
            a_batch_of_the_greatest_size_is_taken,
            a_batch_is_taken_in_part,
            upserts_and_deletes_share_a_batch,
            kinds_share_a_batch,
            a_delete_of_what_is_missing_holds_no_batch_up,
            a_batch_that_comes_again_takes_effect_once,
            a_missing_result_is_trouble_for_its_operation,
            a_doubled_result_is_trouble_for_its_operation,
            a_result_without_a_status_is_trouble_for_its_operation,
            a_status_inside_a_batch_means_what_it_means_alone,
            a_failure_inside_a_batch_is_trouble_for_its_operation,
            a_refused_sign_in_inside_a_batch_is_told,
            a_busy_server_inside_a_batch_is_told,
            a_batch_that_is_refused_says_nothing_of_its_operations,
            a_batch_of_a_server_that_serves_nobody_fails_as_a_whole,
            a_web_page_is_no_answer_to_a_batch,
        ]
    );
}
