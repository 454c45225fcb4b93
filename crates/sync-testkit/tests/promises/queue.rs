//! Giving edits up by name.

use serde_json::json;
use sync_core::transport::PushOutcome;
use sync_core::{OpStatus, SyncConfig, SyncEvent, TableConfig};

use crate::device::{Device, id, notes};
use crate::server::Server;

fn refused() -> PushOutcome {
    PushOutcome::Refused {
        status: 422,
        message: "not this one".to_owned(),
    }
}

#[tokio::test]
async fn hazard_e16_stuck_edits_are_discarded_in_bulk_and_the_others_stay() {
    let server = Server::new();
    server.put("old", json!({"title": "theirs"}));
    let mut device = Device::new(&server, TableConfig::new()).await;
    device.sync().await;
    device.edit("old", "title", json!("mine")).await;
    device.insert(json!({"id": "new", "title": "N"})).await;
    for _ in 0..SyncConfig::default().max_outbox_try_count {
        server.state().scripted.extend([refused(), refused()]);
        device.world.advance(SyncConfig::default().backoff_max);
        device.engine.sync().await.unwrap();
    }
    device.insert(json!({"id": "waiting", "title": "W"})).await;
    let stuck = device.engine.outbox().stuck().await.unwrap();
    assert_eq!(stuck.len(), 2);
    device.new_events();

    let discarded = device.engine.outbox().discard_stuck().await.unwrap();
    let found: Vec<_> = discarded
        .iter()
        .map(|(kind, id, what)| {
            (
                kind.clone(),
                id.clone(),
                what.op_ids.clone(),
                what.maybe_applied,
            )
        })
        .collect();
    let expected: Vec<_> = stuck
        .iter()
        .map(|op| (notes(), op.entity_id.clone(), vec![op.op_id.clone()], false))
        .collect();
    assert_eq!(found, expected);
    let told = |event: &SyncEvent| matches!(event, SyncEvent::OperationsDiscarded { .. });
    assert_eq!(
        device
            .new_events()
            .iter()
            .filter(|event| told(event))
            .count(),
        2
    );
    assert_eq!(
        device.row("old").unwrap().get("title"),
        Some(&json!("theirs"))
    );
    assert_eq!(device.row("new"), None);
    let left = device.ops().await;
    assert_eq!(left.len(), 1);
    assert_eq!(
        (&left[0].entity_id, left[0].status),
        (&id("waiting"), OpStatus::Pending)
    );
    assert!(
        device
            .engine
            .outbox()
            .discard_stuck()
            .await
            .unwrap()
            .is_empty()
    );
}
