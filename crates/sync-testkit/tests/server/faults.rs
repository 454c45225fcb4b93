//! What goes wrong on demand.

use reqwest::Method;
use serde_json::{Value, json};
use sync_testkit::{Fault, MockServer, Route};

use crate::support::{Http, send};

async fn server() -> (MockServer, Http) {
    let server = MockServer::start().await.unwrap();
    let http = Http::to(&server);
    (server, http)
}

#[tokio::test]
async fn a_status_strikes_its_route_so_often_and_nothing_is_done() {
    let (server, http) = server().await;
    let fault = server
        .fault(Fault::status(503).header("Retry-After", "7"))
        .on(Route::Push)
        .times(2);
    for _ in 0..2 {
        let got = http.put("/todos/e1", &json!({"n": 1})).await;
        assert_eq!((got.status, got.header("retry-after")), (503, Some("7")));
        assert_eq!(http.get("/health").await.status, 200);
    }
    assert_eq!(server.get("todos", "e1"), None);
    assert_eq!(http.put("/todos/e1", &json!({"n": 1})).await.status, 201);
    assert_eq!((fault.hits(), server.pushes().len()), (2, 3));
}

#[tokio::test]
async fn faults_queue_up_in_the_order_of_scripting() {
    let (server, http) = server().await;
    server.fault(Fault::status(401));
    server.fault(Fault::status(500)).skip(1);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(http.get("/health").await.status);
    }
    assert_eq!(statuses, [401, 200, 500, 200]);
}

#[tokio::test]
async fn a_fault_can_be_meant_for_one_record_or_kind_and_be_removed() {
    let (server, http) = server().await;
    let poison = server
        .fault(Fault::status(422))
        .on(Route::Put)
        .only("todos", "bad")
        .always();
    server
        .fault(Fault::status(500))
        .on(Route::pull_of("notes"))
        .always();
    assert_eq!(http.put("/todos/good", &json!({})).await.status, 201);
    assert_eq!(http.put("/todos/bad", &json!({})).await.status, 422);
    assert_eq!(http.get("/todos").await.status, 200);
    assert_eq!(http.get("/notes").await.status, 500);
    poison.remove();
    assert_eq!(http.put("/todos/bad", &json!({})).await.status, 201);
    server.clear_faults();
    assert_eq!(http.get("/notes").await.status, 200);
}

#[tokio::test]
async fn every_route_can_be_struck() {
    let (server, http) = server().await;
    for (route, method, path) in [
        (Route::Any, Method::GET, "/health"),
        (Route::Health, Method::GET, "/health"),
        (Route::Pull, Method::GET, "/todos"),
        (Route::Fetch, Method::GET, "/todos/e1"),
        (Route::Put, Method::PUT, "/todos/e1"),
        (Route::Delete, Method::DELETE, "/todos/e1"),
        (Route::Batch, Method::POST, "/batch"),
        (Route::Push, Method::POST, "/batch"),
        (Route::Push, Method::DELETE, "/todos/e1"),
        (Route::Events, Method::GET, "/events"),
    ] {
        let fault = server.fault(Fault::status(418)).on(route.clone());
        let got = send(http.request(method, path)).await;
        assert_eq!((got.status, fault.hits()), (418, 1), "{route:?}");
    }
}

#[tokio::test]
async fn answers_that_are_not_the_servers() {
    let (server, http) = server().await;
    server.fault(Fault::invalid_json());
    let broken = http.get("/todos").await;
    assert_eq!(
        (broken.status, broken.text.as_str()),
        (200, "{invalid json data")
    );
    server.fault(Fault::html());
    let portal = http.get("/todos").await;
    assert!(
        portal
            .header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    server.fault(Fault::redirect("/elsewhere"));
    let moved = http.get("/todos").await;
    assert_eq!(
        (moved.status, moved.header("location")),
        (307, Some("/elsewhere"))
    );
    server.fault(Fault::json(409, json!({"current": null})));
    assert_eq!(
        http.put("/todos/e1", &json!({})).await.body,
        json!({"current": null})
    );
    server.fault(Fault::answer(200, "hello").header("Content-Type", "text/plain"));
    assert_eq!(
        http.get("/todos").await.header("content-type"),
        Some("text/plain")
    );
    assert_eq!(
        http.get("/todos").await.header("date"),
        Some("Thu, 01 Jan 2026 00:00:00 GMT")
    );
}

#[tokio::test]
async fn an_error_after_the_work_leaves_the_work_done() {
    let (server, http) = server().await;
    server.fault(Fault::status(500).after_work()).on(Route::Put);
    assert_eq!(http.put("/todos/e1", &json!({"n": 1})).await.status, 500);
    assert!(server.get("todos", "e1").is_some());
}

#[tokio::test]
async fn a_connection_breaks_before_or_after_the_work() {
    let (server, http) = server().await;
    for (fault, id, done) in [
        (Fault::drop_before(), "before", false),
        (Fault::drop_after(), "after", true),
    ] {
        server.fault(fault).on(Route::Put);
        let sent = http
            .request(Method::PUT, &format!("/todos/{id}"))
            .json(&json!({}))
            .send()
            .await;
        assert!(sent.is_err_and(|error| !error.is_connect()), "{id}");
        assert_eq!(server.get("todos", id).is_some(), done, "{id}");
        assert_eq!(
            http.get("/health").await.status,
            200,
            "the next connection is accepted"
        );
    }
}

#[tokio::test]
async fn a_request_waits_at_the_gate_until_it_is_released() {
    let (server, http) = server().await;
    let gate = server.hold(Route::Put);
    let answer = async { http.put("/todos/e1", &json!({})).await.status };
    let meanwhile = async {
        gate.arrived().await;
        assert_eq!(server.get("todos", "e1"), None);
        assert_eq!(http.get("/health").await.status, 200);
        gate.release();
    };
    assert_eq!(futures::join!(answer, meanwhile).0, 201);
    assert_eq!(http.put("/todos/e2", &json!({})).await.status, 201);
    assert_eq!(gate.count(), 2, "who passes the open gate has arrived too");
}

#[tokio::test]
async fn an_answer_waits_at_the_gate_when_the_work_is_done() {
    let (server, http) = server().await;
    let gate = server.hold_answer(Route::Put);
    let answer = async { http.put("/todos/e1", &json!({})).await.status };
    let meanwhile = async {
        gate.arrived().await;
        assert!(server.get("todos", "e1").is_some());
        drop(gate);
    };
    assert_eq!(futures::join!(answer, meanwhile).0, 201);
}

#[tokio::test]
async fn a_delay_is_only_a_delay() {
    let (server, http) = server().await;
    let fault = server.fault(Fault::delay(std::time::Duration::from_millis(1)));
    assert_eq!((http.get("/health").await.status, fault.hits()), (200, 1));
}

#[tokio::test]
async fn conflicts_can_lack_the_record_or_show_another() {
    let (server, http) = server().await;
    server.update("todos", "e1", json!({"n": 1}));
    let stale = json!({"_baseUpdatedAt": "2020-01-01T00:00:00Z"});
    server.fault(Fault::incomplete_conflict());
    let envelope = http.put("/todos/e1", &stale).await;
    assert_eq!((envelope.status, envelope.body.get("current")), (409, None));
    let wrong = server.fault(Fault::wrong_entity_conflict());
    http.put("/todos/other", &json!({})).await;
    assert_eq!(wrong.hits(), 0, "it waits for a conflict");
    assert_eq!(
        http.put("/todos/e1", &stale).await.body["current"]["id"],
        "wrong-entity-id"
    );

    server.fault(Fault::incomplete_conflict());
    let op = json!({"opId": "k", "kind": "todos", "id": "e1", "type": "delete",
        "baseUpdatedAt": "2020-01-01T00:00:00Z"});
    let got = http.post("/batch", &json!({"ops": [op]})).await;
    assert_eq!(got.body["results"][0]["error"].get("current"), None);
}

#[tokio::test]
async fn results_of_a_batch_can_be_missing_doubled_unknown_or_without_status() {
    let (server, http) = server().await;
    let op = |n: u32| json!({"opId": format!("k{n}"), "kind": "todos", "id": format!("e{n}"), "type": "upsert", "payload": {}});
    let batch = json!({"ops": [op(1), op(2)]});
    let mut seen: Vec<(Value, Vec<Value>)> = Vec::new();
    for fault in [
        Fault::missing_result(),
        Fault::doubled_result(),
        Fault::unknown_result(),
        Fault::result_without_status(),
        Fault::result_status(422),
    ] {
        server.fault(fault).on(Route::Batch);
        let body = http.post("/batch", &batch).await.body;
        let results = body["results"].as_array().unwrap();
        let ids = results
            .iter()
            .map(|result| result["opId"].clone())
            .collect();
        seen.push((results[0]["statusCode"].clone(), ids));
    }
    assert_eq!(seen[0], (json!(201), vec![json!("k1")]));
    assert_eq!(
        seen[1],
        (json!(201), vec![json!("k1"), json!("k2"), json!("k1")])
    );
    assert_eq!(
        seen[2],
        (json!(201), vec![json!("unknown-op"), json!("k2")])
    );
    assert_eq!(seen[3], (Value::Null, vec![json!("k1"), json!("k2")]));
    assert_eq!(seen[4], (json!(422), vec![json!("k1"), json!("k2")]));
    assert_eq!(server.applied("k2"), 1);
}

#[tokio::test]
async fn pages_can_repeat_their_token_or_be_short() {
    let (server, http) = server().await;
    server
        .seed("todos", (0..5).map(|n| json!({"id": format!("e{n}")})))
        .unwrap();
    server.fault(Fault::repeated_token());
    let first = http.pull("/todos", &[("limit", "2")]).await;
    let token = first.body["nextPageToken"].as_str().unwrap();
    let second = http
        .pull("/todos", &[("limit", "2"), ("pageToken", token)])
        .await;
    assert_eq!(
        (second.ids(), &second.body["nextPageToken"]),
        (vec!["e2", "e3"], &json!(token))
    );
    server.fault(Fault::page_of(1));
    let short = http.pull("/todos", &[("limit", "2")]).await;
    assert_eq!(short.ids(), ["e0"]);
    assert!(short.body["nextPageToken"].is_string());
}

#[tokio::test]
async fn a_write_can_be_stamped_coarsely_answered_emptily_or_forget_its_key() {
    let (server, http) = server().await;
    server.fault(Fault::second_stamps());
    assert_eq!(
        http.put("/todos/e1", &json!({})).await.stamp(),
        "2026-01-01T00:00:00Z"
    );
    server.fault(Fault::empty_body());
    let empty = http.put("/todos/e2", &json!({})).await;
    assert_eq!((empty.status, empty.text.as_str()), (204, ""));
    let key = [("x-idempotency-key", "k")];
    http.put_with("/todos/e3", &json!({}), &key).await;
    server.fault(Fault::ignored_key());
    http.put_with("/todos/e3", &json!({}), &key).await;
    http.put_with("/todos/e3", &json!({}), &key).await;
    assert_eq!(server.applied("k"), 2);
}

#[tokio::test]
async fn offline_connections_are_refused_and_the_address_stays() {
    let (server, http) = server().await;
    assert_eq!(http.put("/todos/e1", &json!({})).await.status, 201);
    server.set_online(false).await.unwrap();
    server.set_online(false).await.unwrap();
    let refused = http
        .request(Method::GET, "/health")
        .send()
        .await
        .unwrap_err();
    assert!(refused.is_connect(), "{refused:?}");
    server.set_online(true).await.unwrap();
    server.set_online(true).await.unwrap();
    assert_eq!(http.get("/todos/e1").await.status, 200);
}

#[tokio::test]
async fn going_offline_breaks_off_what_is_under_way() {
    let (server, http) = server().await;
    let gate = server.hold(Route::Put);
    let sent = http
        .request(Method::PUT, "/todos/e1")
        .json(&json!({}))
        .send();
    let meanwhile = async {
        gate.arrived().await;
        server.set_online(false).await.unwrap();
    };
    let (sent, ()) = futures::join!(sent, meanwhile);
    assert!(sent.is_err_and(|error| !error.is_connect()));
}

#[tokio::test]
async fn the_server_stops_with_its_last_handle() {
    let (server, http) = server().await;
    let clone = server.clone();
    drop(server);
    assert_eq!(http.get("/health").await.status, 200);
    let gate = clone.hold(Route::Any);
    let sent = http.request(Method::GET, "/health").send();
    let meanwhile = async {
        gate.arrived().await;
        drop(clone);
        gate.release();
    };
    let (sent, ()) = futures::join!(sent, meanwhile);
    assert!(sent.is_err(), "what is under way breaks off");
    let refused = http.request(Method::GET, "/health").send().await;
    assert!(refused.is_err());
}
