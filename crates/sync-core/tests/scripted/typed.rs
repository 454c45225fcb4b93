//! Writes and decisions in a type of the app's that knows less than the record has.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sync_core::{
    ChangedFields, Column, ColumnType, Conflict, ConflictStrategy, EntityWriter, MergeFunction, Op,
    Resolution, SyncEntity, SyncError, resolve_typed,
};

use crate::device::{Device, ID, purging, schema};
use crate::server::{Asked, accepted, conflict, live, sent};

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

/// A record with a key within `a` that the type does not know.
fn in_centimetres(b: i64) -> Value {
    json!({"id": ID, "a": {"w": 1, "unit": "cm"}, "b": b})
}

fn names(op: &Op) -> Vec<String> {
    let changed = op.changed().unwrap();
    changed.iter().map(str::to_owned).collect()
}

fn sent_field(op: &Op, field: &str) -> Value {
    op.payload().unwrap().get(field).unwrap().clone()
}

/// What went out last, after this conflict.
async fn last_sent(device: &Device, theirs: Value) -> Value {
    device.server.answers(conflict(live(theirs, 2)));
    device
        .server
        .answers(accepted(live(json!({"id": ID, "a": 1, "b": 1}), 3)));
    device.push().await;
    device.push_later().await;
    let asked = device.server.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    let Some(Asked::Push(last)) = asked.last() else {
        panic!("{asked:?}")
    };
    sent(last).clone().into()
}

#[tokio::test]
async fn replacing_an_entity_keeps_what_its_type_does_not_know_within_a_field() {
    for upserts in [false, true] {
        let device = Device::having(in_centimetres(1)).await;
        let notes: EntityWriter<Sized> = device.engine.writer().unwrap();
        let mut note = notes.get(ID).await.unwrap().unwrap();
        assert!(!notes.replace(&note).await.unwrap(), "nothing differs");
        note.b = Some(2);
        let wrote = if upserts {
            notes.upsert(&note).await
        } else {
            notes.replace(&note).await
        };
        assert!(wrote.unwrap());
        let op = device.op().await;
        assert_eq!(names(&op), ["b"]);
        assert_eq!(sent_field(&op, "a"), json!({"w": 1, "unit": "cm"}));
    }
}

#[tokio::test]
async fn a_change_within_a_field_keeps_what_the_type_does_not_know_of_it() {
    let wider = json!({"w": 2, "unit": "cm"});
    let device = Device::having(in_centimetres(1)).await;
    let notes: EntityWriter<Sized> = device.engine.writer().unwrap();
    let before = notes.get(ID).await.unwrap().unwrap();
    let widen = |note: &mut Sized| note.a = Some(Size { w: 2 });
    notes.update_with(ID, widen).await.unwrap();
    assert_eq!(device.row().unwrap().get("a"), Some(&wider));
    assert_eq!(names(&device.op().await), ["a"]);

    let device = Device::having(in_centimetres(1)).await;
    let notes: EntityWriter<Sized> = device.engine.writer().unwrap();
    let mut after = before.clone();
    widen(&mut after);
    notes.update(&before, &after).await.unwrap();
    assert_eq!(sent_field(&device.op().await, "a"), wider);

    let device = Device::having(in_centimetres(1)).await;
    let notes: EntityWriter<Sized> = device.engine.writer().unwrap();
    after.b = Some(5);
    let of = |names: &[&str]| names.iter().copied().collect::<ChangedFields>();
    notes.update_fields(&after, &of(&["a"])).await.unwrap();
    let op = device.op().await;
    assert_eq!(
        (sent_field(&op, "a"), names(&op)),
        (wider, vec!["a".to_owned()])
    );
    assert_eq!(sent_field(&op, "b"), json!(1), "it was not named");
    let unknown = notes.update_fields(&after, &of(&["c"])).await;
    assert!(
        matches!(unknown, Err(SyncError::UnknownChangedField { .. })),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn replacing_an_entity_that_a_row_does_not_parse_as_mends_the_row() {
    let device = Device::having(json!({"id": ID, "a": "broken", "b": 1})).await;
    let notes: EntityWriter<Sized> = device.engine.writer().unwrap();
    assert!(notes.get(ID).await.is_err());
    let whole = Sized {
        id: ID.to_owned(),
        a: Some(Size { w: 3 }),
        b: Some(1),
    };
    notes.replace(&whole).await.unwrap();
    assert_eq!(names(&device.op().await), ["a"]);
    assert_eq!(notes.get(ID).await.unwrap().unwrap().a, whole.a);
}

#[derive(Debug, Clone, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "notes")]
struct Single {
    id: String,
    a: f32,
    b: Option<i64>,
    #[sync(local_only)]
    seen: Option<bool>,
}

#[tokio::test]
async fn a_value_that_a_type_only_writes_in_another_form_is_nobodys_change() {
    let seen = Column::new("seen", ColumnType::Boolean);
    let schema = schema("updated_at", vec![seen.nullable().local_only()]);
    let note = json!({"id": ID, "a": 0.1, "b": 1});
    let device = Device::with(schema, purging(), note).await;
    let notes: EntityWriter<Single> = device.engine.writer().unwrap();
    let mut note = notes.get(ID).await.unwrap().unwrap();
    (note.b, note.seen) = (Some(2), Some(true));
    notes.upsert(&note).await.unwrap();
    let op = device.op().await;
    assert_eq!(
        (names(&op), sent_field(&op, "a")),
        (vec!["b".to_owned()], json!(0.1))
    );
    let now = notes.get(ID).await.unwrap().unwrap();
    assert_eq!(now.seen, Some(true), "what stays here is replaced too");
    note.seen = None;
    assert!(!notes.replace(&note).await.unwrap());
    assert_eq!(notes.get(ID).await.unwrap().unwrap().seen, None);
}

#[tokio::test]
async fn what_a_type_merges_keeps_what_it_does_not_know_within_a_field() {
    let mine_of_b = |mine: &Sized, theirs: &Sized| Sized {
        b: mine.b,
        ..theirs.clone()
    };
    let both = [
        purging().merge(MergeFunction::typed(mine_of_b)),
        purging().resolver(resolve_typed(move |conflict: Conflict<Sized>| async move {
            let (mine, theirs) = (conflict.local.unwrap(), conflict.server.live().unwrap());
            Ok(Resolution::AcceptMerged(mine_of_b(&mine, theirs)))
        })),
    ];
    for table in both {
        let device = Device::with(schema("updated_at", vec![]), table, in_centimetres(1)).await;
        device.change("b", 2).await;
        let sent = last_sent(&device, in_centimetres(3)).await;
        assert_eq!(
            (&sent["a"], &sent["b"]),
            (&in_centimetres(1)["a"], &json!(2))
        );
    }
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
async fn what_a_person_merges_keeps_what_the_type_does_not_know_within_a_field() {
    let device = undecided(vec![], &in_centimetres(1)["a"]).await;
    let conflicts = device.engine.conflicts();
    let open = conflicts.open().await.unwrap();
    let shown: Conflict<Sized> = open[0].conflict.typed().unwrap();
    let merged = Sized {
        a: Some(Size { w: 2 }),
        ..shown.server_record().unwrap().clone()
    };
    let resolved = conflicts.resolve(&shown, Resolution::AcceptMerged(merged));
    assert!(resolved.await.unwrap());
    let theirs = live(json!({"id": ID, "a": 1, "b": 1}), 3);
    device.server.answers(accepted(theirs));
    device.push_later().await;
    let op = device.server.pushed();
    assert_eq!(sent(&op).get("a"), Some(&json!({"w": 2, "unit": "cm"})));
}

#[derive(Debug, Clone, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "notes")]
struct Tagged {
    id: String,
    a: HashSet<String>,
    b: Option<i64>,
}

#[tokio::test]
async fn a_conflict_of_a_type_without_an_order_is_resolved_as_it_was_shown() {
    let device = undecided(vec![], &json!(["q", "w", "e", "r", "t", "y", "u", "i"])).await;
    let conflicts = device.engine.conflicts();
    let open = conflicts.open().await.unwrap();
    let shown: Conflict<Tagged> = open[0].conflict.typed().unwrap();
    device.change("b", 4).await;
    let stale = conflicts.resolve(&shown, Resolution::AcceptServer).await;
    assert!(!stale.unwrap(), "the edit is another one");

    let device = undecided(vec![], &json!(["q", "w", "e", "r", "t", "y", "u", "i"])).await;
    let conflicts = device.engine.conflicts();
    let open = conflicts.open().await.unwrap();
    let shown: Conflict<Tagged> = open[0].typed().unwrap().conflict;
    let resolved = conflicts.resolve(&shown, Resolution::AcceptServer).await;
    assert!(resolved.unwrap(), "it is what was shown");
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
