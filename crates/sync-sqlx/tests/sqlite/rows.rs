//! Records in, records out.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sync_core::store::{RowWrite, Store};
use sync_core::{Column, ColumnType, Kind, Record, TableSchema};
use uuid::Uuid;

use crate::common::{bare, fixture, id, record, todo, todos};

fn full(at: &str) -> Record {
    record(json!({
        "id": at, "title": "Milk", "notes": null, "done": true, "priority": 7, "weight": 1.5,
        "tags": ["a", { "b": 1 }], "picture": "AAEC/w==", "updatedAt": "2026-03-01T12:00:00.5+02:00"
    }))
}

#[tokio::test]
async fn a_record_comes_back_as_it_was_written() {
    let fixture = fixture().await;
    fixture.put(&[RowWrite::local(full("a"))]).await;
    assert_eq!(fixture.get("a").await, Some(full("a")));
}

#[tokio::test]
async fn the_table_holds_plain_values() {
    let fixture = fixture().await;
    fixture.put(&[RowWrite::local(full("a"))]).await;
    assert_eq!(fixture.scalar("SELECT done FROM todos").await, 1);
    assert_eq!(
        fixture
            .scalar("SELECT picture = x'000102FF' FROM todos")
            .await,
        1
    );
    assert_eq!(
        fixture
            .texts("SELECT updated_at FROM todos UNION ALL SELECT CAST(tags ->> 1 ->> 'b' AS TEXT) FROM todos")
            .await,
        [
            Some("2026-03-01T12:00:00.5+02:00".to_owned()),
            Some("1".to_owned())
        ]
    );
}

#[tokio::test]
async fn plain_sqlx_reads_rows_with_the_types_of_chrono_and_uuid() {
    let fixture = fixture().await;
    let uuid = Uuid::now_v7();
    fixture
        .put(&[RowWrite::local(full(&uuid.to_string()))])
        .await;
    type Row = (uuid::fmt::Hyphenated, String, bool, i64, DateTime<Utc>);
    let row: Row = sqlx::query_as("SELECT id, title, done, priority, updated_at FROM todos")
        .fetch_one(fixture.store.pool())
        .await
        .unwrap();
    let instant: DateTime<Utc> = "2026-03-01T10:00:00.5Z".parse().unwrap();
    assert_eq!(
        row,
        (uuid.hyphenated(), "Milk".to_owned(), true, 7, instant)
    );
}

#[tokio::test]
async fn a_stamp_that_came_as_a_number_is_text_in_the_table_and_verbatim_in_the_version() {
    let fixture = fixture().await;
    let mut row = todo("a", "x");
    row.fields_mut()
        .insert("updatedAt".into(), json!(1_700_000_000_123_i64));
    let version = sync_core::Version::new(row.stamp().unwrap());
    fixture
        .put(&[RowWrite::server(row, Some(version), 1)])
        .await;
    assert_eq!(
        fixture.get("a").await.unwrap().get("updatedAt"),
        Some(&json!("2023-11-14T22:13:20.123Z"))
    );
    let known = fixture
        .read()
        .await
        .versions(&todos(), &[id("a")])
        .await
        .unwrap();
    let known = known[0].1.as_ref().unwrap();
    assert_eq!(known.stamp.to_json(), json!(1_700_000_000_123_i64));
}

#[tokio::test]
async fn integers_of_64_bits_and_floats_lose_nothing() {
    let fixture = bare().await;
    fixture
        .sql("CREATE TABLE n (id INTEGER PRIMARY KEY, i INTEGER, f REAL, stamp INTEGER)")
        .await;
    let kind = Kind::new("n").unwrap();
    let table = TableSchema::new(kind.clone(), "n", "id")
        .column(Column::new("id", ColumnType::Integer))
        .column(Column::new("i", ColumnType::Integer).nullable())
        .column(Column::new("f", ColumnType::Real).nullable())
        .column(Column::new("stamp", ColumnType::Integer).nullable());
    fixture.store.prepare(&[table]).await.unwrap();
    let rows = [
        json!({ "id": 1, "i": i64::MAX, "f": 0.1, "stamp": 1_700_000_000 }),
        json!({ "id": 2, "i": i64::MIN, "f": f64::MAX, "stamp": null }),
        json!({ "id": 3, "i": 9_007_199_254_740_993_i64, "f": 3.0, "stamp": null }),
    ];
    let mut tx = fixture.write().await;
    let writes: Vec<_> = rows
        .iter()
        .map(|row| RowWrite::local(record(row.clone())))
        .collect();
    assert_eq!(tx.put(&kind, &writes).await.unwrap().rejected, []);
    let back = tx.get(&kind, &[id("1"), id("2"), id("3")]).await.unwrap();
    assert_eq!(back.into_iter().map(Value::from).collect::<Vec<_>>(), rows);
}

#[tokio::test]
async fn an_absent_field_becomes_null_or_takes_the_default() {
    let fixture = fixture().await;
    fixture.put(&[RowWrite::local(full("a"))]).await;
    fixture
        .put(&[RowWrite::server(
            record(json!({ "id": "a", "title": "less" })),
            None,
            1,
        )])
        .await;
    assert_eq!(
        Value::from(fixture.get("a").await.unwrap()),
        json!({ "id": "a", "title": "less", "notes": null, "done": false, "priority": 5, "weight": null,
                "tags": null, "picture": null, "updatedAt": null })
    );
}

#[tokio::test]
async fn local_only_columns_survive_and_are_written_only_where_given() {
    let fixture = fixture().await;
    let mut mine = todo("a", "x");
    mine.fields_mut().insert("color".into(), json!("red"));
    fixture.put(&[RowWrite::local(mine)]).await;
    fixture
        .put(&[
            RowWrite::server(todo("a", "y"), None, 1),
            RowWrite::server(todo("b", "z"), None, 1),
        ])
        .await;
    assert_eq!(
        fixture.texts("SELECT color FROM todos ORDER BY id").await,
        [Some("red".to_owned()), Some("grey".to_owned())]
    );
    assert_eq!(fixture.get("a").await.unwrap().get("color"), None);
}

#[tokio::test]
async fn hazard_e21_an_update_fires_no_cascade() {
    let fixture = fixture().await;
    fixture.sql("CREATE TABLE steps (id TEXT PRIMARY KEY, todo TEXT REFERENCES todos (id) ON DELETE CASCADE)").await;
    fixture.put(&[RowWrite::local(todo("a", "x"))]).await;
    fixture.sql("INSERT INTO steps VALUES ('s', 'a')").await;
    fixture
        .put(&[RowWrite::server(todo("a", "y"), None, 1)])
        .await;
    assert_eq!(fixture.scalar("SELECT count(*) FROM steps").await, 1);
}

#[tokio::test]
async fn fields_without_a_column_survive_beside_the_table() {
    let fixture = fixture().await;
    let mut row = todo("a", "x");
    row.fields_mut()
        .insert("mood".into(), json!({ "deep": [1, 2] }));
    fixture.put(&[RowWrite::server(row, None, 1)]).await;
    assert_eq!(
        fixture.get("a").await.unwrap().get("mood"),
        Some(&json!({ "deep": [1, 2] }))
    );
    // A later state without them has none.
    fixture
        .put(&[RowWrite::server(todo("a", "y"), None, 1)])
        .await;
    assert_eq!(fixture.get("a").await.unwrap().get("mood"), None);
    assert_eq!(fixture.scalar("SELECT count(*) FROM sync_extra").await, 0);
}

#[tokio::test]
async fn fields_without_a_column_live_in_the_extra_column_where_the_table_has_one() {
    let fixture = bare().await;
    fixture
        .sql("CREATE TABLE n (id TEXT PRIMARY KEY, more TEXT)")
        .await;
    let kind = Kind::new("n").unwrap();
    let table = TableSchema::new(kind.clone(), "n", "id")
        .column(Column::new("id", ColumnType::Text))
        .extra("more");
    fixture.store.prepare(&[table]).await.unwrap();
    let mut tx = fixture.write().await;
    let row = record(json!({ "id": "a", "x": 1, "y": null }));
    tx.put(&kind, &[RowWrite::local(row.clone())])
        .await
        .unwrap();
    assert_eq!(tx.get(&kind, &[id("a")]).await.unwrap(), [row]);
    tx.put(&kind, &[RowWrite::local(record(json!({ "id": "a" })))])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(fixture.texts("SELECT more FROM n").await, [None]);
    assert_eq!(fixture.scalar("SELECT count(*) FROM sync_extra").await, 0);
}

#[tokio::test]
async fn of_a_doubled_id_the_last_wins() {
    let fixture = fixture().await;
    fixture
        .put(&[
            RowWrite::local(todo("a", "first")),
            RowWrite::local(todo("a", "last")),
        ])
        .await;
    assert_eq!(
        fixture.get("a").await.unwrap().get("title"),
        Some(&json!("last"))
    );
}

#[tokio::test]
async fn rows_come_in_the_order_of_the_ids_and_unknown_ones_yield_nothing() {
    let fixture = fixture().await;
    fixture
        .put(&[
            RowWrite::local(todo("a", "1")),
            RowWrite::local(todo("b", "2")),
        ])
        .await;
    let rows = fixture
        .read()
        .await
        .get(&todos(), &[id("b"), id("nobody"), id("a")])
        .await
        .unwrap();
    let ids: Vec<_> = rows.iter().map(|row| row.id().unwrap()).collect();
    assert_eq!(ids, [id("b"), id("a")]);
}

#[tokio::test]
async fn names_of_any_kind_are_quoted() {
    let fixture = bare().await;
    fixture
        .sql("CREATE TABLE \"a \"\"b\" (\"select\" TEXT PRIMARY KEY, \"x;--\" TEXT)")
        .await;
    let kind = Kind::new("odd").unwrap();
    let table = TableSchema::new(kind.clone(), "a \"b", "id")
        .column(Column::new("select", ColumnType::Text).field("id"))
        .column(Column::new("x;--", ColumnType::Text).field("x").nullable());
    fixture.store.prepare(&[table]).await.unwrap();
    let row = record(json!({ "id": "'; DROP TABLE x", "x": "\u{0} \"' ü" }));
    let mut tx = fixture.write().await;
    tx.put(&kind, &[RowWrite::local(row.clone())])
        .await
        .unwrap();
    assert_eq!(tx.get(&kind, &[row.id().unwrap()]).await.unwrap(), [row]);
}
