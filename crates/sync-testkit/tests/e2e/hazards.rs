//! Hazards of the Dart original (`docs/hazards.md`) that no other test here answers.

use std::collections::BTreeSet;

use futures::StreamExt;
use serde_json::{Value, json};
use sync_core::{SyncEvent, SyncPhase};
use sync_testkit::{Fault, MockServer, Route};

use crate::setup::{
    Device, NOTES, Setup, assert_fields, converge, device, many, seed_note, server_with_note,
};

/// A server that takes batches and declares no keys.
async fn batching() -> MockServer {
    let builder = MockServer::builder().features(&["if-absent"]);
    builder.start().await.unwrap()
}

/// The ids of each batch.
fn batches(server: &MockServer) -> Vec<Vec<String>> {
    let id = |op: &Value| op["id"].as_str().unwrap().to_owned();
    let ids = |body: &Value| body["ops"].as_array().unwrap().iter().map(id).collect();
    let pushes = server.pushes().into_iter();
    pushes
        .filter_map(|push| {
            Some(ids(push
                .body
                .as_ref()
                .filter(|body| body["ops"].is_array())?))
        })
        .collect()
}

#[tokio::test]
async fn hazard_e07_of_one_entity_nothing_overtakes_an_operation_in_conflict_within_a_batch() {
    let server = batching().await;
    seed_note(&server);
    let setup = Setup::new(&server).table(|table| table.coalesce(false));
    let here = setup.rest(|rest| rest.batch(true)).open().await;
    here.sync_fully().await;
    server.update(NOTES, "n1", json!({"body": "theirs"}));
    for mood in 5..8 {
        here.edit("n1", json!({"mood": mood})).await;
        here.create(&format!("c{mood}"), json!({"title": "new"}))
            .await;
    }
    here.sync_fully().await;
    for batch in batches(&server) {
        let distinct: BTreeSet<&String> = batch.iter().collect();
        assert_eq!(distinct.len(), batch.len(), "one entity twice in {batch:?}");
    }
    let wanted = json!({"mood": 7, "body": "theirs"});
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn hazard_e08_a_merge_does_not_cover_what_came_after_the_conflict() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    server.update(NOTES, "n1", json!({"body": "second"}));
    here.edit("n1", json!({"mood": 5})).await;
    let gate = server.hold_answer(Route::Put);
    let third = async {
        gate.arrived().await;
        server.update(NOTES, "n1", json!({"title": "third"}));
        gate.release();
    };
    let (report, ()) = tokio::join!(here.sync(), third);
    assert_eq!(report.pending, 0, "{report:?}");
    let wanted = json!({"mood": 5, "body": "second", "title": "third"});
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn hazard_e10_an_edit_made_while_a_merge_is_pushed_reverts_nothing_of_it() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    server.update(NOTES, "n1", json!({"body": "theirs"}));
    let pull_only = sync_core::SyncOptions::default().no_push();
    here.engine.sync_with(pull_only).await.unwrap();
    let gate = server.hold_answer(Route::Put);
    let meanwhile = async {
        gate.arrived().await;
        here.edit("n1", json!({"energy": 9})).await;
        gate.release();
    };
    tokio::join!(here.sync(), meanwhile);
    converge(&server, &[&here]).await;
    let wanted = json!({"mood": 5, "body": "theirs", "energy": 9});
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
}

#[tokio::test]
async fn hazard_e14_an_operation_that_cannot_be_read_is_built_anew_from_its_row() {
    for spoilt in [
        "payload = 'no JSON'",
        "payload = 'no JSON', ever_sent = 1",
        "changed = '5'",
        "fate = 'what?'",
    ] {
        let server = server_with_note().await;
        let here = device(&server).await;
        here.sync_fully().await;
        here.edit("n1", json!({"mood": 5})).await;
        here.create("n2", json!({"title": "new"})).await;
        server.update(NOTES, "n1", json!({"body": "theirs"}));
        let sql = format!("UPDATE sync_outbox SET {spoilt}");
        let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
        sql.execute(here.store.pool()).await.unwrap();
        here.create("n3", json!({"title": "another"})).await;
        let noted = &here.ops().await[0].last_error;
        assert!(noted.as_ref().unwrap().contains("could not be read"));
        here.sync().await;
        let wanted = json!({"mood": 5, "body": "theirs"});
        assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
        converge(&server, &[&here]).await;
        assert_eq!(server.all(NOTES).len(), 3);
    }
}

#[tokio::test]
async fn hazard_e17_any_number_of_stuck_operations_is_listed_and_retried() {
    let server = MockServer::start().await.unwrap();
    let setup = Setup::new(&server).config(|config| config.with_max_outbox_try_count(1));
    let here = setup.open().await;
    let refusal = server.fault(Fault::status(403)).on(Route::Push).always();
    create_many(&here, 150).await;
    assert_eq!(here.sync().await.stuck, 150);
    assert_eq!(here.engine.outbox().stuck().await.unwrap().len(), 150);
    refusal.remove();
    assert_eq!(here.engine.outbox().retry_all().await.unwrap(), 150);
    assert_eq!(here.sync_fully().await.stats.pushed, 150);
}

async fn create_many(here: &Device, count: usize) {
    for number in 0..count {
        here.create(&format!("c{number}"), json!({"title": "new"}))
            .await;
    }
}

#[tokio::test]
async fn hazard_e18_pages_of_any_size_stay_within_what_a_statement_may_hold() {
    const ROWS: usize = 3000;
    let server = batching().await;
    server.seed(NOTES, many(ROWS)).unwrap();
    let setup = Setup::new(&server).config(|config| config.with_page_size(40_000));
    let here = setup.rest(|rest| rest.batch(true)).open().await;
    here.sync_fully().await;
    assert_eq!(here.all().await.len(), ROWS);
    create_many(&here, 1100).await;
    assert_eq!(here.sync_fully().await.stats.pushed, 1100);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn hazard_e36_a_failed_automatic_run_is_told_and_followed_by_another() {
    let server = server_with_note().await;
    let fault = server.fault(Fault::status(500)).on(Route::Pull).always();
    let here = device(&server).await;
    let mut events = here.engine.events();
    here.engine.start_auto();
    while !matches!(events.next().await, Some(SyncEvent::SyncError { .. })) {}
    fault.remove();
    while !matches!(events.next().await, Some(SyncEvent::CacheUpdate { .. })) {}
    here.engine.stop_auto();
    assert!(here.live("n1").await.is_some());
}

#[tokio::test]
async fn hazard_e38_automatic_runs_that_begin_offline_work_once_there_is_a_network() {
    let server = server_with_note().await;
    server.set_online(false).await.unwrap();
    let here = device(&server).await;
    let mut events = here.engine.events();
    here.engine.start_auto();
    while !matches!(events.next().await, Some(SyncEvent::SyncError { .. })) {}
    here.create("a", json!({"title": "written offline"})).await;
    server.set_online(true).await.unwrap();
    while !matches!(events.next().await, Some(SyncEvent::OperationPushed { .. })) {}
    here.engine.stop_auto();
    assert!(server.get(NOTES, "a").is_some());
}

/// The phases of the failures that were told.
fn failed_phases(here: &Device) -> Vec<SyncPhase> {
    let phase = |event| match event {
        SyncEvent::SyncError { phase, .. } => Some(phase),
        _ => None,
    };
    here.events().into_iter().filter_map(phase).collect()
}

#[tokio::test]
async fn hazard_e40_a_failure_is_told_once_with_the_half_in_which_it_happened() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    let busy = server.fault(Fault::status(503)).on(Route::Put).always();
    here.sync().await;
    assert_eq!(failed_phases(&here), [SyncPhase::Push]);
    busy.remove();
    here.wait();
    server.fault(Fault::invalid_json()).on(Route::Pull).always();
    let report = here.sync().await;
    assert_eq!((report.stats.pushed, report.pending), (1, 0));
    assert_eq!(failed_phases(&here), [SyncPhase::Pull]);
}

async fn execute(here: &Device, sql: &'static str) {
    let sql = sqlx::raw_sql(sql);
    sql.execute(here.store.pool()).await.unwrap();
}

#[tokio::test]
async fn hazard_e41_nothing_is_told_before_it_is_committed() {
    let server = server_with_note().await;
    let here = device(&server).await;
    execute(
        &here,
        "CREATE TRIGGER no_cursor BEFORE INSERT ON sync_cursors WHEN NEW.kind = 'notes' \
         BEGIN SELECT RAISE(ABORT, 'the page fails'); END",
    )
    .await;
    // The page's rows are written, its cursor is not: the transaction fails as a whole.
    let _ = here.engine.sync().await;
    let names = here.event_names();
    assert!(!names.contains(&"CacheUpdate".to_owned()), "{names:?}");
    assert_eq!(here.live("n1").await, None);
    execute(&here, "DROP TRIGGER no_cursor").await;
    here.sync_fully().await;

    here.edit("n1", json!({"mood": 5})).await;
    execute(
        &here,
        "CREATE TRIGGER no_ack BEFORE DELETE ON sync_outbox \
         BEGIN SELECT RAISE(ABORT, 'the settle fails'); END",
    )
    .await;
    let _ = here.events();
    let _ = here.engine.sync().await;
    let names = here.event_names();
    assert!(!names.contains(&"OperationPushed".to_owned()), "{names:?}");
    assert_eq!(here.ops().await.len(), 1);
    execute(&here, "DROP TRIGGER no_ack").await;
    here.wait();
    here.sync_fully().await;
    let told = here.event_names();
    let told = told.iter().filter(|name| *name == "OperationPushed");
    assert_eq!(told.count(), 1);
}
