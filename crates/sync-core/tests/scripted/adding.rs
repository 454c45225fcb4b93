//! Increments that are equal: a record that says what a lost request wanted may owe it to somebody
//! else.

use serde_json::{Value, json};
use sync_core::{Column, ColumnType, FieldMerge};

use crate::device::{Device, ID, purging, schema};
use crate::server::{accepted, conflict, if_base, live, sent};

fn stock(number: i64) -> Value {
    json!({"id": ID, "stock": number})
}

/// A device whose increment from 10 to 12 was sent, and nobody knows whether it arrived.
async fn unanswered(features: &str) -> Device {
    let column = Column::new("stock", ColumnType::Integer)
        .nullable()
        .merge(FieldMerge::SumDelta);
    let schema = schema("updated_at", vec![column]);
    let device = Device::with(schema, purging(), stock(10)).await;
    device.server.declares(features);
    device.change("stock", 12).await;
    device.server.loses_a_push();
    device.push().await;
    assert_eq!(device.server.pushed().precondition, if_base(1));
    device
}

#[tokio::test]
async fn a_conflict_with_an_equal_increment_adds_up_where_repeats_are_recognised() {
    let device = unanswered("idempotency").await;
    device.server.answers(conflict(live(stock(12), 2)));
    device.server.answers(accepted(live(stock(14), 3)));
    device.push_later().await;
    assert_eq!(device.row().unwrap().get("stock"), Some(&json!(14)));
    assert!(device.ops().await.is_empty());
}

#[tokio::test]
async fn a_conflict_with_what_two_increments_come_to_adds_up_where_repeats_are_recognised() {
    let device = unanswered("idempotency").await;
    device.change("stock", 13).await;
    device.server.answers(conflict(live(stock(13), 2)));
    device.server.answers(accepted(live(stock(16), 3)));
    device.push_later().await;
    assert_eq!(device.row().unwrap().get("stock"), Some(&json!(16)));
    assert!(device.ops().await.is_empty());
}

#[tokio::test]
async fn an_equal_increment_that_a_pull_brings_leaves_the_own_one_waiting_where_repeats_are_recognised()
 {
    let device = unanswered("idempotency").await;
    let theirs = live(stock(12), 2);
    let row = theirs.live().unwrap().fields().clone();
    device.server.lists(Value::Object(row));
    device.pull().await;
    assert_eq!(device.ops().await.len(), 1);
    device.server.answers(conflict(theirs));
    device.server.answers(accepted(live(stock(14), 3)));
    device.push_later().await;
    assert_eq!(device.row().unwrap().get("stock"), Some(&json!(14)));
}

#[tokio::test]
async fn an_increment_that_the_server_has_counts_as_arrived_where_repeats_are_not_recognised() {
    let device = unanswered("").await;
    device.server.answers(conflict(live(stock(12), 2)));
    device.push_later().await;
    assert_eq!(sent(&device.server.pushed()).get("stock"), Some(&json!(12)));
    assert_eq!(device.row().unwrap().get("stock"), Some(&json!(12)));
    assert!(device.ops().await.is_empty());
}
