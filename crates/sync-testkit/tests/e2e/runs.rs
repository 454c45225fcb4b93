//! Runs that are cancelled, joined, restarted, told about.

use std::future::Future;
use std::pin::pin;

use futures::future::{self, Either};
use serde_json::json;
use sync_core::transport::Offline;
use sync_core::{Kind, PhaseEnd, SyncEngine, SyncError, SyncOptions};
use sync_testkit::{MockServer, Route};

use crate::setup::{
    Device, NOTES, Note, Setup, assert_fields, converge, device, many, seed_note, server_with_note,
};

/// Drops the future before its poll number `polls`, as an app does that goes to sleep. Did it end
/// before that?
async fn cancelled_after(polls: usize, future: impl Future) -> bool {
    let mut left = polls;
    let mut future = pin!(future);
    future::poll_fn(|context| {
        if left == 0 {
            return std::task::Poll::Ready(false);
        }
        left -= 1;
        future.as_mut().poll(context).map(|_| true)
    })
    .await
}

/// A device with something of everything to do.
async fn busy(server: &MockServer) -> Device {
    server.seed(NOTES, many(6)).unwrap();
    let here = Setup::new(server)
        .table(|table| table.page_size(3))
        .open()
        .await;
    here.sync_fully().await;
    for (id, mood) in [("n1", 5), ("n00000", 6)] {
        here.edit(id, json!({"mood": mood})).await;
    }
    here.create("c1", json!({"title": "new"})).await;
    here.delete("n00001").await;
    server.update(NOTES, "n1", json!({"body": "theirs"}));
    server.update(NOTES, "n00002", json!({"title": "changed"}));
    here
}

#[tokio::test]
async fn hazard_e11_a_run_that_is_cancelled_at_any_await_loses_nothing() {
    let mut polls = 1;
    loop {
        let server = server_with_note().await;
        let here = busy(&server).await;
        let ended = cancelled_after(polls, here.engine.sync()).await;
        here.wait();
        converge(&server, &[&here]).await;
        let wanted = json!({"mood": 5, "body": "theirs"});
        assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
        assert_fields(server.get(NOTES, "c1").as_ref(), &json!({"title": "new"}));
        assert_eq!(server.get(NOTES, "n00001"), None);
        for id in ["n1", "n00000", "c1", "n00001"] {
            assert_eq!(server.applied_to(NOTES, id), 1, "{id} after {polls} polls");
        }
        if ended {
            assert!(polls > 10, "the run ended after {polls} polls");
            return;
        }
        polls += if polls < 20 { 1 } else { 3 };
    }
}

#[tokio::test]
async fn e2e_a_first_pull_that_is_cancelled_again_and_again_gets_on() {
    let server = MockServer::start().await.unwrap();
    server.seed(NOTES, many(40)).unwrap();
    let here = Setup::new(&server)
        .table(|table| table.page_size(4))
        .open()
        .await;
    for polls in 1..20 {
        cancelled_after(polls, here.engine.sync()).await;
    }
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn e2e_a_process_that_dies_during_a_push_continues_with_the_same_key() {
    for ignore in [false, true] {
        let server = MockServer::builder()
            .ignore_keys(ignore)
            .start()
            .await
            .unwrap();
        seed_note(&server);
        let here = device(&server).await;
        here.sync_fully().await;
        here.edit("n1", json!({"mood": 5})).await;
        let gate = server.hold_answer(Route::Push);
        {
            let died = pin!(gate.arrived());
            let run = pin!(here.engine.sync());
            assert!(matches!(future::select(died, run).await, Either::Left(_)));
        }
        let key = here.ops().await[0].idempotency_key();
        let folder = here.folder.clone();
        let world = here.world.clone();
        drop(here);
        gate.release();
        server.update(NOTES, "n1", json!({"body": "theirs"}));

        let again = Setup::new(&server)
            .file_of(folder)
            .world(&world)
            .open()
            .await;
        let ops = again.ops().await;
        assert_eq!((ops.len(), ops[0].idempotency_key()), (1, key.clone()));
        let report = again.sync_fully().await;
        assert_eq!(report.stats.conflicts, 0);
        assert_eq!(
            (server.applied(&key), server.applied_to(NOTES, "n1")),
            (1, 1)
        );
        let wanted = json!({"mood": 5, "body": "theirs"});
        assert_fields(again.live("n1").await.as_ref(), &wanted);
        converge(&server, &[&again]).await;
    }
}

#[tokio::test]
async fn e2e_a_process_that_starts_again_has_everything_it_had() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    here.create("n2", json!({"title": "new"})).await;
    let (folder, world) = (here.folder.clone(), here.world.clone());
    drop(here);
    server.update(NOTES, "n1", json!({"body": "theirs"}));
    let again = Setup::new(&server)
        .file_of(folder)
        .world(&world)
        .open()
        .await;
    server.clear_recorded();
    let report = again.sync_fully().await;
    assert_eq!((report.stats.pushed, report.stats.conflicts), (2, 1));
    assert!(
        server.pulls(NOTES)[0].query("updatedSince").is_some(),
        "the cursor was kept"
    );
    converge(&server, &[&again]).await;
}

#[tokio::test]
async fn hazard_e35_calls_made_during_a_run_are_served_by_one_follow_up_run() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    let _ = here.events();
    let gate = server.hold(Route::Put);
    let others = async {
        gate.arrived().await;
        here.create("n2", json!({"title": "written before the calls"}))
            .await;
        let calls = future::join_all((0..4).map(|_| here.engine.sync()));
        let release = async { gate.release() };
        let (reports, ()) = tokio::join!(calls, release);
        for report in reports {
            assert_eq!(report.unwrap().pending, 0);
        }
    };
    tokio::join!(here.sync(), others);
    let names = here.event_names();
    let runs = names.iter().filter(|name| *name == "SyncCompleted").count();
    assert_eq!(runs, 2, "{names:?}");
    assert_eq!(server.applied_to(NOTES, "n2"), 1);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn e2e_a_waiting_call_is_served_when_the_run_before_it_is_cancelled() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    let gate = server.hold_answer(Route::Put);
    let waiting = async {
        gate.arrived().await;
        gate.release();
        here.sync().await
    };
    let cancelled = async {
        let arrived = pin!(gate.arrived());
        let run = pin!(here.engine.sync());
        future::select(arrived, run).await;
    };
    let ((), report) = tokio::join!(cancelled, waiting);
    assert_eq!(report.pending, 0);
    assert_eq!(server.applied_to(NOTES, "n1"), 1);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn hazard_e37_after_shutdown_calls_say_so_and_nothing_is_lost() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    let gate = server.hold(Route::Put);
    let stop = async {
        gate.arrived().await;
        here.engine.shutdown().await;
        gate.release();
    };
    let (outcome, ()) = tokio::join!(here.engine.sync(), stop);
    assert!(matches!(outcome, Err(SyncError::ShutDown)), "{outcome:?}");
    assert!(matches!(here.engine.sync().await, Err(SyncError::ShutDown)));
    let (folder, world) = (here.folder.clone(), here.world.clone());
    drop(here);
    let again = Setup::new(&server)
        .file_of(folder)
        .world(&world)
        .open()
        .await;
    converge(&server, &[&again]).await;
    assert_fields(server.get(NOTES, "n1").as_ref(), &json!({"mood": 5}));
}

#[tokio::test]
async fn e2e_a_run_may_push_only_or_pull_only() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    server.update(NOTES, "n2", json!({"title": "new"}));
    let only = SyncOptions::default().no_push();
    server.clear_recorded();
    let report = here.engine.sync_with(only).await.unwrap();
    assert_eq!((report.push, report.pending), (PhaseEnd::Skipped, 1));
    assert_eq!(server.pushes().len(), 0);
    assert!(here.live("n2").await.is_some());

    server.update(NOTES, "n3", json!({"title": "newer"}));
    server.clear_recorded();
    let report = here
        .engine
        .sync_with(SyncOptions::default().no_pull())
        .await
        .unwrap();
    assert_eq!((report.pull, report.pending), (PhaseEnd::Skipped, 0));
    assert_eq!(server.pulls(NOTES).len(), 0);
    assert_eq!(here.live("n3").await, None);
}

#[tokio::test]
async fn hazard_e34_a_first_run_respects_the_kinds_that_it_was_called_for() {
    let server = server_with_note().await;
    server
        .seed("labels", [json!({"id": "l1", "name": "red"})])
        .unwrap();
    let here = crate::setup::two_kinds(&server).await;
    let labels = Kind::new("labels").unwrap();
    here.create("n2", json!({"title": "new"})).await;
    let options = SyncOptions::default()
        .push_kinds([labels.clone()])
        .pull_kinds([labels]);
    let report = here.engine.sync_with(options).await.unwrap();
    assert_eq!((report.pending, server.pushes().len()), (1, 0));
    assert_eq!(server.pulls(NOTES).len(), 0);
    assert_eq!(here.count("SELECT COUNT(*) FROM labels").await, 1);
}

#[tokio::test]
async fn e2e_a_simple_run_tells_what_it_does_in_order() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    assert_eq!(
        here.event_names(),
        [
            "SyncStarted",
            "SyncStarted",
            "CacheUpdate",
            "PullPageProcessed",
            "SyncProgress",
            "PullPageProcessed",
            "SyncProgress",
            "SyncCompleted"
        ]
    );
    here.edit("n1", json!({"mood": 5})).await;
    here.engine
        .sync_with(SyncOptions::default().no_pull())
        .await
        .unwrap();
    assert_eq!(
        here.event_names(),
        [
            "SyncStarted",
            "OperationPushed",
            "PushBatchProcessed",
            "SyncCompleted"
        ]
    );
    server.update(NOTES, "n1", json!({"body": "theirs"}));
    here.edit("n1", json!({"energy": 5})).await;
    here.engine
        .sync_with(SyncOptions::default().no_pull())
        .await
        .unwrap();
    assert_eq!(
        here.event_names(),
        [
            "SyncStarted",
            "ConflictDetected",
            "DataMerged",
            "ConflictResolved",
            "PushBatchProcessed",
            "OperationPushed",
            "PushBatchProcessed",
            "SyncCompleted"
        ]
    );
}

#[tokio::test]
async fn e2e_a_run_with_nothing_to_do_changes_nothing_and_says_so() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    let _ = here.events();
    let before = here.row("n1").await;
    here.sync_fully().await;
    let names = here.event_names();
    assert!(!names.contains(&"CacheUpdate".to_owned()), "{names:?}");
    assert_eq!(here.row("n1").await, before);
}

#[tokio::test]
async fn e2e_two_engines_on_two_files_converge_whatever_their_order() {
    let server = MockServer::builder().extended().start().await.unwrap();
    seed_note(&server);
    let devices = [
        device(&server).await,
        device(&server).await,
        device(&server).await,
    ];
    for (number, here) in devices.iter().enumerate() {
        here.sync_fully().await;
        here.create(&format!("c{number}"), json!({"title": "new"}))
            .await;
    }
    devices[0].edit("n1", json!({"mood": 1})).await;
    devices[1].edit("n1", json!({"energy": 2})).await;
    devices[2].edit("n1", json!({"body": "three"})).await;
    let all: Vec<&Device> = devices.iter().rev().collect();
    converge(&server, &all).await;
    let wanted = json!({"mood": 1, "energy": 2, "body": "three"});
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
}

#[tokio::test]
async fn e2e_a_run_without_a_server_leaves_everything_as_it_is() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    let offline = SyncEngine::builder(here.store.clone(), Offline::new("sign in to sync"))
        .table::<Note>()
        .env(here.world.env())
        .build()
        .await
        .unwrap();
    here.edit("n1", json!({"mood": 5})).await;
    let before = here.ops().await;
    let report = offline.sync().await.unwrap();
    for end in [&report.push, &report.pull] {
        let PhaseEnd::Offline { reason, .. } = end else {
            panic!("{end:?}");
        };
        assert!(reason.contains("sign in to sync"), "{reason}");
    }
    assert_eq!(report.pending, 1);
    let pulls_only = SyncOptions::default().no_push();
    let report = offline.sync_with(pulls_only).await.unwrap();
    assert_eq!(report.push, PhaseEnd::Skipped);
    assert_eq!(before, here.ops().await);
    here.event_names();
    here.sync_fully().await;
    let names = here.event_names();
    assert!(
        !names.contains(&"FullResyncStarted".to_owned()),
        "{names:?}"
    );
    assert_fields(server.get(NOTES, "n1").as_ref(), &json!({"mood": 5}));
}
