//! Lists and batches.

use serde_json::{Value, json};
use sync_core::Timestamp;
use sync_testkit::{MockServer, MockServerBuilder, StampStyle};

use crate::support::{Got, Http};

fn stamped(id: &str, second: u32) -> Value {
    json!({"id": id, "updated_at": format!("2025-01-01T00:00:{second:02}Z")})
}

async fn with(settings: MockServerBuilder, records: &[(&str, u32)]) -> (MockServer, Http) {
    let server = settings.start().await.unwrap();
    server
        .seed(
            "todos",
            records.iter().map(|(id, second)| stamped(id, *second)),
        )
        .unwrap();
    let http = Http::to(&server);
    (server, http)
}

/// Follows the tokens to the end.
async fn chain(http: &Http, query: &[(&str, &str)]) -> (Vec<String>, Vec<Got>) {
    let mut pages: Vec<Got> = Vec::new();
    loop {
        let token = pages.last().map(|page| page.body["nextPageToken"].clone());
        let mut query = query.to_vec();
        if let Some(token) = &token {
            match token.as_str() {
                Some(token) => query.push(("pageToken", token)),
                None => break,
            }
        }
        pages.push(http.pull("/todos", &query).await);
    }
    let ids = pages.iter().flat_map(Got::ids).map(str::to_owned).collect();
    (ids, pages)
}

#[tokio::test]
async fn updated_since_is_inclusive_and_rows_come_by_stamp_and_id() {
    let records = [("c", 2), ("b", 1), ("a", 2), ("d", 0)];
    let (_server, http) = with(MockServer::builder(), &records).await;
    let got = http
        .pull("/todos", &[("updatedSince", "2025-01-01T00:00:01Z")])
        .await;
    assert_eq!(got.ids(), ["b", "a", "c"]);
    assert_eq!(
        (&got.body["total"], &got.body["nextPageToken"]),
        (&json!(3), &Value::Null)
    );
    assert_eq!(http.get("/todos").await.ids(), ["d", "b", "a", "c"]);
    assert!(http.get("/notes").await.ids().is_empty());
}

#[tokio::test]
async fn seeded_stamps_stay_verbatim() {
    let server = MockServer::start().await.unwrap();
    let record = json!({"id": "e1", "updated_at": "2025-01-01T02:00:00.5+02:00"});
    server
        .seed("todos", [record.clone(), json!({"id": "e2"})])
        .unwrap();
    assert_eq!(server.get("todos", "e1"), Some(record));
    assert!(server.get("todos", "e2").unwrap()["updated_at"].is_string());
    let garbled = json!({"id": "e3", "updated_at": "yesterday"});
    server.seed("todos", [garbled.clone()]).unwrap();
    assert_eq!(server.get("todos", "e3"), Some(garbled));
    assert!(server.seed("todos", [json!({"title": "no id"})]).is_err());
}

#[tokio::test]
async fn tokens_lead_through_all_pages_also_within_one_stamp() {
    let records = [("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 2)];
    let (server, http) = with(MockServer::builder(), &records).await;
    let (ids, pages) = chain(&http, &[("limit", "2")]).await;
    assert_eq!((ids.join(""), pages.len()), ("abcde".to_owned(), 3));
    server.reconfigure(|settings| settings.max_limit(1));
    assert_eq!(chain(&http, &[("limit", "2")]).await.1.len(), 5);
}

#[tokio::test]
async fn without_tokens_the_keyset_leads_through_all_pages() {
    let records = [("a", 1), ("b", 1), ("c", 1), ("d", 2)];
    let (_server, http) = with(MockServer::builder().page_tokens(false), &records).await;
    let first = http.pull("/todos", &[("limit", "2")]).await;
    assert_eq!(
        (first.ids(), &first.body["nextPageToken"]),
        (vec!["a", "b"], &Value::Null)
    );
    let keyset = [
        ("updatedSince", "2025-01-01T00:00:01Z"),
        ("afterId", "b"),
        ("limit", "2"),
    ];
    assert_eq!(http.pull("/todos", &keyset).await.ids(), ["c", "d"]);
}

#[tokio::test]
async fn tombstones_are_listed_unless_declined() {
    let (server, http) = with(MockServer::builder(), &[("a", 1), ("b", 1)]).await;
    server.delete("todos", "a");
    assert_eq!(http.get("/todos").await.ids(), ["b", "a"]);
    assert_eq!(
        http.pull("/todos", &[("includeDeleted", "false")])
            .await
            .ids(),
        ["b"]
    );
    assert_eq!(server.all("todos").into_keys().collect::<Vec<_>>(), ["b"]);
}

#[tokio::test]
async fn a_late_commit_is_missed_by_stamp_and_found_by_cursor() {
    let late = Timestamp::parse("2025-01-01T00:00:00Z").unwrap();
    let (server, http) = with(MockServer::builder().cursors(true), &[("a", 1), ("b", 2)]).await;
    let (ids, pages) = chain(&http, &[("limit", "1")]).await;
    assert_eq!(ids, ["a", "b"]);
    let cursor = pages[1].body["nextCursor"].as_str().unwrap();
    server
        .commit_late("todos", json!({"id": "z"}), late)
        .unwrap();
    let by_stamp = http
        .pull("/todos", &[("updatedSince", "2025-01-01T00:00:02Z")])
        .await;
    assert_eq!(by_stamp.ids(), ["b"]);
    let by_cursor = http
        .pull(
            "/todos",
            &[("updatedSince", "2025-01-01T00:00:02Z"), ("cursor", cursor)],
        )
        .await;
    assert_eq!(by_cursor.ids(), ["z"]);
}

#[tokio::test]
async fn a_cursor_passes_rows_that_the_pull_leaves_out() {
    let (server, http) = with(MockServer::builder().cursors(true), &[("a", 1), ("b", 2)]).await;
    server.delete("todos", "b");
    let live_only = http.pull("/todos", &[("includeDeleted", "false")]).await;
    assert_eq!(live_only.ids(), ["a"]);
    assert_eq!(live_only.body["nextCursor"], "seq-3");
}

#[tokio::test]
async fn unreadable_queries_are_refused() {
    let (_server, http) = with(MockServer::builder().cursors(true), &[]).await;
    for bad in [
        ("limit", "many"),
        ("updatedSince", "then"),
        ("pageToken", "?"),
        ("cursor", "x"),
    ] {
        assert_eq!(http.pull("/todos", &[bad]).await.status, 400, "{bad:?}");
    }
}

#[tokio::test]
async fn declared_fields_filter_the_list() {
    let server = MockServer::builder()
        .filter_by("owner")
        .filter_by("n")
        .start()
        .await
        .unwrap();
    let records = [
        json!({"id": "a", "owner": "me", "n": 1}),
        json!({"id": "b", "owner": "you", "n": 1}),
    ];
    server.seed("todos", records).unwrap();
    let http = Http::to(&server);
    assert_eq!(
        http.pull("/todos", &[("owner", "me"), ("tenant", "x")])
            .await
            .ids(),
        ["a"]
    );
    assert_eq!(http.pull("/todos", &[("n", "1")]).await.ids().len(), 2);
}

#[tokio::test]
async fn stamps_can_be_coarse() {
    let server = MockServer::builder()
        .stamps(StampStyle::Seconds)
        .coarse(true)
        .start()
        .await
        .unwrap();
    let one = server.update("todos", "a", json!({}));
    let two = server.update("todos", "b", json!({}));
    assert_eq!(one["updated_at"], two["updated_at"]);
}

#[tokio::test]
async fn a_batch_answers_each_op_as_it_would_have_been_answered_alone() {
    let server = MockServer::builder().start().await.unwrap();
    let stale = server.update("todos", "old", json!({"n": 1}))["updated_at"].clone();
    let current = server.update("todos", "old", json!({"n": 2}));
    let http = Http::to(&server);
    let ops = json!({"ops": [
        {"opId": "k1", "kind": "todos", "id": "new", "type": "upsert", "payload": {"id": "new"}, "ifAbsent": true},
        {"opId": "k2", "kind": "todos", "id": "old", "type": "upsert", "payload": {"n": 3}, "baseUpdatedAt": stale},
        {"opId": "k3", "kind": "todos", "id": "none", "type": "delete"},
        {"opId": "k4", "kind": "todos", "id": "bad", "type": "upsert"},
    ]});
    let got = http.post("/batch", &ops).await;
    assert_eq!(got.status, 200);
    let results = got.body["results"].as_array().unwrap();
    let statuses: Vec<_> = results
        .iter()
        .map(|one| one["statusCode"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [201, 409, 404, 400]);
    assert_eq!(results[0]["data"], server.get("todos", "new").unwrap());
    assert_eq!(results[1]["error"]["current"], current);
    let again = http.post("/batch", &ops).await;
    assert_eq!(again.body["results"][0], results[0]);
    assert_eq!(server.applied("k1"), 1);

    assert_eq!(http.post("/batch", &json!({})).await.status, 400);
    server.reconfigure(|settings| settings.batch(false));
    assert_eq!(http.post("/batch", &ops).await.status, 405);
}
