//! The settings that need one test each. Where the engine has a setting of the same name, it says
//! something else than the table.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future;
use serde_json::{Value, json};
use sync_core::{
    ConflictStrategy, MergeFunction, Record, Resolution, SoftDelete, SyncError, TableConfig,
    resolve_fn,
};
use sync_testkit::MockServer;

use super::{LABELS, until_pulled};
use crate::setup::{
    Device, NOTES, Setup, assert_fields, converge, many, seed_note, server_with_note,
};

const HOUR: Duration = Duration::from_secs(3600);

fn set(table: TableConfig) -> impl Fn(&MockServer) -> Setup {
    move |server| Setup::new(server).table(|_| table.clone())
}

/// A device that has edited what somebody else edited meanwhile, and has synced that.
async fn after_a_conflict(server: &MockServer, setup: Setup) -> Device {
    let setup = setup.config(|config| config.with_conflict_strategy(ConflictStrategy::ClientWins));
    let here = setup.open().await;
    here.sync_fully().await;
    server.update(NOTES, "n1", json!({"mood": 8, "body": "theirs"}));
    here.edit("n1", json!({"mood": 5, "title": "mine"})).await;
    here.sync_fully().await;
    here
}

#[tokio::test]
async fn strategy_of_the_table_decides_its_conflicts() {
    let server = server_with_note().await;
    let table = TableConfig::new().strategy(ConflictStrategy::ServerWins);
    let here = after_a_conflict(&server, set(table)(&server)).await;
    let theirs = json!({"mood": 8, "body": "theirs", "title": "Old"});
    assert_fields(server.get(NOTES, "n1").as_ref(), &theirs);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn strategy_of_the_engine_decides_where_the_table_names_none() {
    let server = server_with_note().await;
    after_a_conflict(&server, set(TableConfig::new())(&server)).await;
    let mine = json!({"mood": 5, "body": "base", "title": "mine"});
    assert_fields(server.get(NOTES, "n1").as_ref(), &mine);
}

#[tokio::test]
async fn resolver_of_the_table_is_asked() {
    let server = server_with_note().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let resolver = resolve_fn(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        future::ready(Ok(Resolution::AcceptServer))
    });
    let table = TableConfig::new().resolver(resolver);
    after_a_conflict(&server, set(table)(&server)).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let theirs = json!({"mood": 8, "body": "theirs", "title": "Old"});
    assert_fields(server.get(NOTES, "n1").as_ref(), &theirs);
}

#[tokio::test]
async fn resolver_left_out_under_manual_leaves_the_conflict_open() {
    let server = server_with_note().await;
    let table = TableConfig::new().strategy(ConflictStrategy::Manual);
    let here = set(table)(&server).open().await;
    here.sync_fully().await;
    server.update(NOTES, "n1", json!({"mood": 8}));
    here.edit("n1", json!({"mood": 5})).await;
    let report = here.sync().await;
    assert_eq!(report.open_conflicts, 1, "{report:?}");
    assert_fields(here.live("n1").await.as_ref(), &json!({"mood": 5}));
}

#[tokio::test]
async fn merge_of_the_table_is_called() {
    let server = server_with_note().await;
    let sum = MergeFunction::new(|local, server| {
        let mut merged = server.clone();
        let sum = local["mood"].as_i64().unwrap() + server["mood"].as_i64().unwrap();
        merged.insert("mood".to_owned(), sum.into());
        merged
    });
    let table = TableConfig::new().merge(sum);
    let here = after_a_conflict(&server, set(table)(&server)).await;
    let merged = json!({"mood": 13, "body": "theirs", "title": "Old"});
    assert_fields(server.get(NOTES, "n1").as_ref(), &merged);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn sync_interval_of_a_table_pulls_it_more_often_than_the_others() {
    let server = MockServer::start().await.unwrap();
    let often = TableConfig::new().sync_interval(Duration::from_secs(5));
    let here = Setup::new(&server).labels(often).open().await;
    here.engine.start_auto();
    until_pulled(&server, LABELS, 4).await;
    here.engine.stop_auto();
    assert_eq!(server.pulls(NOTES).len(), 1);
}

/// A device on which n1 was deleted by somebody else and n2 by its user, after a sync.
async fn after_deletions(server: &MockServer, table: TableConfig) -> Device {
    seed_note(server);
    let here = set(table)(server).open().await;
    here.create("n2", json!({"title": "mine"})).await;
    here.sync_fully().await;
    server.delete(NOTES, "n1");
    here.delete("n2").await;
    here.sync_fully().await;
    here
}

/// Are the deleted rows still there, marked as deleted?
async fn kept(device: &Device) -> Vec<bool> {
    let mut kept = Vec::new();
    for id in ["n1", "n2"] {
        assert_eq!(device.live(id).await, None, "{id}");
        kept.push(device.row(id).await.is_some());
    }
    kept
}

#[tokio::test]
async fn soft_delete_keep_keeps_the_rows_of_deleted_entities() {
    let server = MockServer::start().await.unwrap();
    // It is the default wherever it is possible, so that there has to be another choice to overrule.
    let purging = TableConfig::new().soft_delete(SoftDelete::Purge);
    let here = after_deletions(&server, purging.soft_delete(SoftDelete::Keep)).await;
    assert_eq!(kept(&here).await, [true, true]);
    here.world.advance(HOUR * 48);
    here.sync_fully().await;
    assert_eq!(kept(&here).await, [true, true]);
}

#[tokio::test]
async fn soft_delete_purge_removes_them() {
    let server = MockServer::start().await.unwrap();
    let here = after_deletions(&server, TableConfig::new().soft_delete(SoftDelete::Purge)).await;
    assert_eq!(kept(&here).await, [false, false]);
}

#[tokio::test]
async fn soft_delete_purge_after_removes_them_after_their_time() {
    let server = MockServer::start().await.unwrap();
    let table = TableConfig::new().soft_delete(SoftDelete::PurgeAfter(HOUR));
    let here = after_deletions(&server, table).await;
    assert_eq!(kept(&here).await, [true, true]);
    server.advance(HOUR * 2);
    here.world.advance(HOUR * 2);
    here.sync_fully().await;
    assert_eq!(kept(&here).await, [false, false]);
}

#[tokio::test]
async fn page_size_of_the_table_is_what_its_pulls_ask_for() {
    let server = MockServer::start().await.unwrap();
    server.seed(NOTES, many(5)).unwrap();
    let here = set(TableConfig::new().page_size(2))(&server);
    let here = here.with_labels().open().await;
    here.sync_fully().await;
    let limits = |kind: &str| -> Vec<String> {
        let pulls = server.pulls(kind).into_iter();
        pulls
            .map(|pull| pull.query("limit").unwrap().to_owned())
            .collect()
    };
    assert!(limits(NOTES).len() >= 3, "{:?}", limits(NOTES));
    assert!(limits(NOTES).iter().all(|limit| limit == "2"));
    assert!(limits(LABELS).iter().all(|limit| limit == "500"));
}

#[tokio::test]
async fn coalesce_off_sends_every_single_edit_in_order() {
    for coalesce in [true, false] {
        let server = server_with_note().await;
        let here = set(TableConfig::new().coalesce(coalesce))(&server);
        let here = here.open().await;
        here.sync_fully().await;
        for mood in [4, 5, 6] {
            here.edit("n1", json!({"mood": mood})).await;
        }
        here.sync_fully().await;
        let bodies = server.pushes().into_iter().filter_map(|push| push.body);
        let moods: Vec<Value> = bodies.map(|body| body["mood"].clone()).collect();
        let expected: &[i64] = if coalesce { &[6] } else { &[4, 5, 6] };
        assert_eq!(moods, expected);
    }
}

#[tokio::test]
async fn filter_of_the_table_goes_with_each_of_its_pulls_and_no_other() {
    let server = MockServer::builder()
        .filter_by("title")
        .start()
        .await
        .unwrap();
    server.seed(NOTES, many(3)).unwrap();
    server
        .seed(LABELS, [json!({"id": "l1", "name": "L"})])
        .unwrap();
    let here = set(TableConfig::new().filter("title", "T1").page_size(1))(&server);
    let here = here.with_labels().open().await;
    here.sync_fully().await;
    let here_now: Vec<String> = here.all().await.into_keys().collect();
    assert_eq!(here_now, ["n00001"]);
    let asked = |kind: &str| -> Vec<Option<String>> {
        let pulls = server.pulls(kind).into_iter();
        pulls
            .map(|pull| pull.query("title").map(str::to_owned))
            .collect()
    };
    assert!(
        asked(NOTES)
            .iter()
            .all(|title| title.as_deref() == Some("T1"))
    );
    assert!(asked(LABELS).iter().all(Option::is_none));
}

#[tokio::test]
async fn bad_rows_fail_stops_the_pull_that_others_go_on_with() {
    let server = MockServer::start().await.unwrap();
    server
        .seed(
            NOTES,
            [
                json!({"id": "n1", "title": null}),
                json!({"id": "n2", "title": "T"}),
            ],
        )
        .unwrap();
    let strict = TableConfig::new().bad_rows(sync_core::BadRow::Fail);
    let (strict, lenient) = (set(strict)(&server), Setup::new(&server));
    let strict = strict.open().await;
    let report = strict.sync().await;
    assert!(
        report
            .pull_failures
            .keys()
            .any(|kind| kind.as_str() == NOTES),
        "{report:?}"
    );
    assert_eq!(strict.row("n2").await, None);
    let lenient = lenient.open().await;
    lenient.sync_fully().await;
    assert!(lenient.row("n2").await.is_some());
}

#[tokio::test]
async fn existing_rows_are_whose_the_table_says() {
    for whose in [
        None,
        Some(sync_core::ExistingRows::Adopt),
        Some(sync_core::ExistingRows::ServerOwned),
    ] {
        let server = MockServer::start().await.unwrap();
        let folder = with_a_row_of_its_own().await;
        let setup = Setup::new(&server).file_of(folder).table(|mut table| {
            table.existing_rows = whose;
            table
        });
        let here = match (whose, setup.try_open().await) {
            (None, Err(SyncError::Config(text))) => {
                assert!(text.contains("ExistingRows::Adopt"), "{text}");
                continue;
            }
            (Some(_), here) => here.unwrap(),
            (None, _) => panic!("rows of nobody were taken"),
        };
        here.sync_fully().await;
        let adopted = whose == Some(sync_core::ExistingRows::Adopt);
        assert_eq!(server.get(NOTES, "old").is_some(), adopted);
    }
}

/// A file with a note from before there was an engine.
async fn with_a_row_of_its_own() -> Arc<tempfile::TempDir> {
    use crate::setup::{Note, path_in};
    use sync_core::SyncEntity;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let store = sync_sqlx::SqliteStore::open(path_in(&folder))
        .await
        .unwrap();
    let sql = format!(
        "{}; INSERT INTO notes (id, title) VALUES ('old', 'mine')",
        Note::create_table_sql()
    );
    let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
    sql.execute(store.pool()).await.unwrap();
    store.close().await.unwrap();
    folder
}

#[tokio::test]
async fn upcasts_lift_what_was_queued_under_an_older_schema() {
    let server = server_with_note().await;
    let here = Setup::new(&server).open().await;
    here.sync_fully().await;
    here.edit("n1", json!({"title": "mine"})).await;
    let (folder, world) = (here.folder.clone(), here.world.clone());
    drop(here);
    let lifted = TableConfig::new().upcast(1, |mut record: Record| {
        if let Some(Value::String(title)) = record.fields_mut().get_mut("title") {
            title.push('!');
        }
        Ok(record)
    });
    let here = set(lifted)(&server).file_of(folder).world(&world);
    here.open().await.sync_fully().await;
    assert_fields(server.get(NOTES, "n1").as_ref(), &json!({"title": "mine!"}));
}
