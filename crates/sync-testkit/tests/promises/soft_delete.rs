//! What becomes of deleted rows.

use std::time::Duration;

use serde_json::json;
use sync_core::{MemoryStore, SoftDelete, SyncError, TableConfig, TxMode};

use crate::device::{Device, id, notes, without_tombstone};
use crate::server::Server;

const HOUR: Duration = Duration::from_secs(3_600);

fn purge_after_an_hour() -> TableConfig {
    TableConfig::new().soft_delete(SoftDelete::PurgeAfter(HOUR))
}

async fn knows_a_version(device: &Device, text: &str) -> bool {
    use sync_core::Store;
    let mut tx = device.store.begin(TxMode::Read).await.unwrap();
    let versions = tx.versions(&notes(), &[id(text)]).await.unwrap();
    !versions.is_empty()
}

#[tokio::test]
async fn a_tombstone_row_stays_for_its_time_and_then_goes_with_its_version_known() {
    let server = Server::new();
    server.put("a", json!({"title": "A"}));
    server.put("b", json!({"title": "B"}));
    let device = Device::new(&server, purge_after_an_hour()).await;
    device.sync().await;
    server.delete("a");
    device.delete("b").await;
    device.sync().await;
    assert!(device.row("a").unwrap().is_deleted());
    assert!(device.row("b").unwrap().is_deleted());

    device.world.advance(HOUR / 2);
    device.sync().await;
    assert!(device.row("a").is_some());

    device.world.advance(HOUR);
    device.sync().await;
    assert_eq!((device.row("a"), device.row("b")), (None, None));
    assert!(knows_a_version(&device, "a").await);
    assert!(knows_a_version(&device, "b").await);
}

#[tokio::test]
async fn a_deletion_that_waits_is_not_purged() {
    let server = Server::new();
    server.put("a", json!({"title": "A"}));
    let device = Device::new(&server, purge_after_an_hour()).await;
    device.sync().await;
    device.delete("a").await;
    device.world.advance(HOUR * 2);
    let options = sync_core::SyncOptions::default().no_push();
    device.engine.sync_with(options).await.unwrap();
    assert!(device.row("a").unwrap().is_deleted());
}

#[tokio::test]
async fn only_purge_does_without_a_tombstone_field() {
    let build = |policy| async move {
        let table = TableConfig::new().soft_delete(policy);
        Device::on(
            MemoryStore::new(),
            &Server::new(),
            without_tombstone(),
            table,
        )
        .await
    };
    assert!(build(SoftDelete::Purge).await.is_ok());
    for policy in [SoftDelete::Keep, SoftDelete::PurgeAfter(HOUR)] {
        let Err(SyncError::Config(message)) = build(policy).await else {
            panic!("{policy:?} needs the field")
        };
        assert!(message.contains("`deleted_at`"), "{message}");
    }
}
