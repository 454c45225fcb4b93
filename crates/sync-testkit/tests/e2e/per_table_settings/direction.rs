//! Tables that are only pulled, or only sent.

use std::time::Duration;

use serde_json::json;
use sync_core::store::TxMode;
use sync_core::{BlockedBy, Delivery, Direction, EntityState, Record, SyncError, TableConfig};
use sync_testkit::MockServer;

use super::{LABELS, pulled, until_pulled};
use crate::setup::{
    Device, NOTES, Setup, assert_fields, entity, kind, seed_note, server_with_note,
};

fn only(direction: Direction) -> impl Fn(&MockServer) -> Setup {
    move |server| Setup::new(server).table(|table| table.direction(direction))
}

/// The same app after an update that changes the table's direction.
async fn reopened(server: &MockServer, device: Device, direction: Direction) -> Device {
    let (folder, world) = (device.folder.clone(), device.world.clone());
    drop(device);
    let setup = only(direction)(server).file_of(folder).world(&world);
    setup.open().await
}

#[tokio::test]
async fn direction_pull_only_brings_rows_and_refuses_what_would_be_sent() {
    let server = server_with_note().await;
    let here = only(Direction::PullOnly)(&server).open().await;
    here.sync_fully().await;
    assert_fields(here.row("n1").await.as_ref(), &json!({"title": "Old"}));
    let note = |id: &str| Record::try_from(json!({"id": id, "title": "mine"})).unwrap();
    let (known, new) = (entity("n1"), note("n2"));
    let refused = [
        here.notes.insert(new.clone()).await.err(),
        here.notes.upsert(note("n1")).await.err(),
        here.notes.replace(note("n1")).await.err(),
        here.notes.delete(&known).await.err(),
        here.notes.insert_all([new]).await.err(),
    ];
    for error in refused {
        assert!(
            matches!(error, Some(SyncError::PullOnly { .. })),
            "{error:?}"
        );
        let text = error.unwrap().to_string();
        assert!(text.contains("Direction::Both"), "{text}");
    }
    assert!(here.ops().await.is_empty());
    assert_eq!(here.row("n2").await, None);
    assert_fields(here.live("n1").await.as_ref(), &json!({"title": "Old"}));
}

#[tokio::test]
async fn direction_pull_only_lets_columns_of_this_device_be_written() {
    let server = server_with_note().await;
    let here = only(Direction::PullOnly)(&server).open().await;
    here.sync_fully().await;
    let pinned = Record::try_from(json!({"id": "n1", "pinned": true})).unwrap();
    let changed = ["pinned"].into_iter().collect();
    assert!(!here.notes.change(pinned, &changed).await.unwrap());
    here.sync_fully().await;
    let row = here.row("n1").await;
    assert_fields(row.as_ref(), &json!({"title": "Old", "pinned": 1}));
}

#[tokio::test]
async fn direction_pull_only_keeps_what_was_queued_before_until_it_is_changed_back() {
    let server = server_with_note().await;
    let here = Setup::new(&server).open().await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    here.create("n2", json!({"title": "new"})).await;
    let ids: Vec<_> = here.ops().await.into_iter().map(|op| op.op_id).collect();

    let here = reopened(&server, here, Direction::PullOnly).await;
    server.update(NOTES, "n1", json!({"body": "theirs"}));
    server.clear_recorded();
    for _ in 0..2 {
        let report = here.sync().await;
        assert!(report.is_complete(), "{report:?}");
        assert_eq!(report.pending, 2);
        here.wait();
        here.engine.full_resync(true).await.unwrap();
    }
    assert_eq!(server.pushes(), []);
    let listed: Vec<_> = here.ops().await.into_iter().map(|op| op.op_id).collect();
    assert_eq!(listed, ids);
    let blocked = here.engine.outbox().blocked().await.unwrap();
    assert_eq!(blocked.len(), 2);
    assert!(
        blocked
            .iter()
            .all(|blocked| blocked.by == BlockedBy::PullOnly)
    );
    let delivery = here.engine.synced(&kind(), &entity("n2")).await.unwrap();
    assert_eq!(delivery, Delivery::Blocked);
    let state = here.engine.state(&kind(), &entity("n2")).await.unwrap();
    assert_eq!(state, EntityState::Blocked);
    let shown = json!({"mood": 5, "body": "base"});
    assert_fields(here.live("n1").await.as_ref(), &shown);

    let here = reopened(&server, here, Direction::Both).await;
    here.sync_fully().await;
    let merged = json!({"mood": 5, "body": "theirs"});
    assert_fields(server.get(NOTES, "n1").as_ref(), &merged);
    assert_fields(here.live("n1").await.as_ref(), &merged);
    assert_fields(server.get(NOTES, "n2").as_ref(), &json!({"title": "new"}));
}

#[tokio::test]
async fn direction_push_only_sends_and_is_pulled_by_nothing() {
    let server = MockServer::builder().extended().start().await.unwrap();
    seed_note(&server);
    let here = only(Direction::PushOnly)(&server)
        .with_labels()
        .open()
        .await;
    here.create("n2", json!({"title": "mine"})).await;
    let backup = server.snapshot();
    here.sync_fully().await;
    assert_fields(server.get(NOTES, "n2").as_ref(), &json!({"title": "mine"}));
    here.wait();
    here.engine.full_resync(false).await.unwrap();
    here.engine.full_resync(true).await.unwrap();

    // A column that the app lost and an update brought back: the kind owes a pull.
    let mut tx = here.engine.store().begin(TxMode::Write).await.unwrap();
    tx.put_meta("resync_owed:notes", Some("due")).await.unwrap();
    tx.commit().await.unwrap();
    here.edit("n2", json!({"mood": 1})).await;
    here.sync_fully().await;
    assert_fields(server.get(NOTES, "n2").as_ref(), &json!({"mood": 1}));

    server.restore_backup(&backup);
    here.create("n3", json!({"title": "after"})).await;
    here.edit("n2", json!({"mood": 2})).await;
    here.sync_fully().await;
    here.wait();
    here.sync_fully().await;
    assert_fields(server.get(NOTES, "n3").as_ref(), &json!({"title": "after"}));
    let whole = json!({"title": "mine", "mood": 2});
    assert_fields(server.get(NOTES, "n2").as_ref(), &whole);
    assert_eq!(here.row("n1").await, None);
    assert_eq!(pulled(&server), ["labels"]);
    assert_eq!(here.ops().await, []);
}

#[tokio::test]
async fn direction_push_only_is_pulled_from_the_beginning_once_it_is_changed() {
    let server = server_with_note().await;
    let here = only(Direction::PushOnly)(&server).open().await;
    here.create("n2", json!({"title": "mine"})).await;
    here.sync_fully().await;
    let here = reopened(&server, here, Direction::Both).await;
    here.sync_fully().await;
    assert_fields(here.row("n1").await.as_ref(), &json!({"title": "Old"}));
    assert_fields(here.row("n2").await.as_ref(), &json!({"title": "mine"}));
}

#[tokio::test]
async fn direction_push_only_settles_conflicts_and_believes_a_404_of_a_server_that_took_something()
{
    let server = MockServer::start().await.unwrap();
    let here = only(Direction::PushOnly)(&server).open().await;
    for id in ["n1", "n2", "n3"] {
        here.create(id, json!({"title": id})).await;
    }
    here.sync_fully().await;
    server.update(NOTES, "n1", json!({"body": "theirs"}));
    here.edit("n1", json!({"mood": 5})).await;
    server.purge(NOTES, "n2");
    server.purge(NOTES, "n3");
    // What proves that the address is right outlives the process.
    let here = reopened(&server, here, Direction::PushOnly).await;
    here.delete("n2").await;
    here.edit("n3", json!({"mood": 6})).await;
    here.sync_fully().await;
    let merged = json!({"title": "n1", "mood": 5, "body": "theirs"});
    assert_fields(server.get(NOTES, "n1").as_ref(), &merged);
    assert_fields(here.live("n1").await.as_ref(), &merged);
    assert_eq!(server.get(NOTES, "n2"), None);
    assert_fields(
        server.get(NOTES, "n3").as_ref(),
        &json!({"title": "n3", "mood": 6}),
    );
    assert_eq!(pulled(&server), [""; 0]);
}

#[tokio::test]
async fn direction_push_only_believes_no_404_before_the_server_took_anything() {
    let server = server_with_note().await;
    let here = Setup::new(&server).open().await;
    here.sync_fully().await;
    let elsewhere = MockServer::start().await.unwrap();
    let here = reopened(&elsewhere, here, Direction::PushOnly).await;
    here.delete("n1").await;
    let report = here.sync().await;
    assert_eq!(report.pending, 1, "{report:?}");
}

#[tokio::test]
async fn direction_push_only_is_not_due_in_automatic_runs() {
    let server = server_with_note().await;
    let often = TableConfig::new().sync_interval(Duration::from_secs(5));
    let here = only(Direction::PushOnly)(&server)
        .labels(often)
        .open()
        .await;
    here.create("n2", json!({"title": "mine"})).await;
    here.engine.start_auto();
    until_pulled(&server, LABELS, 3).await;
    here.engine.stop_auto();
    assert_fields(server.get(NOTES, "n2").as_ref(), &json!({"title": "mine"}));
    assert_eq!(pulled(&server), ["labels"]);
}
