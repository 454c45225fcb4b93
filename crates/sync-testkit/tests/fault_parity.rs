//! The layer around a transport does what the server's faults come to over HTTP.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::mem::{Discriminant, discriminant};
use std::sync::Arc;

use serde_json::json;
use sync_core::transport::{PullRequest, PushChange, PushOp, PushOutcome, PushRequest};
use sync_core::{
    EntityId, Kind, OpId, Precondition, Timestamp, Transport, TransportErrorKind, Version,
};
use sync_rest::RestTransport;
use sync_testkit::{
    Call, FakeEnv, Fault, FaultyTransport, MockServer, Route, TransportFault, TransportScript,
};

/// What a caller learns from a push: of each operation, and whether with a record, or of the request.
type Learnt = Result<Vec<(Discriminant<PushOutcome>, bool)>, TransportErrorKind>;

fn learnt(outcome: &PushOutcome) -> (Discriminant<PushOutcome>, bool) {
    let with_record = match outcome {
        PushOutcome::Accepted { state } | PushOutcome::Conflict { state, .. } => state.is_some(),
        _ => false,
    };
    (discriminant(outcome), with_record)
}

/// Deletes against `base`, answered through the layer by a server with these faults.
async fn delete(
    ids: &[&str],
    base: &str,
    server_fault: Option<Fault>,
    layer_fault: Option<TransportFault>,
) -> Learnt {
    let server = MockServer::start().await.unwrap();
    for id in ids {
        let row = json!({"id": id, "updated_at": "2025-01-01T00:00:00Z"});
        server.seed("todos", [row]).unwrap();
    }
    if let Some(fault) = server_fault {
        server.fault(fault).on(Route::Push);
    }
    let script = TransportScript::new(FakeEnv::new(1).env());
    if let Some(fault) = layer_fault {
        script.next(Call::Push, fault);
    }
    let rest = RestTransport::builder(server.url()).batch(true);
    let transport = FaultyTransport::new(Arc::new(rest.build().unwrap()), script);
    let op = |id: &&str| {
        let stamp = Timestamp::parse(base).unwrap();
        let version = Version::new(stamp);
        PushOp::new(
            format!("key-{id}"),
            OpId::new(*id).unwrap(),
            Kind::new("todos").unwrap(),
            EntityId::new(*id).unwrap(),
            PushChange::Delete,
            Precondition::IfBase { version },
        )
    };
    let request = PushRequest::new(ids.iter().map(op).collect());
    let results = transport.push(request).await;
    let results = results.map_err(|error| error.kind())?.value;
    let outcomes = results.iter().map(|result| learnt(&result.outcome));
    Ok(outcomes.collect())
}

async fn assert_same(ids: &[&str], base: &str, faults: (Fault, TransportFault)) {
    let name = format!("{faults:?}");
    let over_http = delete(ids, base, Some(faults.0), None).await;
    let around = delete(ids, base, None, Some(faults.1)).await;
    assert_eq!(over_http, around, "{name} on {ids:?}");
    let without = delete(ids, base, None, None).await;
    assert_ne!(around, without, "{name} should strike {ids:?}");
}

const KNOWN: &str = "2025-01-01T00:00:00Z";
const OUTDATED: &str = "2024-01-01T00:00:00Z";

#[tokio::test]
async fn an_answer_that_is_not_the_servers_means_the_same_to_a_push() {
    for ids in [&["a"][..], &["a", "b"]] {
        for faults in [
            (Fault::html(), TransportFault::html()),
            (
                Fault::redirect("http://localhost/login"),
                TransportFault::redirect(),
            ),
            (Fault::invalid_json(), TransportFault::invalid_json()),
            (Fault::status(401), TransportFault::unauthorized()),
        ] {
            assert_same(ids, KNOWN, faults).await;
        }
    }
}

#[tokio::test]
async fn a_spoilt_result_of_a_batch_means_the_same() {
    for faults in [
        (Fault::missing_result(), TransportFault::missing_result()),
        (Fault::doubled_result(), TransportFault::doubled_result()),
        (Fault::unknown_result(), TransportFault::unknown_result()),
        (
            Fault::result_without_status(),
            TransportFault::result_without_status(),
        ),
    ] {
        assert_same(&["a", "b"], KNOWN, faults).await;
    }
}

#[tokio::test]
async fn a_spoilt_conflict_means_the_same() {
    for ids in [&["a"][..], &["a", "b"]] {
        for faults in [
            (
                Fault::incomplete_conflict(),
                TransportFault::incomplete_conflict(),
            ),
            (
                Fault::wrong_entity_conflict(),
                TransportFault::wrong_entity_conflict(),
            ),
        ] {
            assert_same(ids, OUTDATED, faults).await;
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_not_the_servers_means_the_same_to_a_pull() {
    let pull = async |server_fault: Option<Fault>, layer_fault: Option<TransportFault>| {
        let server = MockServer::start().await.unwrap();
        if let Some(fault) = server_fault {
            server.fault(fault).on(Route::Pull);
        }
        let script = TransportScript::new(FakeEnv::new(1).env());
        if let Some(fault) = layer_fault {
            script.next(Call::Pull, fault);
        }
        let rest = RestTransport::new(server.url()).unwrap();
        let transport = FaultyTransport::new(Arc::new(rest), script);
        let request = PullRequest::new(Kind::new("todos").unwrap(), 10);
        let error = transport.pull(request).await.unwrap_err();
        (error.kind(), error.status())
    };
    for (over_http, around) in [
        (Fault::html(), TransportFault::html()),
        (Fault::invalid_json(), TransportFault::invalid_json()),
        (Fault::status(401), TransportFault::unauthorized()),
    ] {
        let name = format!("{around:?}");
        let over_http = pull(Some(over_http), None).await;
        assert_eq!(over_http, pull(None, Some(around)).await, "{name}");
    }
}
