//! Networks and servers that fail, and what the engine is told.

use std::io::Write;
use std::time::Duration;

use sync_core::transport::{
    PullRequest, PushOutcome, Transport, TransportError, TransportErrorKind,
};
use sync_rest::RestTransport;
use tokio::io::AsyncWriteExt;

use super::server::{Reply, Server, edit, kind};

async fn push_error(reply: Reply) -> TransportError {
    let server = Server::always(reply).await;
    let builder = server.builder().request_timeout(Duration::from_millis(200));
    builder.build().unwrap().push(edit()).await.unwrap_err()
}

#[tokio::test]
async fn no_connection_is_offline_and_surely_unsent() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    for base in [
        format!("http://{address}"),
        "http://nobody.invalid".to_owned(),
    ] {
        let builder = RestTransport::builder(base).allow_plain_http();
        let error = builder.build().unwrap().push(edit()).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Offline);
        assert!(!error.maybe_sent() && error.is_environment());
        assert!(std::error::Error::source(&error).is_some());
    }
}

/// Pushes over https to whoever answers the first bytes of a connection so.
async fn https_error(greeting: Option<&'static [u8]>) -> TransportError {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        match greeting {
            Some(greeting) => socket.write_all(greeting).await.unwrap(),
            None => std::future::pending().await,
        }
    });
    let client = reqwest::Client::builder()
        .tls_certs_only([])
        .connect_timeout(Duration::from_millis(200));
    let builder = RestTransport::builder(base).client(client.build().unwrap());
    builder.build().unwrap().push(edit()).await.unwrap_err()
}

#[tokio::test]
async fn without_tls_or_in_vain_waiting_for_it_nothing_was_sent() {
    for greeting in [
        Some(&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..]),
        Some(b""),
        None,
    ] {
        let error = https_error(greeting).await;
        assert_eq!(error.kind(), TransportErrorKind::Offline, "{greeting:?}");
        assert!(!error.maybe_sent());
    }
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_the_fate_open() {
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\"".to_vec();
    for reply in [
        Reply::Drop,
        Reply::Bytes(b"HTTP/1.1 20".to_vec()),
        Reply::Bytes(cut),
    ] {
        let error = push_error(reply.clone()).await;
        assert!(
            error.maybe_sent() && error.is_retryable(),
            "{reply:?}: {error:?}"
        );
        assert!(
            matches!(
                error.kind(),
                TransportErrorKind::Interrupted | TransportErrorKind::BrokenBody
            ),
            "{reply:?}: {error:?}"
        );
    }
}

#[tokio::test]
async fn what_is_not_http_leaves_the_fate_open() {
    let error = push_error(Reply::Bytes(b"SSH-2.0-OpenSSH\r\n".to_vec())).await;
    assert_eq!(error.kind(), TransportErrorKind::Interrupted);
    assert!(error.maybe_sent());
}

#[tokio::test]
async fn silence_is_a_time_out() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\"".to_vec();
    for reply in [Reply::Stall(Vec::new()), Reply::Stall(head)] {
        let error = push_error(reply).await;
        assert_eq!(error.kind(), TransportErrorKind::Timeout);
        assert!(error.maybe_sent());
    }
}

#[tokio::test]
async fn a_busy_server_is_busy_even_if_its_body_never_comes() {
    let head = b"HTTP/1.1 503 Busy\r\nretry-after: 9\r\ncontent-length: 100\r\n\r\n".to_vec();
    for reply in [Reply::Stall(head.clone()), Reply::Bytes(head)] {
        let error = push_error(reply).await;
        assert_eq!(error.kind(), TransportErrorKind::Unavailable);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(9)));
    }
}

#[tokio::test]
async fn a_push_does_not_follow_redirects() {
    for status in [301, 302, 303, 307, 308] {
        let to = [("location", "/api/elsewhere")];
        let server = Server::always(Reply::new(status, &to, "")).await;
        let answer = server.transport().push(edit()).await.unwrap();
        let outcome = &answer.value[0].outcome;
        assert!(
            matches!(outcome, PushOutcome::Protocol { .. }),
            "{outcome:?}"
        );
        server.only();
    }
}

#[tokio::test]
async fn a_push_that_a_foreign_client_redirected_is_not_believed() {
    let server = Server::scripted(|nth, _| match nth {
        0 => Reply::new(307, &[("location", "/api/elsewhere")], ""),
        _ => Reply::empty(204),
    })
    .await;
    let client = reqwest::Client::builder()
        .tls_certs_only([])
        .build()
        .unwrap();
    let transport = server.builder().client(client).build().unwrap();
    let error = transport.push(edit()).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Protocol);
    assert!(error.maybe_sent());
}

#[tokio::test]
async fn a_read_follows_redirects_of_the_same_server() {
    let server = Server::scripted(|nth, _| match nth {
        0 => Reply::new(308, &[("location", "/v2/todos?x=1")], ""),
        _ => Reply::json(200, r#"{"items":[1]}"#),
    })
    .await;
    let page = server.transport().pull(PullRequest::new(kind(), 3)).await;
    assert_eq!(page.unwrap().value.items, [1]);
    assert_eq!(server.received()[1].line, "GET /v2/todos?x=1 HTTP/1.1");
}

#[tokio::test]
async fn a_read_follows_no_redirect_elsewhere_nor_in_circles() {
    let other = Server::always(Reply::json(200, r#"{"items":[]}"#)).await;
    let location = format!("{}/api/todos", other.url);
    let server = Server::always(Reply::new(302, &[("location", &*location)], "")).await;
    let error = server
        .transport()
        .pull(PullRequest::new(kind(), 3))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Protocol);
    assert!(other.received().is_empty());
    let circle = Server::always(Reply::new(302, &[("location", "?")], "")).await;
    let error = circle
        .transport()
        .pull(PullRequest::new(kind(), 3))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Protocol);
    assert_eq!(circle.received().len(), 6);
}

#[tokio::test]
async fn hazard_e54_an_answer_over_the_limit_is_refused_before_it_is_read_whole() {
    let page = format!(r#"{{"items":["{}"]}}"#, "x".repeat(1000));
    // No length is announced, and the connection stays open: waiting for the end would time out.
    let open_ended = [b"HTTP/1.1 200 OK\r\n\r\n", page.as_bytes()].concat();
    let deep = [
        b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
        "[".repeat(129).into_bytes(),
    ]
    .concat();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(page.as_bytes()).unwrap();
    let bomb = Reply::new(
        200,
        &[("content-encoding", "gzip")],
        packed.finish().unwrap(),
    );
    let announced = b"HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n".to_vec();
    for reply in [
        Reply::Stall(open_ended),
        Reply::Stall(deep),
        Reply::Stall(announced),
        bomb,
    ] {
        let server = Server::always(reply).await;
        let transport = server.builder().response_limit(900).build().unwrap();
        let error = transport
            .pull(PullRequest::new(kind(), 3))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::TooLarge);
        assert_eq!(error.status(), Some(200));
    }
    let server = Server::always(Reply::json(200, &page)).await;
    let exact = server.builder().response_limit(page.len()).build().unwrap();
    assert!(exact.pull(PullRequest::new(kind(), 3)).await.is_ok());
}
