//! What the server last said about each row.

use serde_json::{Value, json};
use sync_core::store::{Removal, RowWrite, Store};
use sync_core::{Column, ColumnType, TableSchema, Version};

use crate::common::{bare, fixture, id, op, record, todo, todos, version};

#[tokio::test]
async fn a_server_row_notes_its_version_and_a_local_one_leaves_it() {
    let fixture = fixture().await;
    let tagged = version("2026-01-01T00:00:00Z").with_tag(Some("\"t\"".to_owned()));
    fixture
        .put(&[RowWrite::server(todo("a", "x"), Some(tagged.clone()), 1)])
        .await;
    fixture
        .put(&[
            RowWrite::local(todo("a", "y")),
            RowWrite::local(todo("b", "y")),
        ])
        .await;
    fixture
        .put(&[RowWrite::server(todo("c", "x"), None, 1)])
        .await;
    let mut tx = fixture.read().await;
    let known = tx
        .versions(&todos(), &[id("a"), id("b"), id("c")])
        .await
        .unwrap();
    assert_eq!(known, [(id("a"), Some(tagged)), (id("c"), None)]);
    assert_eq!(
        known[0]
            .1
            .as_ref()
            .and_then(|version| version.tag.as_deref()),
        Some("\"t\"")
    );
}

#[tokio::test]
async fn a_new_stamp_without_a_tag_clears_the_tag() {
    let fixture = fixture().await;
    let first = version("2026-01-01T00:00:00Z").with_tag(Some("\"t\"".to_owned()));
    fixture
        .put(&[RowWrite::server(todo("a", "x"), Some(first), 1)])
        .await;
    fixture
        .put(&[RowWrite::server(
            todo("a", "x"),
            Some(version("2026-01-02T00:00:00Z")),
            1,
        )])
        .await;
    let known = fixture
        .read()
        .await
        .versions(&todos(), &[id("a")])
        .await
        .unwrap();
    assert_eq!(known[0].1.as_ref().unwrap().tag, None);
}

#[tokio::test]
async fn a_removed_row_keeps_its_tombstone_until_it_is_forgotten() {
    let fixture = fixture().await;
    let server =
        |at: &str| RowWrite::server(todo(at, "x"), Some(version("2026-01-01T00:00:00Z")), 1);
    fixture.put(&[server("a"), server("b"), server("c")]).await;
    let mut tx = fixture.write().await;
    let removal = |at: &str, tombstone: Option<Version>| Removal {
        id: id(at),
        tombstone,
    };
    // The later instant is the smaller text.
    let report = tx
        .remove(
            &todos(),
            &[
                removal("a", Some(version("2026-02-01T09:00:00-05:00"))),
                removal("b", None),
                removal("unknown", Some(version("2026-02-01T12:00:00Z"))),
            ],
        )
        .await
        .unwrap();
    assert_eq!(report.written, 2);
    let all = [id("a"), id("b"), id("c"), id("unknown")];
    let known: Vec<_> = tx
        .versions(&todos(), &all)
        .await
        .unwrap()
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert_eq!(known, [id("a"), id("c"), id("unknown")]);
    assert_eq!(tx.count_synced(&todos()).await.unwrap(), 1);

    assert_eq!(
        tx.forget_tombstones(&todos(), &version("2026-02-01T13:00:00Z"))
            .await
            .unwrap(),
        1
    );
    let known: Vec<_> = tx
        .versions(&todos(), &all)
        .await
        .unwrap()
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert_eq!(known, [id("a"), id("c")]);
}

#[tokio::test]
async fn unseen_rows_are_those_of_the_server_without_operations_in_order_of_id() {
    let fixture = fixture().await;
    let server = |at: &str, generation| RowWrite::server(todo(at, "x"), None, generation);
    fixture
        .put(&[
            server("seen", 1),
            server("new", 2),
            server("pending", 1),
            server("old-b", 1),
            server("old-a", 1),
            server("deleted by the app", 1),
            RowWrite::local(todo("local", "x")),
        ])
        .await;
    fixture
        .sql("DELETE FROM todos WHERE id = 'deleted by the app'")
        .await;
    let mut tx = fixture.write().await;
    tx.append_ops(&[op("1", "pending")]).await.unwrap();
    tx.mark_seen(&todos(), 2, &[id("seen"), id("local"), id("nobody")])
        .await
        .unwrap();
    assert_eq!(
        tx.unseen(&todos(), 2, None, 10).await.unwrap(),
        [id("old-a"), id("old-b")]
    );
    assert_eq!(
        tx.unseen(&todos(), 2, None, 1).await.unwrap(),
        [id("old-a")]
    );
    assert_eq!(
        tx.unseen(&todos(), 2, Some(&id("old-a")), 10)
            .await
            .unwrap(),
        [id("old-b")]
    );
    assert_eq!(tx.count_synced(&todos()).await.unwrap(), 5);
}

#[tokio::test]
async fn tombstone_rows_and_unclaimed_rows_are_found_under_ids_and_marks_of_other_types() {
    for (ty, mark, live) in [
        (ColumnType::Boolean, json!(true), json!(false)),
        (ColumnType::Json, json!({"by": "me"}), json!(false)),
        (ColumnType::Integer, json!(1_767_225_600), json!(null)),
    ] {
        let fixture = bare().await;
        fixture
            .sql("CREATE TABLE todos (id INTEGER NOT NULL PRIMARY KEY, deleted_at ANY)")
            .await;
        let schema = TableSchema::new(todos(), "todos", "id")
            .column(Column::new("id", ColumnType::Integer))
            .column(Column::new("deleted_at", ty).nullable());
        fixture.store.prepare(&[schema]).await.unwrap();
        let row = |id: i64, mark: &Value| record(json!({"id": id, "deleted_at": mark}));
        let old = version("2026-01-01T00:00:00Z");
        let rows = [
            RowWrite::server(row(9, &mark), Some(old.clone()), 1),
            RowWrite::server(row(10, &mark), Some(old.clone()), 1),
            RowWrite::server(row(11, &live), Some(old.clone()), 1),
            RowWrite::server(row(12, &Value::Null), Some(old.clone()), 1),
            RowWrite::local(row(13, &Value::Null)),
            RowWrite::local(row(8, &Value::Null)),
        ];
        fixture.put(&rows).await;
        let mut tx = fixture.read().await;
        let before = version("2026-01-02T00:00:00Z");
        let found = tx.tombstone_rows(&todos(), &before, None, 9).await.unwrap();
        assert_eq!(found, [(id("10"), old.clone()), (id("9"), old)], "{ty:?}");
        let unclaimed = tx.unclaimed(&todos(), None, 9).await.unwrap();
        assert_eq!(unclaimed, [id("13"), id("8")]);
    }
}
