//! Edits that are merged without a conflict: the event names what a side lost.

use serde_json::json;
use sync_core::transport::PushOutcome;
use sync_core::{ServerState, SyncEvent, SyncOptions, TableConfig};

use crate::device::Device;
use crate::server::Server;

/// Local, server's and contested fields of the merges told of.
fn merges(device: &mut Device) -> Vec<[Vec<String>; 2]> {
    let merge = |event| match event {
        SyncEvent::DataMerged {
            local_fields,
            contested_fields,
            ..
        } => Some([local_fields, contested_fields]),
        _ => None,
    };
    device.new_events().into_iter().filter_map(merge).collect()
}

/// A device whose first edit was taken, by an answer that never came, and a second that waits.
async fn with_a_waiting_edit(server: &Server, field: &str) -> Device {
    server.put("a", json!({"title": "base", "body": "base"}));
    let mut device = Device::new(server, TableConfig::new()).await;
    device.sync().await;
    device.edit("a", "title", json!("one")).await;
    server.state().scripted.push_back(PushOutcome::Trouble {
        message: "the answer is lost".to_owned(),
    });
    device
        .engine
        .sync_with(SyncOptions::default().no_pull())
        .await
        .unwrap();
    device.edit("a", field, json!("two")).await;
    device.world.advance(std::time::Duration::from_secs(600));
    device.new_events();
    device
}

#[tokio::test]
async fn a_replayed_edit_that_covers_somebody_elses_names_the_field() {
    let server = Server::new();
    let mut device = with_a_waiting_edit(&server, "body").await;
    // The server took the first edit, and another one before it answered.
    server.put("a", json!({"title": "one", "body": "theirs"}));
    let state = Some(ServerState::of(server.get("a"), None));
    server
        .state()
        .scripted
        .push_back(PushOutcome::Accepted { state });
    device
        .engine
        .sync_with(SyncOptions::default().no_pull())
        .await
        .unwrap();
    let body = vec!["body".to_owned()];
    assert_eq!(merges(&mut device), [[body.clone(), body]]);
    assert_eq!(server.get("a").get("body"), Some(&json!("two")));
}

#[tokio::test]
async fn a_replayed_edit_that_meets_nobody_tells_of_no_merge() {
    let server = Server::new();
    let mut device = with_a_waiting_edit(&server, "body").await;
    device.sync().await;
    assert_eq!(server.get("a").get("body"), Some(&json!("two")));
    assert!(merges(&mut device).is_empty());
}

#[tokio::test]
async fn a_forced_merge_names_what_it_covers() {
    let server = Server::new();
    server.put("a", json!({"title": "base", "body": "base"}));
    let mut device = Device::new(&server, TableConfig::new()).await;
    device.sync().await;
    device.edit("a", "title", json!("mine")).await;
    device.new_events();
    // Another content under the stamp that the edit was made against.
    let mut shown = server.get("a");
    shown
        .fields_mut()
        .insert("title".to_owned(), json!("theirs"));
    let state = Some(ServerState::of(shown, None));
    let conflict = PushOutcome::Conflict { state, time: None };
    server.state().scripted.push_back(conflict);
    device.sync().await;
    let title = vec!["title".to_owned()];
    assert_eq!(merges(&mut device), [[title.clone(), title]]);
    assert_eq!(server.get("a").get("title"), Some(&json!("mine")));
}

#[tokio::test]
async fn a_create_that_is_refused_although_nothing_is_there_says_so() {
    let server = Server::new();
    let device = Device::new(&server, TableConfig::new()).await;
    device.sync().await;
    device.insert(json!({"id": "a", "title": "A"})).await;
    let no_record = PushOutcome::Conflict {
        state: None,
        time: None,
    };
    server.state().scripted.push_back(no_record);
    device.engine.sync().await.unwrap();
    let ops = device.ops().await;
    assert_eq!(ops[0].try_count, 1);
    let error = ops[0].last_error.clone().unwrap();
    assert_eq!(
        error,
        "the server refuses the record although it has none with this id"
    );
}
