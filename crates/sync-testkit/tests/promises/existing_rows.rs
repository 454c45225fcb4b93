//! Tables that had rows before the library came.

use serde_json::json;
use sync_core::store::{RowWrite, Store, TxMode};
use sync_core::{
    ConflictStrategy, ExistingRows, MemoryStore, Precondition, SyncError, SyncEvent, TableConfig,
};

use crate::device::{Device, id, notes, record, schema};
use crate::server::Server;

/// A store whose table has so many rows of the app's own.
async fn with_rows(count: usize) -> MemoryStore {
    let store = MemoryStore::new();
    store.prepare(&[schema()]).await.unwrap();
    let rows: Vec<RowWrite> = (0..count)
        .map(|n| RowWrite::local(record(json!({"id": format!("n{n:04}"), "title": "mine"}))))
        .collect();
    let mut tx = store.begin(TxMode::Write).await.unwrap();
    tx.put(&notes(), &rows).await.unwrap();
    tx.commit().await.unwrap();
    store
}

fn saying(whose: ExistingRows) -> TableConfig {
    TableConfig::new().existing_rows(whose)
}

#[tokio::test]
async fn a_table_with_rows_must_say_whose_they_are() {
    let (store, server) = (with_rows(501).await, Server::new());
    let build = |table| Device::on(store.clone(), &server, schema(), table);
    for _ in 0..2 {
        let Err(SyncError::Config(message)) = build(TableConfig::new()).await.map(drop) else {
            panic!("nobody said whose the rows are")
        };
        for part in ["\"notes\"", "501 rows", "Adopt", "ServerOwned"] {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[tokio::test]
async fn adopted_rows_are_created_on_the_server() {
    let server = Server::new();
    let store = with_rows(501).await;
    let adopt = saying(ExistingRows::Adopt);
    let device = Device::on(store, &server, schema(), adopt).await.unwrap();
    let ops = device.ops().await;
    assert_eq!(ops.len(), 501);
    assert!(
        ops.iter()
            .all(|op| op.precondition == Some(Precondition::IfAbsent))
    );
    device.sync().await;
    assert!(device.ops().await.is_empty());
    assert_eq!(server.get("n0500").get("title"), Some(&json!("mine")));
}

#[tokio::test]
async fn an_adopted_row_that_bears_a_tombstone_is_not_brought_back() {
    let store = with_rows(1).await;
    let deleted = json!({"id": "gone", "title": "G", "deleted_at": "2025-01-01T00:00:00Z"});
    let mut tx = store.begin(TxMode::Write).await.unwrap();
    let rows = [RowWrite::local(record(deleted))];
    tx.put(&notes(), &rows).await.unwrap();
    tx.commit().await.unwrap();
    let adopt = saying(ExistingRows::Adopt);
    let device = Device::on(store, &Server::new(), schema(), adopt).await;
    let ops = device.unwrap().ops().await;
    assert_eq!(ops.len(), 1);
    assert_eq!(ops[0].entity_id.as_str(), "n0000");
}

#[tokio::test]
async fn rows_of_the_servers_are_left_to_the_pulls() {
    let server = Server::new();
    server.put("n0000", json!({"title": "theirs"}));
    let store = with_rows(2).await;
    let owned = saying(ExistingRows::ServerOwned);
    let device = Device::on(store, &server, schema(), owned).await.unwrap();
    assert!(device.ops().await.is_empty());
    device.sync().await;
    let title = |id| device.row(id).unwrap().get("title").cloned();
    assert_eq!(title("n0000"), Some(json!("theirs")));
    // Not on the server: a local row, which a sweep does not take for a deleted one.
    device.engine.full_resync(false).await.unwrap();
    assert_eq!(title("n0001"), Some(json!("mine")));
}

#[tokio::test]
async fn a_row_of_the_servers_that_is_deleted_before_the_first_pull_is_deleted_there() {
    let server = Server::new();
    server.put("n0000", json!({"title": "mine"}));
    let store = with_rows(2).await;
    let owned = saying(ExistingRows::ServerOwned);
    let device = Device::on(store, &server, schema(), owned).await.unwrap();
    device.delete("n0000").await;
    // Not on the server, and nobody sees that anybody asked.
    device.delete("n0001").await;
    // Before the first pull a 404 proves nothing.
    device.sync().await;
    device.sync().await;
    assert!(device.ops().await.is_empty());
    assert!(server.get("n0000").is_deleted());
    let is_gone = |id| device.row(id).is_none_or(|row| row.is_deleted());
    assert!(is_gone("n0000") && is_gone("n0001"));
}

#[tokio::test]
async fn a_row_of_the_servers_that_was_edited_there_survives_a_deletion_before_the_first_pull() {
    let server = Server::new();
    server.put("n0000", json!({"title": "theirs"}));
    let owned = saying(ExistingRows::ServerOwned);
    let device = Device::on(with_rows(1).await, &server, schema(), owned).await;
    let device = device.unwrap();
    device.delete("n0000").await;
    device.sync().await;
    let title = device.row("n0000").unwrap().get("title").cloned();
    assert_eq!(title, Some(json!("theirs")));
    assert!(!server.get("n0000").is_deleted());
}

#[tokio::test]
async fn a_deletion_after_an_edit_before_the_first_pull_is_not_undone_in_silence() {
    let server = Server::new();
    // The server says by chance what the edit says; the other is still what the row said before it.
    server.put("n0000", json!({"title": "edited"}));
    server.put("n0001", json!({"title": "mine"}));
    let owned = saying(ExistingRows::ServerOwned);
    let device = Device::on(with_rows(3).await, &server, schema(), owned).await;
    let mut device = device.unwrap();
    for id in ["n0000", "n0001", "n0002"] {
        device.edit(id, "title", json!("edited")).await;
        device.delete(id).await;
    }
    device.sync().await;
    device.sync().await;
    assert!(device.ops().await.is_empty());
    assert!(server.get("n0000").is_deleted());
    let is_gone = |id| device.row(id).is_none_or(|row| row.is_deleted());
    assert!(is_gone("n0000") && is_gone("n0002"));
    // What the row said before the edit is forgotten, so this may be somebody else's edit.
    assert!(!is_gone("n0001"));
    let told = device.new_events().into_iter().any(|event| {
        matches!(event, SyncEvent::ConflictResolved { conflict, .. } if conflict.entity_id == id("n0001"))
    });
    assert!(told);
}

#[tokio::test]
async fn an_edit_of_a_row_of_the_servers_before_the_first_pull_covers_nothing_else() {
    let server = Server::new();
    server.put("n0000", json!({"title": "mine", "body": "theirs"}));
    let owned = saying(ExistingRows::ServerOwned);
    let device = Device::on(with_rows(1).await, &server, schema(), owned).await;
    let device = device.unwrap();
    device.edit("n0000", "title", json!("edited")).await;
    device.sync().await;
    device.sync().await;
    let record = server.get("n0000");
    assert_eq!(record.get("title"), Some(&json!("edited")));
    assert_eq!(record.get("body"), Some(&json!("theirs")));
}

#[tokio::test]
async fn a_row_that_the_server_does_not_have_is_created_there_when_it_is_edited() {
    for strategy in [ConflictStrategy::AutoPreserve, ConflictStrategy::ServerWins] {
        for pulled in [false, true] {
            let server = Server::new();
            let owned = saying(ExistingRows::ServerOwned).strategy(strategy);
            let device = Device::on(with_rows(1).await, &server, schema(), owned).await;
            let device = device.unwrap();
            if pulled {
                device.sync().await;
            }
            device.edit("n0000", "title", json!("edited")).await;
            device.sync().await;
            device.sync().await;
            assert!(device.ops().await.is_empty());
            let record = server.get("n0000");
            assert_eq!(record.get("title"), Some(&json!("edited")));
            assert_eq!(
                device.row("n0000").unwrap().get("title"),
                Some(&json!("edited"))
            );
        }
    }
}

#[tokio::test]
async fn a_table_is_asked_once() {
    let store = MemoryStore::new();
    let server = Server::new();
    let build = |table| Device::on(store.clone(), &server, schema(), table);
    build(TableConfig::new()).await.unwrap();
    let rows = [RowWrite::local(record(json!({"id": "late", "title": "L"})))];
    let mut tx = store.begin(TxMode::Write).await.unwrap();
    tx.put(&notes(), &rows).await.unwrap();
    tx.commit().await.unwrap();
    // Written past the library, after the table was first seen.
    let device = build(saying(ExistingRows::Adopt)).await.unwrap();
    assert!(device.ops().await.is_empty());
}

#[tokio::test]
async fn rows_that_the_library_knows_need_no_word() {
    let store = MemoryStore::new();
    store.prepare(&[schema()]).await.unwrap();
    let mut tx = store.begin(TxMode::Write).await.unwrap();
    let row = record(json!({"id": "a", "title": "A"}));
    tx.put(&notes(), &[RowWrite::server(row, None, 1)])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let built = Device::on(store, &Server::new(), schema(), TableConfig::new()).await;
    assert!(built.is_ok());
}
