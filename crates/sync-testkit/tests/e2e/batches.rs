//! Several operations in one request, and answers that are only half there.

use serde_json::{Value, json};
use sync_core::OpStatus;
use sync_testkit::{Fault, MockServer, Route};

use crate::setup::{Device, NOTES, Setup, assert_fields, converge, seed_note};

/// A server that takes batches, and a device with an edit of n1 and four new notes.
async fn batching() -> (MockServer, Device) {
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
    here.edit("n1", json!({"mood": 5})).await;
    for number in 0..4 {
        here.create(&format!("c{number}"), json!({"title": "new"}))
            .await;
    }
    server.clear_recorded();
    (server, here)
}

fn ids() -> [&'static str; 5] {
    ["n1", "c0", "c1", "c2", "c3"]
}

fn sizes(server: &MockServer) -> Vec<usize> {
    let size = |body: Option<Value>| body.and_then(|body| Some(body["ops"].as_array()?.len()));
    let pushes = server.pushes().into_iter();
    pushes.map(|push| size(push.body).unwrap_or(1)).collect()
}

#[tokio::test]
async fn e2e_a_batch_takes_everything_in_one_request() {
    let (server, here) = batching().await;
    let report = here.sync_fully().await;
    assert_eq!(report.stats.pushed, 5);
    assert_eq!(sizes(&server), [5]);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn hazard_e47_a_batch_is_settled_operation_by_operation() {
    let (server, here) = batching().await;
    server.update(NOTES, "n1", json!({"body": "theirs"}));
    server.update(NOTES, "c1", json!({"title": "was there", "energy": 1}));
    let report = here.sync_fully().await;
    assert_eq!((report.stats.pushed, report.stats.conflicts), (5, 2));
    converge(&server, &[&here]).await;
    assert_fields(
        server.get(NOTES, "n1").as_ref(),
        &json!({"mood": 5, "body": "theirs"}),
    );
    assert_fields(
        server.get(NOTES, "c1").as_ref(),
        &json!({"title": "new", "energy": 1}),
    );
}

#[tokio::test]
async fn e2e_a_refusal_within_a_batch_concerns_its_operation_only() {
    let (server, here) = batching().await;
    let results: Vec<Value> = here
        .ops()
        .await
        .iter()
        .map(|op| {
            let key = op.idempotency_key();
            let refused = op.entity_id.as_str() == "c2";
            let mut record = json!({"id": op.entity_id.as_str(), "title": "new", "updated_at": "2026-01-01T00:00:01Z"});
            if op.entity_id.as_str() == "n1" {
                record["mood"] = json!(5);
            }
            if refused {
                json!({"opId": key, "statusCode": 422, "error": {"code": "bad", "message": "too short"}})
            } else {
                json!({"opId": key, "statusCode": 200, "data": record})
            }
        })
        .collect();
    server
        .fault(Fault::json(200, json!({"results": results})))
        .on(Route::Batch);
    let report = here.sync().await;
    assert_eq!((report.stats.pushed, report.pending), (4, 1));
    let op = here.ops().await.pop().unwrap();
    assert_eq!((op.entity_id.as_str(), op.try_count), ("c2", 1));
    assert!(op.last_error.unwrap().contains("too short"));
}

#[tokio::test]
async fn hazard_e15_results_that_are_missing_doubled_or_unknown_are_trouble_for_their_operation() {
    let faults: [fn() -> Fault; 4] = [
        Fault::missing_result,
        Fault::doubled_result,
        Fault::unknown_result,
        Fault::result_without_status,
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        let (server, here) = batching().await;
        server.fault(fault()).on(Route::Batch);
        let options = sync_core::SyncOptions::default().no_pull();
        let report = here.engine.sync_with(options).await.unwrap();
        assert_eq!((report.stats.pushed, report.pending), (4, 1), "{number}");
        let op = here.ops().await.pop().unwrap();
        assert_eq!((op.try_count, op.trouble_count), (0, 1), "{number}");
        here.wait();
        let report = here.sync_fully().await;
        assert_eq!(report.stats.conflicts, 0);
        for id in ids() {
            assert_eq!(server.applied_to(NOTES, id), 1, "{id}");
        }
        converge(&server, &[&here]).await;
    }
}

#[tokio::test]
async fn e2e_a_batch_that_is_refused_as_a_whole_goes_singly() {
    for status in [400, 404, 413, 422] {
        let (server, here) = batching().await;
        server
            .fault(Fault::status(status))
            .on(Route::Batch)
            .always();
        let report = here.sync_fully().await;
        assert_eq!(
            (report.stats.pushed, report.stats.errors),
            (5, 0),
            "{status}"
        );
        assert_eq!(sizes(&server), [5, 1, 1, 1, 1, 1], "{status}");
        converge(&server, &[&here]).await;
    }
}

#[tokio::test]
async fn e2e_a_batch_that_fails_as_a_whole_is_halved() {
    let (server, here) = batching().await;
    server.fault(Fault::status(500)).on(Route::Batch).times(1);
    let report = here.sync_fully().await;
    assert_eq!(report.stats.pushed, 5);
    let sizes = sizes(&server);
    assert_eq!(sizes[0], 5);
    assert!(sizes[1..].iter().all(|size| *size <= 2), "{sizes:?}");
    assert_eq!(sizes[1..].iter().sum::<usize>(), 5);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn e2e_one_poisonous_operation_in_a_batch_is_found_by_halving() {
    let (server, here) = batching().await;
    server.fault(Fault::status(500)).on(Route::Batch).always();
    server
        .fault(Fault::status(500))
        .on(Route::Push)
        .only(NOTES, "c1")
        .always();
    for run in 1..=5_u32 {
        let report = here.sync().await;
        assert_eq!(report.pending, 1, "run {run}");
        here.create(&format!("x{run}"), json!({"title": "new"}))
            .await;
        here.wait();
    }
    let ops = here.ops().await;
    assert_eq!(ops[0].entity_id.as_str(), "c1");
    assert_eq!(ops[0].status, OpStatus::Stuck, "{:?}", ops[0]);
}

#[tokio::test]
async fn hazard_e47_a_batch_whose_answer_was_lost_is_not_applied_twice() {
    for ignore in [false, true] {
        let (server, here) = batching().await;
        server.reconfigure(|settings| settings.ignore_keys(ignore));
        server.fault(Fault::drop_after()).on(Route::Batch);
        here.sync().await;
        here.wait();
        let report = here.sync_fully().await;
        assert_eq!(report.stats.conflicts, 0);
        for id in ids() {
            assert_eq!(server.applied_to(NOTES, id), 1, "{id}");
        }
        converge(&server, &[&here]).await;
    }
}

#[tokio::test]
async fn e2e_html_in_place_of_a_batchs_results_acks_nothing() {
    let (server, here) = batching().await;
    server.fault(Fault::html()).on(Route::Batch);
    let options = sync_core::SyncOptions::default().no_pull();
    let report = here.engine.sync_with(options).await.unwrap();
    assert_eq!(
        (report.stats.pushed, report.pending, report.stuck),
        (0, 5, 0)
    );
    for op in here.ops().await {
        assert_eq!(op.try_count, 0);
    }
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn e2e_overload_of_a_batch_counts_nothing() {
    let (server, here) = batching().await;
    server.fault(Fault::status(503)).on(Route::Batch);
    let report = here.sync().await;
    assert_eq!((report.pending, server.pushes().len()), (5, 1));
    for op in here.ops().await {
        assert_eq!((op.try_count, op.trouble_count), (0, 0));
    }
    converge(&server, &[&here]).await;
}
