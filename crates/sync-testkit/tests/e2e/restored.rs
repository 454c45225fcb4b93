//! A server that was restored from a backup, over HTTP: nothing is lost in silence.

use serde_json::json;
use sync_core::store::QuarantineCause;
use sync_core::{PhaseEnd, SyncEvent};
use sync_testkit::{Fault, MockServer, Route};

use crate::setup::{Device, NOTES, Setup, assert_fields, converge, device, kind};

async fn server() -> MockServer {
    let server = MockServer::builder().extended().start().await.unwrap();
    let note =
        |id: &str| json!({"id": id, "title": "old", "body": "base", "mood": 1, "energy": null});
    server
        .seed(NOTES, [note("n1"), note("n2"), note("n3")])
        .unwrap();
    server
}

/// The titles of what was exported.
async fn exported(device: &Device) -> Vec<String> {
    let entries = device.engine.quarantine().list(&kind(), 100).await.unwrap();
    let exported = entries
        .into_iter()
        .filter(|entry| entry.cause == QuarantineCause::ServerRestored);
    let mut titles: Vec<String> = exported
        .map(|entry| entry.row["title"].as_str().unwrap().to_owned())
        .collect();
    titles.sort();
    titles
}

#[tokio::test]
async fn e2e_after_a_restore_all_replicas_equal_the_server_and_what_it_lost_is_exported() {
    let server = server().await;
    let (here, there) = (device(&server).await, device(&server).await);
    converge(&server, &[&here, &there]).await;
    let backup = server.snapshot();
    here.edit("n1", json!({"title": "edited since"})).await;
    here.create("n4", json!({"title": "created since"})).await;
    here.delete("n3").await;
    converge(&server, &[&here, &there]).await;
    let before = here.row("n1").await.unwrap();

    server.restore_backup(&backup);
    here.edit("n2", json!({"mood": 5})).await;
    there.edit("n1", json!({"energy": 7})).await;
    let _ = here.events();
    converge(&server, &[&here, &there]).await;
    let told = here.events().into_iter();
    let told = told.filter(|event| matches!(event, SyncEvent::ServerRestored { .. }));
    assert_eq!(told.count(), 1);
    for device in [&here, &there] {
        assert_eq!(exported(device).await, ["created since", "edited since"]);
    }
    assert_fields(
        server.get(NOTES, "n1").as_ref(),
        &json!({"title": "old", "energy": 7}),
    );
    assert_fields(server.get(NOTES, "n2").as_ref(), &json!({"mood": 5}));
    assert!(here.live("n3").await.is_some(), "its deletion is undone");
    let entries = here.engine.quarantine().list(&kind(), 100).await.unwrap();
    let kept = entries
        .iter()
        .find(|entry| entry.row["id"] == "n1")
        .unwrap();
    assert_eq!(kept.row["updated_at"], before["updated_at"], "verbatim");
    assert_eq!(kept.row["title"], "edited since");
}

#[tokio::test]
async fn e2e_no_push_follows_the_first_answer_of_a_restored_server_before_a_pull_from_zero() {
    let server = server().await;
    let here = device(&server).await;
    here.sync_fully().await;
    let backup = server.snapshot();
    for id in ["n1", "n2", "n3"] {
        here.edit(id, json!({"mood": 2})).await;
    }
    server.restore_backup(&backup);
    server.clear_recorded();
    let lost = server.fault(Fault::status(503)).on(Route::Pull).always();
    let report = here.sync().await;
    assert_eq!((report.push, report.pending), (PhaseEnd::ServerRestored, 3));
    assert_eq!(server.pushes().len(), 1, "whose answer told it");
    here.wait();
    let report = here.sync().await;
    assert_eq!(
        (server.pushes().len(), report.pending),
        (1, 3),
        "nor in the next run"
    );
    lost.remove();
    server.clear_recorded();
    here.wait();
    here.sync_fully().await;
    let recorded = server.recorded();
    let first_push = recorded
        .iter()
        .position(|request| request.is_push())
        .unwrap();
    let zero = recorded.iter().position(|request| {
        let since = request.query("updatedSince");
        request.is_pull(NOTES) && since.is_some_and(|since| since.starts_with("1970-"))
    });
    assert!(zero.is_some_and(|zero| zero < first_push), "{recorded:?}");
    converge(&server, &[&here]).await;
    for id in ["n1", "n2", "n3"] {
        assert_fields(server.get(NOTES, id).as_ref(), &json!({"mood": 2}));
    }
}

#[tokio::test]
async fn e2e_a_restore_is_survived_whichever_request_is_the_last_before_the_process_dies() {
    for last in 0.. {
        let server = server().await;
        let here = device(&server).await;
        here.sync_fully().await;
        let backup = server.snapshot();
        here.edit("n1", json!({"title": "edited since"})).await;
        here.sync_fully().await;
        here.edit("n1", json!({"mood": 9})).await;
        here.edit("n2", json!({"mood": 9})).await;
        server.restore_backup(&backup);
        server.clear_recorded();
        let gate = server.fault(Fault::drop_after()).skip(last).always();
        let _ = here.sync().await;
        let complete = server.recorded().len() <= last;
        gate.remove();
        // Another process goes on with the file.
        let (folder, world) = (here.folder.clone(), here.world.clone());
        drop(here);
        let here = Setup::new(&server)
            .file_of(folder)
            .world(&world)
            .open()
            .await;
        converge(&server, &[&here]).await;
        assert_eq!(
            exported(&here).await,
            ["edited since"],
            "after {last} requests"
        );
        assert_fields(
            server.get(NOTES, "n1").as_ref(),
            &json!({"title": "old", "mood": 9}),
        );
        assert_fields(server.get(NOTES, "n2").as_ref(), &json!({"mood": 9}));
        if complete {
            assert!(last > 4, "there is more to it");
            return;
        }
    }
}

#[tokio::test]
async fn e2e_a_server_that_begins_to_tell_its_epoch_is_only_remembered() {
    let server = MockServer::start().await.unwrap();
    server
        .seed(NOTES, [json!({"id": "n1", "title": "a"})])
        .unwrap();
    let here = device(&server).await;
    here.sync_fully().await;
    server.reconfigure(|settings| settings.epoch("first"));
    server.clear_recorded();
    here.sync_fully().await;
    let from_zero = server.pulls(NOTES).into_iter().filter(|pull| {
        let since = pull.query("updatedSince");
        since.is_some_and(|since| since.starts_with("1970-"))
    });
    assert_eq!(from_zero.count(), 0);
    let sql = "SELECT COUNT(*) FROM sync_meta WHERE key LIKE 'epoch:%' AND value = 'first'";
    assert_eq!(here.count(sql).await, 1);
    assert_eq!(exported(&here).await, Vec::<String>::new());
}
