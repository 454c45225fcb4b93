//! What was set aside is seen, and goes on when somebody asks for it by name.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future;
use serde_json::json;
use sync_core::store::OpQuery;
use sync_core::{Resolution, SyncOptions, resolve_fn};
use sync_testkit::{Fault, Route};

use crate::conflicts::in_conflict;
use crate::setup::{NOTES, Setup, assert_fields, converge, device, entity, kind, server_with_note};

#[tokio::test]
async fn e2e_a_conflict_that_was_put_off_is_asked_again_by_name() {
    let server = server_with_note().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let resolver = resolve_fn(move |_| {
        let first = counter.fetch_add(1, Ordering::SeqCst) == 0;
        let answer = if first {
            Resolution::Defer
        } else {
            Resolution::AcceptClient
        };
        future::ready(Ok(answer))
    });
    let here = in_conflict(
        &server,
        Setup::new(&server).table(|table| table.resolver(resolver)),
    )
    .await;
    here.sync().await;
    here.sync().await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(
        here.engine
            .outbox()
            .retry(&kind(), &entity("n1"))
            .await
            .unwrap()
    );
    converge(&server, &[&here]).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert!(
        !here
            .engine
            .outbox()
            .retry(&kind(), &entity("n1"))
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn e2e_an_edit_behind_a_stuck_one_says_what_holds_it_up() {
    let server = server_with_note().await;
    let here = Setup::new(&server)
        .config(|config| config.with_max_outbox_try_count(1))
        .open()
        .await;
    here.sync_fully().await;
    // The first attempt gets no answer, the second is refused: whether the first took effect stays
    // unknown, so the next edit cannot fold in.
    here.edit("n1", json!({"title": "first"})).await;
    server.fault(Fault::drop_before()).on(Route::Push);
    here.sync().await;
    here.wait();
    here.edit("n1", json!({"mood": 9})).await;
    server
        .fault(Fault::status(422))
        .on(Route::Push)
        .only(NOTES, "n1");
    here.sync().await;
    let ops = here
        .engine
        .outbox()
        .list(&OpQuery::default())
        .await
        .unwrap();
    let [head, tail] = &ops[..] else {
        panic!("two operations wait: {ops:?}")
    };
    let blocker = here.engine.outbox().blocked_by(&tail.op_id).await.unwrap();
    assert_eq!(blocker.map(|op| op.op_id), Some(head.op_id.clone()));
    assert_eq!(
        here.engine.outbox().blocked_by(&head.op_id).await.unwrap(),
        None
    );
    assert!(
        here.engine
            .outbox()
            .retry(&kind(), &entity("n1"))
            .await
            .unwrap()
    );
    assert_eq!(
        here.engine.outbox().blocked_by(&tail.op_id).await.unwrap(),
        None
    );
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn hazard_e16_an_edit_that_is_discarded_leaves_the_newest_record_that_a_pull_brought() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    server.update(NOTES, "n1", json!({"body": "theirs"}));
    let pull_only = SyncOptions::default().no_push();
    here.engine.sync_with(pull_only).await.unwrap();
    here.engine
        .outbox()
        .discard(&kind(), &entity("n1"))
        .await
        .unwrap();
    let wanted = json!({"mood": 3, "body": "theirs"});
    assert_fields(here.live("n1").await.as_ref(), &wanted);
}
