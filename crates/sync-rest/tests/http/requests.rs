//! Each form of a pushing request, byte for byte.

use std::io::Read;

use sync_core::transport::{PushChange, PushOp, PushRequest, Transport, TransportErrorKind};
use sync_core::{OpId, Precondition, Timestamp, Version};
use sync_rest::{StaticToken, Token};

use super::server::{Reply, Server, edit, if_base, kind, op, upsert};

const L: &str = r#"{"id":"e1","title":"L"}"#;

async fn sent(op: PushOp) -> String {
    let server = Server::always(Reply::empty(204)).await;
    let push = PushRequest::new(vec![op]);
    server.transport().push(push).await.unwrap();
    server.only().text()
}

/// The head that every upsert has, up to its own headers.
fn put(line: &str, own: &[&str], body: &str) -> String {
    let length = format!("content-length: {}", body.len());
    let mut headers = vec![
        "accept: application/json",
        "accept-encoding: gzip",
        &length,
        "content-type: application/json",
        "user-agent: sync-rest/0.1.0",
        "x-idempotency-key: op-e1",
    ];
    headers.extend(own);
    headers.sort_unstable_by_key(|header| header.split(':').next());
    format!("{line}\n{}\n\n{body}", headers.join("\n"))
}

#[tokio::test]
async fn an_edit_names_its_base_as_the_server_wrote_it() {
    let stamp = "2024-01-02T15:00:00.1+03:00";
    assert_eq!(
        sent(op("e1", upsert(L), if_base(stamp))).await,
        put(
            "PUT /api/todos/e1 HTTP/1.1",
            &[],
            r#"{"_baseUpdatedAt":"2024-01-02T15:00:00.1+03:00","id":"e1","title":"L"}"#,
        )
    );
}

#[tokio::test]
async fn a_number_stays_a_number_and_a_strong_tag_is_matched() {
    let stamp = Timestamp::from_number(1_704_196_800_123).unwrap();
    let version = Version::new(stamp).with_tag(Some("\"v2\"".to_owned()));
    assert_eq!(
        sent(op("e1", upsert(L), Precondition::IfBase { version })).await,
        put(
            "PUT /api/todos/e1 HTTP/1.1",
            &["if-match: \"v2\""],
            r#"{"_baseUpdatedAt":1704196800123,"id":"e1","title":"L"}"#,
        )
    );
}

#[tokio::test]
async fn a_weak_tag_is_never_matched() {
    let stamp = Timestamp::parse("2024-01-01T00:00:00Z").unwrap();
    let version = Version::new(stamp).with_tag(Some("W/\"v2\"".to_owned()));
    let text = sent(op("e1", upsert(L), Precondition::IfBase { version })).await;
    assert!(!text.contains("if-match"), "{text}");
}

#[tokio::test]
async fn a_create_must_find_nothing() {
    let left_over = r#"{"id":"e1","title":"L","_baseUpdatedAt":"x","_changedFields":[]}"#;
    assert_eq!(
        sent(op("e1", upsert(left_over), Precondition::IfAbsent)).await,
        put("PUT /api/todos/e1 HTTP/1.1", &["if-none-match: *"], L)
    );
}

#[tokio::test]
async fn a_forced_edit_says_so_and_names_no_base() {
    assert_eq!(
        sent(op("e1", upsert(L), Precondition::Force)).await,
        put("PUT /api/todos/e1 HTTP/1.1", &["x-force-update: true"], L)
    );
}

fn delete(line: &str, own: &str) -> String {
    format!(
        "{line}\naccept: application/json\naccept-encoding: gzip\n\
         user-agent: sync-rest/0.1.0\n{own}x-idempotency-key: op-e1\n\n"
    )
}

#[tokio::test]
async fn a_delete_names_its_base_in_the_query() {
    assert_eq!(
        sent(op(
            "e1",
            PushChange::Delete,
            if_base("2024-01-02T15:00:00+03:00")
        ))
        .await,
        delete(
            "DELETE /api/todos/e1?_baseUpdatedAt=2024-01-02T15%3A00%3A00%2B03%3A00 HTTP/1.1",
            "",
        )
    );
    let version = Version::new(Timestamp::from_number(1_704_196_800_123).unwrap());
    assert_eq!(
        sent(op(
            "e1",
            PushChange::Delete,
            Precondition::IfBase { version }
        ))
        .await,
        delete(
            "DELETE /api/todos/e1?_baseUpdatedAt=1704196800123 HTTP/1.1",
            ""
        )
    );
}

#[tokio::test]
async fn a_forced_delete_says_so() {
    assert_eq!(
        sent(op("e1", PushChange::Delete, Precondition::Force)).await,
        delete("DELETE /api/todos/e1 HTTP/1.1", "x-force-delete: true\n")
    );
}

#[tokio::test]
async fn hazard_e50_hostile_ids_stay_one_segment_of_the_path() {
    for (entity, segment) in [
        ("a/b", "a%2Fb"),
        ("?x=1", "%3Fx%3D1"),
        ("#top", "%23top"),
        ("two words", "two%20words"),
        ("ü🦀", "%C3%BC%F0%9F%A6%80"),
        ("%2e", "%252e"),
        ("%2E%2e", "%252E%252e"),
        ("../x", "..%2Fx"),
        ("...", "..."),
        ("a\\b", "a%5Cb"),
        ("a;b=c,d@e:f&g+h", "a%3Bb%3Dc%2Cd%40e%3Af%26g%2Bh"),
        ("line\r\nbreak", "line%0D%0Abreak"),
    ] {
        let mut op = op(entity, PushChange::Delete, Precondition::Force);
        op.key = "k".to_owned();
        let text = sent(op).await;
        let line = format!("DELETE /api/todos/{segment} HTTP/1.1\n");
        assert!(text.starts_with(&line), "{entity:?}: {text}");
    }
}

#[tokio::test]
async fn an_operation_id_that_is_no_header_holds_up_itself_only() {
    let server = Server::always(Reply::empty(204)).await;
    let mut op = op("e1", PushChange::Delete, Precondition::Force);
    op.op_id = OpId::new("a\nb").unwrap();
    op.key = op.op_id.as_str().to_owned();
    let error = server.transport().push(PushRequest::new(vec![op])).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Other);
    assert!(!error.maybe_sent());
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn hazard_e50_the_base_url_keeps_its_path_and_query() {
    let server = Server::always(Reply::empty(204)).await;
    for base in ["/api/v1/?tenant=7&x=a%20b#frag", "/api/v1?tenant=7&x=a%20b"] {
        let base = format!("{}{base}", server.url);
        let transport = sync_rest::RestTransport::builder(base).build().unwrap();
        transport.push(edit()).await.unwrap();
        let delete = op("e1", PushChange::Delete, if_base("2024-01-01T00:00:00Z"));
        transport
            .push(PushRequest::new(vec![delete]))
            .await
            .unwrap();
    }
    let lines: Vec<_> = server
        .received()
        .into_iter()
        .map(|request| request.line)
        .collect();
    let put = "PUT /api/v1/todos/e1?tenant=7&x=a%20b HTTP/1.1";
    let delete =
        "DELETE /api/v1/todos/e1?tenant=7&x=a%20b&_baseUpdatedAt=2024-01-01T00%3A00%3A00Z HTTP/1.1";
    assert_eq!(lines, [put, delete, put, delete]);
}

#[tokio::test]
async fn changed_fields_are_named_where_the_engine_names_them_whatever_was_declared() {
    let server = Server::always(Reply::empty(204)).await;
    let transport = server.transport();
    let mut named = edit();
    if let PushChange::Upsert { changed, .. } = &mut named.ops[0].change {
        *changed = Some(["title"].into_iter().collect());
    }
    transport.push(named).await.unwrap();
    transport.push(edit()).await.unwrap();
    let named: Vec<_> = server
        .received()
        .iter()
        .map(|request| request.body().contains(r#""_changedFields":["title"]"#))
        .collect();
    assert_eq!(named, [true, false]);
}

#[tokio::test]
async fn large_bodies_are_compressed_once_the_server_takes_it() {
    let server = Server::always(Reply::new(204, &[("X-Sync-Features", "gzip")], "")).await;
    let transport = server.transport();
    let big = format!(r#"{{"id":"e1","title":"{}"}}"#, "L".repeat(9000));
    let big = || PushRequest::new(vec![op("e1", upsert(&big), Precondition::Force)]);
    transport.push(big()).await.unwrap();
    transport.push(big()).await.unwrap();
    transport.push(edit()).await.unwrap();
    let received = server.received();
    let encodings: Vec<_> = received
        .iter()
        .map(|request| request.header("content-encoding"))
        .collect();
    assert_eq!(encodings, [None, Some("gzip"), None]);
    assert!(received[1].body.len() < 1000);
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(&*received[1].body)
        .read_to_string(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, received[0].body());
}

#[tokio::test]
async fn a_batch_is_one_request_and_its_results_come_in_order() {
    let results =
        r#"{"results":[{"opId":"op-e2","statusCode":404},{"opId":"op-e1","statusCode":204}]}"#;
    let server = Server::always(Reply::json(200, results)).await;
    let builder = server.builder().batch(true).batch_path("/v2/bulk/");
    let transport = builder.build().unwrap();
    assert_eq!(transport.capabilities().max_batch, 100);
    let answer = transport
        .push(PushRequest::new(vec![
            op("e1", upsert(L), Precondition::IfAbsent),
            op("e2", PushChange::Delete, if_base("2024-01-01T00:00:00Z")),
        ]))
        .await
        .unwrap();
    let keys: Vec<_> = answer.value.iter().map(|result| &*result.key).collect();
    assert_eq!(keys, ["op-e1", "op-e2"]);
    let request = server.only();
    assert_eq!(request.line, "POST /api/v2/bulk HTTP/1.1");
    assert_eq!(
        request.body(),
        concat!(
            r#"{"ops":[{"opId":"op-e1","kind":"todos","id":"e1","type":"upsert","payload":{"id":"e1","title":"L"},"ifAbsent":true},"#,
            r#"{"opId":"op-e2","kind":"todos","id":"e2","type":"delete","baseUpdatedAt":"2024-01-01T00:00:00Z"}]}"#,
        )
    );
}

#[tokio::test]
async fn what_must_not_go_as_a_batch_is_refused_unsent() {
    let server = Server::always(Reply::new(200, &[("X-Sync-Features", "force")], "{}")).await;
    let forced = || {
        let op = |entity| op(entity, PushChange::Delete, Precondition::Force);
        PushRequest::new(vec![op("e1"), op("e2")])
    };
    let plain = server.transport();
    assert_eq!(plain.capabilities().max_batch, 1);
    let batching = server.builder().batch(true).batch_size(2).build().unwrap();
    let three = PushRequest::new(
        ["e1", "e2", "e3"]
            .map(|entity| op(entity, PushChange::Delete, Precondition::IfAbsent))
            .into(),
    );
    for (transport, push) in [
        (&plain, forced()),
        (&batching, forced()),
        (&batching, three),
    ] {
        let error = transport.push(push).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Rejected);
        assert!(!error.maybe_sent());
    }
    assert!(server.received().is_empty());
    batching.health().await.unwrap();
    batching.push(forced()).await.unwrap();
    assert_eq!(
        server.received()[1]
            .body()
            .matches(r#""force":true"#)
            .count(),
        2
    );
    let nothing = plain.push(PushRequest::new(Vec::new())).await.unwrap();
    assert!(nothing.value.is_empty());
}

#[tokio::test]
async fn the_token_goes_with_every_request() {
    let server = Server::always(Reply::json(200, r#"{"items":[],"id":"e1"}"#)).await;
    let auth = StaticToken::new(Token::bearer("s3cret"));
    let transport = server.builder().auth(auth).build().unwrap();
    transport.push(edit()).await.unwrap();
    transport.health().await.unwrap();
    let pull = sync_core::transport::PullRequest::new(kind(), 1);
    transport.pull(pull).await.unwrap();
    for request in server.received() {
        assert_eq!(request.header("authorization"), Some("Bearer s3cret"));
    }
}
