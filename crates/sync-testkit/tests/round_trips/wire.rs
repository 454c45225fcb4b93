//! Through requests and answers.

use std::cell::Cell;

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use sync_core::transport::{
    FetchRequest, PullRequest, PushChange, PushOp, PushOutcome, PushRequest,
};
use sync_core::{EntityId, Kind, OpId, Precondition, Record, ServerState, Transport};
use sync_rest::RestTransport;
use sync_rest::wire::{
    BatchOp, BatchOpKind, BatchRequest, BatchResponse, BatchResult, ConflictBody, PullResponse,
};
use sync_testkit::{Fault, MockServer};
use uuid::Uuid;

use crate::hostile::{any_fields, long_list, nested, record, same};
use crate::{for_all, runtime};

fn reread<T: Serialize + DeserializeOwned>(value: &T) -> T {
    serde_json::from_slice(&serde_json::to_vec(value).unwrap()).unwrap()
}

#[test]
fn bodies_are_read_as_they_were_written() {
    for_all(256, &any_fields(), |fields| {
        let value = Value::from(record("e1", fields));
        let request = BatchRequest {
            ops: vec![BatchOp {
                op_id: "o1".to_owned(),
                kind: "notes".to_owned(),
                id: "e1".to_owned(),
                op_kind: BatchOpKind::Upsert,
                payload: Some(value.clone()),
                base_updated_at: None,
                if_absent: true,
                changed_fields: value
                    .as_object()
                    .map(|fields| fields.keys().cloned().collect()),
                force: false,
            }],
        };
        prop_assert_eq!(reread(&request), request);
        let mut result = BatchResult::new("o1", 200);
        result.data = Some(value.clone());
        let response = BatchResponse {
            results: vec![result],
        };
        let sent = reread(&response).results.remove(0).data.unwrap();
        prop_assert!(same(&sent, &value));
        let page = PullResponse {
            items: vec![value.clone()],
            ..PullResponse::default()
        };
        prop_assert!(same(&reread(&page).items[0], &value));
        let conflict = ConflictBody {
            error: None,
            current: Some(value.clone()),
            server_timestamp: None,
        };
        prop_assert!(same(&reread(&conflict).current.unwrap(), &value));
        Ok(())
    });
}

fn kind() -> Kind {
    Kind::new("notes").unwrap()
}

/// What the server was given, it gives: names that begin with `_` are the protocol's, and stamps
/// the server's.
fn travels(name: &str) -> bool {
    let stamps = [
        "updated_at",
        "updatedAt",
        "created_at",
        "createdAt",
        "deleted_at",
        "deletedAt",
    ];
    !name.starts_with('_') && !stamps.contains(&name)
}

fn assert_arrived(what: &str, actual: &Record, sent: &Record) {
    for (name, value) in sent.fields().iter().filter(|(name, _)| travels(name)) {
        let actual = actual.get(name).unwrap_or(&Value::Null);
        assert!(
            same(actual, value),
            "{what}: {name:?} was {value}, is {actual}"
        );
    }
    let unknown = |name: &&String| travels(name) && sent.get(name).is_none();
    assert_eq!(actual.fields().keys().find(unknown), None, "{what}");
}

/// Pushes a record and reads it back from the answer, by a fetch and by a pull.
async fn round_trip(server: &MockServer, transport: &RestTransport, sent: &Record) {
    let id = sent.id().unwrap();
    let op_id = OpId::from(Uuid::new_v5(&Uuid::NAMESPACE_OID, id.as_str().as_bytes()));
    let change = PushChange::Upsert {
        record: sent.clone(),
        changed: None,
    };
    let key = op_id.idempotency_key(0);
    let op = PushOp::new(
        key,
        op_id,
        kind(),
        id.clone(),
        change,
        Precondition::IfAbsent,
    );
    let results = transport
        .push(PushRequest::new(vec![op]))
        .await
        .unwrap()
        .value;
    let PushOutcome::Accepted {
        state: Some(ServerState::Live { record, .. }),
    } = &results[0].outcome
    else {
        panic!("{sent:?} was answered by {results:?}")
    };
    assert_arrived("the answer", record, sent);
    let stored = server.get("notes", id.as_str()).unwrap();
    assert_arrived("on the server", &Record::try_from(stored).unwrap(), sent);
    let fetched = transport
        .fetch(FetchRequest::new(kind(), id.clone()))
        .await
        .unwrap()
        .value;
    assert_arrived("the fetch", fetched.live().unwrap(), sent);
    let page = transport
        .pull(PullRequest::new(kind(), 1_000))
        .await
        .unwrap()
        .value;
    let pulled = page
        .items
        .into_iter()
        .find(|item| item["id"] == json!(id.as_str()));
    assert_arrived(
        "the pull",
        &Record::try_from(pulled.unwrap()).unwrap(),
        sent,
    );
    assert!(server.purge("notes", id.as_str()));
}

fn with_server<R>(play: impl AsyncFnOnce(&MockServer, &RestTransport) -> R) -> R {
    runtime().block_on(async {
        let server = MockServer::start().await.unwrap();
        let transport = RestTransport::builder(server.url()).build().unwrap();
        play(&server, &transport).await
    })
}

#[test]
fn what_is_pushed_comes_back_by_answer_fetch_and_pull() {
    let runtime = runtime();
    let server = runtime.block_on(MockServer::start()).unwrap();
    let transport = RestTransport::builder(server.url()).build().unwrap();
    let number = Cell::new(0_u32);
    for_all(64, &any_fields(), |fields| {
        number.set(number.get() + 1);
        let sent = record(&format!("e{}", number.get()), fields);
        runtime.block_on(round_trip(&server, &transport, &sent));
        Ok(())
    });
}

#[test]
fn ids_of_any_kind_find_their_record_again() {
    with_server(async |server, transport| {
        for id in [
            "a/b",
            "a b",
            "%2f",
            "ü",
            "\u{1f600}",
            "?",
            "#",
            "a+b",
            "…",
            "'",
            "\u{7f}\u{1}",
            "-",
        ] {
            assert!(EntityId::new(id).is_ok());
            let fields = Map::from_iter([("n".to_owned(), json!(1))]);
            round_trip(server, transport, &record(id, fields)).await;
        }
    });
}

#[test]
fn long_lists_and_deep_records_travel() {
    with_server(async |server, transport| {
        for (id, value) in [("long", long_list()), ("deep", nested(120))] {
            let fields = Map::from_iter([("f".to_owned(), value)]);
            round_trip(server, transport, &record(id, fields)).await;
        }
    });
}

#[test]
fn an_answer_is_read_to_the_deepest_level_and_one_more_is_refused() {
    with_server(async |server, transport| {
        for (levels, is_read) in [(127, true), (128, false)] {
            let value = json!({"id": "e1", "f": nested(levels)}).to_string();
            let fault = server.fault(Fault::answer(200, value));
            let fetched = transport
                .fetch(FetchRequest::new(kind(), EntityId::new("e1").unwrap()))
                .await;
            assert_eq!(fault.hits(), 1);
            match fetched {
                Ok(answer) => {
                    assert!(is_read);
                    assert!(same(
                        &answer.value.live().unwrap().fields()["f"],
                        &nested(levels)
                    ));
                }
                Err(error) => assert!(!is_read, "{error}"),
            }
        }
    });
}

#[test]
fn escapes_of_every_style_mean_the_same_text() {
    with_server(async |server, transport| {
        let id = EntityId::new("e1").unwrap();
        for (written, meant) in [
            (r#""\ud83d\ude00""#, "\u{1f600}"),
            (r#""\uD83D\uDE00 \u0000\u001f""#, "\u{1f600} \0\u{1f}"),
            (r#""\/\b\f\n\r\t\"\\""#, "/\u{8}\u{c}\n\r\t\"\\"),
            ("\"\u{7f}\u{2028}\"", "\u{7f}\u{2028}"),
        ] {
            let body = format!(r#"{{"id": "e1", "t": {written}}}"#);
            server.fault(Fault::answer(200, body));
            let fetched = transport
                .fetch(FetchRequest::new(kind(), id.clone()))
                .await
                .unwrap();
            assert_eq!(fetched.value.live().unwrap().fields()["t"], json!(meant));
        }
    });
}
