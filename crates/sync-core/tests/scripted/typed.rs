//! Writes and decisions in a type of the app's that knows less than the record has.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sync_core::{Column, ColumnType, Conflict, ConflictStrategy, EntityWriter, SyncEntity};

use crate::device::{Device, ID, purging, schema};
use crate::server::{conflict, live};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Size {
    w: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "notes")]
struct Sized {
    id: String,
    a: Option<Size>,
    b: Option<i64>,
}

/// A device whose edit of `b` waits in a conflict, and nobody decides.
async fn undecided(columns: Vec<Column>, a: &Value) -> Device {
    let table = purging().strategy(ConflictStrategy::Manual);
    let note = json!({"id": ID, "a": a, "b": 1});
    let device = Device::with(schema("updated_at", columns), table, note).await;
    device.change("b", 2).await;
    let theirs = json!({"id": ID, "a": a, "b": 3});
    device.server.answers(conflict(live(theirs, 2)));
    device.push().await;
    device.server.asked();
    device
}

#[derive(Debug, Clone, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "notes")]
struct Pictured {
    id: String,
    b: Option<i64>,
    #[sync(blob, local_only)]
    #[serde(with = "sync_core::base64")]
    thumb: Option<Vec<u8>>,
}

#[tokio::test]
async fn a_column_that_may_be_null_may_be_absent_from_a_record() {
    let thumb = Column::new("thumb", ColumnType::Blob);
    let device = undecided(vec![thumb.nullable().local_only()], &json!(1)).await;
    let notes: EntityWriter<Pictured> = device.engine.writer().unwrap();
    assert_eq!(notes.get(ID).await.unwrap().unwrap().thumb, None);
    let open = device.engine.conflicts().open().await.unwrap();
    let typed: Conflict<Pictured> = open[0].conflict.typed().unwrap();
    assert_eq!(typed.local.unwrap().b, Some(2));
}

#[tokio::test]
async fn an_error_of_a_type_names_the_field_and_no_contents() {
    let device = undecided(vec![], &json!({"w": "s3cr3t"})).await;
    let notes: EntityWriter<Sized> = device.engine.writer().unwrap();
    let read = notes.get(ID).await.unwrap_err().to_string();
    assert!(
        read.ends_with("`a`: invalid type: string, expected i64"),
        "{read}"
    );
    let open = device.engine.conflicts().open().await.unwrap();
    let decided = open[0].conflict.typed::<Sized>().unwrap_err().to_string();
    assert!(decided.contains("`a`: invalid type: string"), "{decided}");
    assert!(!decided.contains("s3cr3t"), "{decided}");
}
