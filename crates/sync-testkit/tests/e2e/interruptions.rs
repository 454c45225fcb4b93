//! Pulls that were cut off, and what goes on afterwards.

use std::sync::Arc;

use futures::StreamExt;
use serde_json::{Value, json};
use sync_core::SyncEvent;
use sync_testkit::{Fault, MockServer, Route};
use tokio::sync::Notify;

use crate::setup::{NOTES, Setup, converge, many, seed_note};

#[tokio::test]
async fn e2e_a_page_token_that_the_server_has_forgotten_starts_the_chain_anew() {
    let server = MockServer::start().await.unwrap();
    server.seed(NOTES, many(25)).unwrap();
    let here = Setup::new(&server)
        .table(|table| table.page_size(10))
        .open()
        .await;
    server.fault(Fault::drop_before()).on(Route::Pull).skip(1);
    assert!(!here.engine.sync().await.unwrap().is_complete());
    server
        .fault(Fault::json(400, json!({"error": "unknown page token"})))
        .on(Route::Pull);
    here.sync_fully().await;
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn hazard_e28_a_run_that_dies_between_two_pages_skips_no_row() {
    for tokens in [true, false] {
        let server = MockServer::builder()
            .page_tokens(tokens)
            .start()
            .await
            .unwrap();
        let old = |mut note: Value| {
            note["updated_at"] = json!("2025-06-01T00:00:00Z");
            note
        };
        server.seed(NOTES, many(25).into_iter().map(old)).unwrap();
        let here = Setup::new(&server)
            .table(|table| table.page_size(10))
            .open()
            .await;
        let asked = Arc::new(Notify::new());
        let second_page = asked.clone();
        server
            .fault(Fault::behave(move |settings| {
                second_page.notify_one();
                settings
            }))
            .on(Route::Pull)
            .skip(1);
        tokio::select! {
            biased;
            () = asked.notified() => {}
            _ = here.engine.sync() => panic!("the run was not to end"),
        }
        here.sync_fully().await;
        assert_eq!(here.count("SELECT COUNT(*) FROM notes").await, 25);
    }
}

#[tokio::test]
async fn e2e_a_filter_that_changes_before_the_first_pull_ended_begins_anew() {
    let server = MockServer::builder()
        .filter_by("mood")
        .start()
        .await
        .unwrap();
    server.seed(NOTES, many(25)).unwrap();
    for row in 0..25 {
        server.update(NOTES, &format!("n{row:05}"), json!({"mood": row % 2}));
    }
    let first = Setup::new(&server)
        .table(|table| table.page_size(5).filter("mood", "0"))
        .open()
        .await;
    server.fault(Fault::drop_before()).on(Route::Pull).skip(1);
    assert!(!first.engine.sync().await.unwrap().is_complete());
    let folder = first.folder.clone();
    first.store.close().await.unwrap();
    drop(first);

    let second = Setup::new(&server)
        .file_of(folder)
        .table(|table| table.page_size(5).filter("mood", "1"))
        .open()
        .await;
    second.sync_fully().await;
    let moods: Vec<i64> = sqlx::query_scalar("SELECT DISTINCT mood FROM notes")
        .fetch_all(second.store.pool())
        .await
        .unwrap();
    assert_eq!(moods, [1], "the first filter's rows are gone");
    let rows: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM notes")
        .fetch_one(second.store.pool())
        .await
        .unwrap();
    assert_eq!(rows, 12, "none of the second filter's rows was skipped");
}

#[tokio::test]
async fn e2e_a_full_page_in_no_order_and_without_a_token_is_an_error_not_a_gap() {
    let server = MockServer::start().await.unwrap();
    let here = Setup::new(&server)
        .table(|table| table.page_size(2))
        .open()
        .await;
    let row = |id: &str, second: u32| json!({"id": id, "title": id, "updated_at": format!("2025-01-01T00:00:{second:02}Z")});
    let page = json!({"items": [row("a", 9), row("b", 3)]});
    server.fault(Fault::json(200, page)).on(Route::Pull);
    let report = here.engine.sync().await.unwrap();
    let failure = report.pull_failures.values().next().unwrap();
    assert!(failure.contains("order"), "{failure}");
}

#[tokio::test]
async fn e2e_one_row_that_cannot_be_confirmed_does_not_hold_up_a_full_resync() {
    let server = MockServer::start().await.unwrap();
    server.seed(NOTES, many(25)).unwrap();
    let here = Setup::new(&server).open().await;
    here.sync_fully().await;
    server.purge(NOTES, "n00003");
    server.purge(NOTES, "n00007");
    server
        .fault(Fault::status(403))
        .on(Route::Fetch)
        .only(NOTES, "n00003")
        .always();
    assert!(here.engine.full_resync(false).await.unwrap().is_complete());
    assert!(
        here.live("n00003").await.is_some(),
        "nobody confirmed that it is gone"
    );
    assert!(here.live("n00007").await.is_none());
}

#[tokio::test]
async fn hazard_e27_an_answer_stamped_in_the_far_future_does_not_freeze_its_record() {
    let server = MockServer::start().await.unwrap();
    seed_note(&server);
    let here = Setup::new(&server).open().await;
    here.sync_fully().await;
    here.edit("n1", json!({"title": "edited here"})).await;
    let answer = json!({"id": "n1", "title": "edited here", "updated_at": "9999-01-01T00:00:00Z"});
    server
        .fault(Fault::json(200, answer).after_work())
        .on(Route::Push);
    here.engine.sync().await.unwrap();
    server.update(NOTES, "n1", json!({"title": "edited there"}));
    here.sync_fully().await;
    assert_eq!(here.live("n1").await.unwrap()["title"], "edited there");
}

#[tokio::test]
async fn hazard_e39_an_edit_is_sent_soon_without_waiting_for_the_interval() {
    let server = MockServer::start().await.unwrap();
    let here = Setup::new(&server).open().await;
    let mut events = here.engine.events();
    here.engine.start_auto();
    while !matches!(events.next().await, Some(SyncEvent::SyncCompleted { .. })) {}
    here.create("a", json!({"title": "soon"})).await;
    while !matches!(events.next().await, Some(SyncEvent::OperationPushed { .. })) {}
    here.engine.stop_auto();
    assert_eq!(server.get(NOTES, "a").unwrap()["title"], "soon");
}

#[tokio::test]
async fn e2e_a_change_elsewhere_arrives_without_waiting_for_the_interval() {
    let server = MockServer::start().await.unwrap();
    seed_note(&server);
    let here = Setup::new(&server).open().await;
    let mut events = here.engine.events();
    here.engine.start_auto();
    // The first run, and the one that looks for what changed before the channel was open.
    for _ in 0..2 {
        while !matches!(events.next().await, Some(SyncEvent::SyncCompleted { .. })) {}
    }
    server.update(NOTES, "n1", json!({"title": "elsewhere"}));
    while !matches!(events.next().await, Some(SyncEvent::CacheUpdate { .. })) {}
    here.engine.stop_auto();
    assert_eq!(here.live("n1").await.unwrap()["title"], "elsewhere");
}
