//! Conflicts that wait, and who decides them.

use std::sync::{Arc, Mutex, OnceLock};

use serde_json::json;
use sync_core::transport::PushOutcome;
use sync_core::{
    ChangedFields, ConflictStrategy, MergeFunction, OpStatus, Precondition, Resolution, SyncEngine,
    resolve_fn,
};

use crate::device::{Device, ID, purging, schema};
use crate::server::{Asked, accepted, conflict, if_base, live, record, sent, stamp};

/// A device without a resolver, whose edit of `a` met an edit of `a`.
async fn undecided() -> Device {
    let table = purging().strategy(ConflictStrategy::Manual);
    let note = json!({"id": ID, "a": 1, "b": 1});
    let device = Device::with(schema("updated_at", vec![]), table, note).await;
    device.change("a", 2).await;
    device
        .server
        .answers(conflict(live(json!({"id": ID, "a": 3, "b": 1}), 2)));
    device.push().await;
    device.server.pushed();
    device
}

#[tokio::test]
async fn a_conflict_that_nobody_decides_is_listed_and_sent_only_when_it_is_resolved() {
    let device = undecided().await;
    let op = device.op().await;
    assert_eq!((op.status, &op.verdict), (OpStatus::Deferred, &None));
    let open = device.engine.conflicts().open().await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(
        (&open[0].conflict.op_id, open[0].conflict.server.version()),
        (&op.op_id, live(json!({}), 2).version())
    );
    device.push_later().await;
    assert_eq!(device.server.asked(), []);

    let resolved = device
        .engine
        .conflicts()
        .resolve(&open[0].conflict, Resolution::AcceptClient)
        .await;
    assert!(resolved.unwrap());
    assert!(device.engine.conflicts().open().await.unwrap().is_empty());
    let again = device
        .engine
        .conflicts()
        .resolve_by_id(&op.op_id, Resolution::AcceptServer)
        .await;
    assert!(!again.unwrap(), "it was decided before");
    device
        .server
        .answers(accepted(live(json!({"id": ID, "a": 2, "b": 1}), 3)));
    device.push_later().await;
    assert_eq!(device.server.pushed().precondition, Precondition::Force);
    assert!(device.ops().await.is_empty());
}

#[tokio::test]
async fn a_conflict_is_closed_when_the_user_edits_again() {
    let device = undecided().await;
    device.change("b", 5).await;
    assert!(device.engine.conflicts().open().await.unwrap().is_empty());
    let op = device.op().await;
    assert_eq!((op.status, op.last_error), (OpStatus::Pending, None));
}

#[tokio::test]
async fn a_conflict_that_was_put_off_is_met_again_when_its_record_changes() {
    let device = undecided().await;
    let op = device.op().await;
    let put_off = device
        .engine
        .conflicts()
        .resolve_by_id(&op.op_id, Resolution::Defer)
        .await;
    assert!(put_off.unwrap());
    device.pull().await;
    assert_eq!(
        device.op().await.status,
        OpStatus::Deferred,
        "that record it has met"
    );
    device
        .server
        .lists(json!({"id": ID, "a": 2, "b": 9, "updated_at": stamp(5).to_json()}));
    device.pull().await;
    assert_eq!(device.op().await.status, OpStatus::Pending);
    assert!(device.engine.conflicts().open().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_decision_about_an_edit_that_changed_meanwhile_is_asked_for_again() {
    let engine: Arc<OnceLock<SyncEngine>> = Arc::default();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let resolver = {
        let (engine, asked) = (engine.clone(), asked.clone());
        resolve_fn(move |conflict| {
            let (engine, asked) = (engine.clone(), asked.clone());
            async move {
                let local = conflict.local.clone().unwrap();
                let is_first = asked.lock().unwrap().is_empty();
                asked
                    .lock()
                    .unwrap()
                    .push(local.get("a").unwrap().to_string());
                if is_first {
                    let records = engine.get().unwrap().records("notes")?;
                    let edit = record(json!({"id": ID, "a": 8}));
                    records
                        .change(edit, &ChangedFields::from_iter(["a"]))
                        .await?;
                    return Ok(Resolution::AcceptServer);
                }
                Ok(Resolution::AcceptClient)
            }
        })
    };
    let table = purging()
        .strategy(ConflictStrategy::Manual)
        .resolver(resolver);
    let note = json!({"id": ID, "a": 1, "b": 1});
    let device = Device::with(schema("updated_at", vec![]), table, note).await;
    engine.set(device.engine.clone()).unwrap();
    device.change("a", 2).await;
    let theirs = live(json!({"id": ID, "a": 3, "b": 1}), 2);
    device.server.answers(conflict(theirs));
    device
        .server
        .answers(accepted(live(json!({"id": ID, "a": 8, "b": 1}), 3)));
    device.push().await;
    device.push_later().await;
    assert_eq!(*asked.lock().unwrap(), ["2", "8"]);
    let requests = device.server.asked();
    let Some(Asked::Push(last)) = requests.last() else {
        panic!("{requests:?}")
    };
    assert_eq!(
        (sent(last).get("a"), &last.precondition),
        (Some(&json!(8)), &Precondition::Force)
    );
    assert!(device.ops().await.is_empty());
}

#[tokio::test]
async fn what_a_function_merged_is_forced_as_it_is_and_not_merged_twice() {
    let sum = MergeFunction::new(|local, server| {
        let a = |record: &sync_core::json::JsonMap| record["a"].as_i64().unwrap();
        let mut merged = server.clone();
        merged.insert("a".to_owned(), json!(a(local) + a(server)));
        merged
    });
    let table = purging().merge(sum).strategy(ConflictStrategy::Merge);
    let note = json!({"id": ID, "a": 1, "b": 1});
    let device = Device::with(schema("updated_at", vec![]), table, note).await;
    device.change("a", 10).await;
    let met = || conflict(live(json!({"id": ID, "a": 5, "b": 1}), 2));
    device.server.answers(met());
    device.server.answers(met());
    device.server.answers(PushOutcome::Accepted { state: None });
    device.push().await;
    let requests = device.server.asked();
    let [Asked::Push(_), Asked::Push(merged), Asked::Push(forced)] = &requests[..] else {
        panic!("{requests:?}")
    };
    assert_eq!(
        (&merged.precondition, &forced.precondition),
        (&if_base(2), &Precondition::Force)
    );
    assert_eq!(
        (sent(merged).get("a"), sent(forced).get("a")),
        (Some(&json!(15)), Some(&json!(15)))
    );
}
