//! Rust types and the columns they get.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, Local, NaiveDate, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};
use sync_core::{ColumnType, FieldMerge, SyncEntity, Timestamp};

type Title = String;
type MaybeCount = Option<i64>;

#[derive(Serialize, Deserialize)]
enum Priority {
    High,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "samples")]
struct Sample {
    id: std::string::String,
    reference: uuid::Uuid,
    day: NaiveDate,
    tiny: i8,
    small: i16,
    medium: i32,
    large: i64,
    native: isize,
    byte: u8,
    word: u16,
    double_word: u32,
    single: f32,
    double: f64,
    flag: bool,
    utc: chrono::DateTime<chrono::Utc>,
    offset: DateTime<FixedOffset>,
    local: DateTime<Local>,
    naive: NaiveDateTime,
    verbatim: Timestamp,
    tags: Vec<String>,
    bytes: Vec<u8>,
    map: BTreeMap<String, u64>,
    pair: (i64, i64),
    triple: [f64; 3],
    priority: Priority,
    anything: serde_json::Value,
    maybe_text: Option<String>,
    maybe_count: std::option::Option<u32>,
    maybe_time: Option<DateTime<Utc>>,
    maybe_tags: Option<Vec<String>>,
    maybe_twice: Option<Option<bool>>,
    #[sync(text)]
    alias: Title,
    #[sync(integer, nullable)]
    alias_of_option: MaybeCount,
    #[sync(text)]
    level: Priority,
    #[sync(json)]
    wide: u64,
    #[sync(timestamp)]
    #[serde(with = "chrono::serde::ts_milliseconds")]
    millis: DateTime<Utc>,
    #[sync(real)]
    real: u8,
    #[sync(boolean)]
    boolean: Truth,
    #[sync(blob)]
    #[serde(with = "sync_core::base64")]
    blob: Vec<u8>,
    #[sync(blob)]
    #[serde(with = "sync_core::base64")]
    maybe_blob: Option<Vec<u8>>,
    #[sync(extra, column = "others")]
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

type Truth = bool;

#[track_caller]
fn assert_columns(ty: ColumnType, nullable: bool, fields: &[&str]) {
    let columns = Sample::schema()
        .map(|schema| schema.columns)
        .unwrap_or_default();
    for field in fields {
        let column = columns.iter().find(|column| column.field == *field);
        let found = column.map(|column| (column.ty, column.nullable));
        assert_eq!(found, Some((ty, nullable)), "{field}");
    }
}

#[test]
fn texts_ids_and_days_are_text() {
    assert_columns(ColumnType::Text, false, &["id", "reference", "day"]);
}

#[test]
fn integers_that_fit_64_bits_are_integers() {
    let names = [
        "tiny",
        "small",
        "medium",
        "large",
        "native",
        "byte",
        "word",
        "double_word",
    ];
    assert_columns(ColumnType::Integer, false, &names);
}

#[test]
fn floats_are_real_and_bools_boolean() {
    assert_columns(ColumnType::Real, false, &["single", "double"]);
    assert_columns(ColumnType::Boolean, false, &["flag"]);
}

#[test]
fn points_in_time_are_timestamps() {
    let names = ["utc", "offset", "local", "naive", "verbatim"];
    assert_columns(ColumnType::Timestamp, false, &names);
}

#[test]
fn everything_else_is_json() {
    let names = ["tags", "bytes", "map", "pair", "triple", "priority"];
    assert_columns(ColumnType::Json, false, &names);
}

#[test]
fn options_are_nullable_columns_of_their_inner_type() {
    assert_columns(ColumnType::Text, true, &["maybe_text"]);
    assert_columns(ColumnType::Integer, true, &["maybe_count"]);
    assert_columns(ColumnType::Timestamp, true, &["maybe_time"]);
    assert_columns(ColumnType::Json, true, &["maybe_tags"]);
    assert_columns(ColumnType::Boolean, true, &["maybe_twice"]);
}

#[test]
fn a_json_value_may_be_null() {
    assert_columns(ColumnType::Json, true, &["anything"]);
}

#[test]
fn the_users_word_overrides_what_the_type_looks_like() {
    assert_columns(ColumnType::Text, false, &["alias", "level"]);
    assert_columns(ColumnType::Integer, true, &["alias_of_option"]);
    assert_columns(ColumnType::Json, false, &["wide"]);
    assert_columns(ColumnType::Timestamp, false, &["millis"]);
    assert_columns(ColumnType::Real, false, &["real"]);
    assert_columns(ColumnType::Boolean, false, &["boolean"]);
}

#[test]
fn bytes_as_base64_text_are_a_blob() {
    assert_columns(ColumnType::Blob, false, &["blob"]);
    assert_columns(ColumnType::Blob, true, &["maybe_blob"]);
}

#[test]
fn a_flattened_map_keeps_the_fields_without_a_column() {
    let schema = Sample::schema().unwrap();
    assert_eq!(schema.extra_column.as_deref(), Some("others"));
    assert!(schema.by_field("rest").is_none());
    assert!(Sample::create_table_sql().contains("\"others\" TEXT\n"));
}

#[test]
fn a_field_bears_its_merge_rule() {
    #[derive(Serialize, Deserialize, SyncEntity)]
    #[sync(kind = "articles")]
    struct Article {
        id: String,
        name: String,
        #[sync(merge = "local")]
        mine: String,
        #[sync(merge = "server")]
        theirs: String,
        #[sync(merge = "max")]
        #[serde(rename = "readAt")]
        read_at: Option<DateTime<Utc>>,
        #[sync(merge = "min")]
        best: f64,
        #[sync(merge = "sum_delta")]
        stock: Option<i32>,
        #[sync(merge = "union")]
        tags: Vec<String>,
    }
    let schema = Article::schema().unwrap();
    let rules = ["name", "mine", "theirs", "readAt", "best", "stock", "tags"];
    assert_eq!(
        rules.map(|field| schema.merge_rule(field)),
        [
            FieldMerge::Auto,
            FieldMerge::Local,
            FieldMerge::Server,
            FieldMerge::Max,
            FieldMerge::Min,
            FieldMerge::SumDelta,
            FieldMerge::Union,
        ]
    );
}

/// A type that passes through `macro_rules!` reaches the derive in an invisible group.
#[test]
fn types_from_a_macro_are_recognised() {
    macro_rules! entity {
        ($ty:ty) => {
            #[derive(Serialize, Deserialize, SyncEntity)]
            #[sync(kind = "grouped")]
            struct Grouped {
                id: String,
                value: $ty,
                maybe: Option<$ty>,
            }
        };
    }
    entity!(i64);
    let schema = Grouped::schema().unwrap();
    let column = |field| schema.by_field(field).unwrap();
    assert_eq!(column("value").ty, ColumnType::Integer);
    assert_eq!(
        (column("maybe").ty, column("maybe").nullable),
        (ColumnType::Integer, true)
    );
}
