//! Rows that a table refuses.

use serde_json::{Value, json};
use sync_core::store::{Removal, RowWrite, Store, StoreErrorKind, TxMode};
use sync_core::{Column, ColumnType, Kind, TableSchema};

use crate::common::{bare, fixture, id, record, todo, todos, version};

#[tokio::test]
async fn what_the_table_refuses_is_reported_and_leaves_no_trace() {
    let fixture = fixture().await;
    fixture
        .put(&[RowWrite::server(
            todo("c", "before"),
            Some(version("2026-01-01T00:00:00Z")),
            1,
        )])
        .await;
    let with = |at: &str, field: &str, value: Value| {
        let mut row = todo(at, "x");
        row.fields_mut().insert(field.to_owned(), value);
        RowWrite::server(row, Some(version("2026-02-01T00:00:00Z")), 2)
    };
    let rows = [
        with("a", "unknown", json!(1)),
        with("b", "priority", json!(u64::MAX)),
        with("c", "priority", json!(99)),
        with("d", "title", Value::Null),
        with("e", "done", json!("yes")),
        with("f", "priority", json!(3)),
    ];
    let mut tx = fixture.write().await;
    let report = tx.put(&todos(), &rows).await.unwrap();
    assert_eq!(report.written, 2);
    let refused: Vec<_> = report
        .rejected
        .iter()
        .map(|rejected| rejected.index)
        .collect();
    assert_eq!(refused, [1, 2, 3, 4]);
    assert!(
        report.rejected[0]
            .reason
            .contains("`priority` is not an integer"),
        "{:?}",
        report.rejected
    );
    assert!(
        report.rejected[1].reason.contains("CHECK"),
        "{:?}",
        report.rejected
    );
    assert!(
        report.rejected[2]
            .reason
            .contains("`title` is missing or null"),
        "{:?}",
        report.rejected
    );
    tx.commit().await.unwrap();

    assert_eq!(
        fixture.get("c").await.unwrap().get("title"),
        Some(&json!("before"))
    );
    assert_eq!(fixture.scalar("SELECT count(*) FROM todos").await, 3);
    let known = fixture
        .read()
        .await
        .versions(&todos(), &[id("c")])
        .await
        .unwrap();
    assert_eq!(known, [(id("c"), Some(version("2026-01-01T00:00:00Z")))]);
}

#[tokio::test]
async fn a_trigger_that_fails_half_way_leaves_no_trace_either() {
    let fixture = fixture().await;
    fixture
        .sql(
            "CREATE TABLE log (id TEXT);
         CREATE TRIGGER guard AFTER INSERT ON todos WHEN new.title = 'bad' BEGIN
             INSERT INTO log VALUES (new.id); SELECT RAISE(FAIL, 'no such title'); END",
        )
        .await;
    let mut tx = fixture.write().await;
    let rows = [
        RowWrite::local(todo("a", "good")),
        RowWrite::local(todo("b", "bad")),
    ];
    let report = tx.put(&todos(), &rows).await.unwrap();
    assert_eq!((report.written, report.rejected.len()), (1, 1));
    assert!(report.rejected[0].reason.contains("no such title"));
    tx.commit().await.unwrap();
    assert_eq!(fixture.scalar("SELECT count(*) FROM log").await, 0);
    assert_eq!(fixture.scalar("SELECT count(*) FROM todos").await, 1);
}

#[tokio::test]
async fn a_trigger_that_rolls_back_everything_fails_the_call() {
    let fixture = fixture().await;
    fixture
        .sql(
            "CREATE TRIGGER guard AFTER INSERT ON todos WHEN new.title = 'bad' BEGIN
             SELECT RAISE(ROLLBACK, 'gone'); END",
        )
        .await;
    let mut tx = fixture.write().await;
    let rows = [
        RowWrite::local(todo("a", "good")),
        RowWrite::local(todo("b", "bad")),
    ];
    let error = tx.put(&todos(), &rows).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Constraint);
    assert!(tx.commit().await.is_err());
    fixture.put(&[RowWrite::local(todo("c", "next"))]).await;
    assert_eq!(fixture.scalar("SELECT count(*) FROM todos").await, 1);
}

#[tokio::test]
async fn a_child_without_its_parent_is_refused_and_the_others_are_written() {
    let fixture = fixture().await;
    fixture
        .sql("CREATE TABLE steps (id TEXT PRIMARY KEY, todo TEXT REFERENCES todos (id))")
        .await;
    let steps = Kind::new("steps").unwrap();
    let table = TableSchema::new(steps.clone(), "steps", "id")
        .column(Column::new("id", ColumnType::Text))
        .column(Column::new("todo", ColumnType::Text).nullable());
    fixture.store.prepare(&[table]).await.unwrap();
    fixture.put(&[RowWrite::local(todo("a", "x"))]).await;
    let mut tx = fixture.write().await;
    let step = |at: &str, todo: &str| RowWrite::local(record(json!({ "id": at, "todo": todo })));
    let report = tx
        .put(&steps, &[step("1", "nobody"), step("2", "a")])
        .await
        .unwrap();
    assert_eq!((report.written, report.rejected[0].index), (1, 0));
    // The parent cannot go while the child is there.
    let gone = Removal {
        id: id("a"),
        tombstone: None,
    };
    let report = tx.remove(&todos(), &[gone]).await.unwrap();
    assert_eq!((report.written, report.rejected.len()), (0, 1));
    tx.commit().await.unwrap();
    assert_eq!(fixture.scalar("SELECT count(*) FROM todos").await, 1);
}

#[tokio::test]
async fn rows_that_refer_to_their_own_table_are_written_as_they_came() {
    let fixture = fixture().await;
    fixture
        .sql("CREATE TABLE folders (id TEXT PRIMARY KEY, parent TEXT REFERENCES Folders (id))")
        .await;
    let folders = Kind::new("folders").unwrap();
    let schema = TableSchema::new(folders.clone(), "folders", "id")
        .column(Column::new("id", ColumnType::Text))
        .column(Column::new("parent", ColumnType::Text).nullable());
    fixture.store.prepare(&[schema]).await.unwrap();
    let folder = |at: &str, parent: Value| {
        let row = record(json!({"id": at, "parent": parent}));
        RowWrite::server(row, Some(version("2026-01-01T00:00:00Z")), 1)
    };
    let rows = [
        folder("z", Value::Null),
        folder("b", json!("z")),
        folder("a", json!("b")),
    ];
    let mut tx = fixture.write().await;
    let report = tx.put(&folders, &rows).await.unwrap();
    assert_eq!((report.written, report.rejected), (3, vec![]));
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn an_insert_never_replaces() {
    let fixture = fixture().await;
    let mut tx = fixture.write().await;
    assert!(tx.insert(&todos(), &todo("a", "first")).await.unwrap());
    assert!(!tx.insert(&todos(), &todo("a", "second")).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(
        fixture.get("a").await.unwrap().get("title"),
        Some(&json!("first"))
    );
    let mut tx = fixture.write().await;
    let mut bad = todo("b", "x");
    bad.fields_mut().insert("priority".into(), json!(99));
    assert_eq!(
        tx.insert(&todos(), &bad).await.unwrap_err().kind(),
        StoreErrorKind::Constraint
    );
}

#[tokio::test]
async fn thousands_of_rows_in_one_call_report_the_right_places() {
    let fixture = fixture().await;
    let mut rows: Vec<_> = (0..2_500)
        .map(|n| RowWrite::local(todo(&format!("{n:05}"), "x")))
        .collect();
    for bad in [7, 1_500, 2_499] {
        rows[bad]
            .record
            .fields_mut()
            .insert("priority".into(), json!(99));
    }
    let mut tx = fixture.write().await;
    let report = tx.put(&todos(), &rows).await.unwrap();
    assert_eq!(report.written, 2_497);
    assert_eq!(
        report
            .rejected
            .iter()
            .map(|rejected| rejected.index)
            .collect::<Vec<_>>(),
        [7, 1_500, 2_499]
    );
}

#[tokio::test]
async fn a_kind_that_was_not_prepared_is_named() {
    let fixture = bare().await;
    fixture.store.prepare(&[]).await.unwrap();
    let mut tx = Store::begin(&fixture.store, TxMode::Read).await.unwrap();
    let error = tx.get(&todos(), &[id("a")]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::UnknownKind);
    assert!(error.to_string().contains("`todos`"));
}
