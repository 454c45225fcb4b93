//! Tombstones, and answers kept by idempotency key.

use serde_json::{Value, json};
use sync_testkit::{Deletion, MockServer};

use crate::push::with_record;
use crate::support::Http;

#[tokio::test]
async fn a_deletion_leaves_a_tombstone_that_conflicts_and_can_be_brought_back() {
    let (server, http, base) = with_record().await;
    let deleted = http
        .delete("/todos/e1", &[("_baseUpdatedAt", base.as_str().unwrap())])
        .await;
    assert_eq!(deleted.status, 200);
    assert_eq!(deleted.body["deleted_at"], deleted.stamp());
    assert_eq!(server.tombstone("todos", "e1"), Some(deleted.body.clone()));
    assert_eq!(server.get("todos", "e1"), None);
    assert_eq!(http.get("/todos/e1").await.body, deleted.body);

    let stale = http
        .put(
            "/todos/e1",
            &json!({"title": "Soy", "_baseUpdatedAt": base}),
        )
        .await;
    assert_eq!((stale.status, &stale.body["current"]), (409, &deleted.body));
    let silent = json!({"title": "Soy", "_baseUpdatedAt": deleted.stamp()});
    assert_eq!(http.put("/todos/e1", &silent).await.status, 409);
    let undelete = json!({"title": "Soy", "deleted_at": null, "_baseUpdatedAt": deleted.stamp()});
    let revived = http.put("/todos/e1", &undelete).await;
    assert_eq!(
        (revived.status, &revived.body["deleted_at"]),
        (201, &Value::Null)
    );
    assert!(server.get("todos", "e1").is_some());
}

#[tokio::test]
async fn a_server_that_does_not_revive_answers_with_its_tombstone() {
    let server = MockServer::builder().revives(false).start().await.unwrap();
    server.update("todos", "e1", json!({"n": 1}));
    assert!(server.delete("todos", "e1"));
    let tombstone = server.tombstone("todos", "e1").unwrap();
    let base = tombstone["updated_at"].clone();
    let undelete = json!({"deleted_at": null, "_baseUpdatedAt": base});
    let got = Http::to(&server).put("/todos/e1", &undelete).await;
    assert_eq!((got.status, &got.body["current"]), (409, &tombstone));
}

#[tokio::test]
async fn hidden_and_hard_deletions_answer_404() {
    for deletion in [Deletion::Hidden, Deletion::Hard] {
        let server = MockServer::builder()
            .deletion(deletion)
            .start()
            .await
            .unwrap();
        let http = Http::to(&server);
        let base = server.update("todos", "e1", json!({"n": 1}))["updated_at"].clone();
        server.delete("todos", "e1");
        assert_eq!(http.get("/todos/e1").await.status, 404);
        assert_eq!(
            http.put("/todos/e1", &json!({"_baseUpdatedAt": base}))
                .await
                .status,
            404
        );
        let listed = http.get("/todos").await.ids().len();
        assert_eq!(
            listed,
            usize::from(deletion == Deletion::Hidden),
            "{deletion:?}"
        );
    }
}

#[tokio::test]
async fn an_accepted_answer_is_replayed_under_its_key_and_a_conflict_is_not() {
    let (server, http, base) = with_record().await;
    let key = [("x-idempotency-key", "k1")];
    let sent = json!({"title": "Soy", "_baseUpdatedAt": base});
    let first = http.put_with("/todos/e1", &sent, &key).await;
    server.update("todos", "e1", json!({"title": "Later"}));
    let again = http.put_with("/todos/e1", &sent, &key).await;
    assert_eq!((again.status, again.body), (200, first.body));
    assert_eq!(
        (server.applied("k1"), server.applied_to("todos", "e1")),
        (1, 1)
    );

    let key = [("x-idempotency-key", "k2")];
    assert_eq!(http.put_with("/todos/e1", &sent, &key).await.status, 409);
    let rebased =
        json!({"title": "Soy", "_baseUpdatedAt": server.get("todos", "e1").unwrap()["updated_at"]});
    assert_eq!(http.put_with("/todos/e1", &rebased, &key).await.status, 200);
    assert_eq!(server.reused_keys(), ["k2"]);
}

#[tokio::test]
async fn keys_can_be_ignored_and_conflicts_be_stored() {
    let (server, http, base) = with_record().await;
    server.reconfigure(|settings| settings.ignore_keys(true));
    let key = [("x-idempotency-key", "k1")];
    for _ in 0..2 {
        http.put_with("/todos/e1", &json!({"title": "Soy"}), &key)
            .await;
    }
    assert_eq!(server.applied("k1"), 2);

    server.reconfigure(|settings| settings.ignore_keys(false).store_conflicts(true));
    let key = [("x-idempotency-key", "k2")];
    for sent in [
        json!({"_baseUpdatedAt": base}),
        json!({"title": "unconditional"}),
    ] {
        assert_eq!(http.put_with("/todos/e1", &sent, &key).await.status, 409);
    }
}
