//! How much of an update travels.

use std::pin::pin;

use futures::future::{self, Either};
use serde_json::{Value, json};
use sync_core::{ConflictStrategy, Payload, SyncOptions};
use sync_testkit::{Fault, MockServer, Route};

use crate::setup::{
    Device, NOTES, Setup, assert_fields, converge, device, seed_note, server_with_note,
};

const DECLARED: [&str; 1] = ["changed-fields"];

async fn declaring() -> MockServer {
    let server = MockServer::builder().features(&DECLARED);
    let server = server.start().await.unwrap();
    seed_note(&server);
    server
}

fn in_part(server: &MockServer) -> Setup {
    Setup::new(server).table(|table| table.payload(Payload::Changed))
}

/// A device that has pulled.
async fn ready(setup: Setup) -> Device {
    let here = setup.open().await;
    here.sync_fully().await;
    here
}

/// The names in the bodies of the pushes so far.
fn sent(server: &MockServer) -> Vec<Vec<String>> {
    let names = |body: Value| body.as_object().unwrap().keys().cloned().collect();
    let bodies = server.pushes().into_iter().filter_map(|push| push.body);
    bodies.map(names).collect()
}

const PART: [&str; 4] = ["_baseUpdatedAt", "_changedFields", "id", "mood"];

#[tokio::test]
async fn payload_changed_sends_what_was_changed_and_the_server_keeps_the_rest() {
    let server = declaring().await;
    let here = ready(in_part(&server)).await;
    here.edit("n1", json!({"mood": 5})).await;
    here.sync_fully().await;
    assert_eq!(sent(&server), [PART]);
    let whole = json!({"title": "Old", "body": "base", "mood": 5});
    assert_fields(server.get(NOTES, "n1").as_ref(), &whole);
    assert_fields(here.live("n1").await.as_ref(), &whole);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn payload_full_sends_the_whole_record() {
    let server = declaring().await;
    let here = ready(Setup::new(&server)).await;
    here.edit("n1", json!({"mood": 5})).await;
    here.sync_fully().await;
    let names = sent(&server).pop().unwrap();
    assert!(names.contains(&"title".to_owned()), "{names:?}");
}

#[tokio::test]
async fn payload_changed_sends_the_whole_record_to_a_server_that_would_lose_the_rest() {
    let server = server_with_note().await;
    let here = ready(in_part(&server)).await;
    here.edit("n1", json!({"mood": 5})).await;
    here.sync_fully().await;
    let names = sent(&server).pop().unwrap();
    assert!(names.contains(&"title".to_owned()), "{names:?}");
    let whole = json!({"title": "Old", "body": "base", "mood": 5});
    assert_fields(server.get(NOTES, "n1").as_ref(), &whole);
}

#[tokio::test]
async fn payload_changed_sends_creates_and_what_is_created_again_in_full() {
    let server = declaring().await;
    let here = ready(in_part(&server)).await;
    here.create("n2", json!({"title": "new"})).await;
    server.delete(NOTES, "n1");
    here.edit("n1", json!({"mood": 5})).await;
    here.sync_fully().await;
    let recreated = json!({"title": "Old", "body": "base", "mood": 5});
    assert_fields(server.get(NOTES, "n1").as_ref(), &recreated);
    assert_fields(server.get(NOTES, "n2").as_ref(), &json!({"title": "new"}));
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn payload_changed_sends_a_merge_in_part_and_a_record_that_wins_as_a_whole() {
    for strategy in [
        ConflictStrategy::AutoPreserve,
        ConflictStrategy::ClientWins,
        ConflictStrategy::LastWriteWins,
    ] {
        let server = declaring().await;
        let here = ready(in_part(&server).strategy(strategy)).await;
        let merges = strategy == ConflictStrategy::AutoPreserve;
        server.update(NOTES, "n1", json!({"body": "theirs"}));
        here.wait();
        here.edit("n1", json!({"mood": 5})).await;
        here.sync_fully().await;
        let last = sent(&server).pop().unwrap();
        assert_eq!(last == PART, merges, "{strategy:?}: {last:?}");
        let body = if merges { "theirs" } else { "base" };
        let whole = json!({"title": "Old", "body": body, "mood": 5});
        assert_fields(server.get(NOTES, "n1").as_ref(), &whole);
        converge(&server, &[&here]).await;
    }
}

#[tokio::test]
async fn payload_changed_goes_in_batches_too() {
    let server = MockServer::builder().features(&["changed-fields", "if-absent"]);
    let server = server.start().await.unwrap();
    seed_note(&server);
    let here = in_part(&server).rest(|rest| rest.batch(true));
    let here = ready(here).await;
    here.create("n2", json!({"title": "new"})).await;
    here.edit("n1", json!({"mood": 5})).await;
    here.sync_fully().await;
    let body = server.pushes().pop().unwrap().body.unwrap();
    let ops = body["ops"].as_array().unwrap();
    let edit = ops.iter().find(|op| op["id"] == "n1").unwrap();
    assert_eq!(edit["payload"], json!({"id": "n1", "mood": 5}));
    let whole = json!({"title": "Old", "body": "base", "mood": 5});
    assert_fields(server.get(NOTES, "n1").as_ref(), &whole);
}

/// The process dies while the answer to its push is on its way, and starts again.
async fn dies_while_pushing(server: &MockServer, here: Device, again: Setup) -> Device {
    let gate = server.hold_answer(Route::Push);
    {
        let died = pin!(gate.arrived());
        let run = pin!(here.engine.sync());
        assert!(matches!(future::select(died, run).await, Either::Left(_)));
    }
    let (folder, world) = (here.folder.clone(), here.world.clone());
    drop(here);
    gate.release();
    again.file_of(folder).world(&world).open().await
}

#[tokio::test]
async fn payload_in_part_is_repeated_in_part_by_a_process_that_knows_nothing_of_the_server_yet() {
    let server = MockServer::builder().features(&DECLARED).ignore_keys(true);
    let server = server.start().await.unwrap();
    seed_note(&server);
    let here = ready(in_part(&server)).await;
    here.edit("n1", json!({"mood": 5})).await;
    // Even if the table says otherwise by now.
    let here = dies_while_pushing(&server, here, Setup::new(&server)).await;
    here.sync_fully().await;
    assert_eq!(sent(&server), [PART, PART]);
    let whole = json!({"title": "Old", "body": "base", "mood": 5});
    assert_fields(server.get(NOTES, "n1").as_ref(), &whole);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn payload_that_went_whole_is_repeated_whole_after_the_server_declared_more() {
    let server = server_with_note().await;
    let here = ready(in_part(&server)).await;
    here.edit("n1", json!({"mood": 5})).await;
    server.fault(Fault::drop_before()).on(Route::Push);
    here.sync().await;
    server.reconfigure(|server| server.features(&DECLARED));
    here.wait();
    let learning = SyncOptions::default().no_push();
    here.engine.sync_with(learning).await.unwrap();
    here.sync_fully().await;
    let bodies = sent(&server);
    assert_eq!(bodies.len(), 2);
    assert_eq!(bodies[0], bodies[1]);
    // The next edit is another matter.
    here.edit("n1", json!({"mood": 6})).await;
    here.sync_fully().await;
    assert_eq!(sent(&server)[2], PART);
    assert_eq!(server.reused_keys(), [""; 0]);
}

#[tokio::test]
async fn payload_is_decided_anew_with_a_new_round() {
    let server = server_with_note().await;
    let here = ready(in_part(&server)).await;
    here.edit("n1", json!({"mood": 5})).await;
    server.fault(Fault::status(422)).on(Route::Push);
    here.sync().await;
    server.reconfigure(|server| server.features(&DECLARED));
    here.wait();
    here.engine.full_resync(false).await.unwrap();
    here.edit("n1", json!({"mood": 6})).await;
    here.sync_fully().await;
    assert_eq!(sent(&server).pop().unwrap(), PART);
}

#[tokio::test]
async fn payload_changed_loses_nothing_between_two_devices() {
    let server = declaring().await;
    let (here, there) = (ready(in_part(&server)).await, device(&server).await);
    there.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    here.edit("n1", json!({"title": "Mine"})).await;
    there.edit("n1", json!({"body": null})).await;
    converge(&server, &[&here, &there]).await;
    let whole = json!({"title": "Mine", "body": null, "mood": 5});
    assert_fields(server.get(NOTES, "n1").as_ref(), &whole);
}
