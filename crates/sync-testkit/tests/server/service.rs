//! Around the records: routes, headers, recording, the live channel.

use std::io::{ErrorKind, Read, Write};

use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use sync_core::Timestamp;
use sync_testkit::{MockServer, MockServerBuilder};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Http, send};

async fn with(settings: MockServerBuilder) -> (MockServer, Http) {
    let server = settings.start().await.unwrap();
    let http = Http::to(&server);
    (server, http)
}

#[tokio::test]
async fn health_is_served_and_unknown_routes_are_not() {
    let (_server, http) = with(MockServer::builder()).await;
    assert_eq!(http.get("/health").await.status, 200);
    assert_eq!(http.get("/").await.status, 404);
    assert_eq!(http.get("/a/b/c").await.status, 404);
    assert_eq!(http.post("/todos", &json!({})).await.status, 405);
}

#[tokio::test]
async fn base_and_kind_paths_can_be_chosen() {
    let server = MockServer::builder()
        .base_path("/api")
        .kind_path("todos", "v2/users/1/todos")
        .batch_path("v2/many")
        .envelope("data", "next")
        .start()
        .await
        .unwrap();
    let http = Http::to(&server);
    assert!(server.url().ends_with("/api"));
    assert_eq!(
        http.put("/v2/users/1/todos/e1", &json!({"n": 1}))
            .await
            .status,
        201
    );
    let page = http.get("/v2/users/1/todos").await.body;
    assert_eq!(
        (&page["data"][0]["id"], &page["next"]),
        (&json!("e1"), &Value::Null)
    );
    assert_eq!(http.post("/v2/many", &json!({"ops": []})).await.status, 200);
    assert_eq!(http.get("/todos").await.status, 404);
    assert_eq!(http.put("/notes/e1", &json!({})).await.status, 201);
    assert_eq!(server.recorded()[0].kind(), Some("todos"));
}

#[tokio::test]
async fn features_and_epoch_are_declared_only_when_told_and_a_restore_changes_the_epoch() {
    let (server, http) = with(MockServer::builder()).await;
    let silent = http.get("/health").await;
    assert_eq!(
        (
            silent.header("x-sync-features"),
            silent.header("x-sync-epoch")
        ),
        (None, None)
    );

    server.reconfigure(|settings| settings.features(&["idempotency", "events"]).epoch("one"));
    let backup = server.snapshot();
    server.update("todos", "a", json!({"n": 1}));
    let declared = http.get("/todos").await;
    assert_eq!(
        declared.header("x-sync-features"),
        Some("idempotency, events")
    );
    assert_eq!(declared.header("x-sync-epoch"), Some("one"));
    server.restore_backup(&backup);
    let restored = http.get("/todos").await;
    assert!(restored.ids().is_empty());
    assert_ne!(restored.header("x-sync-epoch"), Some("one"));
}

#[tokio::test]
async fn the_date_is_the_servers_own_and_moves_only_when_told() {
    let (server, http) = with(MockServer::builder()).await;
    assert_eq!(
        http.get("/health").await.header("date"),
        Some("Thu, 01 Jan 2026 00:00:00 GMT")
    );
    server.advance(std::time::Duration::from_secs(61));
    assert_eq!(
        http.get("/health").await.header("date"),
        Some("Thu, 01 Jan 2026 00:01:01 GMT")
    );
    server.set_clock(&Timestamp::parse("2030-06-01T12:00:00Z").unwrap());
    let got = http.put("/todos/a", &json!({})).await;
    assert!(
        got.stamp()
            .as_str()
            .unwrap()
            .starts_with("2030-06-01T12:00:00")
    );
    assert_eq!(got.header("date"), Some("Sat, 01 Jun 2030 12:00:00 GMT"));
}

#[tokio::test]
async fn a_token_can_be_required() {
    let (server, http) = with(MockServer::builder().require_token("s3cret")).await;
    assert_eq!(http.get("/health").await.status, 401);
    let right = http.request(Method::GET, "/health").bearer_auth("s3cret");
    assert_eq!(send(right).await.status, 200);
    assert_eq!(
        server.recorded()[1].header("Authorization"),
        Some("Bearer s3cret")
    );
    assert!(!format!("{:?}", server.recorded()).contains("s3cret"));
}

#[tokio::test]
async fn bodies_may_be_gzipped_in_both_directions() {
    let (server, http) = with(MockServer::builder().gzip(true)).await;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(br#"{"title":"Milk"}"#).unwrap();
    let request = http
        .request(Method::PUT, "/todos/e1")
        .header("content-encoding", "gzip")
        .header("accept-encoding", "gzip")
        .body(encoder.finish().unwrap());
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let mut text = String::new();
    let bytes = response.bytes().await.unwrap();
    flate2::read::GzDecoder::new(&bytes[..])
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap()["title"],
        "Milk"
    );
    assert_eq!(server.recorded()[0].body, Some(json!({"title": "Milk"})));
}

#[tokio::test]
async fn requests_are_recorded_as_they_came() {
    let (server, http) = with(MockServer::builder()).await;
    http.put_with(
        "/todos/a%2Fb",
        &json!({"n": 1}),
        &[("x-idempotency-key", "k1")],
    )
    .await;
    http.pull("/todos", &[("limit", "5")]).await;
    http.get("/todos/x").await;
    http.post("/batch", &json!({"ops": []})).await;
    let [put, pull, fetch, batch] = &server.recorded()[..] else {
        panic!("four requests");
    };
    assert_eq!(
        (put.method.as_str(), put.path.as_str()),
        ("PUT", "/todos/a%2Fb")
    );
    assert_eq!((put.kind(), put.id()), (Some("todos"), Some("a/b")));
    assert_eq!(
        (put.header("X-Idempotency-Key"), &put.body),
        (Some("k1"), &Some(json!({"n": 1})))
    );
    assert_eq!((pull.query("limit"), &pull.body), (Some("5"), &None));
    assert_eq!(server.pushes(), [put.clone(), batch.clone()]);
    assert_eq!(server.pulls("todos"), std::slice::from_ref(pull));
    assert_eq!(server.fetches(), std::slice::from_ref(fetch));
    assert!(server.pulls("notes").is_empty());
    server.clear_recorded();
    assert!(server.recorded().is_empty());
}

/// Reads the live channel until so many events have come.
async fn events(
    http: &Http,
    last_seen: Option<&str>,
    meanwhile: impl FnOnce(),
    count: usize,
) -> String {
    let mut request = http.request(Method::GET, "/events");
    if let Some(id) = last_seen {
        request = request.header("last-event-id", id);
    }
    let mut bytes = request.send().await.unwrap().bytes_stream();
    meanwhile();
    let mut text = String::new();
    while text.matches("\n\n").count() < count {
        text.push_str(std::str::from_utf8(&bytes.next().await.unwrap().unwrap()).unwrap());
    }
    text
}

#[tokio::test]
async fn changes_are_announced_live_and_resumed_behind_the_last_event() {
    let (server, http) = with(MockServer::builder()).await;
    server.seed("todos", [json!({"id": "a"})]).unwrap();
    let change = || drop(server.update("notes", "n1", json!({})));
    let live = events(&http, None, change, 1).await;
    assert!(
        live.contains("event: change") && live.contains(r#"data: {"kind":"notes"}"#),
        "{live}"
    );
    let resumed = events(&http, Some("0"), || (), 2).await;
    assert!(
        resumed.contains("todos") && resumed.contains("notes"),
        "{resumed}"
    );
    let unknown = events(&http, Some("999"), || (), 2).await;
    assert!(
        unknown.contains("todos") && unknown.contains("notes"),
        "{unknown}"
    );

    server.reconfigure(|settings| settings.events(false));
    assert_eq!(
        http.get("/events").await.status,
        200,
        "an empty list of a kind of that name"
    );
}

#[tokio::test]
async fn a_server_that_is_offline_keeps_its_port() {
    let server = MockServer::start().await.unwrap();
    let address = server.url().trim_start_matches("http://").parse().unwrap();
    server.set_online(false).await.unwrap();
    let taken = TcpSocket::new_v4().unwrap().bind(address);
    assert_eq!(taken.unwrap_err().kind(), ErrorKind::AddrInUse);
    let refused = TcpStream::connect(address).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    server.set_online(true).await.unwrap();
    assert!(TcpStream::connect(address).await.is_ok());
}

#[tokio::test]
async fn an_extended_server_declares_and_does_everything() {
    let (_server, http) = with(MockServer::builder().extended()).await;
    let got = http.put("/todos/e1", &json!({})).await;
    let declared = "idempotency, if-absent, if-match, force, changed-fields, cursor, events, gzip";
    assert_eq!(got.header("x-sync-features"), Some(declared));
    assert!(got.header("etag").is_some() && got.header("x-sync-epoch").is_some());
    assert_eq!(http.get("/todos").await.body["nextCursor"], "seq-1");
}
