//! The queue of operations.

use std::sync::Arc;

use serde_json::json;
use sync_core::store::OpQuery;
use sync_core::{
    Body, Change, Fate, Op, OpId, OpStatus, Precondition, Store, StoreErrorKind, Timestamp,
    Verdict, Version,
};

use super::compare::assert_verbatim;
use super::fixtures::{
    append, at, id, op_id, op_ids, plain, reading, record, second, upsert, version, wide, writing,
};

fn all() -> OpQuery {
    OpQuery::default()
}

/// An operation in which nothing has its default.
fn full_op(name: &str) -> Op {
    let payload = record(json!({
        "id": "e1", "title": "o'brien", "null": null, "big": u64::MAX, "small": i64::MIN,
        "float": 0.1, "one": 1.0, "nested": {"a": [null, {}, "\u{1f44d}"]}, "mood": "local"
    }));
    let changed = serde_json::from_value(json!(["title", "o'brien", "ünï"])).unwrap();
    let written = Change::Upsert {
        payload: payload.clone(),
        changed: Some(changed),
    };
    let stamp = at("2026-03-01T14:00:00.123456789+02:00");
    let base = Version::new(stamp).with_tag(Some("\"v1\"".to_owned()));
    let written_at = at("2026-03-01T12:00:00.25Z");
    let mut op = Op::new(op_id(name), wide(), id("e1"), written, written_at);
    op.verdict = Some(Verdict {
        change: Change::Upsert {
            payload,
            changed: None,
        },
        judged: Some(base.clone()),
        recreate: true,
        unreliable: true,
        names_all: true,
    });
    op.precondition = Some(Precondition::IfBase { version: base });
    op.round = u32::MAX;
    op.fate = Fate::Unknown;
    op.ever_sent = true;
    op.body = Some(Body::Part);
    op.status = OpStatus::Stuck;
    op.try_count = 4;
    op.trouble_count = 5;
    op.next_attempt_at = Some(i64::MAX);
    op.last_error = Some("422: \"title\" is o'brien's".to_owned());
    op
}

async fn only_op(store: &Arc<dyn Store>) -> Op {
    let mut ops = reading(store).await.ops(&all()).await.unwrap();
    assert_eq!(ops.len(), 1);
    ops.remove(0)
}

async fn update(store: &Arc<dyn Store>, ops: &[Op]) {
    let mut tx = writing(store).await;
    tx.update_ops(ops).await.unwrap();
    tx.commit().await.unwrap();
}

async fn delete(store: &Arc<dyn Store>, ids: &[OpId]) {
    let mut tx = writing(store).await;
    tx.delete_ops(ids).await.unwrap();
    tx.commit().await.unwrap();
}

pub async fn operations_get_growing_places(store: Arc<dyn Store>) {
    let names = ["z", "a", "m"];
    let places = append(&store, &names.map(|name| upsert(name, &wide(), name))).await;
    let more = append(&store, &[upsert("b", &plain(), "b")]).await;
    let places = [places, more].concat();
    assert!(places.is_sorted_by(|a, b| a < b), "{places:?}");
    assert_eq!(op_ids(&store, &all()).await, ["z", "a", "m", "b"]);
    let ops = reading(&store).await.ops(&all()).await.unwrap();
    assert_eq!(ops.iter().map(|op| op.seq).collect::<Vec<_>>(), places);
}

pub async fn the_store_alone_gives_places(store: Arc<dyn Store>) {
    let mut first = upsert("op1", &wide(), "e1");
    first.seq = 1_000;
    let mut second = upsert("op2", &wide(), "e1");
    second.seq = -5;
    let places = append(&store, &[first, second]).await;
    let ops = reading(&store).await.ops(&all()).await.unwrap();
    assert_eq!(ops.iter().map(|op| op.seq).collect::<Vec<_>>(), places);
    assert_eq!(op_ids(&store, &all()).await, ["op1", "op2"]);
}

pub async fn a_place_is_never_used_again(store: Arc<dyn Store>) {
    let mut last = 0;
    for round in 0..3 {
        let ops = [1, 2].map(|n| upsert(&format!("op{round}-{n}"), &wide(), "e1"));
        let places = append(&store, &ops).await;
        assert!(places[0] > last, "{} comes after {last}", places[0]);
        last = places[1];
        delete(&store, &ops.map(|op| op.op_id)).await;
    }
}

pub async fn the_last_place_is_known(store: Arc<dyn Store>) {
    assert_eq!(reading(&store).await.last_seq().await.unwrap(), 0);
    let ops = ["op1", "op2"].map(|name| upsert(name, &wide(), "e1"));
    let places = append(&store, &ops).await;
    let mut tx = writing(&store).await;
    assert_eq!(tx.last_seq().await.unwrap(), places[1]);
    tx.delete_ops(&ops.map(|op| op.op_id)).await.unwrap();
    assert_eq!(
        tx.last_seq().await.unwrap(),
        places[1],
        "a place that was given stays given"
    );
    let more = tx
        .append_ops(&[upsert("op3", &wide(), "e1")])
        .await
        .unwrap();
    assert_eq!(tx.last_seq().await.unwrap(), more[0]);
    drop(tx);
    assert_eq!(reading(&store).await.last_seq().await.unwrap(), places[1]);
}

pub async fn an_operation_id_is_unique(store: Arc<dyn Store>) {
    append(&store, &[upsert("op1", &wide(), "e1")]).await;
    let again = [upsert("op1", &plain(), "e2")];
    let error = writing(&store).await.append_ops(&again).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Constraint);
    let twice = [upsert("op2", &wide(), "e1"), upsert("op2", &wide(), "e2")];
    let error = writing(&store).await.append_ops(&twice).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Constraint);
    assert_eq!(op_ids(&store, &all()).await, ["op1"]);
}

pub async fn every_field_of_an_operation_is_kept(store: Arc<dyn Store>) {
    let mut op = full_op("op1");
    op.seq = append(&store, std::slice::from_ref(&op)).await[0];
    assert_verbatim(&only_op(&store).await, &op);
}

pub async fn a_bare_operation_is_kept(store: Arc<dyn Store>) {
    let mut op = Op::new(op_id("op1"), wide(), id("e1"), Change::Delete, second(0));
    op.seq = append(&store, std::slice::from_ref(&op)).await[0];
    assert_verbatim(&only_op(&store).await, &op);
}

pub async fn every_state_of_an_operation_is_kept(store: Arc<dyn Store>) {
    append(&store, &[upsert("op1", &wide(), "e1")]).await;
    let judged = |judged| {
        Some(Verdict {
            change: Change::Delete,
            judged,
            recreate: false,
            unreliable: false,
            names_all: true,
        })
    };
    let preconditions = [
        None,
        Some(Precondition::IfAbsent),
        Some(Precondition::Force),
        Some(Precondition::IfBase {
            version: Version::new(Timestamp::from_number(1_772_366_400).unwrap()),
        }),
    ];
    let fates = [
        Fate::NeverSent,
        Fate::Unknown,
        Fate::Negative,
        Fate::Unknown,
    ];
    let statuses = [
        OpStatus::Pending,
        OpStatus::Deferred,
        OpStatus::Stuck,
        OpStatus::Pending,
    ];
    let verdicts = [None, judged(None), judged(Some(version(3))), None];
    let states = preconditions
        .into_iter()
        .zip(fates)
        .zip(statuses)
        .zip(verdicts);
    for (((precondition, fate), status), verdict) in states {
        let mut op = only_op(&store).await;
        (op.precondition, op.fate, op.status, op.verdict) = (precondition, fate, status, verdict);
        update(&store, std::slice::from_ref(&op)).await;
        assert_verbatim(&only_op(&store).await, &op);
    }
}

pub async fn an_update_replaces_everything_but_the_place(store: Arc<dyn Store>) {
    let names = ["op1", "op2", "op3"];
    let places = append(&store, &names.map(|name| upsert(name, &wide(), "e1"))).await;
    let mut full = full_op("op2");
    full.seq = 999;
    update(&store, std::slice::from_ref(&full)).await;
    full.seq = places[1];
    let ops = reading(&store).await.ops(&all()).await.unwrap();
    assert_verbatim(&ops[1], &full);
    // And back: what was set is cleared.
    let mut bare = upsert("op2", &wide(), "e1");
    update(&store, std::slice::from_ref(&bare)).await;
    bare.seq = places[1];
    let ops = reading(&store).await.ops(&all()).await.unwrap();
    assert_verbatim(&ops[1], &bare);
    assert_eq!(op_ids(&store, &all()).await, names);
}

pub async fn an_update_of_an_unknown_operation_adds_nothing(store: Arc<dyn Store>) {
    append(&store, &[upsert("op1", &wide(), "e1")]).await;
    let mut changed = upsert("op1", &wide(), "e1");
    changed.round = 1;
    update(&store, &[upsert("unknown", &wide(), "e1"), changed]).await;
    assert_eq!(only_op(&store).await.round, 1);
}

pub async fn operations_are_deleted_by_id(store: Arc<dyn Store>) {
    let names = ["op1", "op2", "op3"];
    append(&store, &names.map(|name| upsert(name, &wide(), "e1"))).await;
    delete(&store, &["op3", "unknown", "op1", "op1"].map(op_id)).await;
    assert_eq!(op_ids(&store, &all()).await, ["op2"]);
}

pub async fn empty_sets_of_operations_do_nothing(store: Arc<dyn Store>) {
    append(&store, &[upsert("op1", &wide(), "e1")]).await;
    let mut tx = writing(&store).await;
    assert_eq!(tx.append_ops(&[]).await.unwrap(), [0_i64; 0]);
    tx.update_ops(&[]).await.unwrap();
    tx.delete_ops(&[]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(op_ids(&store, &all()).await, ["op1"]);
}

pub async fn many_operations_go_in_one_call(store: Arc<dyn Store>) {
    let mut ops: Vec<_> = (0..2_000)
        .map(|n| upsert(&format!("op{n}"), &wide(), &format!("e{n}")))
        .collect();
    append(&store, &ops).await;
    for op in &mut ops {
        op.round = 7;
    }
    update(&store, &ops).await;
    let entities: Vec<_> = ops.iter().map(|op| op.entity_id.clone()).collect();
    let mut tx = writing(&store).await;
    let found = tx.ops(&OpQuery::of(&wide(), &entities)).await.unwrap();
    assert_eq!(found.len(), 2_000);
    assert!(found.iter().all(|op| op.round == 7));
    assert_eq!(tx.pending(&wide(), &entities).await.unwrap(), entities);
    let ids: Vec<_> = ops.into_iter().map(|op| op.op_id).collect();
    tx.delete_ops(&ids).await.unwrap();
    assert_eq!(tx.count_ops(&all()).await.unwrap(), 0);
}

pub async fn of_a_doubled_update_the_last_wins(store: Arc<dyn Store>) {
    let mut op = upsert("op1", &wide(), "e1");
    append(&store, std::slice::from_ref(&op)).await;
    let updates = [1, 3, 2].map(|round| {
        op.round = round;
        op.clone()
    });
    update(&store, &updates).await;
    assert_eq!(only_op(&store).await.round, 2);
}
