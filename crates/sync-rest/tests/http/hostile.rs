//! Servers that mean harm: each is an error within its bounds, or its rows are handed on as unreadable.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures::StreamExt;
use serde_json::json;
use sync_core::Precondition;
use sync_core::transport::{
    FetchRequest, PullPage, PullRequest, PushChange, PushRequest, Transport, TransportError,
    TransportErrorKind, Wakeup,
};
use sync_rest::RestTransport;

use super::raw::Raw;
use super::server::{Reply, Server, edit, id, kind, op, upsert};

const OK: &str = "HTTP/1.1 200 OK\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const LIMIT: usize = 1 << 20;

async fn pull(url: &str) -> Result<PullPage, TransportError> {
    let builder = RestTransport::builder(url).response_limit(LIMIT);
    let builder = builder.request_timeout(Duration::from_secs(20));
    let transport = builder.build().unwrap();
    let answer = transport.pull(PullRequest::new(kind(), 3)).await;
    answer.map(|answer| answer.value)
}

async fn refused(raw: Raw) -> TransportErrorKind {
    pull(&raw.serve().await).await.unwrap_err().kind()
}

#[tokio::test]
async fn a_body_without_an_end_is_cut_at_the_limit() {
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let texts = [
        Raw::endless(CHUNKED, &chunk),
        Raw::endless(OK, "{\"items\":["),
        Raw::endless(OK, " ".repeat(4096)),
        Raw::endless("HTTP/1.1 200 OK\r\n\r\n{\"items\":[\"", "x".repeat(4096)),
    ];
    for raw in texts {
        assert_eq!(refused(raw).await, TransportErrorKind::TooLarge);
    }
}

#[tokio::test]
async fn a_body_that_drips_is_over_when_its_time_is() {
    for raw in [
        Raw::dripping(OK, "x"),
        Raw::dripping(CHUNKED, "1\r\nx\r\n"),
        Raw::dripping("", "H"),
        Raw::dripping("", "HTTP/1.1 100 Continue\r\n\r\n"),
        Raw::dripping("HTTP/1.1 200 OK\r\n", "x-more: 1\r\n"),
    ] {
        let builder = RestTransport::builder(raw.clone().serve().await);
        let transport = builder.request_timeout(Duration::from_millis(300)).build();
        let error = transport.unwrap().push(edit()).await.unwrap_err();
        let kinds = [TransportErrorKind::Timeout, TransportErrorKind::Interrupted];
        assert!(kinds.contains(&error.kind()), "{raw:?}: {error:?}");
        assert!(error.maybe_sent());
    }
}

#[tokio::test]
async fn headers_without_an_end_are_refused() {
    let line = format!("x-flood: {}\r\n", "y".repeat(100));
    for raw in [
        Raw::endless("HTTP/1.1 200 OK\r\n", line.repeat(50)),
        Raw::endless("HTTP/1.1 200 OK\r\nx-flood: ", "y".repeat(4096)),
        Raw::endless("HTTP/1.1 200 ", "O".repeat(4096)),
        Raw::endless(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;",
            "x".repeat(4096),
        ),
        Raw::endless(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
            line.repeat(50),
        ),
    ] {
        let kind = refused(raw).await;
        let kinds = [
            TransportErrorKind::Interrupted,
            TransportErrorKind::BrokenBody,
        ];
        assert!(kinds.contains(&kind), "{kind:?}");
    }
}

#[tokio::test]
async fn lengths_that_cannot_be_are_refused() {
    for head in [
        "content-length: -1",
        "content-length: 99999999999999999999999999",
        "content-length: 2\r\ncontent-length: 3",
        "transfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF",
        "transfer-encoding: chunked\r\n\r\n-1",
    ] {
        let raw = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{{}}");
        let server = Server::always(Reply::Bytes(raw.into_bytes())).await;
        let error = pull(&server.url).await.unwrap_err();
        assert!(error.is_retryable(), "{head}: {error:?}");
    }
}

fn gzip(pieces: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    for piece in pieces {
        packed.write_all(&piece).unwrap();
    }
    packed.finish().unwrap()
}

/// Thirty million spaces in thirty thousand bytes.
fn bomb() -> Vec<u8> {
    gzip((0..30).map(|_| vec![b' '; 1_000_000]))
}

#[tokio::test]
async fn a_gzip_bomb_is_cut_at_the_limit_of_what_it_unpacks_to() {
    let bomb = bomb();
    assert!(bomb.len() < LIMIT);
    for status in [200, 409, 422] {
        let reply = Reply::new(status, &[("content-encoding", "gzip")], &bomb);
        let server = Server::always(reply).await;
        let error = pull(&server.url).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::TooLarge);
    }
    // One member after another, without an end.
    let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n";
    let members = Raw::endless(head, gzip(std::iter::once(vec![b' '; 100_000])));
    let kind = refused(members).await;
    assert!(matches!(
        kind,
        TransportErrorKind::TooLarge | TransportErrorKind::BrokenBody
    ));
}

#[tokio::test]
async fn a_gzip_bomb_on_the_live_channel_ends_it() {
    let head = [
        ("content-type", "text/event-stream"),
        ("content-encoding", "gzip"),
    ];
    let server = Server::always(Reply::new(200, &head, bomb())).await;
    let wakeups = server.transport().wakeups().await.unwrap();
    assert_eq!(wakeups.count().await, 0);
}

#[tokio::test]
async fn a_live_event_without_an_end_ends_the_channel() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    for forever in [
        "data: x\n",
        "data: x\r",
        "data: x\r\n",
        "data:\n",
        "x",
        "id: 1\nevent: change\n",
    ] {
        let url = Raw::endless(head, forever.repeat(100)).serve().await;
        let transport = RestTransport::builder(url).build().unwrap();
        assert_eq!(
            transport.wakeups().await.unwrap().count().await,
            0,
            "{forever:?}"
        );
    }
}

#[tokio::test]
async fn comments_without_an_end_keep_the_channel_alive() {
    let change = "event: change\ndata: {\"kind\":\"todos\"}\n\n";
    let comments = ": still here\n".repeat(100_000);
    let text =
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{comments}{change}");
    let server = Server::always(Reply::Bytes(text.into_bytes())).await;
    let wakeups: Vec<_> = server.transport().wakeups().await.unwrap().collect().await;
    assert_eq!(wakeups, [Wakeup::Kind(kind())]);
}

#[tokio::test]
async fn a_small_text_that_is_large_in_memory_is_refused() {
    let dense = format!("{{\"items\":[{}0]}}", "{\"\":0},".repeat(100_000));
    assert!(dense.len() < LIMIT);
    let server = Server::always(Reply::json(200, &dense)).await;
    let error = pull(&server.url).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::TooLarge);
    assert!(error.to_string().contains("small values"), "{error}");
}

#[tokio::test]
async fn ten_million_characters_arrive_as_they_are() {
    let text = "ü\\n".repeat(2_500_000);
    let record = format!(r#"{{"id":"e1","updated_at":"2024-01-01T00:00:00Z","text":"{text}"}}"#);
    let server = Server::always(Reply::json(200, format!(r#"{{"items":[{record}]}}"#))).await;
    let page = server
        .transport()
        .pull(PullRequest::new(kind(), 3))
        .await
        .unwrap()
        .value;
    assert!(page.items[0]["text"] == json!("ü\n".repeat(2_500_000)));
    assert!(page.bytes > 10_000_000);
}

/// A page of five rows of which three cannot be held as they came.
const MIXED: &str = r#"{"items":[
    {"id":"e1","updated_at":"2024-01-01T00:00:00Z","n":9007199254740993},
    {"id":"e2","updated_at":"2024-01-01T00:00:00Z","n":1180591620717411303425},
    {"id":"e3","updated_at":"2024-01-01T00:00:00Z","n":[1e400]},
    {"id":"e4","updated_at":"2024-01-01T00:00:00Z","t":{"k":"\ud800"}},
    {"id":"e5","n":18446744073709551615,"m":-9223372036854775808,"x":1e21,"t":"1180591620717411303425"}
],"nextPageToken":"p2","total":5}"#;

#[tokio::test]
async fn a_row_that_no_value_can_hold_exactly_is_handed_on_in_letters_and_the_others_come() {
    let server = Server::always(Reply::json(200, MIXED)).await;
    let page = pull(&server.url).await.unwrap();
    assert_eq!(page.items.len(), 2);
    assert_eq!(page.items[0]["n"], json!(9_007_199_254_740_993_u64));
    assert_eq!(page.items[1]["n"], json!(u64::MAX));
    assert_eq!(page.items[1]["m"], json!(i64::MIN));
    assert_eq!(page.next_page_token.as_deref(), Some("p2"));
    assert_eq!(page.total, Some(5));
    let ids: Vec<_> = page.unreadable.iter().map(|row| row.id.clone()).collect();
    assert_eq!(ids, [Some(id("e2")), Some(id("e3")), Some(id("e4"))]);
    assert!(page.unreadable[0].text.0.contains("1180591620717411303425"));
    assert!(page.unreadable[0].reason.contains("beyond 64 bits"));
    assert!(page.unreadable[2].text.0.contains(r"\ud800"));
}

#[tokio::test]
async fn an_integer_beyond_64_bits_outside_of_a_row_is_no_page() {
    for body in [
        r#"{"items":[],"nextPageToken":1180591620717411303425}"#,
        r#"{"items":1180591620717411303425}"#,
        r#"1180591620717411303425"#,
    ] {
        let server = Server::always(Reply::json(200, body)).await;
        let error = pull(&server.url).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::BrokenBody, "{body}");
    }
}

#[tokio::test]
async fn an_answer_that_would_be_rounded_is_not_taken() {
    for number in [
        "1180591620717411303425",
        "-9223372036854775809",
        "18446744073709551616",
    ] {
        let body = format!(r#"{{"id":"e1","updated_at":"2024-01-01T00:00:00Z","n":{number}}}"#);
        let server = Server::always(Reply::json(200, body)).await;
        let transport = server.transport();
        let fetched = transport
            .fetch(FetchRequest::new(kind(), id("e1")))
            .await
            .unwrap_err();
        let pushed = transport.push(edit()).await.unwrap_err();
        for error in [fetched, pushed] {
            assert_eq!(error.kind(), TransportErrorKind::BrokenBody);
            assert!(error.to_string().contains("beyond 64 bits"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_token_that_is_too_long_to_be_sent_back_is_refused_at_once() {
    let token = "t".repeat(20_000);
    for field in ["nextPageToken", "nextCursor"] {
        let body = json!({"items": [], field: token}).to_string();
        let server = Server::always(Reply::json(200, body)).await;
        let error = pull(&server.url).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Protocol, "{field}");
    }
}

#[tokio::test]
async fn an_id_or_a_token_of_a_server_stays_inside_its_place_in_the_address() {
    let server = Server::always(Reply::empty(204)).await;
    let transport = server.transport();
    for (text, encoded) in [
        ("../../x", "..%2F..%2Fx"),
        ("a/b?c#d", "a%2Fb%3Fc%23d"),
        ("'; DROP TABLE todos", "%27%3B%20DROP%20TABLE%20todos"),
        ("%2e%2e", "%252e%252e"),
        ("..\\..", "..%5C.."),
        (
            "x HTTP/1.1\r\nHost: evil.example",
            "x%20HTTP%2F1.1%0D%0AHost%3A%20evil.example",
        ),
        ("\u{1}\u{7f}ü", "%01%7F%C3%BC"),
        ("//evil.example/", "%2F%2Fevil.example%2F"),
        ("http://evil.example", "http%3A%2F%2Fevil.example"),
        ("@evil.example:80", "%40evil.example%3A80"),
        (&"x".repeat(2048), &"x".repeat(2048)),
    ] {
        let _ = transport.fetch(FetchRequest::new(kind(), id(text))).await;
        let delete = op(text, PushChange::Delete, Precondition::IfAbsent);
        let _ = transport.push(PushRequest::new(vec![delete])).await;
        let mut request = PullRequest::new(kind(), 3);
        request.page_token = Some(text.to_owned());
        request.after_id = Some(id(text));
        let _ = transport.pull(request).await;
        let received = server.received();
        let lines: Vec<_> = received
            .iter()
            .rev()
            .take(3)
            .map(|one| one.line.as_str())
            .collect();
        // An operation's own id is made here, so a text that no header bears is never sent.
        if !text.contains(|c: char| c.is_control()) {
            assert_eq!(lines[1], format!("DELETE /api/todos/{encoded} HTTP/1.1"));
        }
        assert!(
            lines.contains(&format!("GET /api/todos/{encoded} HTTP/1.1").as_str()),
            "{lines:?}"
        );
        assert!(
            lines[0].starts_with("GET /api/todos?updatedSince="),
            "{}",
            lines[0]
        );
        assert_eq!(lines[0].matches(' ').count(), 2, "{}", lines[0]);
        assert!(!lines[0].contains(['#', '\\', '\'']), "{}", lines[0]);
        assert!(
            received
                .iter()
                .all(|one| one.header("host") == Some(&server.url[7..]))
        );
    }
}

#[tokio::test]
async fn an_address_that_is_too_long_fails_for_its_request_alone() {
    let server = Server::always(Reply::empty(204)).await;
    let transport = server.transport();
    let mut request = PullRequest::new(kind(), 3);
    request.page_token = Some("t".repeat(100_000));
    let error = transport.pull(request).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Rejected);
    assert!(!error.maybe_sent() && server.received().is_empty());
}

#[tokio::test]
async fn a_batch_answered_with_nonsense_is_an_outcome_for_each_operation() {
    let ops = || {
        let change = || upsert(r#"{"id":"e","title":"L"}"#);
        let ops = ["e1", "e2"].map(|one| op(one, change(), Precondition::IfAbsent));
        PushRequest::new(ops.to_vec())
    };
    for body in [
        r#"{"results":[null,1,"x",[],{}]}"#.to_owned(),
        r#"{"results":[{"opId":"op-e1","statusCode":-1},{"opId":"op-e2","statusCode":1e9}]}"#
            .to_owned(),
        format!(
            r#"{{"results":[{}null]}}"#,
            r#"{"opId":"op-e1","statusCode":200},"#.repeat(10_000)
        ),
    ] {
        let server = Server::always(Reply::json(200, body)).await;
        let transport = server.builder().batch(true).build().unwrap();
        let results = transport.push(ops()).await.unwrap().value;
        assert_eq!(results.len(), 2);
        let is_trouble = |result: &sync_core::transport::PushResult| {
            matches!(
                result.outcome,
                sync_core::transport::PushOutcome::Trouble { .. }
            )
        };
        assert!(results.iter().all(is_trouble), "{results:?}");
    }
}
