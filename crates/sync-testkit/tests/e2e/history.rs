//! What was decided about conflicts is seen later, and can be taken back.

use serde_json::{Value, json};
use sync_core::store::{Decided, ResolvedConflict};
use sync_core::{ConflictStrategy, Record, Resolution, SyncOptions, Undo};
use sync_testkit::{Fault, MockServer, Route};

use crate::conflicts::in_conflict;
use crate::setup::{
    Device, NOTES, Setup, assert_fields, converge, device, entity, kind, server_with_note,
};

fn with(server: &MockServer, strategy: ConflictStrategy) -> Setup {
    Setup::new(server).strategy(strategy)
}

async fn history(device: &Device) -> Vec<ResolvedConflict> {
    device.engine.conflicts().history(100).await.unwrap()
}

/// The only conflict that was ever resolved here.
async fn the_one(device: &Device) -> ResolvedConflict {
    let mut history = history(device).await;
    assert_eq!(history.len(), 1, "{history:?}");
    history.pop().unwrap()
}

async fn undo(device: &Device) -> Undo {
    let past = the_one(device).await;
    device.engine.conflicts().undo(&past.op_id).await.unwrap()
}

async fn restarted(device: Device, setup: Setup) -> Device {
    let (folder, world) = (device.folder.clone(), device.world.clone());
    drop(device);
    setup.file_of(folder).world(&world).open().await
}

fn field<'r>(record: Option<&'r Record>, name: &str) -> &'r Value {
    record.unwrap().get(name).unwrap()
}

#[tokio::test]
async fn e2e_what_a_strategy_decided_is_in_the_history_also_after_a_restart() {
    let server = server_with_note().await;
    let setup = || with(&server, ConflictStrategy::ServerWins);
    let here = in_conflict(&server, setup()).await;
    here.sync_fully().await;
    let here = restarted(here, setup()).await;
    let past = the_one(&here).await;
    assert_eq!((&past.kind, &past.entity_id), (&kind(), &entity("n1")));
    assert_eq!(past.strategy, ConflictStrategy::ServerWins);
    assert_eq!(past.decided, Decided::Server);
    assert_eq!(field(past.local.as_ref(), "mood"), 5);
    assert_eq!(field(past.server.live(), "body"), "theirs");
    assert_eq!(field(past.base.live(), "body"), "base");
    assert_eq!(field(past.result.as_ref(), "mood"), 3);
    assert!(past.changed_fields.unwrap().contains("mood"));
    assert!(past.in_force);
    assert_eq!(past.version.as_ref(), past.server.version());
}

#[tokio::test]
async fn e2e_undo_after_server_wins_brings_the_users_edit_back() {
    let server = server_with_note().await;
    let here = in_conflict(&server, with(&server, ConflictStrategy::ServerWins)).await;
    here.sync_fully().await;
    assert_fields(here.live("n1").await.as_ref(), &json!({"mood": 3}));
    let here = restarted(here, with(&server, ConflictStrategy::ServerWins)).await;
    assert_eq!(undo(&here).await, Undo::Queued);
    let wanted = json!({"mood": 5, "body": "theirs"});
    assert_fields(here.live("n1").await.as_ref(), &wanted);
    // Once is enough.
    assert_eq!(undo(&here).await, Undo::NotSettled);
    converge(&server, &[&here]).await;
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
    assert_eq!(undo(&here).await, Undo::MovedOn);
}

#[tokio::test]
async fn e2e_undo_after_a_merge_brings_back_what_the_server_had() {
    let server = server_with_note().await;
    let here = Setup::new(&server).open().await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5, "title": "Mine"})).await;
    server.update(NOTES, "n1", json!({"body": "theirs", "title": "Theirs"}));
    here.sync_fully().await;
    let merged = json!({"mood": 5, "title": "Mine", "body": "theirs"});
    assert_fields(server.get(NOTES, "n1").as_ref(), &merged);
    let past = the_one(&here).await;
    assert_eq!(past.decided, Decided::Merged);
    assert_eq!(past.contested_fields, ["title"]);
    assert!(past.in_force);
    assert_eq!(undo(&here).await, Undo::Queued);
    converge(&server, &[&here]).await;
    let wanted = json!({"mood": 3, "title": "Theirs", "body": "theirs"});
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
}

#[tokio::test]
async fn e2e_undo_after_a_decision_for_the_client_brings_back_what_the_server_had() {
    for strategy in [
        ConflictStrategy::ClientWins,
        ConflictStrategy::LastWriteWins,
    ] {
        let server = server_with_note().await;
        let here = device(&server).await;
        here.sync_fully().await;
        let here = restarted(here, with(&server, strategy)).await;
        server.update(NOTES, "n1", json!({"body": "theirs"}));
        here.wait();
        server.advance(std::time::Duration::from_secs(600));
        here.edit("n1", json!({"mood": 5})).await;
        here.sync_fully().await;
        let wanted = json!({"mood": 5, "body": "base"});
        assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
        assert_eq!(undo(&here).await, Undo::Queued, "{strategy}");
        converge(&server, &[&here]).await;
        let wanted = json!({"mood": 3, "body": "theirs"});
        assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
    }
}

#[tokio::test]
async fn e2e_undo_of_deletions_brings_back_and_takes_away() {
    // Deleted there, and the server won: the edited record comes back.
    let server = server_with_note().await;
    let here = with(&server, ConflictStrategy::ServerWins).open().await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    server.delete(NOTES, "n1");
    here.sync_fully().await;
    assert_eq!(here.live("n1").await, None);
    assert_eq!(undo(&here).await, Undo::Queued);
    converge(&server, &[&here]).await;
    assert_fields(here.live("n1").await.as_ref(), &json!({"mood": 5}));

    // Deleted here, and the server won: it is deleted after all.
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.delete("n1").await;
    server.update(NOTES, "n1", json!({"body": "theirs"}));
    here.sync_fully().await;
    assert!(here.live("n1").await.is_some());
    assert_eq!(undo(&here).await, Undo::Queued);
    converge(&server, &[&here]).await;
    assert_eq!(here.live("n1").await, None);

    // Deleted there, and re-created by the edit: it is deleted after all.
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    server.delete(NOTES, "n1");
    here.sync_fully().await;
    assert!(here.live("n1").await.is_some());
    assert_eq!(undo(&here).await, Undo::Queued);
    converge(&server, &[&here]).await;
    assert_eq!(here.live("n1").await, None);
}

#[tokio::test]
async fn e2e_undo_is_refused_when_the_server_moved_on() {
    let server = server_with_note().await;
    let here = in_conflict(&server, with(&server, ConflictStrategy::ServerWins)).await;
    here.sync_fully().await;
    server.update(NOTES, "n1", json!({"title": "later"}));
    here.sync_fully().await;
    assert_eq!(undo(&here).await, Undo::MovedOn);
    assert_eq!(here.ops().await, []);
    assert_fields(
        here.live("n1").await.as_ref(),
        &json!({"mood": 3, "title": "later"}),
    );
}

#[tokio::test]
async fn e2e_undo_meets_what_the_server_has_that_nobody_knew_here_as_a_conflict() {
    let server = server_with_note().await;
    let here = in_conflict(&server, with(&server, ConflictStrategy::ServerWins)).await;
    here.sync_fully().await;
    server.update(NOTES, "n1", json!({"title": "later"}));
    assert_eq!(undo(&here).await, Undo::Queued);
    let report = here.sync_fully().await;
    assert_eq!(report.stats.conflicts, 1);
    assert_fields(
        server.get(NOTES, "n1").as_ref(),
        &json!({"mood": 3, "title": "later"}),
    );
    assert_eq!(history(&here).await.len(), 2);
}

#[tokio::test]
async fn e2e_undo_waits_until_the_decision_is_in_force() {
    let server = server_with_note().await;
    let here = in_conflict(&server, with(&server, ConflictStrategy::ClientWins)).await;
    let pull_only = SyncOptions::default().no_push();
    here.engine.sync_with(pull_only).await.unwrap();
    let fault = server.fault(Fault::drop_before()).on(Route::Push).always();
    here.sync().await;
    let past = the_one(&here).await;
    assert!(!past.in_force);
    assert_eq!(past.version, None);
    assert_eq!(undo(&here).await, Undo::NotSettled);
    fault.remove();
    here.wait();
    here.sync_fully().await;
    assert!(the_one(&here).await.in_force);
    assert_eq!(undo(&here).await, Undo::Queued);
}

#[tokio::test]
async fn e2e_a_decision_that_was_given_up_stays_in_the_history_and_is_not_undone() {
    let server = server_with_note().await;
    let here = in_conflict(&server, with(&server, ConflictStrategy::ClientWins)).await;
    let pull_only = SyncOptions::default().no_push();
    here.engine.sync_with(pull_only).await.unwrap();
    let _fault = server.fault(Fault::drop_before()).on(Route::Push).always();
    here.sync().await;
    let discarded = here.engine.outbox().discard(&kind(), &entity("n1")).await;
    assert_eq!(discarded.unwrap().op_ids.len(), 1);
    assert_eq!(undo(&here).await, Undo::NotInForce);
    let unknown = here.world.env().op_id();
    let outcome = here.engine.conflicts().undo(&unknown).await.unwrap();
    assert_eq!(outcome, Undo::NotInHistory);
}

#[tokio::test]
async fn e2e_undo_works_with_a_server_that_answers_without_a_record() {
    let server = server_with_note().await;
    let here = in_conflict(&server, with(&server, ConflictStrategy::ClientWins)).await;
    server.fault(Fault::empty_body()).on(Route::Push).skip(1);
    here.sync().await;
    here.wait();
    here.sync_fully().await;
    assert_fields(server.get(NOTES, "n1").as_ref(), &json!({"body": "base"}));
    assert!(the_one(&here).await.in_force);
    assert_eq!(undo(&here).await, Undo::Queued);
    converge(&server, &[&here]).await;
    let wanted = json!({"mood": 3, "body": "theirs"});
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
}

#[tokio::test]
async fn e2e_what_a_person_decided_is_in_the_history() {
    let server = server_with_note().await;
    let here = in_conflict(&server, with(&server, ConflictStrategy::Manual)).await;
    here.sync().await;
    assert_eq!(history(&here).await, []);
    let open = here.engine.conflicts().open().await.unwrap();
    let conflicts = here.engine.conflicts();
    let discarded = conflicts.resolve(&open[0].conflict, Resolution::Discard);
    assert!(discarded.await.unwrap());
    let past = the_one(&here).await;
    assert_eq!(
        (past.strategy, past.decided),
        (ConflictStrategy::Manual, Decided::Discarded)
    );
    assert_eq!(undo(&here).await, Undo::Queued);
    converge(&server, &[&here]).await;
    assert_fields(server.get(NOTES, "n1").as_ref(), &json!({"mood": 5}));
}

#[tokio::test]
async fn e2e_the_history_is_bounded_and_newest_first() {
    for (kept, wanted) in [(2, &["n3", "n2"][..]), (0, &[])] {
        let server = MockServer::start().await.unwrap();
        let note = |id: &str| json!({"id": id, "title": "Old", "mood": 3});
        server.seed(NOTES, ["n1", "n2", "n3"].map(note)).unwrap();
        let setup = with(&server, ConflictStrategy::ServerWins);
        let setup = setup.config(|config| config.with_conflict_history(kept));
        let here = setup.open().await;
        here.sync_fully().await;
        for id in ["n1", "n2", "n3"] {
            here.edit(id, json!({"mood": 5})).await;
            server.update(NOTES, id, json!({"title": "theirs"}));
            here.sync_fully().await;
        }
        let history = history(&here).await;
        let ids: Vec<_> = history.iter().map(|past| past.entity_id.as_str()).collect();
        assert_eq!(ids, wanted);
    }
}
