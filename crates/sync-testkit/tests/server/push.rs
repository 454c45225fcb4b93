//! What the server makes of one push.

use serde_json::{Value, json};
use sync_testkit::{FieldNames, MockServer, StampStyle};

use crate::support::Http;

pub(crate) async fn with_record() -> (MockServer, Http, Value) {
    let server = MockServer::start().await.unwrap();
    let stored = server.update("todos", "e1", json!({"title": "Milk"}));
    let http = Http::to(&server);
    (server, http, stored["updated_at"].clone())
}

#[tokio::test]
async fn a_create_answers_the_stored_record_with_a_stamp_of_the_server() {
    let server = MockServer::start().await.unwrap();
    let http = Http::to(&server);
    let sent = json!({"id": "e1", "title": "Milk", "updated_at": "1999-01-01T00:00:00Z"});
    let got = http
        .put_with("/todos/e1", &sent, &[("if-none-match", "*")])
        .await;
    assert_eq!(got.status, 201);
    assert_eq!(
        got.body,
        json!({"id": "e1", "title": "Milk", "updated_at": "2026-01-01T00:00:00.001001Z"})
    );
    assert_eq!(server.get("todos", "e1"), Some(got.body));
}

#[tokio::test]
async fn a_put_replaces_the_record_wholly_and_keeps_unknown_fields_but_not_underscore_keys() {
    let (server, http, base) = with_record().await;
    server.update("todos", "e1", json!({"old": true}));
    let base_now = server.get("todos", "e1").unwrap()["updated_at"].clone();
    assert_ne!(base, base_now);
    let sent = json!({
        "id": "e1", "color": {"deep": [1, null]}, "deleted_at": null, "deleted_at_local": "x",
        "_baseUpdatedAt": base_now, "_changedFields": ["color"],
    });
    let got = http.put("/todos/e1", &sent).await;
    assert_eq!(got.status, 200);
    let stamp = got.stamp();
    assert_eq!(
        got.body,
        json!({"id": "e1", "color": {"deep": [1, null]}, "deleted_at": null, "updated_at": stamp})
    );
}

#[tokio::test]
async fn creation_time_stays_the_servers_own_where_the_record_names_it() {
    let server = MockServer::start().await.unwrap();
    let http = Http::to(&server);
    let first = http
        .put("/todos/e1", &json!({"created_at": "1999-01-01T00:00:00Z"}))
        .await;
    let second = http
        .put("/todos/e1", &json!({"created_at": null, "n": 2}))
        .await;
    assert_eq!(first.body["created_at"], second.body["created_at"]);
    assert!(
        first.body["created_at"]
            .as_str()
            .unwrap()
            .starts_with("2026")
    );
}

#[tokio::test]
async fn a_stale_base_is_a_conflict_that_shows_the_record() {
    let (server, http, base) = with_record().await;
    let current = server.update("todos", "e1", json!({"title": "Oat milk"}));
    let got = http
        .put(
            "/todos/e1",
            &json!({"title": "Soy", "_baseUpdatedAt": base}),
        )
        .await;
    assert_eq!(got.status, 409);
    let stamp = current["updated_at"].clone();
    assert_eq!(
        got.body,
        json!({"error": "conflict", "current": current, "serverTimestamp": stamp})
    );
    assert_eq!(
        http.delete("/todos/e1", &[("_baseUpdatedAt", base.as_str().unwrap())])
            .await
            .status,
        409
    );
    assert_eq!(server.get("todos", "e1"), Some(current));
}

#[tokio::test]
async fn the_base_may_be_written_differently_but_must_be_the_same_instant() {
    let (_server, http, _) = with_record().await;
    let other = json!({"title": "Soy", "_baseUpdatedAt": "2026-01-01T03:00:00.001001+03:00"});
    assert_eq!(http.put("/todos/e1", &other).await.status, 200);
    let (_server, http, _) = with_record().await;
    let cut = json!({"title": "Soy", "_baseUpdatedAt": "2026-01-01T00:00:00.001Z"});
    assert_eq!(http.put("/todos/e1", &cut).await.status, 409);
    let unreadable = json!({"title": "Soy", "_baseUpdatedAt": "yesterday"});
    assert_eq!(http.put("/todos/e1", &unreadable).await.status, 400);
}

#[tokio::test]
async fn force_passes_over_a_stale_base() {
    let (server, http, base) = with_record().await;
    server.update("todos", "e1", json!({"title": "Oat milk"}));
    let sent = json!({"title": "Soy", "_baseUpdatedAt": base});
    let forced = http
        .put_with("/todos/e1", &sent, &[("x-force-update", "true")])
        .await;
    assert_eq!((forced.status, &forced.body["title"]), (200, &json!("Soy")));
}

#[tokio::test]
async fn a_base_on_a_record_that_is_not_there_is_404() {
    let (server, http, base) = with_record().await;
    assert!(server.purge("todos", "e1"));
    assert_eq!(
        http.put("/todos/e1", &json!({"_baseUpdatedAt": base}))
            .await
            .status,
        404
    );
    assert_eq!(http.delete("/todos/e1", &[]).await.status, 404);
    assert_eq!(http.get("/todos/e1").await.status, 404);
}

#[tokio::test]
async fn if_none_match_is_honoured_unless_switched_off() {
    let (server, http, _) = with_record().await;
    let create = [("if-none-match", "*")];
    let refused = http
        .put_with("/todos/e1", &json!({"title": "Mine"}), &create)
        .await;
    assert_eq!(
        (refused.status, &refused.body["current"]["title"]),
        (412, &json!("Milk"))
    );
    server.reconfigure(|settings| settings.if_absent(false));
    assert_eq!(
        http.put_with("/todos/e1", &json!({"title": "Mine"}), &create)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn etags_are_strong_and_checked_by_if_match() {
    let server = MockServer::builder().etags(true).start().await.unwrap();
    let http = Http::to(&server);
    let first = http.put("/todos/e1", &json!({"n": 1})).await;
    let tag = first.header("etag").unwrap().to_owned();
    assert!(tag.starts_with('"'));
    assert_eq!(
        http.get("/todos/e1").await.header("etag"),
        Some(tag.as_str())
    );
    let matched = [("if-match", tag.as_str())];
    assert_eq!(
        http.put_with("/todos/e1", &json!({"n": 2}), &matched)
            .await
            .status,
        200
    );
    let stale = http.put_with("/todos/e1", &json!({"n": 3}), &matched).await;
    assert_eq!(
        (stale.status, &stale.body["current"]["n"]),
        (412, &json!(2))
    );
}

#[tokio::test]
async fn without_the_switch_no_answer_bears_an_etag() {
    let (_server, http, _) = with_record().await;
    assert_eq!(http.get("/todos/e1").await.header("etag"), None);
    assert_eq!(
        http.put("/todos/e1", &json!({"n": 1})).await.header("etag"),
        None
    );
}

#[tokio::test]
async fn stamps_are_written_and_compared_in_the_style_of_their_kind() {
    let server = MockServer::builder()
        .stamps(StampStyle::UnixMillis)
        .stamps_of("notes", StampStyle::Offset)
        .start()
        .await
        .unwrap();
    let http = Http::to(&server);
    let todo = http.put("/todos/e1", &json!({"n": 1})).await;
    assert_eq!(todo.stamp(), json!(1_767_225_600_001_u64));
    let note = http.put("/notes/e1", &json!({"n": 1})).await;
    assert!(note.stamp().as_str().unwrap().ends_with("+02:00"));
    assert_eq!(
        http.put("/todos/e1", &json!({"_baseUpdatedAt": todo.stamp()}))
            .await
            .status,
        200
    );
    assert_eq!(
        http.delete("/todos/e1", &[("_baseUpdatedAt", "1767225600001")])
            .await
            .status,
        409
    );
    let base = note.stamp();
    assert_eq!(
        http.delete("/notes/e1", &[("_baseUpdatedAt", base.as_str().unwrap())])
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn hidden_digits_make_every_precondition_fail() {
    let server = MockServer::builder()
        .stamps(StampStyle::Millis)
        .hidden_precision(true)
        .start()
        .await
        .unwrap();
    let shown = server.update("todos", "e1", json!({"n": 1}))["updated_at"].clone();
    let got = Http::to(&server)
        .put("/todos/e1", &json!({"_baseUpdatedAt": shown}))
        .await;
    assert_eq!(
        (got.status, &got.body["current"]["updated_at"]),
        (409, &shown)
    );
}

#[tokio::test]
async fn a_server_can_normalise_or_leave_out_bodies_or_check_nothing() {
    let server = MockServer::builder()
        .normalises(true)
        .start()
        .await
        .unwrap();
    let http = Http::to(&server);
    assert_eq!(
        http.put("/todos/e1", &json!({"title": " Milk "}))
            .await
            .body["title"],
        "Milk"
    );
    server.reconfigure(|settings| settings.bodies(false).checks_base(false));
    let got = http
        .put(
            "/todos/e1",
            &json!({"_baseUpdatedAt": "1999-01-01T00:00:00Z"}),
        )
        .await;
    assert_eq!((got.status, got.text.as_str()), (204, ""));
}

#[tokio::test]
async fn field_names_follow_the_servers_or_the_senders() {
    let server = MockServer::builder()
        .field_names(FieldNames::camel_case())
        .start()
        .await
        .unwrap();
    let http = Http::to(&server);
    let got = http.put("/todos/e1", &json!({"uuid": "e1", "n": 1})).await;
    assert_eq!(got.body["uuid"], "e1");
    assert!(got.body["updatedAt"].is_string() && got.body.get("id").is_none());
    assert!(http.delete("/todos/e1", &[]).await.body["deletedAt"].is_string());
}

#[tokio::test]
async fn ids_are_decoded_from_the_path() {
    let server = MockServer::start().await.unwrap();
    let http = Http::to(&server);
    let got = http.put("/todos/a%2Fb%3F%C3%BC", &json!({"n": 1})).await;
    assert_eq!(got.body["id"], "a/b?ü");
    assert!(server.get("todos", "a/b?ü").is_some());
}

#[tokio::test]
async fn a_body_that_is_not_an_object_is_refused() {
    let server = MockServer::start().await.unwrap();
    assert_eq!(
        Http::to(&server).put("/todos/e1", &json!([1])).await.status,
        400
    );
}
