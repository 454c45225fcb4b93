//! Answers that got lost: done once, never twice, and nothing moves backwards.

use std::time::Duration;

use serde_json::json;
use sync_core::{ConflictStrategy, Fate, SyncOptions};
use sync_testkit::{Deletion, Fault, MockServer, Route};

use crate::setup::{NOTES, Setup, assert_fields, converge, device, seed_note, server_with_note};

/// Servers that remember keys, and servers that do not look at them.
async fn servers() -> Vec<MockServer> {
    let mut servers = Vec::new();
    for ignore in [false, true] {
        let server = MockServer::builder()
            .ignore_keys(ignore)
            .start()
            .await
            .unwrap();
        seed_note(&server);
        servers.push(server);
    }
    servers.push(MockServer::builder().extended().start().await.unwrap());
    seed_note(servers.last().unwrap());
    servers
}

#[tokio::test]
async fn e2e_an_edit_whose_answer_was_lost_is_not_applied_twice() {
    for server in servers().await {
        let here = device(&server).await;
        here.sync_fully().await;
        here.edit("n1", json!({"mood": 5})).await;
        let push_only = SyncOptions::default().no_pull();
        let lost = server.fault(Fault::drop_after()).on(Route::Push);
        here.engine.sync_with(push_only).await.unwrap();
        assert_eq!(lost.hits(), 1);
        let key = here.ops().await[0].idempotency_key();
        here.wait();
        let report = here.sync_fully().await;
        assert_eq!((report.stats.pushed, report.stats.conflicts), (1, 0));
        assert_eq!(
            (server.applied(&key), server.applied_to(NOTES, "n1")),
            (1, 1)
        );
        converge(&server, &[&here]).await;
    }
}

#[tokio::test]
async fn e2e_a_pull_recognises_what_a_lost_answer_did() {
    for server in servers().await {
        let here = device(&server).await;
        here.sync_fully().await;
        here.edit("n1", json!({"mood": 5})).await;
        let lost = server.fault(Fault::drop_after()).on(Route::Push);
        let report = here.sync().await;
        assert_eq!(
            (lost.hits(), report.pending, report.stats.pushed),
            (1, 0, 1)
        );
        assert_eq!(server.applied_to(NOTES, "n1"), 1);
        converge(&server, &[&here]).await;
    }
}

#[tokio::test]
async fn e2e_a_lost_answer_does_not_move_the_record_backwards() {
    for server in servers().await {
        let here = device(&server).await;
        here.sync_fully().await;
        here.edit("n1", json!({"mood": 5})).await;
        let lost = server.fault(Fault::drop_after()).on(Route::Push);
        let push_only = SyncOptions::default().no_pull();
        here.engine.sync_with(push_only.clone()).await.unwrap();
        assert_eq!(lost.hits(), 1);
        server.update(NOTES, "n1", json!({"body": "theirs", "energy": 2}));
        here.wait();
        let report = here.engine.sync_with(push_only).await.unwrap();
        assert_eq!((report.stats.conflicts, report.pending), (0, 0));
        let wanted = json!({"mood": 5, "body": "theirs", "energy": 2});
        here.wait();
        here.sync_fully().await;
        assert_fields(here.live("n1").await.as_ref(), &wanted);
        assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
        assert_eq!(server.applied_to(NOTES, "n1"), 1);
        converge(&server, &[&here]).await;
    }
}

#[tokio::test]
async fn hazard_e49_a_create_whose_answer_was_lost_is_there_once() {
    for server in servers().await {
        let here = device(&server).await;
        here.sync_fully().await;
        here.create("n2", json!({"title": "new"})).await;
        let lost = server.fault(Fault::drop_after()).on(Route::Push);
        let push_only = SyncOptions::default().no_pull();
        here.engine.sync_with(push_only).await.unwrap();
        assert_eq!(lost.hits(), 1);
        server.update(NOTES, "n2", json!({"colour": "red"}));
        here.wait();
        let report = here.sync_fully().await;
        assert_eq!(report.stats.conflicts, 0);
        assert_eq!(server.applied_to(NOTES, "n2"), 1);
        converge(&server, &[&here]).await;
        assert_fields(
            server.get(NOTES, "n2").as_ref(),
            &json!({"title": "new", "colour": "red"}),
        );
    }
}

#[tokio::test]
async fn e2e_a_delete_whose_answer_was_lost_is_no_conflict() {
    for deletion in [Deletion::Tombstone, Deletion::Hidden, Deletion::Hard] {
        for ignore in [false, true] {
            let builder = MockServer::builder().ignore_keys(ignore).deletion(deletion);
            let server = builder.start().await.unwrap();
            seed_note(&server);
            let here = device(&server).await;
            here.sync_fully().await;
            here.delete("n1").await;
            let lost = server.fault(Fault::drop_after()).on(Route::Push);
            let push_only = SyncOptions::default().no_pull();
            here.engine.sync_with(push_only).await.unwrap();
            assert_eq!(lost.hits(), 1);
            here.wait();
            let report = here.sync_fully().await;
            assert_eq!(report.stats.conflicts, 0, "{deletion:?}");
            assert_eq!(server.applied_to(NOTES, "n1"), 1);
            converge(&server, &[&here]).await;
        }
    }
}

#[tokio::test]
async fn e2e_an_edit_behind_a_lost_answer_follows_it() {
    for server in servers().await {
        let here = device(&server).await;
        here.sync_fully().await;
        here.edit("n1", json!({"mood": 5})).await;
        let lost = server.fault(Fault::drop_after()).on(Route::Push);
        let push_only = SyncOptions::default().no_pull();
        here.engine.sync_with(push_only).await.unwrap();
        assert_eq!(lost.hits(), 1);
        here.edit("n1", json!({"energy": 6})).await;
        assert_eq!(here.ops().await.len(), 2);
        server.update(NOTES, "n1", json!({"body": "theirs"}));
        converge(&server, &[&here]).await;
        let wanted = json!({"mood": 5, "energy": 6, "body": "theirs"});
        assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
        assert_eq!(server.applied_to(NOTES, "n1"), 2);
    }
}

#[tokio::test]
async fn e2e_a_late_answer_yields_to_what_a_pull_has_brought_since() {
    for ignore in [false, true] {
        let builder = MockServer::builder().ignore_keys(ignore);
        let server = builder.start().await.unwrap();
        seed_note(&server);
        let here = Setup::new(&server)
            .strategy(ConflictStrategy::ServerWins)
            .open()
            .await;
        here.sync_fully().await;
        here.edit("n1", json!({"mood": 5})).await;
        let push_only = SyncOptions::default().no_pull();
        server.fault(Fault::drop_after()).on(Route::Push);
        here.engine.sync_with(push_only.clone()).await.unwrap();
        server.update(NOTES, "n1", json!({"mood": 1}));
        let pull_only = SyncOptions::default().no_push();
        here.engine.sync_with(pull_only).await.unwrap();
        here.wait();
        let report = here.engine.sync_with(push_only).await.unwrap();
        assert_eq!(report.pending, 0);
        assert_fields(here.live("n1").await.as_ref(), &json!({"mood": 1}));
    }
}

#[tokio::test]
async fn hazard_e06_edits_take_effect_in_the_order_of_writing_whatever_the_clock_says() {
    for fault in [Fault::drop_before(), Fault::drop_after()] {
        let server = server_with_note().await;
        let here = device(&server).await;
        here.sync_fully().await;
        here.edit("n1", json!({"mood": 5})).await;
        let push_only = SyncOptions::default().no_pull();
        server.fault(fault).on(Route::Push);
        here.engine.sync_with(push_only).await.unwrap();
        let an_hour_ago = here.world.env().now().minus(Duration::from_secs(3600));
        here.world.set_wall(&an_hour_ago);
        here.edit("n1", json!({"mood": 6})).await;
        assert_eq!(here.ops().await.len(), 2);
        converge(&server, &[&here]).await;
        assert_fields(here.live("n1").await.as_ref(), &json!({"mood": 6}));
    }
}

#[tokio::test]
async fn e2e_a_repeat_that_meets_another_value_of_the_same_field_is_a_conflict_with_its_event() {
    let builder = MockServer::builder().ignore_keys(true);
    let server = builder.start().await.unwrap();
    seed_note(&server);
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    let push_only = SyncOptions::default().no_pull();
    server.fault(Fault::drop_after()).on(Route::Push);
    here.engine.sync_with(push_only).await.unwrap();
    server.update(NOTES, "n1", json!({"mood": 1}));
    here.wait();
    let report = here.sync_fully().await;
    assert_eq!(report.stats.conflicts, 1);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn e2e_broken_json_leaves_the_operation_of_unknown_fate() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    server
        .fault(Fault::invalid_json().after_work())
        .on(Route::Push);
    let push_only = SyncOptions::default().no_pull();
    here.engine.sync_with(push_only).await.unwrap();
    let op = here.ops().await.pop().unwrap();
    assert_eq!((op.fate, op.try_count), (Fate::Unknown, 0));
    here.wait();
    here.sync_fully().await;
    assert_eq!(server.applied_to(NOTES, "n1"), 1);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn e2e_one_lost_answer_is_repeated_in_the_same_run_where_keys_are_honoured() {
    let builder = MockServer::builder().features(&["idempotency"]);
    let server = builder.start().await.unwrap();
    seed_note(&server);
    let here = Setup::new(&server)
        .config(|config| config.with_max_retries(3))
        .open()
        .await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    server.fault(Fault::drop_after()).on(Route::Push);
    let report = here.sync_fully().await;
    assert_eq!(report.stats.pushed, 1);
    assert_eq!(server.applied_to(NOTES, "n1"), 1);
    assert_eq!(server.pushes().len(), 2);
    converge(&server, &[&here]).await;
}
