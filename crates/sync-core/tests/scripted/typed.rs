//! Writes and decisions in a type of the app's that knows less than the record has.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sync_core::{Column, ConflictStrategy, EntityWriter, SyncEntity};

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
