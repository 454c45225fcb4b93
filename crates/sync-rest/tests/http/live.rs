//! The live channel.

use futures::StreamExt;
use sync_core::transport::{Transport, TransportErrorKind, Wakeup};

use super::server::{Reply, Server, kind};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

#[tokio::test]
async fn changes_wake_up_their_kind_and_an_unreadable_one_everything() {
    let text = format!(
        "{HEAD}: hello\n\nevent: change\ndata: {{\"kind\":\"todos\",\"cursor\":\"c\"}}\nid: 7\n\n\
         event: ping\ndata: {{}}\n\ndata: {{\"kind\":\"notes\"}}\n\n\
         event: change\ndata: ?\n\nevent: change\ndata: {{\"kind\":\"a b\"}}\n\n"
    );
    let server = Server::always(Reply::Bytes(text.into_bytes())).await;
    let wakeups = server.transport().wakeups().await.unwrap();
    let wakeups: Vec<_> = wakeups.collect().await;
    let everything = Wakeup::Everything;
    assert_eq!(
        wakeups,
        [Wakeup::Kind(kind()), everything.clone(), everything]
    );
    let request = server.only();
    assert_eq!(request.line, "GET /api/events HTTP/1.1");
    assert_eq!(request.header("accept"), Some("text/event-stream"));
}

#[tokio::test]
async fn a_wakeup_arrives_while_the_channel_stays_open() {
    let text = format!("{HEAD}event: change\ndata: {{\"kind\":\"todos\"}}\n\n");
    let server = Server::always(Reply::Stall(text.into_bytes())).await;
    let mut wakeups = server.transport().wakeups().await.unwrap();
    assert_eq!(wakeups.next().await, Some(Wakeup::Kind(kind())));
}

#[tokio::test]
async fn a_server_without_a_channel_gives_an_empty_stream() {
    for status in [204, 404, 405, 406, 410, 501] {
        let server = Server::always(Reply::empty(status)).await;
        let mut wakeups = server.transport().wakeups().await.unwrap();
        assert_eq!(wakeups.next().await, None);
    }
}

#[tokio::test]
async fn a_channel_that_does_not_open_is_an_error_of_its_kind() {
    for (reply, kind) in [
        (Reply::json(200, "{}"), TransportErrorKind::Protocol),
        (Reply::empty(401), TransportErrorKind::Unauthorized),
        (Reply::empty(403), TransportErrorKind::Rejected),
        (Reply::empty(503), TransportErrorKind::Unavailable),
        (Reply::empty(500), TransportErrorKind::Server),
        (Reply::empty(302), TransportErrorKind::Protocol),
        (Reply::Drop, TransportErrorKind::Interrupted),
    ] {
        let server = Server::always(reply).await;
        let opened = server.transport().wakeups().await;
        assert_eq!(opened.err().map(|error| error.kind()), Some(kind));
    }
}

#[tokio::test]
async fn a_channel_that_never_ends_a_line_is_given_up() {
    let text = format!("{HEAD}data: {}", "x".repeat(100_000));
    let server = Server::always(Reply::Stall(text.into_bytes())).await;
    let mut wakeups = server.transport().wakeups().await.unwrap();
    assert_eq!(wakeups.next().await, None);
}
