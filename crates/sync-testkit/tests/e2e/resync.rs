//! Everything from zero: what the server no longer has goes, and nothing else.

use std::time::Duration;

use serde_json::json;
use sync_core::{Store, SyncEvent, TxMode};
use sync_testkit::{Fault, MockServer, RecordedRequest, Route};

use crate::setup::{Device, NOTES, Setup, assert_fields, converge, entity, kind, many, seed_note};

const COUNT: &str = "SELECT COUNT(*) FROM notes";

async fn with_rows(count: usize) -> (MockServer, Device) {
    let server = MockServer::start().await.unwrap();
    server.seed(NOTES, many(count)).unwrap();
    let here = Setup::new(&server)
        .table(|table| table.page_size(10))
        .open()
        .await;
    here.sync_fully().await;
    server.clear_recorded();
    let _ = here.events();
    (server, here)
}

#[tokio::test]
async fn e2e_a_full_resync_sweeps_a_purged_row_after_a_confirmation() {
    let (server, here) = with_rows(25).await;
    server.purge(NOTES, "n00003");
    here.sync_fully().await;
    assert!(
        here.live("n00003").await.is_some(),
        "a delta pull cannot know"
    );
    let report = here.engine.full_resync(false).await.unwrap();
    assert!(report.is_complete());
    assert_eq!(server.fetches().len(), 1);
    assert_eq!(here.row("n00003").await, None);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn e2e_a_full_resync_keeps_a_row_that_the_list_left_out() {
    let (server, here) = with_rows(25).await;
    let rows = server
        .all(NOTES)
        .into_values()
        .filter(|row| row["id"] != "n00003");
    let page = json!({"items": rows.collect::<Vec<_>>(), "nextPageToken": null});
    server.fault(Fault::json(200, page)).on(Route::Pull);
    server
        .fault(Fault::json(200, json!({"items": []})))
        .on(Route::Pull)
        .times(2);
    here.engine.full_resync(false).await.unwrap();
    assert_eq!(server.fetches().len(), 1);
    assert!(here.live("n00003").await.is_some());
}

#[tokio::test]
async fn e2e_a_full_resync_holds_when_suspiciously_many_rows_are_missing() {
    let (server, here) = with_rows(40).await;
    for number in 0..30 {
        server.purge(NOTES, &format!("n{number:05}"));
    }
    here.engine.full_resync(false).await.unwrap();
    assert_eq!((here.count(COUNT).await, server.fetches().len()), (40, 0));
    let held = here.events().into_iter().any(|event| {
        matches!(
            event,
            SyncEvent::SweepHeld {
                candidates: 30,
                of: 40,
                ..
            }
        )
    });
    assert!(held);
    here.engine.full_resync(true).await.unwrap();
    assert_eq!((here.count(COUNT).await, server.fetches().len()), (10, 0));
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn hazard_e32_a_full_resync_spares_rows_with_operations() {
    for clear_data in [false, true] {
        let (server, here) = with_rows(15).await;
        here.edit("n00001", json!({"mood": 5})).await;
        here.create("new", json!({"title": "never sent"})).await;
        server.purge(NOTES, "n00001");
        let refusal = server.fault(Fault::status(403)).on(Route::Push).always();
        here.engine.full_resync(clear_data).await.unwrap();
        assert_fields(here.live("n00001").await.as_ref(), &json!({"mood": 5}));
        assert!(here.live("new").await.is_some());
        assert_eq!(here.ops().await.len(), 2);
        let mut tx = Store::begin(&here.store, TxMode::Read).await.unwrap();
        let shadow = tx
            .shadows(&kind(), &[entity("n00001")])
            .await
            .unwrap()
            .pop();
        drop(tx);
        let parked = shadow.unwrap().parked;
        let knows = parked.is_some_and(|state| state.is_deleted());
        assert_eq!(knows, !clear_data, "a confirmed deletion is parked");
        refusal.remove();
        converge(&server, &[&here]).await;
        assert_fields(server.get(NOTES, "n00001").as_ref(), &json!({"mood": 5}));
    }
}

#[tokio::test]
async fn hazard_e33_a_full_resync_that_is_interrupted_goes_on_where_it_was() {
    let (server, here) = with_rows(60).await;
    server.purge(NOTES, "n00003");
    server.fault(Fault::drop_after()).on(Route::Pull).skip(3);
    let report = here.engine.full_resync(false).await.unwrap();
    assert!(!report.is_complete());
    assert_eq!(here.count(COUNT).await, 60);
    server.clear_recorded();
    here.sync_fully().await;
    let pulls = server.pulls(NOTES);
    assert_ne!(pulls[0].query("pageToken"), None, "it went on where it was");
    let from_zero = |pull: &&RecordedRequest| {
        let since = pull.query("updatedSince");
        since.is_some_and(|since| since.starts_with("1970-")) && pull.query("pageToken").is_none()
    };
    assert_eq!(
        pulls.iter().filter(from_zero).count(),
        0,
        "not from the start"
    );
    assert_eq!(here.row("n00003").await, None);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn e2e_a_full_resync_comes_by_itself_every_seven_days() {
    let (server, here) = with_rows(12).await;
    server.purge(NOTES, "n00003");
    let days = |count: u64| Duration::from_secs(count * 24 * 3600);
    here.world.advance(days(6));
    here.sync_fully().await;
    assert_eq!(here.count(COUNT).await, 12);
    here.world.advance(days(2));
    here.sync_fully().await;
    assert_eq!(here.count(COUNT).await, 11);
}

#[tokio::test]
async fn e2e_a_changed_filter_brings_the_other_part_and_drops_what_is_outside() {
    let server = MockServer::builder()
        .filter_by("mood")
        .start()
        .await
        .unwrap();
    seed_note(&server);
    server
        .seed(
            NOTES,
            (0..4).map(|n| json!({"id": format!("m{n}"), "title": "T", "mood": n})),
        )
        .unwrap();
    let here = Setup::new(&server)
        .table(|table| table.filter("mood", "3"))
        .open()
        .await;
    here.sync_fully().await;
    assert_eq!(
        here.all().await.into_keys().collect::<Vec<_>>(),
        ["m3", "n1"]
    );
    here.edit("n1", json!({"body": "mine"})).await;
    let (folder, world) = (here.folder.clone(), here.world.clone());
    drop(here);
    let setup = Setup::new(&server).file_of(folder).world(&world);
    let here = setup.table(|table| table.filter("mood", "2")).open().await;
    server.fault(Fault::status(422)).on(Route::Push);
    here.sync().await;
    let kept = here.all().await.into_keys().collect::<Vec<_>>();
    assert_eq!(kept, ["m2", "n1"], "what has operations stays");
    here.wait();
    here.sync_fully().await;
    assert_fields(server.get(NOTES, "n1").as_ref(), &json!({"body": "mine"}));
}

#[tokio::test]
async fn e2e_a_row_written_while_a_full_resync_runs_is_not_swept() {
    let (server, here) = with_rows(25).await;
    let gate = server.hold(Route::Pull);
    let meanwhile = async {
        gate.arrived().await;
        here.create("new", json!({"title": "written meanwhile"}))
            .await;
        gate.release();
    };
    let (report, ()) = tokio::join!(here.engine.full_resync(true), meanwhile);
    report.unwrap();
    assert!(here.live("new").await.is_some());
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn e2e_a_full_resync_changes_nothing_where_all_is_well() {
    let (server, here) = with_rows(25).await;
    let before = here.all().await;
    let report = here.engine.full_resync(false).await.unwrap();
    assert!(report.is_complete());
    assert_eq!((here.all().await, server.fetches().len()), (before, 0));
    assert!(!here.event_names().contains(&"CacheUpdate".to_owned()));
}
