//! What waits, in the user's hands: seen, corrected, carried to another device.

use std::error::Error as _;
use std::io;

use serde_json::{Value, json};
use sync_core::{ConflictStrategy, EntityState, Fate, OpStatus, Record, SyncError, SyncOptions};
use sync_testkit::{Fault, MockServer, Route};

use crate::conflicts::in_conflict;
use crate::setup::{
    Device, NOTES, Note, Setup, assert_fields, converge, device, entity, kind, server_with_note,
};

/// Has an edit of n1 that was refused too often, in a file that can be opened again.
async fn refused(server: &MockServer) -> Device {
    let here = strict(server).open().await;
    here.sync_fully().await;
    here.edit("n1", json!({"title": "too long", "mood": 5}))
        .await;
    let refusal = json!({"error": "title: at most 3 characters"});
    server.fault(Fault::json(422, refusal)).on(Route::Push);
    here.sync().await;
    here
}

fn strict(server: &MockServer) -> Setup {
    Setup::new(server).config(|config| config.with_max_outbox_try_count(1))
}

fn set(name: &'static str, value: Value) -> impl FnOnce(&mut Record) + Send {
    move |record| drop(record.fields_mut().insert(name.to_owned(), value))
}

async fn state(device: &Device, id: &str) -> EntityState {
    let of_one = device.engine.state(&kind(), &entity(id)).await.unwrap();
    // The view says the same; what is synced is not in it.
    let sql = "SELECT state FROM sync_entity_states WHERE kind = 'notes' AND entity_id = ?";
    let in_view: Vec<String> = sqlx::query_scalar(sql)
        .bind(id)
        .fetch_all(device.store.pool())
        .await
        .unwrap();
    let in_view = in_view.first().map_or("synced", String::as_str);
    assert_eq!(in_view, of_one.as_str());
    of_one
}

#[tokio::test]
async fn e2e_a_stuck_operation_is_seen_with_its_payload_reason_and_attempts() {
    let server = server_with_note().await;
    let here = refused(&server).await;
    let outbox = here.engine.outbox();
    let stuck = outbox.stuck().await.unwrap();
    assert_eq!((stuck.len(), outbox.count().await.unwrap()), (1, 1));
    let op = &stuck[0];
    assert_eq!(op.payload().unwrap().get("title").unwrap(), "too long");
    assert!(op.reason().unwrap().contains("at most 3 characters"));
    assert_eq!(op.attempts(), 1);
    assert!(op.next_attempt().is_some());
}

#[tokio::test]
async fn e2e_a_stuck_operation_goes_through_once_it_is_corrected() {
    let server = server_with_note().await;
    let here = refused(&server).await;
    let (folder, world) = (here.folder.clone(), here.world.clone());
    drop(here);
    let here = strict(&server).file_of(folder).world(&world).open().await;
    let outbox = here.engine.outbox();
    let op_id = outbox.stuck().await.unwrap()[0].op_id.clone();
    assert!(
        outbox
            .edit(&op_id, set("title", json!("ok")))
            .await
            .unwrap()
    );
    let ops = here.ops().await;
    assert_eq!((ops.len(), &ops[0].op_id), (1, &op_id));
    assert_eq!((ops[0].status, ops[0].attempts()), (OpStatus::Pending, 0));
    assert_eq!(ops[0].reason(), None);
    here.sync_fully().await;
    let wanted = json!({"title": "ok", "mood": 5});
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
    // It is gone: there is nothing left to correct.
    assert!(
        !outbox
            .edit(&op_id, set("title", json!("no")))
            .await
            .unwrap()
    );
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn e2e_a_correction_of_what_may_be_applied_waits_behind_it() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    server.fault(Fault::drop_after()).on(Route::Push);
    let push_only = SyncOptions::default().no_pull();
    here.engine.sync_with(push_only).await.unwrap();
    let op_id = here.ops().await[0].op_id.clone();
    let outbox = here.engine.outbox();
    assert!(outbox.edit(&op_id, set("mood", json!(6))).await.unwrap());
    let ops = here.ops().await;
    assert_eq!((ops.len(), ops[0].fate), (2, Fate::Unknown));
    converge(&server, &[&here]).await;
    assert_fields(server.get(NOTES, "n1").as_ref(), &json!({"mood": 6}));
}

#[tokio::test]
async fn e2e_a_correction_leaves_the_id_and_what_does_not_differ() {
    let server = server_with_note().await;
    let here = refused(&server).await;
    let outbox = here.engine.outbox();
    let op_id = outbox.stuck().await.unwrap()[0].op_id.clone();
    assert!(!outbox.edit(&op_id, |_| ()).await.unwrap());
    let other_id = set("id", json!("n2"));
    assert!(!outbox.edit(&op_id, other_id).await.unwrap());
    assert_eq!(outbox.stuck().await.unwrap().len(), 1);
    assert!(
        outbox
            .edit(&op_id, set("pinned", json!(true)))
            .await
            .is_ok()
    );
    assert_fields(here.live("n1").await.as_ref(), &json!({"pinned": 1}));
    // What is removed from the record is cleared.
    let clear = |record: &mut Record| drop(record.fields_mut().remove("title"));
    let cleared = outbox.edit(&op_id, clear).await;
    assert!(matches!(cleared, Err(SyncError::RowRejected { .. })));
    here.delete("n1").await;
    let op_id = here.ops().await[0].op_id.clone();
    assert!(!outbox.edit(&op_id, set("mood", json!(1))).await.unwrap());
}

#[tokio::test]
async fn e2e_the_state_of_an_entity_follows_its_edit() {
    let server = server_with_note().await;
    let here = strict(&server).open().await;
    here.sync_fully().await;
    assert_eq!(state(&here, "n1").await, EntityState::Synced);
    here.edit("n1", json!({"mood": 5})).await;
    assert_eq!(state(&here, "n1").await, EntityState::Pending);
    server.fault(Fault::drop_before()).on(Route::Push);
    here.sync().await;
    assert_eq!(state(&here, "n1").await, EntityState::Sending);
    here.wait();
    server.fault(Fault::status(422)).on(Route::Push);
    here.sync().await;
    assert_eq!(state(&here, "n1").await, EntityState::Stuck);
    // An edit behind it changes nothing: the state is the oldest one's, which it wakes.
    here.edit("n1", json!({"mood": 6})).await;
    assert_eq!(state(&here, "n1").await, EntityState::Sending);
    here.sync_fully().await;
    assert_eq!(state(&here, "n1").await, EntityState::Synced);
}

#[tokio::test]
async fn e2e_the_states_of_many_come_in_the_order_asked_for() {
    let server = server_with_note().await;
    let manual = Setup::new(&server).strategy(sync_core::ConflictStrategy::Manual);
    let here = in_conflict(&server, manual).await;
    here.sync().await;
    assert_eq!(state(&here, "n1").await, EntityState::Conflict);
    here.create("n2", json!({})).await;
    let ids = ["n3", "n1", "n2", "n1"].map(entity);
    let states = here.engine.states(&kind(), &ids).await.unwrap();
    let wanted = [
        (entity("n3"), EntityState::Synced),
        (entity("n1"), EntityState::Conflict),
        (entity("n2"), EntityState::Pending),
    ];
    assert_eq!(states, wanted);
    assert_eq!(here.engine.states(&kind(), &[]).await.unwrap(), []);
    let notes = here.engine.writer::<Note>().unwrap();
    assert_eq!(notes.state("n2").await.unwrap(), EntityState::Pending);
}

#[tokio::test]
async fn e2e_a_misspelt_kind_has_no_state() {
    let server = server_with_note().await;
    let here = strict(&server).open().await;
    let note = sync_core::Kind::new("note").unwrap();
    let error = here.engine.state(&note, &entity("n1")).await.unwrap_err();
    assert!(error.to_string().contains("registered: notes"), "{error}");
}

async fn exported(device: &Device) -> String {
    let mut lines = Vec::new();
    let outbox = device.engine.outbox();
    let count = outbox.export(&mut lines).await.unwrap();
    let lines = String::from_utf8(lines).unwrap();
    assert_eq!(lines.lines().count() as u64, count);
    lines
}

async fn imported(device: &Device, lines: &str) -> (u64, u64, u64) {
    let imported = device.engine.outbox().import(lines.as_bytes()).await;
    let imported = imported.unwrap();
    (imported.written, imported.unchanged, imported.skipped)
}

#[tokio::test]
async fn e2e_what_waits_on_one_device_is_sent_by_another() {
    let server = server_with_note().await;
    server
        .seed(NOTES, [json!({"id": "n9", "title": "to be deleted"})])
        .unwrap();
    let lost = device(&server).await;
    lost.sync_fully().await;
    lost.edit("n1", json!({"mood": 5})).await;
    lost.create("n2", json!({"title": "New", "pinned": true}))
        .await;
    lost.delete("n9").await;
    let lines = exported(&lost).await;
    assert!(!lines.contains("pinned"), "what stays on a device stays");
    drop(lost);

    let here = device(&server).await;
    server.update(NOTES, "n1", json!({"body": "theirs"}));
    here.sync_fully().await;
    assert_eq!(imported(&here, &lines).await, (3, 0, 0));
    assert_eq!(here.live("n9").await, None);
    assert_fields(here.live("n2").await.as_ref(), &json!({"title": "New"}));
    let wanted = json!({"mood": 5, "body": "theirs"});
    assert_fields(here.live("n1").await.as_ref(), &wanted);
    converge(&server, &[&here]).await;
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
    assert!(server.get(NOTES, "n2").is_some());
    // The same file again, also after a restart, does nothing, whatever happened since.
    server.update(NOTES, "n1", json!({"mood": 9}));
    here.sync_fully().await;
    let (folder, world) = (here.folder.clone(), here.world.clone());
    drop(here);
    let here = Setup::new(&server)
        .file_of(folder)
        .world(&world)
        .open()
        .await;
    assert_eq!(imported(&here, &lines).await, (0, 0, 3));
    assert_eq!(here.ops().await, []);
}

#[tokio::test]
async fn e2e_what_still_waits_here_is_not_imported() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    let lines = exported(&here).await;
    here.edit("n1", json!({"mood": 6})).await;
    assert_eq!(imported(&here, &lines).await, (0, 0, 1));
    assert_fields(here.live("n1").await.as_ref(), &json!({"mood": 6}));
    assert_eq!(here.ops().await.len(), 1);
}

#[tokio::test]
async fn e2e_an_edit_of_a_row_that_is_not_here_creates_it_and_one_that_changes_nothing_is_told() {
    let server = server_with_note().await;
    let lost = device(&server).await;
    lost.sync_fully().await;
    lost.edit("n1", json!({"mood": 5})).await;
    let lines = exported(&lost).await;
    let here = device(&server).await;
    assert_eq!(imported(&here, &lines).await, (1, 0, 0));
    assert_fields(here.live("n1").await.as_ref(), &json!({"mood": 5}));
    converge(&server, &[&here]).await;
    assert_fields(server.get(NOTES, "n1").as_ref(), &json!({"mood": 5}));
    let there = device(&server).await;
    there.sync_fully().await;
    assert_eq!(imported(&there, &lines).await, (0, 1, 0));
}

#[tokio::test]
async fn e2e_what_others_wrote_since_is_a_conflict_for_an_import_as_for_any_edit() {
    let server = server_with_note().await;
    let lost = device(&server).await;
    lost.sync_fully().await;
    lost.edit("n1", json!({"mood": 5, "title": "mine"})).await;
    lost.create("n2", json!({"title": "mine"})).await;
    let lines = exported(&lost).await;
    server.update(NOTES, "n1", json!({"mood": 9}));
    let theirs = json!({"id": "n2", "title": "theirs", "body": "theirs"});
    server.seed(NOTES, [theirs.clone()]).unwrap();
    for strategy in [
        ConflictStrategy::ServerWins,
        ConflictStrategy::LastWriteWins,
    ] {
        let here = Setup::new(&server).strategy(strategy).open().await;
        here.sync_fully().await;
        assert_eq!(imported(&here, &lines).await, (2, 0, 0));
        assert_fields(here.live("n2").await.as_ref(), &json!({"title": "mine"}));
        let report = here.engine.sync().await.unwrap();
        assert_eq!(report.stats.conflicts, 2);
        converge(&server, &[&here]).await;
        assert_fields(server.get(NOTES, "n1").as_ref(), &json!({"mood": 9}));
        assert_fields(server.get(NOTES, "n2").as_ref(), &theirs);
    }
    let here = device(&server).await;
    here.sync_fully().await;
    assert_eq!(imported(&here, &lines).await, (2, 0, 0));
    let report = here.engine.sync().await.unwrap();
    assert_eq!(report.stats.conflicts, 2);
    converge(&server, &[&here]).await;
    let merged = json!({"title": "mine", "mood": 5});
    assert_fields(server.get(NOTES, "n1").as_ref(), &merged);
    let merged = json!({"title": "mine", "body": "theirs"});
    assert_fields(server.get(NOTES, "n2").as_ref(), &merged);
}

#[tokio::test]
async fn e2e_an_import_with_a_line_that_cannot_be_read_changes_nothing() {
    let server = server_with_note().await;
    let lost = device(&server).await;
    lost.sync_fully().await;
    lost.create("n2", json!({"title": "s3cr3t"})).await;
    lost.create("n3", json!({"title": "s3cr3t"})).await;
    let lines = exported(&lost).await;
    let (good, other) = lines.split_once('\n').unwrap();
    let here = device(&server).await;
    here.sync_fully().await;
    let bad = [
        other.replace("\"notes\"", "\"unknown\""),
        other.replace("\"format\":2", "\"format\":3"),
        other.replace("\"format\":2,", ""),
        other.replace("\"upsert\"", "\"s3cr3t\""),
        other.replacen("\"n3\"", "\"n4\"", 1),
        other.replace("\"title\":\"s3cr3t\"", "\"title\":null"),
        other.replace("\"schema_version\":1", "\"schema_version\":2"),
        "s3cr3t".to_owned(),
        "{\"format\":1}".to_owned(),
    ];
    for bad in bad {
        let lines = format!("{good}\n\n{bad}");
        let outcome = here.engine.outbox().import(lines.as_bytes()).await;
        let Err(SyncError::ImportLine { line, reason }) = outcome else {
            panic!("{bad}: {outcome:?}")
        };
        assert_eq!(line, 3, "{bad}");
        assert!(!reason.contains("s3cr3t"), "{reason}");
        assert_eq!(here.ops().await, [], "{bad}");
        assert_eq!(here.live("n2").await, None, "{bad}");
    }
    // It was not taken for imported.
    assert_eq!(
        imported(&here, &format!("{good}\n\n{other}")).await,
        (2, 0, 0)
    );
}

/// A file on a disk that was taken out.
struct Broken;

impl Broken {
    fn error() -> io::Error {
        io::Error::other("the disk is gone")
    }
}

impl io::Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(Self::error())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(Self::error())
    }
}

impl io::Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(Self::error())
    }
}

#[tokio::test]
async fn e2e_a_file_that_fails_is_an_error_with_its_source_and_changes_nothing() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.create("n2", json!({})).await;
    let outbox = here.engine.outbox();
    let lines = exported(&here).await;
    let half = io::Read::chain(lines.as_bytes(), Broken);
    let errors = [
        outbox.export(Broken).await.err(),
        outbox.import(io::BufReader::new(half)).await.err(),
    ];
    for (error, what) in errors
        .into_iter()
        .zip(["write the export", "read the import"])
    {
        let error = error.unwrap();
        assert!(error.to_string().contains(what), "{error}");
        let source = error.source().unwrap().to_string();
        assert_eq!(source, "the disk is gone");
    }
    assert_eq!(exported(&here).await, lines);
}

#[tokio::test]
async fn e2e_many_operations_are_exported_page_by_page_in_their_order() {
    let server = MockServer::start().await.unwrap();
    let lost = device(&server).await;
    for number in 0..1_201 {
        lost.create(&format!("n{number:04}"), json!({})).await;
    }
    let lines = exported(&lost).await;
    let ids: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].to_string())
        .collect();
    assert_eq!(ids.len(), 1_201);
    assert!(ids.is_sorted());
}

#[tokio::test]
async fn e2e_quarantined_rows_are_counted_and_tried_again_when_the_table_was_mended() {
    let server = MockServer::start().await.unwrap();
    let here = device(&server).await;
    let strict = "CREATE TRIGGER strict BEFORE INSERT ON notes WHEN new.mood > 10 \
                  BEGIN SELECT RAISE(ABORT, 'mood'); END";
    sqlx::raw_sql(strict)
        .execute(here.store.pool())
        .await
        .unwrap();
    let notes = [
        json!({"id": "n1", "title": "fine", "mood": 1}),
        json!({"id": "n2", "title": "refused", "mood": 11}),
        json!({"id": "n3"}),
    ];
    server.seed(NOTES, notes).unwrap();
    here.sync().await;
    let quarantine = here.engine.quarantine();
    assert_eq!(quarantine.count().await.unwrap(), 2);
    assert_eq!(quarantine.retry(&kind()).await.unwrap(), 0);
    let mended = sqlx::raw_sql("DROP TRIGGER strict");
    mended.execute(here.store.pool()).await.unwrap();
    server.clear_recorded();
    assert_eq!(quarantine.retry(&kind()).await.unwrap(), 1);
    assert!(server.recorded().is_empty());
    assert_fields(here.live("n2").await.as_ref(), &json!({"mood": 11}));
    assert!(quarantine.forget(&kind(), "n3").await.unwrap());
    assert!(!quarantine.forget(&kind(), "n3").await.unwrap());
    assert_eq!(quarantine.count().await.unwrap(), 0);
    let options = SyncOptions::default();
    assert!(here.engine.sync_with(options).await.unwrap().is_complete());
}
