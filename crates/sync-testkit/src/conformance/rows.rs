//! The user's rows as sets.

use std::sync::Arc;

use serde_json::json;
use sync_core::store::{Removal, RowWrite};
use sync_core::{EntityId, Store};

use super::compare::assert_row;
use super::fixtures::{
    from_server, get, id, ids, plain, put, put_local, reading, record, row, titles, version, wide,
    writing,
};

fn removal(text: &str) -> Removal {
    Removal {
        id: id(text),
        tombstone: None,
    }
}

pub async fn rows_come_in_the_order_asked_for(store: Arc<dyn Store>) {
    put_local(
        &store,
        &wide(),
        [row("a", "A"), row("b", "B"), row("c", "C")],
    )
    .await;
    assert_eq!(
        titles(&store, &wide(), &ids(["c", "a", "b"])).await,
        ["C", "A", "B"]
    );
}

pub async fn an_unknown_id_yields_nothing(store: Arc<dyn Store>) {
    put_local(&store, &wide(), [row("a", "A")]).await;
    assert_eq!(titles(&store, &wide(), &ids(["x", "a", "y"])).await, ["A"]);
}

pub async fn a_doubled_id_yields_one_row(store: Arc<dyn Store>) {
    put_local(&store, &wide(), [row("a", "A"), row("b", "B")]).await;
    assert_eq!(
        titles(&store, &wide(), &ids(["b", "a", "b", "b"])).await,
        ["B", "A"]
    );
}

pub async fn empty_sets_of_rows_do_nothing(store: Arc<dyn Store>) {
    put_local(&store, &wide(), [row("a", "A")]).await;
    let mut tx = writing(&store).await;
    assert_eq!(tx.get(&wide(), &[]).await.unwrap(), []);
    assert_eq!(tx.put(&wide(), &[]).await.unwrap().written, 0);
    assert_eq!(tx.remove(&wide(), &[]).await.unwrap().written, 0);
    assert_eq!(tx.versions(&wide(), &[]).await.unwrap(), []);
    tx.mark_seen(&wide(), 1, &[]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(titles(&store, &wide(), &[id("a")]).await, ["A"]);
}

pub async fn put_inserts_and_updates(store: Arc<dyn Store>) {
    put_local(&store, &wide(), [row("a", "old")]).await;
    let mut tx = writing(&store).await;
    let rows = [row("a", "new"), row("b", "fresh")].map(RowWrite::local);
    let report = tx.put(&wide(), &rows).await.unwrap();
    assert_eq!((report.written, report.rejected.len()), (2, 0));
    tx.commit().await.unwrap();
    assert_eq!(
        titles(&store, &wide(), &ids(["a", "b"])).await,
        ["new", "fresh"]
    );
}

pub async fn of_a_doubled_row_the_last_wins(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    let rows = [row("a", "first"), row("b", "B"), row("a", "last")].map(RowWrite::local);
    assert_eq!(tx.put(&wide(), &rows).await.unwrap().written, 2);
    let rows = [from_server("c", 2, 1), from_server("c", 1, 1)];
    assert_eq!(tx.put(&wide(), &rows).await.unwrap().written, 1);
    tx.commit().await.unwrap();
    assert_eq!(
        titles(&store, &wide(), &ids(["a", "b"])).await,
        ["last", "B"]
    );
    let known = reading(&store)
        .await
        .versions(&wide(), &[id("c")])
        .await
        .unwrap();
    assert_eq!(known, [(id("c"), Some(version(1)))]);
}

pub async fn an_absent_field_becomes_null(store: Arc<dyn Store>) {
    let full = record(json!({"id": "a", "title": "A", "body": "text", "order": 7, "done": true}));
    put_local(&store, &wide(), [full]).await;
    let bare = row("a", "A");
    put_local(&store, &wide(), [bare.clone()]).await;
    assert_row(
        &wide(),
        &bare,
        get(&store, &wide(), &id("a")).await.as_ref(),
    );
}

pub async fn an_unknown_field_that_is_absent_goes(store: Arc<dyn Store>) {
    for kind in [wide(), plain()] {
        let full = record(json!({"id": "a", "title": "A", "x-one": 1, "x-two": {"deep": []}}));
        put_local(&store, &kind, [full]).await;
        let less = record(json!({"id": "a", "title": "A", "x-two": 2}));
        put_local(&store, &kind, [less.clone()]).await;
        assert_row(&kind, &less, get(&store, &kind, &id("a")).await.as_ref());
        put_local(&store, &kind, [row("a", "A")]).await;
        assert_row(
            &kind,
            &row("a", "A"),
            get(&store, &kind, &id("a")).await.as_ref(),
        );
    }
}

pub async fn local_only_fields_are_left_out(store: Arc<dyn Store>) {
    let local = record(json!({"id": "a", "title": "A", "mood": "sunny"}));
    put_local(&store, &wide(), [local.clone()]).await;
    let mut tx = writing(&store).await;
    let inserted = record(json!({"id": "b", "title": "B", "mood": "rainy"}));
    assert!(tx.insert(&wide(), &inserted).await.unwrap());
    tx.put(&wide(), &[RowWrite::server(local, None, 1)])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for entity in ["a", "b"] {
        let got = get(&store, &wide(), &id(entity)).await.unwrap();
        assert_eq!(got.get("mood"), None, "`mood` never leaves the device");
    }
}

pub async fn what_the_server_says_of_local_only_fields_is_passed_over(store: Arc<dyn Store>) {
    let theirs = record(json!({"id": "a", "title": "A", "mood": {"not": "even a text"}}));
    put(
        &store,
        &wide(),
        &[RowWrite::server(theirs, Some(version(1)), 1)],
    )
    .await;
    assert_row(
        &wide(),
        &row("a", "A"),
        get(&store, &wide(), &id("a")).await.as_ref(),
    );
}

pub async fn insert_adds_a_new_row(store: Arc<dyn Store>) {
    let new = record(json!({"id": "a", "title": "A", "order": 1, "x-unknown": [1, null]}));
    let mut tx = writing(&store).await;
    assert!(tx.insert(&wide(), &new).await.unwrap());
    tx.commit().await.unwrap();
    assert_row(&wide(), &new, get(&store, &wide(), &id("a")).await.as_ref());
}

pub async fn insert_leaves_an_existing_row_alone(store: Arc<dyn Store>) {
    let old = record(json!({"id": "a", "title": "old", "x-unknown": 1}));
    put_local(&store, &wide(), [old.clone()]).await;
    let mut tx = writing(&store).await;
    let new = record(json!({"id": "a", "title": "new", "x-unknown": 2, "x-more": 3}));
    assert!(!tx.insert(&wide(), &new).await.unwrap());
    // The transaction goes on: this outcome is a value.
    assert!(tx.insert(&wide(), &row("b", "B")).await.unwrap());
    assert!(!tx.insert(&wide(), &row("b", "again")).await.unwrap());
    tx.commit().await.unwrap();
    assert_row(&wide(), &old, get(&store, &wide(), &id("a")).await.as_ref());
    assert_eq!(titles(&store, &wide(), &[id("b")]).await, ["B"]);
}

pub async fn a_removed_row_is_gone_with_all_its_fields(store: Arc<dyn Store>) {
    let full = record(json!({"id": "a", "title": "A", "mood": "sunny", "x-unknown": 1}));
    put_local(&store, &wide(), [full, row("b", "B")]).await;
    let mut tx = writing(&store).await;
    tx.remove(&wide(), &[removal("a")]).await.unwrap();
    assert_eq!(tx.get(&wide(), &ids(["a", "b"])).await.unwrap().len(), 1);
    // A row that takes its place starts afresh.
    assert!(tx.insert(&wide(), &row("a", "again")).await.unwrap());
    tx.commit().await.unwrap();
    assert_row(
        &wide(),
        &row("a", "again"),
        get(&store, &wide(), &id("a")).await.as_ref(),
    );
}

pub async fn a_removal_counts_the_rows_that_were_there(store: Arc<dyn Store>) {
    put_local(&store, &wide(), [row("a", "A"), row("b", "B")]).await;
    let mut tx = writing(&store).await;
    let removals = ["x", "a", "b", "a"].map(removal);
    let report = tx.remove(&wide(), &removals).await.unwrap();
    assert_eq!((report.written, report.rejected.len()), (2, 0));
}

pub async fn kinds_are_apart(store: Arc<dyn Store>) {
    put_local(&store, &wide(), [row("a", "wide")]).await;
    put_local(&store, &plain(), [row("a", "plain")]).await;
    let mut tx = writing(&store).await;
    tx.remove(&wide(), &[removal("a")]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(get(&store, &wide(), &id("a")).await, None);
    assert_eq!(titles(&store, &plain(), &[id("a")]).await, ["plain"]);
}

pub async fn ids_are_compared_to_the_letter(store: Arc<dyn Store>) {
    let long = "x".repeat(2_000);
    let odd: Vec<EntityId> = [
        "a",
        "A",
        "a ",
        " a",
        "7",
        "007",
        "7.0",
        "1e3",
        "o'brien",
        "\"quoted\"",
        "a,b",
        "a/b?c#d",
        "100%",
        "_",
        "%",
        "; DROP TABLE conformance_wide; --",
        "[1,\"2\"]",
        "null",
        "\\",
        "\n\t",
        "ä",
        "a\u{308}",
        "日本",
        "👩‍👩‍👧",
        "\u{7f}",
        &long,
    ]
    .into_iter()
    .map(id)
    .collect();
    let rows: Vec<_> = odd
        .iter()
        .map(|id| RowWrite::server(row(id.as_str(), id.as_str()), Some(version(1)), 1))
        .collect();
    put(&store, &wide(), &rows).await;
    let expected: Vec<_> = odd.iter().map(ToString::to_string).collect();
    assert_eq!(titles(&store, &wide(), &odd).await, expected);
    let known = reading(&store).await.versions(&wide(), &odd).await.unwrap();
    assert_eq!(known.len(), odd.len());
    let mut tx = writing(&store).await;
    tx.remove(&wide(), &[removal("A"), removal("7"), removal("%")])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(titles(&store, &wide(), &odd).await.len(), odd.len() - 3);
}

pub async fn a_set_may_be_large(store: Arc<dyn Store>) {
    let names: Vec<String> = (0..5_000).map(|n| format!("e{n:04}")).collect();
    let rows: Vec<_> = names
        .iter()
        .map(|name| {
            let record = record(json!({"id": name, "title": name, "order": 1, "x": name}));
            RowWrite::server(record, Some(version(1)), 1)
        })
        .collect();
    put(&store, &wide(), &rows).await;
    let all: Vec<_> = names.iter().rev().map(|name| id(name)).collect();
    let mut tx = writing(&store).await;
    let got = tx.get(&wide(), &all).await.unwrap();
    assert_eq!(got.len(), 5_000);
    assert_row(&wide(), &rows[0].record, got.last());
    assert_eq!(tx.versions(&wide(), &all).await.unwrap().len(), 5_000);
    tx.mark_seen(&wide(), 2, &all).await.unwrap();
    assert_eq!(tx.unseen(&wide(), 2, None, 10).await.unwrap(), []);
    assert_eq!(tx.pending(&wide(), &all).await.unwrap(), []);
    let removals: Vec<_> = names.iter().map(|name| removal(name)).collect();
    assert_eq!(tx.remove(&wide(), &removals).await.unwrap().written, 5_000);
}

pub async fn the_apps_rows_bring_the_columns_that_stay_on_the_device(store: Arc<dyn Store>) {
    let mut mine = row("a", "A");
    mine.fields_mut().insert("mood".to_owned(), json!("calm"));
    put_local(&store, &wide(), [mine, row("b", "B")]).await;
    let mut tx = reading(&store).await;
    let rows = tx.app_rows(&wide(), &ids(["b", "x", "a", "b"])).await;
    let rows = rows.unwrap();
    let moods: Vec<_> = rows.iter().map(|row| row.get("mood").cloned()).collect();
    assert_eq!(rows.len(), 2);
    assert!(moods[0].as_ref().is_none_or(serde_json::Value::is_null));
    assert_eq!(moods[1], Some(json!("calm")));
    assert_eq!(rows[1].get("title"), Some(&json!("A")));
}

pub async fn the_apps_rows_come_page_by_page_in_order_of_bytes(store: Arc<dyn Store>) {
    let names = ["b", "\u{e4}", "9", "a", "Z", "10"];
    put_local(&store, &wide(), names.map(|name| row(name, "New"))).await;
    let mut unknown = from_server("c", 1, 1);
    let beside = unknown.record.fields_mut();
    beside.insert("beside".to_owned(), json!([1]));
    put(&store, &wide(), &[unknown]).await;
    let mut tx = reading(&store).await;
    let mut pages: Vec<EntityId> = Vec::new();
    for _ in 0..3 {
        let page = tx.app_rows_after(&wide(), pages.last(), 3).await.unwrap();
        for row in &page {
            let expected = (row.id().unwrap() == id("c")).then(|| json!([1]));
            assert_eq!(row.get("beside").cloned(), expected);
        }
        pages.extend(page.iter().map(|row| row.id().unwrap()));
    }
    assert_eq!(pages, ids(["10", "9", "Z", "a", "b", "c", "\u{e4}"]));
    assert_eq!(tx.app_rows_after(&wide(), None, 0).await.unwrap(), []);
}
