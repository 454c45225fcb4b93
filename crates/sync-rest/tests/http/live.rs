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

/// Opens the channel twice, each time until it ends; what woke up and what the second request said.
async fn reopened(first: &str, second: &str) -> (Vec<Wakeup>, Option<String>) {
    let texts = [first, second].map(|events| format!("{HEAD}{events}").into_bytes());
    let server = Server::scripted(move |nth, _| Reply::Bytes(texts[nth].clone())).await;
    let transport = server.transport();
    let _: Vec<_> = transport.wakeups().await.unwrap().collect().await;
    let wakeups = transport.wakeups().await.unwrap().collect().await;
    let requests = server.received();
    assert_eq!(requests[0].header("last-event-id"), None);
    let told = requests[1].header("last-event-id").map(str::to_owned);
    (wakeups, told)
}

fn change(id: &str, kind: &str) -> String {
    format!("{id}event: change\ndata: {{\"kind\":\"{kind}\"}}\n\n")
}

#[tokio::test]
async fn a_reopened_channel_goes_on_behind_the_last_event() {
    let first = change("id: 6\n", "todos") + "id: 7\n\n" + &change("", "todos");
    let second = ": hello\n\nevent: ping\n\n".to_owned() + &change("id: 8\n", "todos");
    let (wakeups, told) = reopened(&first, &second).await;
    assert_eq!(told.as_deref(), Some("7"));
    assert_eq!(wakeups, [Wakeup::Kind(kind())]);
}

#[tokio::test]
async fn a_reopened_channel_without_an_id_wakes_everything_up_first() {
    let long = format!("id: {}\n", "7".repeat(2000));
    for first in [
        String::new(),
        change("", "todos"),
        change("id: 7\n", "todos") + &change("id:\n", "todos"),
        change(&long, "todos"),
    ] {
        let (wakeups, told) = reopened(&first, &change("id: 8\n", "todos")).await;
        assert_eq!(told, None);
        assert_eq!(wakeups, [Wakeup::Everything, Wakeup::Kind(kind())]);
    }
}

#[tokio::test]
async fn a_server_that_answers_the_last_id_without_ids_wakes_everything_up_once() {
    let second = change("", "todos") + &change("", "todos");
    let (wakeups, told) = reopened(&change("id: 7\n", "todos"), &second).await;
    assert_eq!(told.as_deref(), Some("7"));
    assert_eq!(wakeups, [Wakeup::Everything, Wakeup::Kind(kind())]);
}

#[tokio::test]
async fn an_id_that_the_server_refuses_is_not_told_again() {
    let events = format!("{HEAD}{}", change("id: 7\n", "todos"));
    let server = Server::scripted(move |nth, _| match nth {
        1 => Reply::empty(400),
        _ => Reply::Bytes(events.clone().into_bytes()),
    })
    .await;
    let transport = server.transport();
    let _: Vec<_> = transport.wakeups().await.unwrap().collect().await;
    assert!(transport.wakeups().await.is_err());
    let wakeups: Vec<_> = transport.wakeups().await.unwrap().collect().await;
    let told = server.received();
    let told = told.iter().map(|request| request.header("last-event-id"));
    assert_eq!(told.collect::<Vec<_>>(), [None, Some("7"), None]);
    assert_eq!(wakeups, [Wakeup::Everything, Wakeup::Kind(kind())]);
}

#[tokio::test]
async fn an_attempt_that_fails_keeps_the_last_id() {
    let events = format!("{HEAD}{}", change("id: 7\n", "todos"));
    let server = Server::scripted(move |nth, _| match nth {
        1 => Reply::empty(503),
        _ => Reply::Bytes(events.clone().into_bytes()),
    })
    .await;
    let transport = server.transport();
    let _: Vec<_> = transport.wakeups().await.unwrap().collect().await;
    assert!(transport.wakeups().await.is_err());
    let wakeups: Vec<_> = transport.wakeups().await.unwrap().collect().await;
    assert_eq!(server.received()[2].header("last-event-id"), Some("7"));
    assert_eq!(wakeups, [Wakeup::Kind(kind())]);
}
