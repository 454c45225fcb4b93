//! Edits that follow each other, that fall into a push, that are refused.

use serde_json::json;
use sync_core::{Fate, OpStatus};
use sync_testkit::{Fault, Route};

use crate::setup::{NOTES, Setup, assert_fields, converge, device, server_with_note};

#[tokio::test]
async fn hazard_e05_two_queued_edits_do_not_conflict_with_each_other() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    here.edit("n1", json!({"energy": 9})).await;
    assert_eq!(here.ops().await.len(), 1);
    let report = here.sync_fully().await;
    assert_eq!((report.stats.pushed, report.stats.conflicts), (1, 0));
    let wanted = json!({"title": "Old", "body": "base", "mood": 5, "energy": 9});
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn e2e_two_edits_that_are_sent_one_by_one_do_not_conflict_with_each_other() {
    let server = server_with_note().await;
    let setup = Setup::new(&server).table(|table| table.coalesce(false));
    let here = setup.open().await;
    here.sync_fully().await;
    for mood in 5..8 {
        here.edit("n1", json!({"mood": mood})).await;
    }
    assert_eq!(here.ops().await.len(), 3);
    let report = here.sync_fully().await;
    assert_eq!((report.stats.pushed, report.stats.conflicts), (3, 0));
    let sent: Vec<_> = server
        .pushes()
        .into_iter()
        .map(|push| push.body.unwrap()["mood"].clone())
        .collect();
    assert_eq!(sent, [5, 6, 7]);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn hazard_e05_a_second_edit_before_any_pull_does_not_conflict() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    let push_only = sync_core::SyncOptions::default().no_pull();
    for mood in 5..8 {
        here.edit("n1", json!({"mood": mood})).await;
        let report = here.engine.sync_with(push_only.clone()).await.unwrap();
        assert_eq!((report.stats.pushed, report.stats.conflicts), (1, 0));
    }
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn e2e_queued_edits_revert_nobodys_field() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    let gate = server.hold(Route::Put);
    let meanwhile = async {
        gate.arrived().await;
        here.edit("n1", json!({"energy": 9})).await;
        server.update(NOTES, "n1", json!({"body": "theirs"}));
        gate.release();
    };
    let (report, ()) = tokio::join!(here.sync(), meanwhile);
    assert_eq!(report.stats.conflicts, 1);
    converge(&server, &[&here]).await;
    let wanted = json!({"title": "Old", "body": "theirs", "mood": 5, "energy": 9});
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
}

#[tokio::test]
async fn hazard_e12_an_edit_made_during_a_push_survives_it() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5, "body": "first"})).await;
    let gate = server.hold_answer(Route::Put);
    let meanwhile = async {
        gate.arrived().await;
        here.edit("n1", json!({"energy": 9, "body": "second"}))
            .await;
        gate.release();
    };
    let (report, ()) = tokio::join!(here.sync(), meanwhile);
    assert_eq!((report.stats.pushed, report.pending), (1, 1));
    let wanted = json!({"body": "second", "mood": 5, "energy": 9});
    assert_fields(here.live("n1").await.as_ref(), &wanted);
    let report = here.sync_fully().await;
    assert_eq!((report.stats.pushed, report.stats.conflicts), (1, 0));
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn hazard_e10_an_edit_made_during_a_push_keeps_what_the_server_merged_in() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    server.update(NOTES, "n1", json!({"body": "theirs"}));
    here.edit("n1", json!({"mood": 5})).await;
    let gate = server.hold_answer(Route::Put);
    let meanwhile = async {
        gate.arrived().await;
        here.edit("n1", json!({"energy": 9})).await;
        gate.release();
    };
    tokio::join!(here.sync(), meanwhile);
    converge(&server, &[&here]).await;
    let wanted = json!({"body": "theirs", "mood": 5, "energy": 9});
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
}

#[tokio::test]
async fn e2e_a_delete_made_during_a_push_is_sent_next() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    let gate = server.hold_answer(Route::Put);
    let meanwhile = async {
        gate.arrived().await;
        here.delete("n1").await;
        gate.release();
    };
    tokio::join!(here.sync(), meanwhile);
    assert_eq!(here.live("n1").await, None);
    let report = here.sync_fully().await;
    assert_eq!(report.stats.conflicts, 0);
    assert_eq!(server.get(NOTES, "n1"), None);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn e2e_a_write_during_a_pull_survives_it() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    server.update(NOTES, "n1", json!({"body": "theirs"}));
    let gate = server.hold_answer(Route::Pull);
    let meanwhile = async {
        gate.arrived().await;
        here.edit("n1", json!({"mood": 5})).await;
        gate.release();
    };
    tokio::join!(here.sync(), meanwhile);
    let row = here.live("n1").await;
    assert_fields(row.as_ref(), &json!({"mood": 5, "body": "base"}));
    converge(&server, &[&here]).await;
    let wanted = json!({"mood": 5, "body": "theirs"});
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
}

#[tokio::test]
async fn hazard_e21_a_pull_leaves_rows_with_operations_alone() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    let refusal = server.fault(Fault::status(422)).on(Route::Push).always();
    server.update(NOTES, "n1", json!({"mood": 1, "body": "theirs"}));
    server.update(NOTES, "n2", json!({"title": "another"}));
    for _ in 0..2 {
        here.wait();
        here.sync().await;
        let row = here.live("n1").await;
        assert_fields(row.as_ref(), &json!({"mood": 5, "body": "base"}));
    }
    assert_fields(here.live("n2").await.as_ref(), &json!({"title": "another"}));
    refusal.remove();
    converge(&server, &[&here]).await;
    let wanted = json!({"mood": 5, "body": "theirs"});
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
}

#[tokio::test]
async fn hazard_e21_a_pull_does_not_bring_a_deleted_row_back_before_its_delete_is_settled() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.delete("n1").await;
    let refusal = server.fault(Fault::status(403)).on(Route::Push).always();
    here.sync().await;
    assert_eq!(here.live("n1").await, None);
    refusal.remove();
    converge(&server, &[&here]).await;
    assert_eq!(server.get(NOTES, "n1"), None);
}

#[tokio::test]
async fn e2e_a_refused_operation_is_kept_counted_and_at_last_set_aside() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    server
        .fault(Fault::status(422))
        .on(Route::Push)
        .only(NOTES, "n1")
        .always();
    here.edit("n1", json!({"title": "x"})).await;
    for run in 1..=5 {
        here.wait();
        let report = here.sync().await;
        let op = here.ops().await.pop().unwrap();
        assert_eq!(op.try_count, run);
        assert_eq!(op.status == OpStatus::Stuck, run == 5);
        assert_eq!(report.stuck, u64::from(run == 5));
        assert!(op.last_error.unwrap().contains("simulated error"));
    }
    server.clear_recorded();
    here.wait();
    here.sync().await;
    assert_eq!(server.pushes().len(), 0);
    assert_fields(here.live("n1").await.as_ref(), &json!({"title": "x"}));
}

#[tokio::test]
async fn e2e_a_refused_operation_is_repaired_by_the_next_edit() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    let refusal = server.fault(Fault::status(422)).on(Route::Push).always();
    here.edit("n1", json!({"title": "", "mood": 5})).await;
    for _ in 0..6 {
        here.wait();
        here.sync().await;
    }
    assert_eq!(here.ops().await[0].status, OpStatus::Stuck);
    refusal.remove();
    here.edit("n1", json!({"title": "repaired"})).await;
    let ops = here.ops().await;
    assert_eq!((ops.len(), ops[0].status), (1, OpStatus::Pending));
    assert_eq!((ops[0].try_count, ops[0].fate), (0, Fate::Negative));
    here.sync_fully().await;
    let wanted = json!({"title": "repaired", "mood": 5});
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn e2e_stuck_operations_are_listed_and_retried_on_demand() {
    let server = server_with_note().await;
    let setup = Setup::new(&server).config(|config| config.with_max_outbox_try_count(1));
    let here = setup.open().await;
    here.sync_fully().await;
    let refusal = server.fault(Fault::status(403)).on(Route::Push).always();
    here.edit("n1", json!({"mood": 5})).await;
    here.sync().await;
    let stuck = here.engine.outbox().stuck().await.unwrap();
    assert_eq!(stuck.len(), 1);
    refusal.remove();
    assert_eq!(here.engine.outbox().retry_all().await.unwrap(), 1);
    here.sync_fully().await;
    assert_fields(server.get(NOTES, "n1").as_ref(), &json!({"mood": 5}));
}

#[tokio::test]
async fn e2e_what_was_created_and_deleted_offline_is_never_sent() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.create("n2", json!({"title": "short-lived"})).await;
    here.edit("n2", json!({"mood": 1})).await;
    here.delete("n2").await;
    assert_eq!(here.ops().await.len(), 0);
    here.sync_fully().await;
    assert_eq!(server.pushes().len(), 0);
    assert_eq!(here.live("n2").await, None);
}

#[tokio::test]
async fn e2e_what_was_deleted_can_be_created_again() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.delete("n1").await;
    here.create("n1", json!({"title": "again"})).await;
    converge(&server, &[&here]).await;
    let wanted = json!({"title": "again", "mood": null});
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
    here.delete("n1").await;
    here.sync_fully().await;
    assert_eq!(server.get(NOTES, "n1"), None);
    here.create("n1", json!({"title": "once more"})).await;
    let report = here.sync_fully().await;
    assert_eq!(report.stats.conflicts, 0);
    converge(&server, &[&here]).await;
    assert_fields(
        server.get(NOTES, "n1").as_ref(),
        &json!({"title": "once more"}),
    );
}
