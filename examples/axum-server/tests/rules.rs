//! The rules of `docs/protocol.md`, asked over HTTP.
#![expect(
    clippy::unwrap_used,
    reason = "the lints spare tests, but not the helpers beside them"
)]

mod support;

use chrono::{SecondsFormat, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use support::Server;

const KEY: &str = "X-Idempotency-Key";
const FORCE: (&str, &str) = ("X-Force-Update", "true");
const CREATE: (&str, &str) = ("If-None-Match", "*");

#[tokio::test]
async fn an_edit_against_an_old_version_changes_nothing_and_shows_the_current_record() {
    let server = Server::start().await;
    let first = server.create("milk", "Milk").await;
    let second = edit(&server, &first, "Oat milk").await;
    assert_eq!(second.0, 200);
    let (status, body) = edit(&server, &first, "Rice milk").await;
    assert_eq!(status, 409);
    assert_eq!(body["current"], second.1);
    assert_eq!(server.get("milk").await, second);
}

#[tokio::test]
async fn a_base_is_compared_as_an_instant_not_as_text() {
    let server = Server::start().await;
    let first = server.create("milk", "Milk").await;
    let other_text = stamp(&first).replace('Z', "000+00:00");
    let body = json!({"id": "milk", "title": "Oat milk", "_baseUpdatedAt": other_text});
    assert_eq!(server.put("milk", &[], &body).await.0, 200);
}

#[tokio::test]
async fn a_create_does_not_overwrite_what_lives_but_revives_what_is_deleted() {
    let server = Server::start().await;
    let milk = server.create("milk", "Milk").await;
    let again = json!({"id": "milk", "title": "Mine"});
    for headers in [&[CREATE][..], &[]] {
        let (status, body) = server.put("milk", headers, &again).await;
        assert_eq!((status, &body["current"]), (409, &milk), "{headers:?}");
    }
    assert_eq!(delete(&server, &milk).await.0, 200);
    let (status, revived) = server.put("milk", &[CREATE], &again).await;
    assert_eq!((status, &revived["deleted_at"]), (200, &Value::Null));
}

#[tokio::test]
async fn force_skips_the_check_and_messages_are_not_stored() {
    let server = Server::start().await;
    server.create("milk", "Milk").await;
    let body = json!({"id": "milk", "title": "Mine", "_baseUpdatedAt": "2020-01-01T00:00:00Z", "_other": 1});
    let (status, stored) = server.put("milk", &[FORCE], &body).await;
    assert_eq!((status, stored["title"].as_str()), (200, Some("Mine")));
    assert!(stored.get("_baseUpdatedAt").is_none() && stored.get("_other").is_none());
}

#[tokio::test]
async fn what_is_deleted_stays_as_a_tombstone_and_against_an_old_version_it_is_not_deleted() {
    let server = Server::start().await;
    let first = server.create("milk", "Milk").await;
    let second = edit(&server, &first, "Oat milk").await.1;
    let (status, body) = delete(&server, &first).await;
    assert_eq!((status, &body["current"]), (409, &second));
    let (status, tombstone) = delete(&server, &second).await;
    assert_eq!(status, 200);
    assert!(tombstone["deleted_at"].is_string());
    assert_eq!(server.get("milk").await, (200, tombstone.clone()));
    assert_eq!(
        server.list("includeDeleted=true").await,
        std::slice::from_ref(&tombstone)
    );
    assert_eq!(server.list("").await, [] as [Value; 0]);
    // Once more, against whatever: it is deleted, as was asked.
    let (status, again) = delete(&server, &first).await;
    assert_eq!((status, &again["title"]), (200, &tombstone["title"]));
    assert!(again["deleted_at"].is_string());
    assert_eq!(server.get("bread").await.0, 404);
}

#[tokio::test]
async fn the_same_key_gets_the_same_answer_and_takes_effect_once() {
    let server = Server::start().await;
    let body = json!({"id": "milk", "title": "Milk"});
    let first = server.put("milk", &[(KEY, "k1"), CREATE], &body).await;
    assert_eq!(first.0, 200);
    let edited = edit(&server, &first.1, "Oat milk").await.1;
    assert_eq!(
        server.put("milk", &[(KEY, "k1"), CREATE], &body).await,
        first
    );
    assert_eq!(server.get("milk").await.1, edited);
}

#[tokio::test]
async fn a_conflict_is_not_kept_under_its_key() {
    let server = Server::start().await;
    let milk = server.create("milk", "Milk").await;
    let body = json!({"id": "milk", "title": "Mine"});
    assert_eq!(
        server.put("milk", &[(KEY, "k1"), CREATE], &body).await.0,
        409
    );
    delete(&server, &milk).await;
    assert_eq!(
        server.put("milk", &[(KEY, "k1"), CREATE], &body).await.0,
        200
    );
}

#[tokio::test]
async fn stamps_grow_strictly_whatever_the_clock_says_and_order_the_list() {
    let server = Server::start().await;
    server.create("first", "x").await;
    // The machine's clock is set back by an hour.
    let file = server.file().await;
    let last = Utc::now() + TimeDelta::hours(1);
    let ahead = sqlx::query("UPDATE records SET stamp = ?").bind(last.timestamp_micros());
    ahead.execute(&file).await.unwrap();
    let mut stamps = vec![last.to_rfc3339_opts(SecondsFormat::Micros, true)];
    for number in 0..20 {
        stamps.push(stamp(&server.create(&format!("t{number}"), "x").await));
    }
    assert!(
        stamps.is_sorted_by(|earlier, later| earlier < later),
        "{stamps:?}"
    );
    let listed: Vec<String> = server.list("").await.iter().map(stamp).collect();
    assert_eq!(listed[1..], stamps[1..]);
}

#[tokio::test]
async fn a_keyset_brings_every_row_once_also_of_one_stamp() {
    let server = Server::start().await;
    let mut stored = Vec::new();
    for id in ["a", "b", "c", "d", "e"] {
        stored.push(server.create(id, "x").await);
    }
    let since = stamp(&stored[2]);
    let from_there = server.list(&format!("updatedSince={since}")).await;
    assert_eq!(from_there, stored[2..]);
    let file = server.file().await;
    let same = sqlx::query("UPDATE records SET stamp = 1");
    same.execute(&file).await.unwrap();
    let (mut after, mut seen) = (String::new(), Vec::new());
    loop {
        let query = format!("limit=2&updatedSince=1970-01-01T00:00:00.000001Z{after}");
        let page = server.list(&query).await;
        let Some(last) = page.last() else { break };
        after = format!("&afterId={}", last["id"].as_str().unwrap());
        seen.extend(page);
        assert!(seen.len() <= stored.len(), "rows come again: {seen:?}");
    }
    assert_eq!(seen, stored);
}

#[tokio::test]
async fn the_address_says_which_record_it_is() {
    let server = Server::start().await;
    let body = json!({"id": "bread", "title": "Milk"});
    assert_eq!(server.put("milk", &[], &body).await.1["id"], "milk");
    assert_eq!(server.get("bread").await.0, 404);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_json() {
    let server = Server::start().await;
    for (path, body) in [
        (
            "todos/milk",
            json!({"id": "milk", "_baseUpdatedAt": "yesterday"}),
        ),
        ("todos/milk", json!({"id": "milk", "_baseUpdatedAt": 17})),
        ("todos/milk", json!([])),
    ] {
        let (status, answer) = server.send(Method::PUT, path, &[], Some(&body)).await;
        assert!((400..500).contains(&status), "{body}: {status}");
        assert!(answer["error"].is_string(), "{body}: {answer}");
    }
    for query in ["limit=many", "updatedSince=yesterday"] {
        let path = format!("todos?{query}");
        let (status, answer) = server.send(Method::GET, &path, &[], None).await;
        assert_eq!(
            (status, answer["error"].is_string()),
            (400, true),
            "{query}"
        );
    }
}

#[tokio::test]
async fn every_answer_declares_what_the_server_does() {
    let server = Server::start().await;
    for path in ["health", "todos", "todos/none", "todos?limit=many"] {
        let answer = reqwest::get(format!("{}/{path}", server.url))
            .await
            .unwrap();
        assert_eq!(
            answer.headers()["x-sync-features"],
            "idempotency, if-absent",
            "{path}"
        );
    }
}

fn stamp(record: &Value) -> String {
    record["updated_at"].as_str().unwrap().to_owned()
}

async fn edit(server: &Server, seen: &Value, title: &str) -> (u16, Value) {
    let id = seen["id"].as_str().unwrap();
    let body = json!({"id": id, "title": title, "_baseUpdatedAt": stamp(seen)});
    server.put(id, &[], &body).await
}

async fn delete(server: &Server, seen: &Value) -> (u16, Value) {
    let path = format!(
        "todos/{}?_baseUpdatedAt={}",
        seen["id"].as_str().unwrap(),
        stamp(seen)
    );
    server.send(Method::DELETE, &path, &[], None).await
}
