//! What goes first: priority, references.

use serde_json::json;
use sync_core::TableConfig;
use sync_testkit::{Fault, MockServer, Route};

use super::{LABELS, label, pulled, pushed};
use crate::setup::{Device, NOTES, Setup, many};

/// Knows labels and notes; the notes are urgent.
async fn urgent_notes(server: &MockServer) -> Device {
    let setup = Setup::new(server).table(|table| table.priority(1));
    setup.with_labels().open().await
}

#[tokio::test]
async fn priority_pushes_urgent_kinds_first_whatever_was_written_first() {
    let server = MockServer::start().await.unwrap();
    let here = urgent_notes(&server).await;
    label(&here, "l1").await;
    here.create("n1", json!({})).await;
    label(&here, "l2").await;
    here.create("n2", json!({})).await;
    here.sync_fully().await;
    assert_eq!(pushed(&server), [NOTES, LABELS]);
}

#[tokio::test]
async fn priority_holds_among_operations_in_trouble_too() {
    let server = MockServer::start().await.unwrap();
    let here = urgent_notes(&server).await;
    label(&here, "l1").await;
    here.create("n1", json!({})).await;
    server.fault(Fault::status(500)).on(Route::Push).times(2);
    here.sync().await;
    here.wait();
    server.clear_recorded();
    here.sync_fully().await;
    assert_eq!(pushed(&server), [NOTES, LABELS]);
}

#[tokio::test]
async fn priority_pulls_urgent_kinds_first() {
    let server = MockServer::start().await.unwrap();
    server.seed(NOTES, many(6)).unwrap();
    server
        .seed(LABELS, [json!({"id": "l1", "name": "L"})])
        .unwrap();
    let here = Setup::new(&server)
        .table(|table| table.priority(1).page_size(2))
        .with_labels()
        .open()
        .await;
    here.sync_fully().await;
    assert_eq!(pulled(&server), [NOTES, LABELS]);
}

#[tokio::test]
async fn priority_of_a_child_is_its_parents_too() {
    let server = MockServer::start().await.unwrap();
    server
        .seed(LABELS, [json!({"id": "l1", "name": "L"})])
        .unwrap();
    server
        .seed(NOTES, [json!({"id": "n1", "title": "N", "body": "l1"})])
        .unwrap();
    let here = Setup::new(&server)
        .table(|table| table.references("body", LABELS))
        .labels(TableConfig::new().priority(-1))
        .open()
        .await;
    label(&here, "l2").await;
    here.create("n2", json!({"body": "l2"})).await;
    here.sync_fully().await;
    assert_eq!(pushed(&server), [LABELS, NOTES]);
    assert_eq!(pulled(&server), [LABELS, NOTES]);
}

#[tokio::test]
async fn references_send_and_bring_parents_before_their_children() {
    let server = MockServer::start().await.unwrap();
    server
        .seed(LABELS, [json!({"id": "l1", "name": "n1"})])
        .unwrap();
    server
        .seed(NOTES, [json!({"id": "n1", "title": "N"})])
        .unwrap();
    // By their names, and by the order of writing, labels would come first.
    let here = Setup::new(&server)
        .labels(TableConfig::new().references("name", NOTES))
        .open()
        .await;
    label(&here, "n2").await;
    here.create("n2", json!({})).await;
    here.sync_fully().await;
    assert_eq!(pushed(&server), [NOTES, LABELS]);
    assert_eq!(pulled(&server), [NOTES, LABELS]);
}
