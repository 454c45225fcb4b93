//! Full resyncs that are interrupted, and those that another server makes necessary.

use serde_json::json;
use sync_core::{FullResyncReason, SyncEvent, TableConfig};

use crate::device::Device;
use crate::server::Server;

#[tokio::test]
async fn a_sweep_that_was_interrupted_goes_on_without_repeating_its_fetches() {
    let server = Server::new();
    for id in ["a", "b", "c", "d"] {
        server.put(id, json!({"title": id}));
    }
    let device = Device::new(&server, TableConfig::new()).await;
    device.sync().await;
    for id in ["a", "b", "c", "d"] {
        server.hide(id);
    }
    server.state().unfetchable.insert("c".to_owned());
    let report = device.engine.full_resync(false).await.unwrap();
    assert!(!report.is_complete());
    assert_eq!(server.take_fetched(), ["a", "b", "c"]);

    // Meanwhile the kind is pulled as ever.
    server.put("e", json!({"title": "new"}));
    device.engine.sync().await.unwrap();
    assert!(device.row("e").is_some());
    assert_eq!(server.take_fetched(), ["c"]);

    server.state().unfetchable.clear();
    server.forget("d");
    device.sync().await;
    assert_eq!(server.take_fetched(), ["c", "d"]);
    assert!(device.row("c").is_some());
    assert_eq!(device.row("d"), None);

    device.sync().await;
    assert!(server.take_fetched().is_empty());
}

#[tokio::test]
async fn a_row_that_a_sweep_confirmed_without_applying_it_is_not_fetched_again() {
    let server = Server::new();
    for id in ["a", "b", "c"] {
        server.put(id, json!({"title": id}));
    }
    let device = Device::new(&server, TableConfig::new()).await;
    device.sync().await;
    server.put("b", json!({"title": null}));
    for id in ["a", "b", "c"] {
        server.hide(id);
    }
    server.lose_stamp("a");
    server.state().unfetchable.insert("c".to_owned());
    device.engine.full_resync(false).await.unwrap();
    assert_eq!(server.take_fetched(), ["a", "b", "c"]);
    assert_eq!(device.quarantined().await.len(), 1);
    device.engine.sync().await.unwrap();
    assert_eq!(server.take_fetched(), ["c"]);
}

fn reasons(device: &mut Device) -> Vec<FullResyncReason> {
    let reason = |event| match event {
        SyncEvent::FullResyncStarted { reason, .. } => Some(reason),
        _ => None,
    };
    device.new_events().into_iter().filter_map(reason).collect()
}

#[tokio::test]
async fn another_server_is_pulled_from_zero_and_the_event_says_why() {
    let server = Server::new();
    server.put("a", json!({"title": "A"}));
    let mut device = Device::new(&server, TableConfig::new()).await;
    device.sync().await;
    assert_eq!(reasons(&mut device), []);
    server.state().origin = "second".to_owned();
    device.engine.full_resync(false).await.unwrap();
    assert_eq!(reasons(&mut device), [FullResyncReason::ServerChanged]);
    device.sync().await;
    assert_eq!(reasons(&mut device), []);
}
