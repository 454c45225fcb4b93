//! Corners that a second reading of the law against the code brought up.

use serde_json::json;
use sync_core::store::OpQuery;
use sync_core::{ConflictStrategy, SyncOptions};
use sync_testkit::{Deletion, Fault, MockServer, Route};

use crate::setup::{NOTES, Setup, assert_fields, converge, many, seed_note};

#[tokio::test]
async fn e2e_a_deletion_without_a_version_beats_what_was_parked_before_it() {
    let server = MockServer::builder()
        .deletion(Deletion::Hard)
        .ignore_keys(true)
        .start()
        .await
        .unwrap();
    server.seed(NOTES, many(1)).unwrap();
    let here = Setup::new(&server)
        .strategy(ConflictStrategy::ServerWins)
        .open()
        .await;
    here.sync_fully().await;
    here.edit("n00000", json!({"mood": 5})).await;
    server.fault(Fault::drop_before()).on(Route::Push);
    here.engine
        .sync_with(SyncOptions::default().no_pull())
        .await
        .unwrap();
    server.update(NOTES, "n00000", json!({"title": "newer"}));
    here.engine
        .sync_with(SyncOptions::default().no_push())
        .await
        .unwrap();
    server.purge(NOTES, "n00000");
    here.wait();
    here.engine
        .sync_with(SyncOptions::default().no_pull())
        .await
        .unwrap();
    assert_eq!(here.live("n00000").await, None, "it is gone on the server");
    assert_eq!(here.engine.outbox().count().await.unwrap(), 0);
}

#[tokio::test]
async fn e2e_a_batch_refused_as_a_whole_leaves_its_operations_open_to_the_next_edit() {
    let server = MockServer::builder()
        .features(&["if-absent"])
        .start()
        .await
        .unwrap();
    seed_note(&server);
    let here = Setup::new(&server)
        .rest(|rest| rest.batch(true))
        .open()
        .await;
    here.sync_fully().await;
    here.edit("n1", json!({"title": ""})).await;
    here.create("n2", json!({"title": "fine"})).await;
    server.fault(Fault::status(400)).on(Route::Batch);
    server
        .fault(Fault::status(422))
        .on(Route::Put)
        .only(NOTES, "n1");
    here.sync().await;
    here.edit("n1", json!({"title": "mended"})).await;
    let ops = here
        .engine
        .outbox()
        .list(&OpQuery::default())
        .await
        .unwrap();
    assert_eq!(
        ops.len(),
        1,
        "the correction folds into what was refused: {ops:?}"
    );
    converge(&server, &[&here]).await;
    assert_fields(
        server.get(NOTES, "n1").as_ref(),
        &json!({"title": "mended"}),
    );
}

#[tokio::test]
async fn e2e_a_row_that_the_list_shows_but_the_table_refuses_is_not_swept() {
    let server = MockServer::start().await.unwrap();
    server.seed(NOTES, many(3)).unwrap();
    let here = Setup::new(&server).open().await;
    here.sync_fully().await;
    // The table wants a title; the server now has none.
    server.update(NOTES, "n00001", json!({"title": null}));
    here.engine.full_resync(true).await.unwrap();
    assert!(here.row("n00001").await.is_some(), "the older row stays");
    server.update(NOTES, "n00001", json!({"title": "again"}));
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn e2e_a_silent_server_ends_the_push_instead_of_being_asked_in_ever_smaller_batches() {
    let server = MockServer::start().await.unwrap();
    let here = Setup::new(&server)
        .rest(|rest| rest.batch(true))
        .open()
        .await;
    here.sync_fully().await;
    for number in 0..40 {
        here.create(&format!("c{number}"), json!({"title": "waits"}))
            .await;
    }
    server.clear_recorded();
    server.fault(Fault::drop_before()).on(Route::Batch).always();
    server.fault(Fault::drop_before()).on(Route::Push).always();
    here.engine
        .sync_with(SyncOptions::default().no_pull())
        .await
        .unwrap();
    assert!(server.pushes().len() <= 4, "{}", server.pushes().len());
    assert_eq!(here.engine.outbox().count().await.unwrap(), 40);
}
