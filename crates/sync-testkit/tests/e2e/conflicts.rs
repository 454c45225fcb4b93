//! Conflicts that take their time: deferred, edited again, or never at rest.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use sync_core::{ConflictStrategy, OpStatus, Record, SyncOptions};
use sync_testkit::{Fault, MockServer, Route, StampStyle};

use crate::setup::{
    Device, NOTES, Setup, assert_fields, converge, device, entity, kind, seed_note,
    server_with_note,
};

/// Has edited n1 where somebody else did too.
pub(crate) async fn in_conflict(server: &MockServer, setup: Setup) -> Device {
    let here = setup.open().await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    server.update(NOTES, "n1", json!({"body": "theirs"}));
    server.clear_recorded();
    here
}

pub(crate) fn manual(server: &MockServer) -> Setup {
    Setup::new(server).strategy(ConflictStrategy::Manual)
}

#[tokio::test]
async fn hazard_e01_a_deferred_conflict_does_not_loop() {
    let server = server_with_note().await;
    let here = in_conflict(&server, manual(&server)).await;
    for _ in 0..5 {
        let report = here.sync().await;
        assert_eq!(
            (report.open_conflicts, report.pending, report.stuck),
            (1, 1, 0)
        );
        here.wait();
    }
    assert_eq!(server.pushes().len(), 1);
    assert_eq!(server.fetches().len(), 0);
    assert_fields(
        here.live("n1").await.as_ref(),
        &json!({"mood": 5, "body": "base"}),
    );
    let names = here.event_names();
    let count = |name: &str| names.iter().filter(|other| *other == name).count();
    assert_eq!(
        (count("ConflictDetected"), count("ConflictUnresolved")),
        (1, 1)
    );
}

#[tokio::test]
async fn e2e_a_record_that_changes_at_every_attempt_is_left_to_the_next_run() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    let (other, count) = (server.clone(), AtomicUsize::new(0));
    let restless = server
        .fault(Fault::behave(move |settings| {
            let number = count.fetch_add(1, Ordering::SeqCst);
            other.update(NOTES, "n1", json!({"energy": number}));
            settings
        }))
        .on(Route::Push)
        .always();
    let report = here.sync().await;
    assert_eq!((report.pending, report.stuck), (1, 0));
    assert_eq!(
        server.pushes().len(),
        4,
        "the first attempt and three rounds"
    );
    assert!(
        here.event_names()
            .contains(&"ConflictUnresolved".to_owned())
    );
    restless.remove();
    converge(&server, &[&here]).await;
    assert_fields(
        server.get(NOTES, "n1").as_ref(),
        &json!({"mood": 5, "energy": 3}),
    );
}

#[tokio::test]
async fn e2e_a_precondition_that_cannot_be_met_is_forced_once_and_named() {
    let builder = MockServer::builder()
        .stamps(StampStyle::Millis)
        .hidden_precision(true);
    let server = builder.start().await.unwrap();
    seed_note(&server);
    let (here, there) = (device(&server).await, device(&server).await);
    for device in [&here, &there] {
        device.sync_fully().await;
    }
    there.edit("n1", json!({"body": "theirs"})).await;
    there.sync_fully().await;
    for mood in 5..8 {
        here.edit("n1", json!({"mood": mood})).await;
        here.sync_fully().await;
    }
    let names = here.event_names();
    assert!(
        names.contains(&"PreconditionUnreliable".to_owned()),
        "{names:?}"
    );
    converge(&server, &[&here, &there]).await;
    assert_fields(
        server.get(NOTES, "n1").as_ref(),
        &json!({"mood": 7, "body": "theirs"}),
    );
}

#[tokio::test]
async fn e2e_the_same_edit_on_both_sides_is_no_conflict() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    server.update(NOTES, "n1", json!({"mood": 5}));
    let report = here.sync_fully().await;
    assert_eq!(report.stats.conflicts, 0);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn e2e_a_server_edit_that_changed_nothing_is_no_conflict() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    server.update(NOTES, "n1", json!({}));
    here.engine
        .sync_with(SyncOptions::default().no_push())
        .await
        .unwrap();
    let report = here.sync_fully().await;
    assert_eq!(report.stats.conflicts, 0);
    converge(&server, &[&here]).await;
    assert_fields(server.get(NOTES, "n1").as_ref(), &json!({"mood": 5}));
}

#[tokio::test]
async fn e2e_a_pulled_edit_is_merged_before_the_first_push() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    server.update(NOTES, "n1", json!({"body": "theirs"}));
    here.engine
        .sync_with(SyncOptions::default().no_push())
        .await
        .unwrap();
    server.clear_recorded();
    let report = here.sync_fully().await;
    assert_eq!((report.stats.conflicts, server.pushes().len()), (1, 1));
    converge(&server, &[&here]).await;
    assert_fields(
        server.get(NOTES, "n1").as_ref(),
        &json!({"mood": 5, "body": "theirs"}),
    );
}

#[tokio::test]
async fn e2e_a_discarded_edit_gives_way_to_the_servers_record() {
    let server = server_with_note().await;
    let here = in_conflict(&server, manual(&server)).await;
    here.sync().await;
    let discarded = here
        .engine
        .outbox()
        .discard(&kind(), &entity("n1"))
        .await
        .unwrap();
    assert_eq!(
        (discarded.op_ids.len(), discarded.maybe_applied),
        (1, false)
    );
    assert_fields(here.live("n1").await.as_ref(), &json!({"mood": 3}));
    assert_eq!(here.engine.conflicts().open().await.unwrap(), []);
    assert!(
        here.event_names()
            .contains(&"OperationsDiscarded".to_owned())
    );
    converge(&server, &[&here]).await;
    assert_fields(
        server.get(NOTES, "n1").as_ref(),
        &json!({"mood": 3, "body": "theirs"}),
    );
}

#[tokio::test]
async fn e2e_the_edit_of_one_table_is_settled_by_that_tables_strategy() {
    let server = server_with_note().await;
    server
        .seed("labels", [json!({"id": "l1", "name": "red"})])
        .unwrap();
    let setup = Setup::new(&server)
        .table(|table| table.strategy(ConflictStrategy::ServerWins))
        .config(|config| config.with_conflict_strategy(ConflictStrategy::ClientWins));
    let here = setup.with_labels().open().await;
    here.sync_fully().await;
    let labels = here.engine.records("labels").unwrap();
    let mine = json!({"id": "l1", "name": "mine"});
    labels
        .replace(Record::try_from(mine).unwrap())
        .await
        .unwrap();
    here.edit("n1", json!({"mood": 5})).await;
    server.update("labels", "l1", json!({"name": "theirs"}));
    server.update(NOTES, "n1", json!({"mood": 1}));
    here.sync_fully().await;
    assert_fields(
        server.get("labels", "l1").as_ref(),
        &json!({"name": "mine"}),
    );
    assert_fields(here.live("n1").await.as_ref(), &json!({"mood": 1}));
}

#[tokio::test]
async fn e2e_a_deferred_operation_takes_part_again_when_it_is_edited() {
    let server = server_with_note().await;
    let here = in_conflict(&server, manual(&server)).await;
    here.sync().await;
    assert_eq!(here.ops().await[0].status, OpStatus::Deferred);
    here.edit("n1", json!({"energy": 1})).await;
    let ops = here.ops().await;
    assert_eq!((ops.len(), ops[0].status), (1, OpStatus::Pending));
    let report = here.sync().await;
    assert_eq!(report.open_conflicts, 1);
}

#[tokio::test]
async fn e2e_a_row_without_a_tombstone_column_is_recreated_too() {
    let server = server_with_note().await;
    server
        .seed("labels", [json!({"id": "l1", "name": "red"})])
        .unwrap();
    let here = Setup::new(&server).with_labels().open().await;
    here.sync_fully().await;
    let labels = here.engine.records("labels").unwrap();
    let mine = || Record::try_from(json!({"id": "l1", "name": "mine"})).unwrap();
    labels.replace(mine()).await.unwrap();
    server.delete("labels", "l1");
    here.sync_fully().await;
    assert_fields(
        server.get("labels", "l1").as_ref(),
        &json!({"name": "mine"}),
    );
    labels.delete(&entity("l1")).await.unwrap();
    here.sync_fully().await;
    assert_eq!(server.get("labels", "l1"), None);
    assert_eq!(here.count("SELECT COUNT(*) FROM labels").await, 0);
    labels.insert(mine()).await.unwrap();
    here.sync_fully().await;
    assert_fields(
        server.get("labels", "l1").as_ref(),
        &json!({"name": "mine"}),
    );
}
