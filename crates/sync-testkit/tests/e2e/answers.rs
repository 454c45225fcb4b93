//! Answers that are lost, empty, or not the server's.

use serde_json::{Value, json};
use sync_core::SyncOptions;
use sync_testkit::{Deletion, Fault, MockServer, Route};

use crate::setup::{
    Device, NOTES, Setup, assert_fields, converge, device, seed_note, server_with_note,
};

#[tokio::test]
async fn hazard_e46_answers_that_are_not_the_servers_ack_nothing() {
    let faults: [fn() -> Fault; 7] = [
        Fault::html,
        || Fault::redirect("http://127.0.0.1:9/notes/n1"),
        || Fault::redirect("/notes/n2"),
        || Fault::json(200, json!({"error": "teapot", "message": "no"})),
        || {
            Fault::json(
                200,
                json!({"id": "n2", "title": "x", "updated_at": "2026-01-01T00:00:09Z"}),
            )
        },
        || Fault::json(200, json!([1, 2])),
        || Fault::answer(200, "\"ok\""),
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        let server = server_with_note().await;
        let here = device(&server).await;
        here.sync_fully().await;
        here.edit("n1", json!({"mood": 5})).await;
        server.clear_recorded();
        let fault = server.fault(fault()).on(Route::Push).always();
        for _ in 0..7 {
            here.wait();
            let report = here.sync().await;
            assert_eq!((report.pending, report.stuck), (1, 0), "{number}");
        }
        let op = here.ops().await.pop().unwrap();
        assert_eq!((op.try_count, op.trouble_count), (0, 0), "{number}");
        assert_eq!(
            fault.hits(),
            server.pushes().len(),
            "no redirect was followed"
        );
        assert_eq!(fault.hits(), 7, "{number}");
        assert_fields(
            here.live("n1").await.as_ref(),
            &json!({"mood": 5, "title": "Old"}),
        );
        let failures = here.event_names();
        assert!(
            failures.contains(&"OperationFailed".to_owned()),
            "{number}: {failures:?}"
        );
        fault.remove();
        converge(&server, &[&here]).await;
        assert_fields(server.get(NOTES, "n1").as_ref(), &json!({"mood": 5}));
    }
}

#[tokio::test]
async fn e2e_html_in_place_of_a_page_changes_nothing() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    server.update(NOTES, "n1", json!({"mood": 9}));
    server.fault(Fault::html()).on(Route::Pull);
    let report = here.sync().await;
    assert!(!report.pull.is_complete());
    assert_fields(here.live("n1").await.as_ref(), &json!({"mood": 3}));
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn e2e_answers_without_bodies_are_acks() {
    for etags in [false, true] {
        let builder = MockServer::builder().bodies(false).etags(etags);
        let server = builder.start().await.unwrap();
        seed_note(&server);
        let here = device(&server).await;
        here.sync_fully().await;
        for mood in 5..8 {
            here.edit("n1", json!({"mood": mood})).await;
            here.create(&format!("c{mood}"), json!({"title": "new"}))
                .await;
            let report = here.sync_fully().await;
            assert_eq!((report.stats.pushed, report.stats.conflicts), (2, 0));
        }
        here.delete("c5").await;
        here.sync_fully().await;
        converge(&server, &[&here]).await;
    }
}

#[tokio::test]
async fn e2e_an_edit_on_an_ack_without_body_merges_with_what_came_between() {
    let server = MockServer::builder().bodies(false).start().await.unwrap();
    seed_note(&server);
    let here = device(&server).await;
    here.sync_fully().await;
    let push_only = SyncOptions::default().no_pull();
    here.edit("n1", json!({"mood": 5})).await;
    here.engine.sync_with(push_only.clone()).await.unwrap();
    server.update(NOTES, "n1", json!({"body": "theirs"}));
    here.edit("n1", json!({"energy": 6})).await;
    here.engine.sync_with(push_only).await.unwrap();
    converge(&server, &[&here]).await;
    let wanted = json!({"mood": 5, "energy": 6, "body": "theirs"});
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
}

#[tokio::test]
async fn e2e_a_create_on_an_id_that_exists_is_a_conflict() {
    for (if_absent, features) in [(true, vec!["if-absent"]), (true, vec![]), (false, vec![])] {
        let builder = MockServer::builder()
            .if_absent(if_absent)
            .features(&features);
        let server = builder.start().await.unwrap();
        let here = device(&server).await;
        here.sync_fully().await;
        server.update(NOTES, "x1", json!({"title": "theirs", "mood": 1}));
        here.create("x1", json!({"title": "mine", "energy": 2}))
            .await;
        let _ = here.events();
        let report = here.sync_fully().await;
        assert_eq!(report.stats.conflicts, 1, "{if_absent} {features:?}");
        let bases: Vec<_> = here
            .events()
            .into_iter()
            .filter_map(|event| match event {
                sync_core::SyncEvent::ConflictDetected { conflict, .. } => Some(conflict.base),
                _ => None,
            })
            .collect();
        assert_eq!(bases, [sync_core::ServerState::Absent]);
        converge(&server, &[&here]).await;
        let wanted = json!({"title": "mine", "mood": 1, "energy": 2});
        assert_fields(server.get(NOTES, "x1").as_ref(), &wanted);
    }
}

#[tokio::test]
async fn hazard_e04_a_404_from_a_kind_that_was_never_pulled_is_a_wrong_address() {
    let server = MockServer::start().await.unwrap();
    let here = device(&server).await;
    here.create("n2", json!({"title": "kept"})).await;
    server.fault(Fault::status(404)).on(Route::Push).always();
    let push_only = SyncOptions::default().no_pull();
    for _ in 0..7 {
        here.wait();
        let report = here.engine.sync_with(push_only.clone()).await.unwrap();
        assert_eq!((report.pending, report.stuck), (1, 0));
    }
    assert_eq!(here.ops().await[0].try_count, 0);
    server.clear_faults();
    converge(&server, &[&here]).await;
    assert_fields(server.get(NOTES, "n2").as_ref(), &json!({"title": "kept"}));
}

#[tokio::test]
async fn hazard_e04_an_edit_that_meets_a_404_recreates_the_record() {
    for deletion in [Deletion::Hidden, Deletion::Hard] {
        let server = MockServer::builder()
            .deletion(deletion)
            .start()
            .await
            .unwrap();
        seed_note(&server);
        let here = device(&server).await;
        here.sync_fully().await;
        server.delete(NOTES, "n1");
        here.edit("n1", json!({"mood": 5})).await;
        let report = here.sync_fully().await;
        assert_eq!(report.stats.conflicts, 1);
        let wanted = json!({"title": "Old", "mood": 5});
        assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
        converge(&server, &[&here]).await;
    }
}

#[tokio::test]
async fn hazard_e52_a_delete_that_meets_a_404_is_done() {
    for deletion in [Deletion::Tombstone, Deletion::Hidden, Deletion::Hard] {
        let server = MockServer::builder()
            .deletion(deletion)
            .start()
            .await
            .unwrap();
        seed_note(&server);
        let here = device(&server).await;
        here.sync_fully().await;
        server.delete(NOTES, "n1");
        here.delete("n1").await;
        let report = here.sync_fully().await;
        assert_eq!(report.stats.conflicts, 0, "{deletion:?}");
        assert_eq!(here.live("n1").await, None);
        converge(&server, &[&here]).await;
    }
}

#[tokio::test]
async fn e2e_a_server_that_revives_nothing_ends_in_a_stuck_operation_and_no_loop() {
    let server = MockServer::builder().revives(false).start().await.unwrap();
    seed_note(&server);
    let here = device(&server).await;
    here.sync_fully().await;
    server.delete(NOTES, "n1");
    here.edit("n1", json!({"mood": 5})).await;
    server.clear_recorded();
    for _ in 0..8 {
        here.wait();
        here.sync().await;
    }
    assert!(server.pushes().len() <= 16, "{}", server.pushes().len());
    assert_eq!(here.engine.outbox().stuck().await.unwrap().len(), 1);
    assert_fields(here.live("n1").await.as_ref(), &json!({"mood": 5}));
}

async fn spoilt_conflict(fault: Fault) -> (Device, MockServer) {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    server.update(NOTES, "n1", json!({"body": "theirs"}));
    server.update(NOTES, "n2", json!({"title": "not concerned"}));
    here.edit("n1", json!({"mood": 5})).await;
    server.fault(fault).on(Route::Push);
    here.sync().await;
    (here, server)
}

#[tokio::test]
async fn hazard_e44_a_conflict_without_a_record_is_fetched() {
    let (here, server) = spoilt_conflict(Fault::incomplete_conflict()).await;
    assert_eq!(server.fetches().len(), 1);
    converge(&server, &[&here]).await;
    let wanted: Value = json!({"mood": 5, "body": "theirs"});
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
}

#[tokio::test]
async fn hazard_e45_a_conflict_with_another_entitys_record_touches_neither() {
    let (here, server) = spoilt_conflict(Fault::wrong_entity_conflict()).await;
    converge(&server, &[&here]).await;
    let wanted: Value = json!({"mood": 5, "body": "theirs"});
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
    assert_fields(
        server.get(NOTES, "n2").as_ref(),
        &json!({"title": "not concerned"}),
    );
}

#[tokio::test]
async fn e2e_an_accepted_edit_that_is_answered_by_a_tombstone_is_gone_not_done() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    let tombstone = json!({"id": "n1", "title": "Old", "updated_at": "2026-01-01T00:00:01Z", "deleted_at": "2026-01-01T00:00:01Z"});
    server.fault(Fault::json(200, tombstone)).on(Route::Push);
    let report = here.sync().await;
    assert_ne!(report.stats.conflicts, 0);
    converge(&server, &[&here]).await;
    assert_fields(server.get(NOTES, "n1").as_ref(), &json!({"mood": 5}));
}

#[tokio::test]
async fn e2e_a_409_for_another_reason_than_the_version_ends_as_a_refusal() {
    let server = server_with_note().await;
    let here = Setup::new(&server)
        .config(|config| config.with_max_outbox_try_count(2))
        .open()
        .await;
    here.sync_fully().await;
    here.edit("n1", json!({"title": "taken"})).await;
    let name_taken = json!({"error": "this title is taken"});
    server
        .fault(Fault::json(409, name_taken))
        .on(Route::Push)
        .always();
    for _ in 0..4 {
        here.engine.sync().await.unwrap();
        here.wait();
    }
    assert_eq!(here.engine.outbox().stuck().await.unwrap().len(), 1);
    assert!(server.pushes().len() <= 5, "it is not fought over for ever");
    assert_eq!(here.live("n1").await.unwrap()["title"], "taken");
}
