//! Servers that name and place things in their own way.

use serde_json::json;
use sync_core::Precondition;
use sync_core::transport::{
    FetchRequest, PullRequest, PushChange, PushOutcome, PushRequest, Transport,
};
use sync_rest::KindRoute;

use super::server::{Reply, Server, id, if_base, kind, op, record, upsert};

fn route() -> KindRoute {
    KindRoute::new()
        .path("/v2/users/a b/todos/")
        .items_field("data")
        .next_token_field("next")
        .id_field("_id")
        .stamp_field("modified")
        .tombstone_field("removed")
        .rename("subject", "title")
        .header("X-Tenant", "acme")
        .query("expand", "none")
}

const THEIRS: &str = r#"{"_id":"e1","modified":1704196800,"removed":false,"subject":"S"}"#;
const OURS: &str = r#"{"id":"e1","updated_at":1704196800,"deleted_at":false,"title":"S"}"#;

#[tokio::test]
async fn rows_come_in_under_canonical_names() {
    let body = format!(r#"{{"data":[{THEIRS},7],"next":2}}"#);
    let server = Server::always(Reply::json(200, body)).await;
    let transport = server.builder().kind("todos", route()).build().unwrap();
    let page = transport
        .pull(PullRequest::new(kind(), 5))
        .await
        .unwrap()
        .value;
    let ours: serde_json::Value = serde_json::from_str(OURS).unwrap();
    assert_eq!(page.items, [ours, json!(7)]);
    assert_eq!(page.next_page_token.as_deref(), Some("2"));
    let request = server.only();
    let line = "GET /api/v2/users/a%20b/todos?expand=none&updatedSince=";
    assert!(request.line.starts_with(line), "{}", request.line);
    assert_eq!(request.header("x-tenant"), Some("acme"));
}

#[tokio::test]
async fn records_go_out_under_the_servers_names() {
    let server = Server::always(Reply::json(200, THEIRS)).await;
    let transport = server.builder().kind("todos", route()).build().unwrap();
    let change = PushChange::Upsert {
        record: record(OURS),
        changed: Some(["title"].into_iter().collect()),
    };
    let edit = op("e1", change, if_base("2024-01-01T00:00:00Z"));
    let answer = transport.push(PushRequest::new(vec![edit])).await.unwrap();
    let PushOutcome::Accepted { state: Some(state) } = &answer.value[0].outcome else {
        panic!("{answer:?}");
    };
    assert_eq!(state.live().unwrap().get("title").unwrap(), "S");
    let request = &server.received()[0];
    assert_eq!(
        request.line,
        "PUT /api/v2/users/a%20b/todos/e1?expand=none HTTP/1.1"
    );
    assert_eq!(
        request.body(),
        r#"{"_baseUpdatedAt":"2024-01-01T00:00:00Z","_changedFields":["subject"],"_id":"e1","modified":1704196800,"removed":false,"subject":"S"}"#
    );
}

#[tokio::test]
async fn conflicts_batches_and_fetches_are_translated_too() {
    let conflict = format!(r#"{{"current":{THEIRS}}}"#);
    let results = format!(
        r#"{{"results":[{{"opId":"op-e1","statusCode":409,"error":{conflict}}},{{"opId":"op-e2","statusCode":204}}]}}"#
    );
    let server = Server::scripted(move |nth, _| match nth {
        0 => Reply::json(409, &conflict),
        1 => Reply::json(200, &results),
        _ => Reply::json(200, THEIRS),
    })
    .await;
    let builder = server.builder().batch(true).kind("todos", route());
    let transport = builder.build().unwrap();
    let change = |entity| op(entity, upsert(OURS), Precondition::IfAbsent);
    let single = transport
        .push(PushRequest::new(vec![change("e1")]))
        .await
        .unwrap();
    let batch = transport
        .push(PushRequest::new(vec![change("e1"), change("e2")]))
        .await
        .unwrap();
    for result in [&single.value[0], &batch.value[0]] {
        let PushOutcome::Conflict {
            state: Some(state), ..
        } = &result.outcome
        else {
            panic!("{result:?}");
        };
        assert_eq!(state.live().unwrap().id().unwrap(), id("e1"));
    }
    assert!(
        server.received()[1]
            .body()
            .contains(&format!(r#""payload":{THEIRS}"#))
    );
    let fetched = transport
        .fetch(FetchRequest::new(kind(), id("e1")))
        .await
        .unwrap();
    assert_eq!(fetched.value.live().unwrap().get("title").unwrap(), "S");
    let line = &server.received()[2].line;
    assert_eq!(
        line,
        "GET /api/v2/users/a%20b/todos/e1?expand=none HTTP/1.1"
    );
}

#[tokio::test]
async fn a_field_that_bears_a_canonical_name_already_survives_both_ways() {
    let theirs = r#"{"_id":"e1","id":77,"modified":1704196800}"#;
    let server = Server::always(Reply::json(200, theirs)).await;
    let route = KindRoute::new().id_field("_id").stamp_field("modified");
    let transport = server.builder().kind("todos", route).build().unwrap();
    let fetched = transport
        .fetch(FetchRequest::new(kind(), id("e1")))
        .await
        .unwrap();
    let record = serde_json::to_string(fetched.value.live().unwrap()).unwrap();
    let push = PushRequest::new(vec![op("e1", upsert(&record), Precondition::IfAbsent)]);
    transport.push(push).await.unwrap();
    assert_eq!(server.received()[1].body(), theirs);
}

#[tokio::test]
async fn a_page_may_be_a_bare_list() {
    let server = Server::always(Reply::json(200, format!("[{THEIRS}]"))).await;
    let builder = server.builder().kind("todos", route().bare_list());
    let page = builder
        .build()
        .unwrap()
        .pull(PullRequest::new(kind(), 5))
        .await;
    assert_eq!(page.unwrap().value.items.len(), 1);
}

#[tokio::test]
async fn other_kinds_keep_to_the_protocol() {
    let server = Server::always(Reply::json(200, r#"{"items":[]}"#)).await;
    let transport = server.builder().kind("notes", route()).build().unwrap();
    transport.pull(PullRequest::new(kind(), 5)).await.unwrap();
    let request = server.only();
    assert!(request.line.starts_with("GET /api/todos?updatedSince="));
    assert_eq!(request.header("x-tenant"), None);
}

#[tokio::test]
async fn renamings_that_build_on_each_other_are_undone_in_reverse() {
    let theirs = r#"{"_id":"e1","note":"N","text":"T"}"#;
    let server = Server::always(Reply::json(200, theirs)).await;
    let route = KindRoute::new()
        .id_field("_id")
        .rename("text", "note")
        .rename("note", "title");
    let transport = server.builder().kind("todos", route).build().unwrap();
    let request = FetchRequest::new(kind(), id("e1"));
    let fetched = transport.fetch(request).await.unwrap();
    let record = fetched.value.live().unwrap();
    assert_eq!(record.get("title").unwrap(), "T");
    let record = serde_json::to_string(record).unwrap();
    let push = PushRequest::new(vec![op("e1", upsert(&record), Precondition::IfAbsent)]);
    transport.push(push).await.unwrap();
    assert_eq!(server.received()[1].body(), theirs);
}
