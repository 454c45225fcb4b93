//! Through the rows of the outbox, the shadows, the quarantine and the user's table.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use sync_core::store::{
    ConflictEntry, OpQuery, QuarantineCause, QuarantineEntry, RowWrite, Store, TxMode,
};
use sync_core::{
    Change, Column, ColumnType, EntityId, Kind, MemoryStore, Op, OpId, Precondition, Record,
    ServerState, Shadow, TableSchema, Timestamp, Verdict, Version,
};
use sync_sqlx::SqliteStore;

use crate::hostile::{any_fields, long_list, nested, record, same};
use crate::{for_all, runtime};

const TABLE: &str = "CREATE TABLE notes (id TEXT NOT NULL PRIMARY KEY, json TEXT, text TEXT)";

fn kind() -> Kind {
    Kind::new("notes").unwrap()
}

fn id(number: usize) -> EntityId {
    EntityId::new(format!("e{number}")).unwrap()
}

fn stamp() -> Timestamp {
    Timestamp::parse("2026-03-01T12:00:00.000001+02:00").unwrap()
}

/// Everything that a store keeps of an entity, made of one record.
#[derive(Debug, Clone, PartialEq)]
struct Kept {
    op: Op,
    shadow: Shadow,
    conflict: ConflictEntry,
    quarantine: QuarantineEntry,
}

impl Kept {
    fn of(number: usize, record: &Record) -> Self {
        let (kind, entity_id) = (kind(), id(number));
        let version = Some(Version::new(stamp()).with_tag(Some("\"tag\"".to_owned())));
        let upsert = Change::Upsert {
            payload: record.clone(),
            changed: Some(record.fields().keys().map(String::as_str).collect()),
        };
        let op_id = OpId::new(format!("o{number}")).unwrap();
        let mut op = Op::new(
            op_id.clone(),
            kind.clone(),
            entity_id.clone(),
            upsert.clone(),
            stamp(),
        );
        op.verdict = Some(Verdict {
            change: upsert,
            judged: version.clone(),
            recreate: true,
            unreliable: false,
            names_all: true,
        });
        op.precondition = version
            .clone()
            .map(|version| Precondition::IfBase { version });
        op.last_error = record.fields().keys().next().cloned();
        let live = ServerState::Live {
            record: record.clone(),
            version: version.clone(),
        };
        let deleted = ServerState::Deleted {
            record: Some(record.clone()),
            version,
        };
        Self {
            op,
            shadow: Shadow {
                kind: kind.clone(),
                entity_id: entity_id.clone(),
                base: live.clone(),
                parked: Some(deleted),
                schema_version: 1,
            },
            conflict: ConflictEntry {
                op_id,
                kind: kind.clone(),
                entity_id: entity_id.clone(),
                server: live,
                server_time: Some(stamp()),
                by_choice: false,
                reason: "hostile".to_owned(),
                detected_at: stamp(),
            },
            quarantine: QuarantineEntry {
                kind,
                key: entity_id.to_string(),
                row: record.clone().into(),
                tag: None,
                reason: "hostile".to_owned(),
                since: stamp(),
                cause: QuarantineCause::ServerRestored,
                schema_version: 1,
            },
        }
    }

    /// All of it as text, the place in the queue aside.
    fn text(&self) -> String {
        let op = Op {
            seq: 0,
            ..self.op.clone()
        };
        json!([op, self.shadow, self.conflict, self.quarantine]).to_string()
    }
}

fn reread<T: Serialize + DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

#[test]
fn what_the_library_notes_is_read_back_to_the_letter() {
    for_all(256, &any_fields(), |fields| {
        let kept = Kept::of(0, &record("e0", fields));
        let again = Kept {
            op: reread(&kept.op),
            shadow: reread(&kept.shadow),
            conflict: reread(&kept.conflict),
            quarantine: reread(&kept.quarantine),
        };
        prop_assert_eq!(&again, &kept);
        prop_assert_eq!(again.text(), kept.text());
        Ok(())
    });
}

async fn prepare(store: &dyn Store) {
    let schema = TableSchema::new(kind(), "notes", "id")
        .column(Column::new("id", ColumnType::Text))
        .column(Column::new("json", ColumnType::Json).nullable())
        .column(Column::new("text", ColumnType::Text).nullable());
    store.prepare(&[schema]).await.unwrap();
}

async fn open(path: &Path) -> SqliteStore {
    let store = SqliteStore::open(path).await.unwrap();
    sqlx::raw_sql("PRAGMA foreign_keys = ON")
        .execute(store.pool())
        .await
        .unwrap();
    store
}

/// Writes what is kept of the records, and the records as rows; returns the rows that the table
/// took.
async fn write(store: &dyn Store, records: &[Record]) -> Vec<Record> {
    let kept: Vec<Kept> = records
        .iter()
        .enumerate()
        .map(|(number, record)| Kept::of(number, record))
        .collect();
    let mut tx = store.begin(TxMode::Write).await.unwrap();
    let ops: Vec<Op> = kept.iter().map(|kept| kept.op.clone()).collect();
    tx.append_ops(&ops).await.unwrap();
    let shadows: Vec<Shadow> = kept.iter().map(|kept| kept.shadow.clone()).collect();
    tx.put_shadows(&shadows).await.unwrap();
    let conflicts: Vec<_> = kept.iter().map(|kept| kept.conflict.clone()).collect();
    tx.put_conflicts(&conflicts).await.unwrap();
    let quarantine: Vec<_> = kept.iter().map(|kept| kept.quarantine.clone()).collect();
    tx.put_quarantine(&quarantine).await.unwrap();
    let rows: Vec<RowWrite> = records.iter().cloned().map(RowWrite::local).collect();
    let report = tx.put(&kind(), &rows).await.unwrap();
    tx.commit().await.unwrap();
    let is_taken = |index: &usize| report.rejected.iter().all(|other| other.index != *index);
    (0..records.len())
        .filter(is_taken)
        .map(|index| records[index].clone())
        .collect()
}

async fn check(
    store: &dyn Store,
    records: &[Record],
    rows: &[Record],
) -> Result<(), TestCaseError> {
    let ids: Vec<EntityId> = (0..records.len()).map(id).collect();
    let mut tx = store.begin(TxMode::Read).await.unwrap();
    let ops = tx.ops(&OpQuery::default()).await.unwrap();
    let shadows = tx.shadows(&kind(), &ids).await.unwrap();
    let mut conflicts = Vec::new();
    for op in &ops {
        conflicts.extend(tx.conflicts(Some(&op.op_id)).await.unwrap());
    }
    let keys: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let quarantine = tx.quarantined_of(&kind(), &keys).await.unwrap();
    prop_assert_eq!(ops.len(), records.len());
    let parts = ops.into_iter().zip(shadows).zip(conflicts).zip(quarantine);
    for (number, (((op, shadow), conflict), quarantine)) in parts.enumerate() {
        let kept = Kept {
            op,
            shadow,
            conflict,
            quarantine,
        };
        prop_assert_eq!(kept.text(), Kept::of(number, &records[number]).text());
    }
    for expected in rows {
        let row = tx
            .get(&kind(), &[expected.id().unwrap()])
            .await
            .unwrap()
            .pop();
        let row = row.expect("a row that the table took is there");
        for (name, value) in expected.fields() {
            let actual = row.get(name).unwrap_or(&Value::Null);
            prop_assert!(
                same(actual, value),
                "{:?}: {} became {}",
                name,
                value,
                actual
            );
        }
        let is_expected =
            |name: &str| expected.get(name).is_some() || ["json", "text"].contains(&name);
        prop_assert!(row.fields().keys().all(|name| is_expected(name)));
    }
    Ok(())
}

/// Records with any value in the columns too, and with names of their own.
fn any_records(most: usize) -> impl Strategy<Value = Vec<Record>> {
    let of_columns = (crate::hostile::any_value(), crate::hostile::any_value());
    vec((any_fields(), of_columns), 1..most).prop_map(|all| {
        let record = |(number, (mut fields, (json, text))): (usize, (Map<String, Value>, _))| {
            fields.insert("json".to_owned(), json);
            fields.insert("text".to_owned(), text);
            record(id(number).as_str(), fields)
        };
        all.into_iter().enumerate().map(record).collect()
    })
}

fn sqlite_returns(records: &[Record]) -> Result<(), TestCaseError> {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.db");
        let store = open(&path).await;
        sqlx::raw_sql(TABLE).execute(store.pool()).await.unwrap();
        prepare(&store).await;
        let rows = write(&store, records).await;
        // Another process, and nothing but the file.
        drop(store);
        let store = open(&path).await;
        prepare(&store).await;
        check(&store, records, &rows).await
    })
}

#[test]
fn a_database_file_returns_to_the_letter_what_it_took() {
    for_all(12, &any_records(24), |records| sqlite_returns(&records));
}

#[test]
fn the_store_in_memory_returns_to_the_letter_what_it_took() {
    for_all(32, &any_records(12), |records| {
        runtime().block_on(async {
            let store = MemoryStore::new();
            prepare(&store).await;
            let rows = write(&store, &records).await;
            check(&store, &records, &rows).await
        })
    });
}

#[test]
fn a_database_file_returns_lists_of_any_length_and_records_as_deep_as_the_wire_lets_through() {
    let record = |number: usize, value: Value| {
        record(
            id(number).as_str(),
            Map::from_iter([("json".to_owned(), value)]),
        )
    };
    let records = [
        record(0, long_list()),
        record(1, nested(126)),
        record(2, nested(127)),
    ];
    sqlite_returns(&records).unwrap();
}
