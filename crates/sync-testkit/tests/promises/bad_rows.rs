//! Rows from the server that cannot be applied.

use serde_json::json;
use sync_core::transport::PushOutcome;
use sync_core::{BadRow, PhaseEnd, ServerState, SyncEvent, TableConfig};

use crate::device::{Device, notes, record};
use crate::server::Server;

#[tokio::test]
async fn a_bad_row_is_set_aside_and_the_rest_goes_on() {
    let server = Server::new();
    server.put("bad", json!({"title": null}));
    server.put("good", json!({"title": "G"}));
    let device = Device::new(&server, TableConfig::new()).await;
    device.sync().await;
    assert!(device.row("good").is_some());
    assert_eq!(device.quarantined().await[0].key, "bad");
}

#[tokio::test]
async fn a_table_that_wants_it_stops_at_a_bad_row_and_names_it() {
    let server = Server::new();
    server.put("bad", json!({"title": null}));
    let device = Device::new(&server, TableConfig::new().bad_rows(BadRow::Fail)).await;
    for _ in 0..2 {
        // The cursor does not pass it: the second run meets it again.
        let report = device.engine.sync().await.unwrap();
        assert!(matches!(report.pull, PhaseEnd::Failed { .. }), "{report:?}");
        let failure = &report.pull_failures[&notes()];
        assert!(failure.contains("bad"), "{failure}");
    }
    assert_eq!(device.quarantined().await, []);

    server.put("bad", json!({"title": "mended"}));
    device.sync().await;
    assert!(device.row("bad").is_some());
}

#[tokio::test]
async fn an_entry_is_replaced_by_a_newer_state_only() {
    let server = Server::new();
    server.put("a", json!({"title": null, "body": "first"}));
    let older = server.get("a");
    server.put("a", json!({"title": null, "body": "second"}));
    let mut device = Device::new(&server, TableConfig::new()).await;
    device.sync().await;
    device.new_events();
    // An answer that was on its way for long.
    device.insert(json!({"id": "a", "title": "mine"})).await;
    let late = ServerState::of(older, None);
    server
        .state()
        .scripted
        .push_back(PushOutcome::Accepted { state: Some(late) });
    let options = sync_core::SyncOptions::default().no_pull();
    device.engine.sync_with(options).await.unwrap();
    let entries = device.quarantined().await;
    assert_eq!(entries[0].row["body"], "second");
    let told = |event: &SyncEvent| matches!(event, SyncEvent::RowQuarantined { .. });
    assert!(!device.new_events().iter().any(told));
}

#[tokio::test]
async fn an_entry_goes_when_an_answer_brings_its_record() {
    let server = Server::new();
    server.put("a", json!({"title": "A"}));
    let device = Device::new(&server, TableConfig::new()).await;
    device.sync().await;
    server.put("a", json!({"title": null}));
    device.sync().await;
    assert_eq!(device.quarantined().await.len(), 1);
    device.edit("a", "title", json!("mine")).await;
    let options = sync_core::SyncOptions::default().no_pull();
    device.engine.sync_with(options).await.unwrap();
    assert_eq!(device.row("a").unwrap().get("title"), Some(&json!("mine")));
    assert_eq!(device.quarantined().await, []);
}

#[tokio::test]
async fn an_entry_goes_with_a_record_that_a_sweep_finds_gone() {
    let server = Server::new();
    server.put("a", json!({"title": "A"}));
    let device = Device::new(&server, TableConfig::new()).await;
    device.sync().await;
    server.put("a", json!({"title": null}));
    device.sync().await;
    server.forget("a");
    device.engine.full_resync(false).await.unwrap();
    assert_eq!(device.row("a"), None);
    assert_eq!(device.quarantined().await, []);
}

#[tokio::test]
async fn an_older_state_that_comes_again_releases_nothing() {
    let server = Server::new();
    server.put("a", json!({"title": "A"}));
    let older = server.get("a");
    let device = Device::new(&server, TableConfig::new()).await;
    device.sync().await;
    server.put("a", json!({"title": null}));
    device.sync().await;
    // A stale replica answers a full pull.
    server.restore(older);
    device.engine.full_resync(false).await.unwrap();
    assert_eq!(device.quarantined().await.len(), 1);
    assert_eq!(device.row("a").unwrap(), record(json!(server.get("a"))));
}
