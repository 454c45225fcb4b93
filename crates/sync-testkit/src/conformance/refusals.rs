//! Rows that a table refuses.

use std::sync::Arc;

use serde_json::{Value, json};
use sync_core::store::{Rejected, RowWrite};
use sync_core::{Record, Store, StoreErrorKind};

use super::compare::assert_row;
use super::fixtures::{
    get, id, ids, put, put_local, reading, record, row, titles, version, wide, writing,
};

/// The store refuses a row with this value in this field, and keeps nothing of it.
async fn assert_refused(store: &Arc<dyn Store>, field: &str, value: Value) {
    let mut refused = row("refused", "refused");
    refused.fields_mut().insert(field.to_owned(), value.clone());
    let mut tx = writing(store).await;
    let rows = [RowWrite::server(refused, Some(version(1)), 1)];
    let report = tx.put(&wide(), &rows).await.unwrap();
    assert_eq!(report.written, 0, "{field}: {value} does not fit");
    assert_eq!(
        indexes(&report.rejected),
        [0],
        "{field}: {value} does not fit"
    );
    tx.commit().await.unwrap();
    assert_eq!(get(store, &wide(), &id("refused")).await, None);
}

fn indexes(rejected: &[Rejected]) -> Vec<usize> {
    rejected.iter().map(|row| row.index).collect()
}

fn without_title(id: &str) -> Record {
    record(json!({"id": id, "body": "where is the title?"}))
}

pub async fn a_refused_row_is_reported_with_its_reason(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    let rows = [
        row("a", "A"),
        without_title("b"),
        row("c", "C"),
        without_title("d"),
    ];
    let report = tx.put(&wide(), &rows.map(RowWrite::local)).await.unwrap();
    assert_eq!(report.written, 2);
    assert_eq!(indexes(&report.rejected), [1, 3]);
    assert!(
        report
            .rejected
            .iter()
            .all(|row| row.reason.contains("title"))
    );
}

pub async fn a_refused_row_does_not_harm_the_others(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    let rows = [row("a", "A"), without_title("b"), row("c", "C")].map(RowWrite::local);
    tx.put(&wide(), &rows).await.unwrap();
    tx.put_meta("after", Some("x")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        titles(&store, &wide(), &ids(["a", "b", "c"])).await,
        ["A", "C"]
    );
    assert_eq!(
        reading(&store)
            .await
            .meta("after")
            .await
            .unwrap()
            .as_deref(),
        Some("x")
    );
}

pub async fn a_refused_row_leaves_no_trace(store: Arc<dyn Store>) {
    let mut refused = without_title("a");
    refused
        .fields_mut()
        .insert("x-unknown".to_owned(), json!(1));
    let mut tx = writing(&store).await;
    tx.put(&wide(), &[RowWrite::server(refused, Some(version(1)), 1)])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut tx = writing(&store).await;
    assert_eq!(tx.get(&wide(), &[id("a")]).await.unwrap(), []);
    assert_eq!(tx.versions(&wide(), &[id("a")]).await.unwrap(), []);
    assert_eq!(tx.count_synced(&wide()).await.unwrap(), 0);
    assert!(tx.insert(&wide(), &row("a", "A")).await.unwrap());
    let got = tx.get(&wide(), &[id("a")]).await.unwrap();
    assert_row(&wide(), &row("a", "A"), got.first());
}

pub async fn a_refused_update_leaves_the_row_as_it_was(store: Arc<dyn Store>) {
    let old = record(json!({"id": "a", "title": "old", "order": 1, "x-unknown": 1}));
    put(
        &store,
        &wide(),
        &[RowWrite::server(old.clone(), Some(version(1)), 1)],
    )
    .await;
    let new = record(json!({"id": "a", "title": null, "order": 2, "x-unknown": 2}));
    let mut tx = writing(&store).await;
    let report = tx
        .put(&wide(), &[RowWrite::server(new, Some(version(2)), 2)])
        .await
        .unwrap();
    assert_eq!(indexes(&report.rejected), [0]);
    tx.commit().await.unwrap();
    assert_row(&wide(), &old, get(&store, &wide(), &id("a")).await.as_ref());
    let mut tx = reading(&store).await;
    let known = tx.versions(&wide(), &[id("a")]).await.unwrap();
    assert_eq!(known, [(id("a"), Some(version(1)))]);
    assert_eq!(tx.unseen(&wide(), 2, None, 10).await.unwrap(), [id("a")]);
}

pub async fn null_and_absence_are_refused_where_a_value_must_be(store: Arc<dyn Store>) {
    assert_refused(&store, "title", Value::Null).await;
    let mut tx = writing(&store).await;
    let report = tx
        .put(&wide(), &[RowWrite::local(without_title("a"))])
        .await
        .unwrap();
    assert_eq!(indexes(&report.rejected), [0]);
}

pub async fn a_row_without_an_id_is_refused(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    let rows = [
        json!({"title": "no id"}),
        json!({"id": null, "title": "null"}),
        json!({"id": "", "title": "empty"}),
        json!({"id": {"a": 1}, "title": "an object"}),
        json!({"id": "a", "title": "A"}),
    ]
    .map(|row| RowWrite::local(record(row)));
    let report = tx.put(&wide(), &rows).await.unwrap();
    assert_eq!(report.written, 1);
    assert_eq!(indexes(&report.rejected), [0, 1, 2, 3]);
}

pub async fn a_value_of_another_type_is_refused(store: Arc<dyn Store>) {
    for (field, value) in [
        ("title", json!({"an": "object"})),
        ("body", json!(["a", "list"])),
        ("order", json!("seven")),
        ("order", json!(1.5)),
        ("order", json!([7])),
        ("ratio", json!("half")),
        ("ratio", json!(true)),
        ("done", json!("yes")),
        ("done", json!({})),
        ("photo", json!("not base64!")),
        ("photo", json!(12)),
        ("dueAt", json!({"on": "monday"})),
        ("dueAt", json!(true)),
    ] {
        assert_refused(&store, field, value).await;
    }
}

pub async fn a_refused_insert_is_a_constraint(store: Arc<dyn Store>) {
    let error = writing(&store)
        .await
        .insert(&wide(), &without_title("a"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Constraint);
    assert!(!error.is_retryable());
    let mistyped = record(json!({"id": "a", "title": "A", "order": "seven"}));
    let error = writing(&store)
        .await
        .insert(&wide(), &mistyped)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Constraint);
    put_local(&store, &wide(), [row("b", "the store goes on")]).await;
    assert_eq!(get(&store, &wide(), &id("a")).await, None);
}

pub async fn of_a_doubled_row_the_last_is_judged(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    let rows = [
        without_title("a"),
        row("a", "A"),
        row("b", "B"),
        without_title("b"),
    ];
    let report = tx.put(&wide(), &rows.map(RowWrite::local)).await.unwrap();
    assert_eq!(report.written, 1);
    assert_eq!(indexes(&report.rejected), [3]);
    tx.commit().await.unwrap();
    assert_eq!(titles(&store, &wide(), &ids(["a", "b"])).await, ["A"]);
}
