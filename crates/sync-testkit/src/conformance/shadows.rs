//! What is remembered about the server while an entity has operations.

use std::sync::Arc;

use serde_json::json;
use sync_core::{EntityId, Record, ServerState, Shadow, Store, Timestamp, Version};

use super::compare::{assert_same, assert_verbatim};
use super::fixtures::{
    append, at, id, ids, op_id, plain, reading, record, shadow, upsert, version, wide, writing,
};

async fn put(store: &Arc<dyn Store>, shadows: &[Shadow]) {
    let mut tx = writing(store).await;
    tx.put_shadows(shadows).await.unwrap();
    tx.commit().await.unwrap();
}

fn entities(shadows: &[Shadow]) -> Vec<EntityId> {
    shadows
        .iter()
        .map(|shadow| shadow.entity_id.clone())
        .collect()
}

fn content() -> Record {
    record(json!({
        "id": "e1", "null": null, "big": u64::MAX, "float": 0.1, "one": 1.0, "deep": [{"é": "'\""}],
        "updated_at": "2026-03-01T14:00:00.5+02:00"
    }))
}

pub async fn both_slots_of_a_shadow_are_kept(store: Arc<dyn Store>) {
    let stamp = at("2026-03-01T14:00:00.123456789+02:00");
    let tagged = Version::new(stamp).with_tag(Some("\"v1\"".to_owned()));
    let number = Version::new(Timestamp::from_number(1_772_366_400).unwrap());
    let live = |version| ServerState::Live {
        record: content(),
        version,
    };
    let deleted = |record, version| ServerState::Deleted { record, version };
    let states = [
        (ServerState::Absent, None),
        (ServerState::Absent, Some(live(Some(tagged.clone())))),
        (live(None), Some(ServerState::gone())),
        (
            live(Some(number)),
            Some(deleted(Some(content()), Some(tagged))),
        ),
        (deleted(None, Some(version(1))), Some(ServerState::Absent)),
    ];
    for (base, parked) in states {
        let mut written = shadow(&wide(), "e1");
        (written.base, written.parked) = (base, parked);
        put(&store, std::slice::from_ref(&written)).await;
        let found = reading(&store)
            .await
            .shadows(&wide(), &[id("e1")])
            .await
            .unwrap();
        assert_verbatim(&found, &vec![written]);
    }
}

pub async fn of_a_doubled_shadow_the_last_wins(store: Arc<dyn Store>) {
    let mut newer = shadow(&wide(), "e1");
    newer.parked = Some(ServerState::gone());
    put(&store, &[shadow(&wide(), "e1"), newer.clone()]).await;
    let found = reading(&store)
        .await
        .shadows(&wide(), &[id("e1")])
        .await
        .unwrap();
    assert_eq!(found, [newer]);
}

pub async fn shadows_come_in_the_order_asked_for(store: Arc<dyn Store>) {
    put(&store, &["a", "b", "c"].map(|id| shadow(&wide(), id))).await;
    let asked = ids(["c", "x", "a", "c"]);
    let mut tx = reading(&store).await;
    let found = tx.shadows(&wide(), &asked).await.unwrap();
    assert_eq!(entities(&found), ids(["c", "a"]));
    assert_eq!(tx.shadows(&wide(), &[]).await.unwrap(), []);
}

pub async fn shadows_are_deleted_by_kind_and_id(store: Arc<dyn Store>) {
    let written = [
        shadow(&wide(), "a"),
        shadow(&wide(), "b"),
        shadow(&plain(), "a"),
    ];
    put(&store, &written).await;
    let mut tx = writing(&store).await;
    tx.delete_shadows(&wide(), &[]).await.unwrap();
    tx.delete_shadows(&wide(), &ids(["a", "x"])).await.unwrap();
    let asked = ids(["a", "b"]);
    assert_eq!(
        entities(&tx.shadows(&wide(), &asked).await.unwrap()),
        ids(["b"])
    );
    assert_eq!(
        entities(&tx.shadows(&plain(), &asked).await.unwrap()),
        ids(["a"])
    );
}

pub async fn an_operation_or_a_shadow_makes_an_entity_pending(store: Arc<dyn Store>) {
    let ops = [
        upsert("op1", &wide(), "queued"),
        upsert("op2", &wide(), "both"),
        upsert("op3", &wide(), "both"),
        upsert("op4", &plain(), "other"),
    ];
    append(&store, &ops).await;
    put(&store, &["both", "shadow"].map(|id| shadow(&wide(), id))).await;
    let mut tx = writing(&store).await;
    let asked = ids(["shadow", "other", "queued", "both", "none", "both"]);
    let pending = tx.pending(&wide(), &asked).await.unwrap();
    assert_eq!(pending, ids(["shadow", "queued", "both"]));
    assert_eq!(tx.pending(&wide(), &[]).await.unwrap(), []);
    tx.delete_ops(&["op1", "op2", "op3"].map(op_id))
        .await
        .unwrap();
    let pending = tx.pending(&wide(), &asked).await.unwrap();
    assert_eq!(pending, ids(["shadow", "both"]));
}

pub async fn a_shadow_without_operation_is_idle(store: Arc<dyn Store>) {
    append(
        &store,
        &[
            upsert("op1", &wide(), "queued"),
            upsert("op2", &plain(), "b"),
        ],
    )
    .await;
    put(
        &store,
        &["c", "queued", "b", "a"].map(|id| shadow(&wide(), id)),
    )
    .await;
    put(&store, &[shadow(&plain(), "z")]).await;
    let mut tx = reading(&store).await;
    let idle = tx.idle_shadows(&wide(), None, 10).await.unwrap();
    assert_eq!(entities(&idle), ids(["a", "b", "c"]));
    let idle = tx.idle_shadows(&wide(), None, 2).await.unwrap();
    assert_eq!(entities(&idle), ids(["a", "b"]));
    let after_a = Some(&id("a"));
    let idle = tx.idle_shadows(&wide(), after_a, 2).await.unwrap();
    assert_eq!(entities(&idle), ids(["b", "c"]));
    assert_eq!(tx.idle_shadows(&wide(), None, 0).await.unwrap(), []);
}

pub async fn many_shadows_go_in_one_call(store: Arc<dyn Store>) {
    let names: Vec<_> = (0..2_000).map(|n| id(&format!("e{n:04}"))).collect();
    let shadows: Vec<_> = names
        .iter()
        .map(|id| shadow(&wide(), id.as_str()))
        .collect();
    put(&store, &shadows).await;
    let mut tx = writing(&store).await;
    assert_same(&tx.shadows(&wide(), &names).await.unwrap(), &shadows);
    assert_same(
        &tx.idle_shadows(&wide(), None, 5_000).await.unwrap(),
        &shadows,
    );
    tx.delete_shadows(&wide(), &names).await.unwrap();
    assert_eq!(tx.pending(&wide(), &names).await.unwrap(), []);
}
