//! What goes in comes out.

use std::sync::Arc;

use serde_json::{Value, json};
use sync_core::store::RowWrite;
use sync_core::{Kind, Store};

use super::compare::assert_row;
use super::fixtures::{get, id, plain, put_local, record, row, wide, writing};

/// A row with this value in this field comes back as it was put.
async fn assert_kept(store: &Arc<dyn Store>, kind: &Kind, field: &str, value: Value) {
    let mut put = row("e1", "kept");
    put.fields_mut().insert(field.to_owned(), value);
    put_local(store, kind, [put.clone()]).await;
    assert_row(kind, &put, get(store, kind, &id("e1")).await.as_ref());
}

/// The same, or the store says that it cannot keep it.
async fn assert_kept_or_refused(store: &Arc<dyn Store>, field: &str, value: Value) {
    let mut put = row("e2", "kept");
    put.fields_mut().insert(field.to_owned(), value);
    let mut tx = writing(store).await;
    let report = tx
        .put(&wide(), &[RowWrite::local(put.clone())])
        .await
        .unwrap();
    let got = tx.get(&wide(), &[id("e2")]).await.unwrap();
    match report.rejected.as_slice() {
        [] => assert_row(&wide(), &put, got.first()),
        _ => assert_eq!(got, [], "a refused row leaves no trace"),
    }
}

fn nasty_texts() -> [Value; 14] {
    [
        json!(""),
        json!(" "),
        json!("null"),
        json!("123"),
        json!("1.0"),
        json!("true"),
        json!("{\"a\": 1}"),
        json!("o'brien said \"hi\"; -- \\ \\u0041 %s $1 ?1 :x"),
        json!("line\nline\r\n\ttab \u{1} \u{1f}"),
        json!("äöü ß é e\u{301} 日本語 العربية"),
        json!("👩‍👩‍👧 \u{10ffff} \u{feff} \u{2028}"),
        json!("2026-03-01T12:00:00Z"),
        json!("AAEC"),
        json!("ends with spaces  "),
    ]
}

pub async fn texts_are_kept(store: Arc<dyn Store>) {
    for text in nasty_texts() {
        assert_kept(&store, &wide(), "body", text.clone()).await;
        assert_kept(&store, &wide(), "x-unknown", text).await;
    }
}

pub async fn long_texts_are_kept(store: Arc<dyn Store>) {
    let long = "0123456789äöü€👍".repeat(60_000);
    assert_kept(&store, &wide(), "body", json!(long)).await;
    assert_kept(&store, &wide(), "x-unknown", json!(long)).await;
}

pub async fn a_nul_in_a_text_is_kept_or_refused(store: Arc<dyn Store>) {
    assert_kept_or_refused(&store, "body", json!("before\0after")).await;
    assert_kept_or_refused(&store, "payload", json!({"a": "before\0after"})).await;
    assert_kept_or_refused(&store, "x-unknown", json!("before\0after")).await;
}

pub async fn integers_are_kept(store: Arc<dyn Store>) {
    let beyond_doubles = (1_i64 << 53) + 1;
    for number in [
        0,
        1,
        -1,
        beyond_doubles,
        -beyond_doubles,
        i64::MAX,
        i64::MIN,
    ] {
        assert_kept(&store, &wide(), "order", json!(number)).await;
        assert_kept(&store, &wide(), "payload", json!([number])).await;
        assert_kept(&store, &wide(), "x-unknown", json!(number)).await;
    }
}

pub async fn an_integer_beyond_64_bits_is_kept_or_refused(store: Arc<dyn Store>) {
    for number in [i64::MAX.unsigned_abs() + 1, u64::MAX] {
        assert_kept_or_refused(&store, "order", json!(number)).await;
        assert_kept_or_refused(&store, "payload", json!([number])).await;
        // Where there is no column, there is no limit either.
        assert_kept(&store, &wide(), "x-unknown", json!(number)).await;
        assert_kept(&store, &plain(), "x-unknown", json!([{"deep": number}])).await;
    }
}

pub async fn floating_point_numbers_are_kept(store: Arc<dyn Store>) {
    for number in [
        0.0,
        -0.0,
        0.1,
        1.0,
        -1.5,
        1.0 / 3.0,
        1e21,
        // A careless parser changes the last digit of these.
        113.443_218_675_457_33,
        4.115_622_850_065_693e-104,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        5e-324,
        f64::EPSILON,
        9_007_199_254_740_993.0,
    ] {
        assert_kept(&store, &wide(), "ratio", json!(number)).await;
        assert_kept(&store, &wide(), "payload", json!({"n": number})).await;
        assert_kept(&store, &wide(), "x-unknown", json!(number)).await;
    }
    assert_kept(&store, &wide(), "ratio", json!(3)).await;
}

pub async fn booleans_are_kept(store: Arc<dyn Store>) {
    for value in [json!(true), json!(false), json!(null)] {
        assert_kept(&store, &wide(), "done", value.clone()).await;
        assert_kept(&store, &wide(), "x-unknown", value).await;
    }
}

pub async fn bytes_are_kept(store: Arc<dyn Store>) {
    for base64 in [
        "",
        "AA==",
        "AAE=",
        "AAEC",
        "/+8=",
        "////",
        "J3F1b3RlZCcAJw==",
    ] {
        assert_kept(&store, &wide(), "photo", json!(base64)).await;
    }
}

pub async fn unusual_base64_is_kept_or_refused(store: Arc<dyn Store>) {
    for base64 in ["AAE", "AB==", "AAEC\n", "-_-_", "====", "AA=A"] {
        assert_kept_or_refused(&store, "photo", json!(base64)).await;
    }
}

pub async fn instants_are_kept(store: Arc<dyn Store>) {
    for stamp in [
        json!("2026-03-01T12:00:00Z"),
        json!("2026-03-01T12:00:00.123456789Z"),
        json!("2026-03-01T14:30:00.5+02:30"),
        json!("1970-01-01T00:00:00Z"),
        json!("9999-12-31T23:59:59.999Z"),
        json!(1_772_366_400),
        json!(1_772_366_400_123_i64),
        json!(null),
    ] {
        assert_kept(&store, &wide(), "dueAt", stamp.clone()).await;
        assert_kept(&store, &wide(), "updated_at", stamp).await;
    }
}

fn nested() -> Value {
    json!({
        "b": [1, 1.0, "1", null, [], {}, [[["deep"]]]],
        "a": {"null": null, "empty": "", "quote'\"": "\\", "": {"é": "👍"}, "$.a[0]": true},
        "z": u64::MAX,
    })
}

pub async fn json_is_kept(store: Arc<dyn Store>) {
    let scalars = [json!(0), json!(false), json!([]), json!({}), json!(1.5)];
    for value in scalars.into_iter().chain(nasty_texts()).chain([nested()]) {
        assert_kept(&store, &wide(), "payload", value).await;
    }
}

pub async fn fields_without_a_column_are_kept_exactly(store: Arc<dyn Store>) {
    for kind in [wide(), plain()] {
        let put = record(json!({
            "id": "e1", "title": "kept",
            "x-null": null, "x-nested": nested(), "x-empty": {}, "x-float": 1.0, "x-int": 1,
            "": "no name", "o'brien\"": 1, "$.title": 2, "TITLE": 3, "ünï": 4, "_private": 5,
        }));
        put_local(&store, &kind, [put.clone()]).await;
        assert_row(&kind, &put, get(&store, &kind, &id("e1")).await.as_ref());
    }
}

pub async fn an_unknown_null_is_not_an_absent_field(store: Arc<dyn Store>) {
    for kind in [wide(), plain()] {
        assert_kept(&store, &kind, "x-unknown", Value::Null).await;
        let got = get(&store, &kind, &id("e1")).await.unwrap();
        assert_eq!(got.get("x-unknown"), Some(&Value::Null));
        assert_eq!(got.get("x-other"), None);
    }
}

pub async fn a_column_and_its_field_may_differ_in_name(store: Arc<dyn Store>) {
    // `dueAt` lies in the column `due_on`; a field named like that column has none.
    let put = record(json!({
        "id": "e1", "title": "kept", "dueAt": "2026-03-01T12:00:00Z", "due_on": "monday"
    }));
    put_local(&store, &wide(), [put.clone()]).await;
    assert_row(
        &wide(),
        &put,
        get(&store, &wide(), &id("e1")).await.as_ref(),
    );
}

pub async fn a_field_may_be_named_like_the_column_of_extras(store: Arc<dyn Store>) {
    assert_kept(&store, &plain(), "extra", json!({"mine": 1})).await;
    assert_kept(&store, &plain(), "extra", json!("text")).await;
    put_local(&store, &plain(), [row("e1", "kept")]).await;
    let got = get(&store, &plain(), &id("e1")).await.unwrap();
    assert_eq!(got.get("extra"), None, "the column itself is no field");
}

pub async fn many_rows_of_different_shapes_are_kept(store: Arc<dyn Store>) {
    let shapes = [
        json!({"id": "a", "title": "A", "order": 1}),
        json!({"id": "b", "title": "B", "body": null, "x-unknown": 1}),
        json!({"id": "c", "title": "C", "done": false, "ratio": 0.5, "payload": [1]}),
        json!({"id": "d", "title": "D", "x-unknown": {"a": null}, "photo": "AAEC"}),
        json!({"id": "e", "title": "E", "order": null, "dueAt": "2026-03-01T12:00:00Z"}),
    ]
    .map(record);
    put_local(&store, &wide(), shapes.clone()).await;
    for shape in shapes {
        let got = get(&store, &wide(), &shape.id().unwrap()).await;
        assert_row(&wide(), &shape, got.as_ref());
    }
}
