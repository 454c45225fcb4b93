//! Id, stamp, tombstone and columns of this device.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sync_core::{Record, SyncEntity};
use uuid::Uuid;

type Key = Uuid;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "notes")]
#[serde(rename_all = "camelCase")]
struct Note {
    uuid: Uuid,
    updated_at: Option<DateTime<Utc>>,
    deleted_at: Option<DateTime<Utc>>,
    #[sync(local_only)]
    is_open: Option<bool>,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "marked")]
struct Marked {
    #[sync(id, text)]
    #[serde(rename = "ID")]
    key: Key,
    title: String,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "flagged")]
struct Flagged {
    id: String,
    updated_at: i64,
    deleted_at: bool,
}

#[test]
fn the_id_is_found_by_its_json_name() {
    assert_eq!(Note::schema().unwrap().id().unwrap().name, "uuid");
    let schema = Marked::schema().unwrap();
    assert_eq!(
        (schema.id_field.as_str(), schema.id().unwrap().name.as_str()),
        ("ID", "key")
    );
}

#[test]
fn the_entity_names_the_same_id_as_its_record() {
    let uuid = Uuid::from_u128(7);
    let note = Note {
        uuid,
        updated_at: None,
        deleted_at: None,
        is_open: None,
    };
    let marked = Marked {
        key: uuid,
        title: "another".to_owned(),
    };
    let flagged = Flagged {
        id: "f1".to_owned(),
        updated_at: 0,
        deleted_at: false,
    };
    assert_eq!(note.entity_id(), "00000000-0000-0000-0000-000000000007");
    assert_eq!(Some(note.entity_id()), id_of_record(&note));
    assert_eq!(Some(marked.entity_id()), id_of_record(&marked));
    assert_eq!(Some(flagged.entity_id()), id_of_record(&flagged));
}

fn id_of_record(entity: &impl SyncEntity) -> Option<String> {
    let record = Record::try_from(serde_json::to_value(entity).ok()?).ok()?;
    record.id().ok().map(String::from)
}

#[test]
fn stamp_and_tombstone_are_found_by_their_json_names() {
    let schema = Note::schema().unwrap();
    assert_eq!(schema.stamp().unwrap().name, "updated_at");
    assert_eq!(schema.stamp().unwrap().field, "updatedAt");
    assert_eq!(schema.tombstone().unwrap().name, "deleted_at");
}

#[test]
fn a_stamp_may_be_a_number_and_a_tombstone_a_flag() {
    let schema = Flagged::schema().unwrap();
    assert_eq!(schema.stamp().unwrap().name, "updated_at");
    assert_eq!(schema.tombstone().unwrap().name, "deleted_at");
}

#[test]
fn stamp_and_tombstone_may_be_absent() {
    let schema = Marked::schema().unwrap();
    assert!(schema.stamp().is_none() && schema.tombstone().is_none());
}

#[test]
fn a_local_only_column_is_nullable_and_does_not_travel() {
    let schema = Note::schema().unwrap();
    let column = schema.by_field("isOpen").unwrap();
    assert!(column.local_only && column.nullable);
    assert!(schema.synced().all(|column| column.field != "isOpen"));
}
