//! What is no JSON, cut off, too deep or too large.

use proptest::prelude::*;
use serde_json::{Value, json};
use sync_core::store::{OpQuery, QuarantineCause, QuarantineEntry, Store, TxMode};
use sync_core::transport::{
    FetchRequest, PullRequest, PushChange, PushOp, PushOutcome, PushRequest,
};
use sync_core::{
    Change, EntityId, Kind, Op, OpId, Precondition, Record, Timestamp, Transport,
    TransportErrorKind,
};
use sync_rest::RestTransport;
use sync_sqlx::SqliteStore;
use sync_testkit::{Fault, MockServer};

use crate::{for_all, runtime};

fn kind() -> Kind {
    Kind::new("notes").unwrap()
}

fn id() -> EntityId {
    EntityId::new("e1").unwrap()
}

fn push() -> PushRequest {
    let record = Record::try_from(json!({"id": "e1"})).unwrap();
    let change = PushChange::Upsert {
        record,
        changed: None,
    };
    let op_id = OpId::new("o1").unwrap();
    PushRequest::new(vec![PushOp::new(
        "o1".to_owned(),
        op_id,
        kind(),
        id(),
        change,
        Precondition::IfAbsent,
    )])
}

/// Gives a body as the answer to each kind of request. Is it taken for an answer by any?
async fn is_taken(server: &MockServer, transport: &RestTransport, body: &str) -> bool {
    let say = || server.fault(Fault::answer(200, body));
    say();
    let pulled = transport.pull(PullRequest::new(kind(), 10)).await.is_ok();
    say();
    let fetched = transport
        .fetch(FetchRequest::new(kind(), id()))
        .await
        .is_ok();
    say();
    let pushed = match transport.push(push()).await {
        Ok(answer) => matches!(
            answer.value[0].outcome,
            PushOutcome::Accepted { state: Some(_) }
        ),
        Err(_) => false,
    };
    pulled || fetched || pushed
}

#[test]
fn an_answer_that_is_no_json_is_an_error_at_every_request() {
    let runtime = runtime();
    let server = runtime.block_on(MockServer::start()).unwrap();
    let transport = RestTransport::builder(server.url()).build().unwrap();
    let check = |body: &str| runtime.block_on(is_taken(&server, &transport, body));
    let deep = "[".repeat(100_000);
    for body in [
        r#"{"id": "\ud800"}"#,
        r#"{"id": "\udc00\ud800"}"#,
        r#"{"id": "e1", "n": 1e999}"#,
        r#"{"id": "e1", "n": NaN}"#,
        r#"{"id": "e1", "n": -}"#,
        r#"{"id": "e1", "n": 01}"#,
        r#"{"id": "e1",}"#,
        r#"{'id': 'e1'}"#,
        r#"{"id": "e1"} {"id": "e1"}"#,
        "{\"id\": \"e1\", \"t\": \"a\nb\"}",
        "{\"id\": \"e1\", \"t\": \"\0\"}",
        "nul",
        &deep,
    ] {
        assert!(!check(body), "{body:?} was taken for an answer");
    }
    for_all(128, &any::<String>(), |text| {
        prop_assert!(!check(&text) || serde_json::from_str::<Value>(&text).is_ok());
        Ok(())
    });
}

#[test]
fn an_answer_that_was_cut_off_anywhere_is_an_error() {
    let runtime = runtime();
    let server = runtime.block_on(MockServer::start()).unwrap();
    let transport = RestTransport::builder(server.url()).build().unwrap();
    let page = json!({
        "items": [{"id": "e1", "t": "\u{1f600}\"\\\0", "l": [1.5, {"k": null}]}, {"id": "e2"}],
        "nextPageToken": null,
    });
    let record = json!({"id": "e1", "t": "\u{1f600}", "l": [1, -2.5e-7, {"k": [true]}]});
    for whole in [page.to_string(), record.to_string()] {
        for (end, _) in whole.char_indices().skip(1) {
            let taken = runtime.block_on(is_taken(&server, &transport, &whole[..end]));
            assert!(!taken, "{:?} was taken for an answer", &whole[..end]);
        }
    }
}

#[test]
fn an_answer_that_is_too_large_or_too_deep_is_an_error() {
    let runtime = runtime();
    let server = runtime.block_on(MockServer::start()).unwrap();
    let transport = RestTransport::builder(server.url())
        .response_limit(4_096)
        .build()
        .unwrap();
    let fetch = |body: String| {
        server.fault(Fault::answer(200, body));
        runtime.block_on(transport.fetch(FetchRequest::new(kind(), id())))
    };
    let with_text = |length: usize| json!({"id": "e1", "t": "x".repeat(length)}).to_string();
    let overhead = with_text(0).len();
    assert!(fetch(with_text(4_096 - overhead)).is_ok());
    for body in [
        with_text(4_097 - overhead),
        with_text(1_000_000),
        format!("{{\"id\": \"e1\", \"f\": {}", "[".repeat(200)),
    ] {
        let error = fetch(body).unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::TooLarge, "{error}");
    }
}

/// What somebody else wrote into the library's tables.
const SPOILT: [&str; 6] = ["", "{", "null", "[1, 2]", "\"text\"", r#"{"id": "\ud800"}"#];

#[test]
fn spoilt_notes_in_the_database_are_an_error() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("app.db"))
            .await
            .unwrap();
        store.prepare(&[]).await.unwrap();
        let record = Record::try_from(json!({"id": "e1"})).unwrap();
        let upsert = Change::Upsert {
            payload: record.clone(),
            changed: None,
        };
        let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        let op = Op::new(OpId::new("o1").unwrap(), kind(), id(), upsert, now.clone());
        let entry = QuarantineEntry {
            kind: kind(),
            key: "e1".to_owned(),
            row: record.into(),
            tag: None,
            reason: "hostile".to_owned(),
            since: now,
            cause: QuarantineCause::BadRow,
            schema_version: 1,
        };
        let mut tx = Store::begin(&store, TxMode::Write).await.unwrap();
        tx.append_ops(&[op]).await.unwrap();
        tx.put_quarantine(&[entry]).await.unwrap();
        tx.commit().await.unwrap();
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        for spoilt in SPOILT.iter().copied().chain([deep.as_str()]) {
            for sql in [
                "UPDATE sync_outbox SET payload = ?1",
                "UPDATE sync_quarantine SET state = ?1",
            ] {
                sqlx::query(sql)
                    .bind(spoilt)
                    .execute(store.pool())
                    .await
                    .unwrap();
            }
            let mut tx = Store::begin(&store, TxMode::Read).await.unwrap();
            assert!(tx.ops(&OpQuery::default()).await.is_err(), "{spoilt:.20}");
            let mut tx = Store::begin(&store, TxMode::Read).await.unwrap();
            assert!(
                tx.quarantined(&kind(), None, 10).await.is_err(),
                "{spoilt:.20}"
            );
        }
    });
}
