//! Tables that gain and lose columns while their rows stay.

use std::sync::Arc;

use serde_json::{Value, json};
use sync_core::store::RowWrite;
use sync_core::{EntityId, Store, TableSchema};

use super::fixtures::{
    from_server, get, id, ids, plain, put, put_local, reading, record, row, schemas, version, wide,
    writing,
};

/// The wide table as an app knew it that had no columns for these fields yet.
fn without(fields: &[&str]) -> TableSchema {
    let [mut wide, _] = schemas();
    wide.columns
        .retain(|column| !fields.contains(&&*column.field));
    wide
}

async fn update_app(store: &Arc<dyn Store>) {
    store.prepare(&schemas()).await.unwrap();
}

async fn misplaced(store: &Arc<dyn Store>) -> Vec<(EntityId, Vec<String>)> {
    let mut tx = reading(store).await;
    tx.misplaced(&wide(), None, 100).await.unwrap()
}

/// Writes a row of the server's while there are no columns for some of its fields.
async fn put_before(store: &Arc<dyn Store>, fields: Value) {
    let names: Vec<&str> = fields
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    store.prepare(&[without(&names)]).await.unwrap();
    let mut whole = row("e1", "from the server");
    whole
        .fields_mut()
        .extend(fields.as_object().unwrap().clone());
    put(
        store,
        &wide(),
        &[RowWrite::server(whole, Some(version(1)), 1)],
    )
    .await;
    update_app(store).await;
}

async fn assert_fields(store: &Arc<dyn Store>, fields: &Value) {
    let kept = get(store, &wide(), &id("e1")).await.unwrap();
    for (name, value) in fields.as_object().unwrap() {
        assert_eq!(kept.get(name), Some(value), "{name}");
    }
}

/// Writes what the store gives of a row.
async fn rewrite(store: &Arc<dyn Store>) {
    let whole = get(store, &wide(), &id("e1")).await.unwrap();
    put_local(store, &wide(), [whole]).await;
}

pub async fn a_field_that_gains_a_column_keeps_its_value(store: Arc<dyn Store>) {
    let fields = json!({
        "body": "a \u{1f980} text", "order": i64::MIN, "ratio": 0.1, "done": true,
        "photo": "AAEC", "payload": {"a": [null, 1.5, {"b": "c"}]},
    });
    put_before(&store, fields.clone()).await;
    assert_fields(&store, &fields).await;
    rewrite(&store).await;
    assert_fields(&store, &fields).await;
    assert_eq!(misplaced(&store).await, []);
    let mut tx = reading(&store).await;
    let versions = tx.versions(&wide(), &[id("e1")]).await.unwrap();
    assert_eq!(versions, [(id("e1"), Some(version(1)))]);
}

pub async fn what_is_written_later_replaces_the_value(store: Arc<dyn Store>) {
    put_before(&store, json!({"body": "old", "ratio": 0.5})).await;
    put_local(
        &store,
        &wide(),
        [record(json!({"id": "e1", "title": "T", "body": "new"}))],
    )
    .await;
    let kept = get(&store, &wide(), &id("e1")).await.unwrap();
    assert_eq!(kept.get("body"), Some(&json!("new")));
    assert!(kept.get("ratio").is_none_or(Value::is_null));
    assert_eq!(misplaced(&store).await, []);
}

pub async fn a_value_that_the_new_column_refuses_is_listed_and_kept(store: Arc<dyn Store>) {
    let fields = json!({"order": "first", "done": "maybe", "body": "fits"});
    put_before(&store, fields.clone()).await;
    assert_fields(&store, &fields).await;
    let listed = misplaced(&store).await;
    assert_eq!(listed.len(), 1);
    for name in ["order", "done"] {
        assert!(listed[0].1.iter().any(|field| field == name), "{listed:?}");
    }
    let whole = get(&store, &wide(), &id("e1")).await.unwrap();
    let mut tx = writing(&store).await;
    let report = tx
        .put(&wide(), &[RowWrite::local(whole.clone())])
        .await
        .unwrap();
    assert_eq!(report.rejected.len(), 1);
    drop(tx);
    assert_fields(&store, &fields).await;
    let mut without = whole;
    without
        .fields_mut()
        .retain(|name, _| name != "order" && name != "done");
    put_local(&store, &wide(), [without]).await;
    assert_eq!(misplaced(&store).await, []);
    let kept = get(&store, &wide(), &id("e1")).await.unwrap();
    assert!(kept.get("order").is_none_or(Value::is_null));
    assert_eq!(kept.get("body"), Some(&json!("fits")));
}

pub async fn rows_that_lack_a_field_come_page_by_page_in_order_of_bytes(store: Arc<dyn Store>) {
    store.prepare(&[without(&["order"])]).await.unwrap();
    let refused = |at: &str| {
        let mut row = from_server(at, 1, 1);
        row.record
            .fields_mut()
            .insert("order".to_owned(), json!("none"));
        row
    };
    let rows = ["b", "\u{e4}", "9", "a", "Z", "10"].map(refused);
    put(&store, &wide(), &rows).await;
    put(&store, &wide(), &[from_server("complete", 1, 1)]).await;
    update_app(&store).await;
    let mut tx = reading(&store).await;
    let mut pages: Vec<EntityId> = Vec::new();
    for _ in 0..3 {
        let page = tx.misplaced(&wide(), pages.last(), 4).await.unwrap();
        pages.extend(page.into_iter().map(|(id, _)| id));
    }
    assert_eq!(pages, ids(["10", "9", "Z", "a", "b", "\u{e4}"]));
    assert_eq!(tx.misplaced(&wide(), None, 0).await.unwrap(), []);
}

pub async fn a_field_that_stays_on_the_device_is_not_taken_from_beside(store: Arc<dyn Store>) {
    put_before(&store, json!({"mood": "theirs"})).await;
    let kept = get(&store, &wide(), &id("e1")).await.unwrap();
    assert_eq!(kept.get("mood"), None);
    assert_eq!(misplaced(&store).await, []);
}

pub async fn unknown_fields_survive_a_column_for_them(store: Arc<dyn Store>) {
    let [_, with] = schemas();
    let mut without = with.clone();
    without.extra_column = None;
    store.prepare(&[without]).await.unwrap();
    let mut red = row("e1", "T");
    red.fields_mut()
        .insert("colour".to_owned(), json!({"r": 255}));
    put_local(&store, &plain(), [red.clone()]).await;
    store.prepare(&[with]).await.unwrap();
    let kept = get(&store, &plain(), &id("e1")).await.unwrap();
    assert_eq!(kept.get("colour"), Some(&json!({"r": 255})));
    put_local(&store, &plain(), [kept]).await;
    let kept = get(&store, &plain(), &id("e1")).await.unwrap();
    assert_eq!(kept.get("colour"), Some(&json!({"r": 255})));
    put_local(&store, &plain(), [row("e1", "T")]).await;
    let kept = get(&store, &plain(), &id("e1")).await.unwrap();
    assert_eq!(kept.get("colour"), None);
}
