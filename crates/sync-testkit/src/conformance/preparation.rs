//! Opening a store.

use std::sync::Arc;

use futures::future::try_join_all;
use serde_json::json;
use sync_core::store::{Removal, RowWrite};
use sync_core::{Column, ColumnType, Store, StoreErrorKind, TableSchema};

use super::fixtures::{
    append, get, id, op_ids, put_local, reading, row, schemas, unregistered, upsert, wide, writing,
};

pub async fn preparing_again_keeps_everything(store: Arc<dyn Store>) {
    put_local(&store, &wide(), [row("e1", "kept")]).await;
    append(&store, &[upsert("op1", &wide(), "e1")]).await;
    store.prepare(&schemas()).await.unwrap();
    let kept = get(&store, &wide(), &id("e1")).await.unwrap();
    assert_eq!(kept.get("title"), Some(&json!("kept")));
    assert_eq!(op_ids(&store, &Default::default()).await, ["op1"]);
}

pub async fn preparing_at_the_same_time_is_safe(store: Arc<dyn Store>) {
    let schemas = schemas();
    try_join_all((0..8).map(|_| store.prepare(&schemas)))
        .await
        .unwrap();
    put_local(&store, &wide(), [row("e1", "works")]).await;
}

pub async fn a_kind_with_two_tables_is_refused(store: Arc<dyn Store>) {
    let [wide, plain] = schemas();
    let error = store
        .prepare(&[wide.clone(), plain, wide])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Schema);
}

pub async fn a_table_without_its_id_is_refused(store: Arc<dyn Store>) {
    let title = Column::new("title", ColumnType::Text);
    let table = TableSchema::new(wide(), "conformance_wide", "id").column(title);
    let error = store.prepare(&[table]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Schema);
    // What was prepared before still stands.
    put_local(&store, &wide(), [row("e1", "works")]).await;
}

pub async fn rows_of_an_unregistered_kind_are_an_error(store: Arc<dyn Store>) {
    let (kind, row, e1) = (unregistered(), row("e1", "lost"), id("e1"));
    let removal = Removal {
        id: e1.clone(),
        tombstone: None,
    };
    let unknown = StoreErrorKind::UnknownKind;
    // After an error a transaction may only be dropped, so that each call has its own.
    let got = reading(&store).await.get(&kind, &[e1]).await;
    assert_eq!(got.unwrap_err().kind(), unknown);
    let counted = reading(&store).await.count_synced(&kind).await;
    assert_eq!(counted.unwrap_err().kind(), unknown);
    let unseen = reading(&store).await.unseen(&kind, 1, None, 10).await;
    assert_eq!(unseen.unwrap_err().kind(), unknown);
    let put = writing(&store)
        .await
        .put(&kind, &[RowWrite::local(row.clone())])
        .await;
    assert_eq!(put.unwrap_err().kind(), unknown);
    let inserted = writing(&store).await.insert(&kind, &row).await;
    assert_eq!(inserted.unwrap_err().kind(), unknown);
    let removed = writing(&store).await.remove(&kind, &[removal]).await;
    assert_eq!(removed.unwrap_err().kind(), unknown);
}

pub async fn operations_of_an_unregistered_kind_stay_and_are_listed(store: Arc<dyn Store>) {
    let op = upsert("op1", &unregistered(), "e1");
    append(&store, std::slice::from_ref(&op)).await;
    assert_eq!(op_ids(&store, &Default::default()).await, ["op1"]);
    let mut tx = writing(&store).await;
    let pending = tx.pending(&unregistered(), &[id("e1")]).await.unwrap();
    assert_eq!(pending, [id("e1")]);
    tx.delete_ops(&[op.op_id]).await.unwrap();
    tx.commit().await.unwrap();
    assert!(op_ids(&store, &Default::default()).await.is_empty());
}

pub async fn every_fault_of_the_schemas_is_told_at_once(store: Arc<dyn Store>) {
    let [wide, plain] = schemas();
    let without_id = TableSchema::new(unregistered(), "conformance_plain", "missing_id");
    let tables = [wide.clone(), wide, without_id, plain];
    let error = store.prepare(&tables).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Schema);
    let message = error.to_string();
    for named in ["conformance_wide", "missing_id"] {
        assert!(message.contains(named), "`{named}` is not in: {message}");
    }
}

pub async fn kinds_of_an_earlier_call_stay_registered(store: Arc<dyn Store>) {
    let [_, plain] = schemas();
    store.prepare(&[plain]).await.unwrap();
    store.prepare(&[]).await.unwrap();
    put_local(&store, &wide(), [row("e1", "works")]).await;
}

pub async fn of_a_kind_given_again_the_newest_schema_holds(store: Arc<dyn Store>) {
    let [mut wide_schema, _] = schemas();
    // No column of the device any more: the field travels as one that has no column.
    wide_schema.columns.retain(|column| column.field != "mood");
    store.prepare(&[wide_schema]).await.unwrap();
    let mut calm = row("e1", "travels");
    calm.fields_mut().insert("mood".to_owned(), json!("calm"));
    put_local(&store, &wide(), [calm]).await;
    let kept = get(&store, &wide(), &id("e1")).await.unwrap();
    assert_eq!(kept.get("mood"), Some(&json!("calm")));
}
