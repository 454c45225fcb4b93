//! The typed ways to write, alone, many at once, and within a transaction of the app's.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use futures::{FutureExt, StreamExt, future};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sync_core::store::{OpQuery, StoreErrorKind, TxMode};
use sync_core::transport::Offline;
use sync_core::{
    EntityWriter, Record, SoftDelete, SyncEngine, SyncEntity, SyncError, SyncRepository,
};
use sync_sqlx::SqliteStore;
use sync_testkit::{FakeEnv, MockServer};

use crate::setup::{Device, NOTES, Note, Setup, assert_fields, device, entity};

fn note(id: &str, title: &str) -> Note {
    Note {
        id: id.to_owned(),
        title: title.to_owned(),
        body: None,
        mood: None,
        energy: None,
        pinned: None,
        updated_at: None,
        deleted_at: None,
    }
}

fn writer(device: &Device) -> EntityWriter<Note> {
    device.engine.writer().unwrap()
}

async fn server() -> MockServer {
    MockServer::start().await.unwrap()
}

#[tokio::test]
async fn an_insert_an_update_and_a_deletion_reach_the_server() {
    let (server, milk) = (server().await, note("milk", "Milk"));
    let device = device(&server).await;
    let notes = writer(&device);
    notes.insert(&milk).await.unwrap();
    device.sync_fully().await;
    assert_fields(
        server.get(NOTES, "milk").as_ref(),
        &json!({"title": "Milk"}),
    );

    let oat = Note {
        title: "Oat milk".to_owned(),
        ..milk.clone()
    };
    assert!(notes.update(&milk, &oat).await.unwrap());
    assert!(!notes.update(&oat, &oat).await.unwrap());
    device.sync_fully().await;
    assert_fields(
        server.get(NOTES, "milk").as_ref(),
        &json!({"title": "Oat milk"}),
    );

    assert!(notes.delete("milk").await.unwrap());
    assert!(!notes.delete("milk").await.unwrap());
    device.sync_fully().await;
    assert_eq!(server.all(NOTES).len(), 0);
}

#[tokio::test]
async fn an_edit_in_place_changes_what_it_touches_and_nothing_else() {
    let server = server().await;
    let device = device(&server).await;
    let notes = writer(&device);
    let pinned = Note {
        pinned: Some(true),
        body: Some("text".to_owned()),
        ..note("milk", "Milk")
    };
    notes.insert(&pinned).await.unwrap();
    let edited = notes.update_with("milk", |note| note.mood = Some(4)).await;
    assert!(edited.unwrap());
    assert!(!notes.update_with("milk", |_| ()).await.unwrap());

    let expected = Note {
        mood: Some(4),
        ..pinned
    };
    assert_eq!(notes.get("milk").await.unwrap(), Some(expected));
    let missing = notes.update_with("bread", |note| note.mood = Some(4)).await;
    assert!(matches!(missing, Err(SyncError::NotFound { .. })));
}

#[tokio::test]
async fn an_edit_in_place_keeps_what_a_pull_brought_elsewhere() {
    let server = server().await;
    let device = device(&server).await;
    let notes = writer(&device);
    notes.insert(&note("milk", "Milk")).await.unwrap();
    device.sync_fully().await;
    server.update(NOTES, "milk", json!({"body": "theirs"}));
    notes
        .update_with("milk", |note| note.mood = Some(4))
        .await
        .unwrap();
    device.sync_fully().await;
    let both = json!({"body": "theirs", "mood": 4});
    assert_fields(server.get(NOTES, "milk").as_ref(), &both);
}

#[tokio::test]
async fn an_upsert_inserts_then_replaces_then_finds_nothing_to_do() {
    let server = server().await;
    let device = device(&server).await;
    let notes = writer(&device);
    assert!(notes.upsert(&note("milk", "Milk")).await.unwrap());
    assert!(notes.upsert(&note("milk", "Oat milk")).await.unwrap());
    assert!(!notes.upsert(&note("milk", "Oat milk")).await.unwrap());
    notes.delete("milk").await.unwrap();
    assert!(notes.upsert(&note("milk", "Soy milk")).await.unwrap());
    device.sync_fully().await;
    assert_fields(
        server.get(NOTES, "milk").as_ref(),
        &json!({"title": "Soy milk"}),
    );
}

#[tokio::test]
async fn a_deleted_note_comes_back_as_it_was_before_and_after_its_deletion_is_sent() {
    let server = server().await;
    let device = device(&server).await;
    let notes = writer(&device);
    notes.insert(&note("milk", "Milk")).await.unwrap();
    device.sync_fully().await;
    for sent in [false, true] {
        notes.delete("milk").await.unwrap();
        if sent {
            device.sync_fully().await;
            assert_eq!(server.all(NOTES).len(), 0);
        }
        assert!(notes.restore("milk").await.unwrap());
        assert_eq!(notes.get("milk").await.unwrap().unwrap().title, "Milk");
        device.sync_fully().await;
        assert_eq!(server.all(NOTES).len(), 1, "sent: {sent}");
    }
    assert!(!notes.restore("milk").await.unwrap(), "it is not deleted");
    assert!(!notes.restore("bread").await.unwrap(), "it never was");
}

#[tokio::test]
async fn a_purged_note_comes_back_while_its_deletion_waits() {
    let server = server().await;
    let purging = Setup::new(&server).table(|table| table.soft_delete(SoftDelete::Purge));
    let device = purging.open().await;
    let notes = writer(&device);
    notes.insert(&note("milk", "Milk")).await.unwrap();
    device.sync_fully().await;
    notes.delete("milk").await.unwrap();
    assert_eq!(device.row("milk").await, None);
    assert!(notes.restore("milk").await.unwrap());
    assert_eq!(notes.get("milk").await.unwrap().unwrap().title, "Milk");

    notes.delete("milk").await.unwrap();
    device.sync_fully().await;
    assert!(
        !notes.restore("milk").await.unwrap(),
        "nothing is left of it"
    );
}

#[tokio::test]
async fn a_batch_is_written_wholly_or_not_at_all() {
    let server = server().await;
    let device = device(&server).await;
    let notes = writer(&device);
    let three = ["a", "b", "c"].map(|id| note(id, "New"));
    notes.insert_all(&three).await.unwrap();
    let again = notes
        .insert_all(&[note("d", "New"), note("a", "Again")])
        .await;
    assert!(matches!(again, Err(SyncError::AlreadyExists { .. })));
    assert_eq!(device.all().await.len(), 3);
    assert_eq!(device.ops().await.len(), 3);

    let changed = [note("a", "New"), note("b", "Changed"), note("d", "New")];
    assert_eq!(notes.upsert_all(&changed).await.unwrap(), 2);
    assert_eq!(notes.delete_all(["a", "x", "b"]).await.unwrap(), 2);
    device.sync_fully().await;
    assert_eq!(server.all(NOTES).len(), 2);
}

#[tokio::test]
async fn what_is_written_in_the_apps_own_transaction_goes_with_it() {
    let server = server().await;
    let device = device(&server).await;
    let notes = writer(&device);
    let pool = device.store.pool();
    sqlx::raw_sql("CREATE TABLE diary (line TEXT)")
        .execute(pool)
        .await
        .unwrap();
    for commits in [false, true] {
        let mut mine = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        sqlx::query("INSERT INTO diary VALUES ('bought')")
            .execute(&mut *mine)
            .await
            .unwrap();
        let mut joined = device.store.join(&mut mine).await.unwrap();
        let mut within = notes.within(&mut joined);
        within.insert(&note("milk", "Milk")).await.unwrap();
        within
            .update_with("milk", |note| note.mood = Some(4))
            .await
            .unwrap();
        within.upsert(&note("bread", "Bread")).await.unwrap();
        assert!(within.delete("bread").await.unwrap());
        assert_eq!(within.get("milk").await.unwrap().unwrap().mood, Some(4));
        drop(joined);
        if commits {
            mine.commit().await.unwrap();
        } else {
            mine.rollback().await.unwrap();
        }
        let written = i64::from(commits);
        assert_eq!(device.count("SELECT count(*) FROM diary").await, written);
        assert_eq!(device.count("SELECT count(*) FROM notes").await, written);
        assert_eq!(device.ops().await.len(), usize::from(commits));
    }
    device.sync_fully().await;
    assert_fields(server.get(NOTES, "milk").as_ref(), &json!({"mood": 4}));
}

#[tokio::test]
async fn batches_and_named_fields_go_with_the_apps_own_transaction() {
    let server = server().await;
    let device = device(&server).await;
    let notes = writer(&device);
    notes.insert(&note("old", "Old")).await.unwrap();
    for commits in [false, true] {
        let mut tx = device.store.begin().await.unwrap();
        let mut within = notes.within(&mut tx);
        let two = ["a", "b"].map(|id| note(id, "New"));
        within.insert_all(&two).await.unwrap();
        let three = [note("a", "New"), note("b", "Changed"), note("c", "New")];
        assert_eq!(within.upsert_all(&three).await.unwrap(), 2);
        assert_eq!(within.delete_all(["c", "nowhere"]).await.unwrap(), 1);
        let named = ["mood"].into_iter().collect();
        let edited = Note {
            mood: Some(4),
            ..note("old", "not named")
        };
        assert!(within.update_fields(&edited, &named).await.unwrap());

        let mut records = device.notes.within(&mut tx);
        let record = |id: &str| Record::try_from(json!({"id": id, "title": "JSON"})).unwrap();
        records.insert_all(["d", "e"].map(record)).await.unwrap();
        let changed = records.upsert_all(["e", "f"].map(record)).await;
        assert_eq!(changed.unwrap(), 1);
        let gone = records.delete_all(["e", "nowhere"].map(entity)).await;
        assert_eq!(gone.unwrap(), 1);

        let before = device.all().await;
        assert_eq!(before.into_keys().collect::<Vec<_>>(), ["old"]);
        if commits {
            tx.commit().await.unwrap();
        } else {
            drop(tx);
            assert_eq!(device.ops().await.len(), 1);
        }
    }
    let titles = |rows: BTreeMap<String, Value>| -> Vec<(String, Value)> {
        let title = |(id, row): (String, Value)| (id, row["title"].clone());
        rows.into_iter().map(title).collect()
    };
    let wanted = [
        ("a", "New"),
        ("b", "Changed"),
        ("d", "JSON"),
        ("f", "JSON"),
        ("old", "Old"),
    ];
    let wanted = wanted.map(|(id, title)| (id.to_owned(), json!(title)));
    assert_eq!(titles(device.all().await), wanted);
    device.sync_fully().await;
    let there = server.all(NOTES).len();
    assert_eq!(there, wanted.len());
    assert_fields(server.get(NOTES, "old").as_ref(), &json!({"mood": 4}));
}

#[tokio::test]
async fn the_dart_names_work_in_the_apps_own_transaction() {
    let server = server().await;
    let device = device(&server).await;
    let notes = writer(&device);
    for commits in [false, true] {
        let mut tx = device.store.begin().await.unwrap();
        let mut within = notes.within(&mut tx);
        let (milk, oat, soy) = (
            note("milk", "Milk"),
            note("milk", "Oat"),
            note("milk", "Soy"),
        );
        within.insert_and_enqueue(&milk).await.unwrap();
        let bread = note("bread", "Bread");
        within.insert_and_enqueue(&bread).await.unwrap();
        assert!(within.replace_and_enqueue_diff(&milk, &oat).await.unwrap());
        assert!(!within.replace_and_enqueue_diff(&oat, &oat).await.unwrap());
        assert!(within.replace_and_enqueue(&soy).await.unwrap());
        assert!(within.delete_and_enqueue("bread").await.unwrap());
        if commits {
            tx.commit().await.unwrap();
        } else {
            drop(tx);
            assert_eq!(device.ops().await.len(), 0);
        }
    }
    device.sync_fully().await;
    assert_eq!(server.all(NOTES).len(), 1);
    let soy = json!({"title": "Soy"});
    assert_fields(server.get(NOTES, "milk").as_ref(), &soy);
}

/// How many transactions told that they changed something.
fn commits(changes: &mut sync_core::store::ChangeStream) -> usize {
    std::iter::from_fn(|| changes.next().now_or_never().flatten()).count()
}

#[tokio::test]
async fn writes_that_wait_at_the_same_time_share_a_transaction() {
    let server = server().await;
    let device = device(&server).await;
    let notes = writer(&device);
    let mut changes = device.engine.store().changes();
    let busy = device.engine.store().begin(TxMode::Write).await.unwrap();
    let many: Vec<Note> = (0..20)
        .map(|number| note(&format!("n{number}"), "New"))
        .collect();
    let mut writes = pin!(future::join_all(many.iter().map(|note| notes.insert(note))));
    assert!(writes.as_mut().now_or_never().is_none(), "they wait");
    drop(busy);
    assert!(writes.await.iter().all(Result::is_ok));
    assert_eq!(device.ops().await.len(), 20);
    assert_eq!(commits(&mut changes), 1);
}

#[tokio::test]
async fn a_write_that_fails_takes_none_along_that_shared_its_transaction() {
    let server = server().await;
    let device = device(&server).await;
    let notes = writer(&device);
    notes.insert(&note("b", "Here")).await.unwrap();
    let busy = device.engine.store().begin(TxMode::Write).await.unwrap();
    let many = ["a", "b", "c"].map(|id| note(id, "New"));
    let mut writes = pin!(future::join_all(many.iter().map(|note| notes.insert(note))));
    assert!(writes.as_mut().now_or_never().is_none(), "they wait");
    drop(busy);
    let outcomes = writes.await;
    assert!(matches!(
        &*outcomes,
        [Ok(()), Err(SyncError::AlreadyExists { .. }), Ok(())]
    ));
    assert_eq!(device.all().await.len(), 3);
}

#[derive(Debug, Clone, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "lists")]
struct List {
    id: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "entries")]
struct Entry {
    id: String,
    list: String,
}

#[tokio::test]
async fn a_write_that_only_the_commit_refuses_takes_none_along_that_shared_its_transaction() {
    let store = SqliteStore::open_in_memory().await.unwrap();
    let sql = "CREATE TABLE lists (id TEXT NOT NULL PRIMARY KEY);
        CREATE TABLE entries (id TEXT NOT NULL PRIMARY KEY, list TEXT NOT NULL
            REFERENCES lists (id) DEFERRABLE INITIALLY DEFERRED)";
    sqlx::raw_sql(sql).execute(store.pool()).await.unwrap();
    let engine = SyncEngine::builder(store.clone(), Offline::default())
        .table::<List>()
        .table::<Entry>();
    let engine = engine.build().await.unwrap();
    let lists = engine.writer::<List>().unwrap();
    let entries = engine.writer::<Entry>().unwrap();
    let mut changes = engine.store().changes();
    let busy = engine.store().begin(TxMode::Write).await.unwrap();
    let entry = |id: &str, list: &str| Entry {
        id: id.to_owned(),
        list: list.to_owned(),
    };
    let list = List { id: "a".to_owned() };
    let (orphan, child) = (entry("orphan", "nowhere"), entry("child", "a"));
    let mut writes = pin!(future::join3(
        lists.insert(&list),
        entries.insert(&orphan),
        entries.insert(&child),
    ));
    assert!(writes.as_mut().now_or_never().is_none(), "they wait");
    drop(busy);
    let (list, orphan, child) = writes.await;
    assert!(list.is_ok() && child.is_ok(), "{list:?} {child:?}");
    let Err(SyncError::Store(error)) = orphan else {
        panic!("{orphan:?}");
    };
    assert_eq!(error.kind(), StoreErrorKind::Constraint, "{error}");
    assert_eq!(commits(&mut changes), 2, "each was told once");
    let ops = engine.outbox().list(&OpQuery::default()).await.unwrap();
    let ids: Vec<&str> = ops.iter().map(|op| op.entity_id.as_str()).collect();
    assert_eq!(ids, ["a", "child"], "each was queued once");
}

#[tokio::test]
async fn a_write_beside_an_open_transaction_of_its_task_fails_and_says_what_to_do() {
    let world = FakeEnv::new(1);
    world.auto_advance(Duration::MAX);
    let folder = tempfile::tempdir().unwrap();
    let builder = SqliteStore::builder(folder.path().join("app.db")).env(world.env());
    let store = builder.open().await.unwrap();
    store.create_table::<List>().await.unwrap();
    let builder = SyncEngine::builder(store.clone(), Offline::default()).table::<List>();
    let engine = builder.build().await.unwrap();
    let lists = engine.writer::<List>().unwrap();
    let list = List { id: "a".to_owned() };
    let mut mine = store.begin().await.unwrap();
    let inserted = lists.insert(&list).await.map(|()| true);
    let edited = lists.update_with("a", |_| ()).await;
    for outcome in [inserted, edited] {
        let Err(SyncError::Store(error)) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(error.is_retryable(), "{error}");
        assert!(error.to_string().contains("`within`"), "{error}");
    }
    lists.within(&mut mine).insert(&list).await.unwrap();
    mine.commit().await.unwrap();
    assert_eq!(engine.outbox().count().await.unwrap(), 1);
}

#[tokio::test]
async fn a_write_that_is_dropped_while_it_waits_holds_nobody_up_and_is_not_done() {
    let server = server().await;
    let device = device(&server).await;
    let notes = writer(&device);
    let busy = device.engine.store().begin(TxMode::Write).await.unwrap();
    let (first, second) = (note("first", "New"), note("second", "New"));
    let mut dropped = Box::pin(notes.insert(&first));
    assert!(dropped.as_mut().now_or_never().is_none(), "it waits");
    let mut stays = pin!(notes.insert(&second));
    assert!(stays.as_mut().now_or_never().is_none(), "it waits");
    drop(dropped);
    drop(busy);
    stays.await.unwrap();
    assert_eq!(
        device.all().await.into_keys().collect::<Vec<_>>(),
        ["second"]
    );
}

#[tokio::test]
async fn a_repository_reads_what_is_there_and_writes_through_the_outbox() {
    let server = server().await;
    let device = device(&server).await;
    let notes: SyncRepository<Note> = device.engine.repository().unwrap();
    let many: Vec<Note> = (0..1_001)
        .map(|number| Note {
            mood: Some(number),
            pinned: Some(number == 7),
            ..note(&format!("n{number:04}"), "New")
        })
        .collect();
    notes.writer().insert_all(&many).await.unwrap();
    assert_eq!(notes.list().await.unwrap(), many);
    assert_eq!(notes.get("n0007").await.unwrap().as_ref(), Some(&many[7]));

    let (before, after) = (&many[7], note("n0007", "Changed"));
    assert!(notes.update(before, &after).await.unwrap());
    assert!(notes.delete("n0000").await.unwrap());
    notes.create(&note("n1001", "Changed")).await.unwrap();
    let changed = notes.find(|note| note.title == "Changed").await.unwrap();
    let ids: Vec<&str> = changed.iter().map(|note| &*note.id).collect();
    assert_eq!(ids, ["n0007", "n1001"]);
    assert_eq!(notes.list().await.unwrap().len(), 1_001);
    assert_eq!(notes.get("n0000").await.unwrap(), None);
}
