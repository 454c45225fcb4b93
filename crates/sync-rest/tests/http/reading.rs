//! Pulls, fetches and health over the wire.

use std::io::Write;

use serde_json::json;
use sync_core::transport::{FetchRequest, PullRequest, Transport, TransportErrorKind};
use sync_core::{ServerState, Timestamp};

use super::server::{Reply, Server, id, kind};

async fn pulled(request: PullRequest) -> String {
    let server = Server::always(Reply::json(200, r#"{"items":[]}"#)).await;
    server.transport().pull(request).await.unwrap();
    server.only().line
}

#[tokio::test]
async fn the_first_pull_asks_from_the_beginning() {
    assert_eq!(
        pulled(PullRequest::new(kind(), 500)).await,
        "GET /api/todos?updatedSince=1970-01-01T00%3A00%3A00.000Z&limit=500&includeDeleted=true HTTP/1.1"
    );
}

#[tokio::test]
async fn a_later_pull_names_everything_that_is_known() {
    let mut request = PullRequest::new(kind(), 2);
    request.since = Timestamp::parse("2024-01-02T15:00:00.10+03:00").ok();
    request.after_id = Some(id("ü/1"));
    request.page_token = Some("a b&c=d".to_owned());
    request.cursor = Some("+/=".to_owned());
    request.include_deleted = false;
    request.filter = vec![("owner".to_owned(), "me".to_owned())];
    assert_eq!(
        pulled(request).await,
        "GET /api/todos?updatedSince=2024-01-02T15%3A00%3A00.10%2B03%3A00&limit=2&includeDeleted=false\
         &afterId=%C3%BC%2F1&pageToken=a+b%26c%3Dd&cursor=%2B%2F%3D&owner=me HTTP/1.1"
    );
}

#[tokio::test]
async fn a_number_is_asked_for_as_rfc_3339() {
    let mut request = PullRequest::new(kind(), 2);
    request.since = Timestamp::from_number(1_704_196_800_123).ok();
    let line = pulled(request).await;
    assert!(
        line.contains("updatedSince=2024-01-02T12%3A00%3A00.123Z&"),
        "{line}"
    );
}

#[tokio::test]
async fn a_page_keeps_its_rows_verbatim_and_its_tokens() {
    let body = r#"{"items":[{"id":"e1","n":9007199254740993},7,null],"nextPageToken":3,"nextCursor":"c","total":9}"#;
    let server = Server::always(Reply::new(
        200,
        &[
            ("Date", "Tue, 02 Jan 2024 12:00:00 GMT"),
            ("X-Sync-Epoch", "7"),
        ],
        body,
    ))
    .await;
    let answer = server
        .transport()
        .pull(PullRequest::new(kind(), 3))
        .await
        .unwrap();
    assert_eq!(
        answer.server_date,
        Timestamp::parse("2024-01-02T12:00:00Z").ok()
    );
    assert_eq!(answer.epoch.as_deref(), Some("7"));
    let page = answer.value;
    assert_eq!(
        page.items,
        [
            json!({"id": "e1", "n": 9_007_199_254_740_993_u64}),
            json!(7),
            json!(null)
        ]
    );
    assert_eq!(page.next_page_token.as_deref(), Some("3"));
    assert_eq!(page.next_cursor.as_deref(), Some("c"));
    assert_eq!(page.total, Some(9));
}

#[tokio::test]
async fn an_empty_or_missing_token_ends_the_chain() {
    for body in [
        r#"{"items":[],"nextPageToken":""}"#,
        r#"{"items":[],"nextPageToken":null}"#,
        r#"{"items":[]}"#,
    ] {
        let server = Server::always(Reply::json(200, body)).await;
        let answer = server.transport().pull(PullRequest::new(kind(), 3)).await;
        assert_eq!(answer.unwrap().value.next_page_token, None);
    }
}

#[tokio::test]
async fn what_is_no_page_is_an_error_of_its_kind() {
    for (reply, kind_of_error) in [
        (
            Reply::json(410, r#"{"error":"gone"}"#),
            TransportErrorKind::CursorExpired,
        ),
        (Reply::empty(410), TransportErrorKind::CursorExpired),
        (Reply::json(410, "<html>"), TransportErrorKind::Protocol),
        (Reply::json(404, "{}"), TransportErrorKind::Rejected),
        (Reply::json(400, "{}"), TransportErrorKind::Rejected),
        (Reply::json(200, "<html>"), TransportErrorKind::Protocol),
        (Reply::json(200, "[]"), TransportErrorKind::Protocol),
        (Reply::json(200, "{}"), TransportErrorKind::Protocol),
        (
            Reply::json(200, r#"{"items":{}}"#),
            TransportErrorKind::Protocol,
        ),
        (
            Reply::json(200, r#"{"items":[],"nextPageToken":{}}"#),
            TransportErrorKind::Protocol,
        ),
        (
            Reply::json(200, r#"{"items":[{"id"#),
            TransportErrorKind::BrokenBody,
        ),
        (Reply::empty(200), TransportErrorKind::Protocol),
        (Reply::empty(204), TransportErrorKind::Protocol),
        (Reply::empty(503), TransportErrorKind::Unavailable),
        (Reply::empty(401), TransportErrorKind::Unauthorized),
    ] {
        let server = Server::always(reply.clone()).await;
        let error = server
            .transport()
            .pull(PullRequest::new(kind(), 3))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind_of_error, "{reply:?}");
    }
}

#[tokio::test]
async fn a_fetch_brings_the_record_with_its_tag() {
    let body = r#"{"id":"a/b","updated_at":"2024-01-01T00:00:00Z"}"#;
    let server = Server::always(Reply::new(200, &[("ETag", "\"v1\"")], body)).await;
    let request = FetchRequest::new(kind(), id("a/b"));
    let state = server.transport().fetch(request).await.unwrap().value;
    assert_eq!(state.version().unwrap().tag.as_deref(), Some("\"v1\""));
    assert_eq!(server.only().line, "GET /api/todos/a%2Fb HTTP/1.1");
    let server = Server::always(Reply::empty(404)).await;
    let request = FetchRequest::new(kind(), id("e1"));
    let state = server.transport().fetch(request).await.unwrap().value;
    assert_eq!(state, ServerState::gone());
}

#[tokio::test]
async fn hazard_e53_health_is_any_success_of_this_server() {
    for (reply, healthy) in [
        (Reply::json(200, "ok"), true),
        (Reply::empty(204), true),
        (
            Reply::new(200, &[("content-type", "text/html")], "<p>Sign in"),
            false,
        ),
        (Reply::empty(302), false),
        (Reply::empty(500), false),
    ] {
        let server = Server::always(reply).await;
        assert_eq!(server.transport().health().await.is_ok(), healthy);
        assert_eq!(server.only().line, "GET /api/health HTTP/1.1");
    }
}

#[tokio::test]
async fn compressed_answers_are_read() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(br#"{"items":[1]}"#).unwrap();
    let body = encoder.finish().unwrap();
    let whole = Reply::new(200, &[("content-encoding", "gzip")], &body);
    let server = Server::always(whole).await;
    let page = server
        .transport()
        .pull(PullRequest::new(kind(), 3))
        .await
        .unwrap()
        .value;
    assert_eq!(page.items, [1]);
    let torn = Reply::new(
        200,
        &[("content-encoding", "gzip")],
        &body[..body.len() - 9],
    );
    let server = Server::always(torn).await;
    let error = server
        .transport()
        .pull(PullRequest::new(kind(), 3))
        .await
        .unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
}
