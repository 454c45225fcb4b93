//! `synced` and `caught_up`: has it arrived?

use serde_json::json;
use sync_core::{ConflictStrategy, Delivery, EntityId, Kind};
use sync_testkit::{Fault, MockServer, Route};

use crate::setup::{
    Device, NOTES, Setup, device, entity, kind, seed_note, server_with_note, two_kinds,
};

async fn synced(here: &Device, id: &str) -> Delivery {
    here.engine.synced(&kind(), &entity(id)).await.unwrap()
}

async fn caught_up(here: &Device) -> Delivery {
    here.engine.caught_up().await.unwrap()
}

#[tokio::test]
async fn e2e_what_was_queued_is_sent_and_then_it_is_synced() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    server.clear_recorded();
    assert_eq!(synced(&here, "n1").await, Delivery::Synced);
    assert_eq!(server.get(NOTES, "n1").unwrap()["mood"], 5);
    assert_eq!(server.pulls(NOTES).len(), 0, "only what was asked about");
    server.clear_recorded();
    assert_eq!(synced(&here, "n1").await, Delivery::Synced);
    assert_eq!(synced(&here, "never-heard-of").await, Delivery::Synced);
    assert_eq!(server.recorded().len(), 0, "nothing waited");
}

#[tokio::test]
async fn e2e_caught_up_brings_what_the_server_has_too() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.create("n2", json!({"title": "new"})).await;
    assert_eq!(caught_up(&here).await, Delivery::Synced);
    assert!(here.live("n1").await.is_some());
    assert_eq!(server.applied_to(NOTES, "n2"), 1);
}

#[tokio::test]
async fn e2e_what_is_queued_after_the_call_is_not_waited_for() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    let gate = server.hold(Route::Put);
    let meanwhile = async {
        gate.arrived().await;
        here.edit("n1", json!({"mood": 6})).await;
        gate.release();
    };
    let (delivery, ()) = tokio::join!(synced(&here, "n1"), meanwhile);
    assert_eq!(delivery, Delivery::Synced);
    assert_eq!(server.get(NOTES, "n1").unwrap()["mood"], 5);
    assert_eq!(here.ops().await.len(), 1);
}

#[tokio::test]
async fn e2e_a_call_during_a_run_covers_what_was_queued_before_it() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    let gate = server.hold(Route::Put);
    let meanwhile = async {
        gate.arrived().await;
        here.create("n2", json!({"title": "new"})).await;
        let release = async { gate.release() };
        tokio::join!(synced(&here, "n2"), release).0
    };
    let (_, delivery) = tokio::join!(here.sync(), meanwhile);
    assert_eq!(delivery, Delivery::Synced);
    assert_eq!(server.applied_to(NOTES, "n2"), 1);
}

#[tokio::test]
async fn e2e_without_a_connection_it_is_offline_and_goes_out_later() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    assert_eq!(caught_up(&here).await, Delivery::Synced);
    here.edit("n1", json!({"mood": 5})).await;
    server.set_online(false).await.unwrap();
    assert_eq!(synced(&here, "n1").await, Delivery::Offline);
    assert_eq!(caught_up(&here).await, Delivery::Offline);
    server.set_online(true).await.unwrap();
    here.wait();
    assert_eq!(synced(&here, "n1").await, Delivery::Synced);
}

#[tokio::test]
async fn e2e_who_is_not_let_in_is_offline() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.create("n9", json!({"title": "new"})).await;
    server.fault(Fault::status(401)).on(Route::Any).always();
    assert_eq!(synced(&here, "n9").await, Delivery::Offline);
    assert_eq!(caught_up(&here).await, Delivery::Offline);
}

#[tokio::test]
async fn e2e_a_refusal_is_tried_again_until_it_is_stuck_and_concerns_nothing_else() {
    let server = server_with_note().await;
    let here = Setup::new(&server)
        .config(|config| config.with_max_outbox_try_count(2))
        .open()
        .await;
    here.sync_fully().await;
    here.create("bad", json!({"title": "bad"})).await;
    here.create("good", json!({"title": "good"})).await;
    let refusal = Fault::status(422);
    server
        .fault(refusal)
        .on(Route::Put)
        .only(NOTES, "bad")
        .always();
    assert_eq!(synced(&here, "bad").await, Delivery::Retrying);
    assert_eq!(synced(&here, "good").await, Delivery::Synced);
    assert_eq!(caught_up(&here).await, Delivery::Retrying);
    here.wait();
    assert_eq!(synced(&here, "bad").await, Delivery::Stuck);
    assert_eq!(caught_up(&here).await, Delivery::Stuck);
    let bad = entity("bad");
    here.engine.outbox().discard(&kind(), &bad).await.unwrap();
    assert_eq!(synced(&here, "bad").await, Delivery::Synced);
}

#[tokio::test]
async fn e2e_a_conflict_that_nobody_decides_is_a_conflict() {
    let server = MockServer::start().await.unwrap();
    seed_note(&server);
    let here = Setup::new(&server)
        .strategy(ConflictStrategy::Manual)
        .open()
        .await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    server.update(NOTES, "n1", json!({"mood": 9}));
    assert_eq!(synced(&here, "n1").await, Delivery::Conflict);
    assert_eq!(caught_up(&here).await, Delivery::Conflict);
}

#[tokio::test]
async fn e2e_what_belongs_to_a_kind_that_is_not_registered_is_blocked() {
    let server = server_with_note().await;
    let here = two_kinds(&server).await;
    let labels = here.engine.records("labels").unwrap();
    let label = sync_core::Record::try_from(json!({"id": "l1", "name": "red"})).unwrap();
    labels.insert(label).await.unwrap();
    let (folder, world) = (here.folder.clone(), here.world.clone());
    drop((labels, here));
    let updated = Setup::new(&server).file_of(folder).world(&world);
    let here = updated.open().await;
    let (kind, id) = (Kind::new("labels").unwrap(), EntityId::new("l1").unwrap());
    let delivery = here.engine.synced(&kind, &id).await.unwrap();
    assert_eq!(delivery, Delivery::Blocked);
    assert_eq!(caught_up(&here).await, Delivery::Blocked);
    assert_eq!(server.pushes().len(), 0);
}
