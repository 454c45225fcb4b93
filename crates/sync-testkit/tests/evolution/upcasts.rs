//! What waits since an older version of the app is lifted.

use serde_json::{Value, json};
use sync_core::{ColumnType, ConflictStrategy, EntityId, Kind, OpStatus, TableConfig, Undo};
use sync_testkit::{FakeEnv, Fault, MockServer, Route};

use crate::app::{App, TODOS, Version, assert_there, first};

/// The app's second version: `done: bool` is `status: String`.
fn second(table: TableConfig) -> Version {
    let sql = "ALTER TABLE todos ADD COLUMN status TEXT; \
               UPDATE todos SET status = CASE done WHEN 1 THEN 'done' WHEN 0 THEN 'open' END; \
               ALTER TABLE todos DROP COLUMN done";
    Version::new(sql, &[("status", ColumnType::Text)]).table(table)
}

fn lifts(table: TableConfig) -> TableConfig {
    table.upcast(1, |mut record| {
        let fields = record.fields_mut();
        if let Some(done) = fields.remove("done") {
            let status = if done == true { "done" } else { "open" };
            fields.insert("status".to_owned(), status.into());
        }
        Ok(record)
    })
}

/// The server is updated too.
fn migrate(server: &MockServer, id: &str) {
    let record = server.get(TODOS, id).unwrap();
    let status = if record["done"] == true {
        "done"
    } else {
        "open"
    };
    server.update(TODOS, id, json!({"status": status, "done": null}));
}

struct Scene {
    server: MockServer,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let server = MockServer::start().await.unwrap();
        let todo = |id: &str| json!({"id": id, "title": "Milk", "done": false});
        server.seed(TODOS, [todo("t1"), todo("t2")]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self { server, folder }
    }

    async fn synced(&self, seed: u64) -> App {
        let path = self.folder.path().join("app.db");
        let app = App::start(&self.server, &path, &first(), &FakeEnv::new(seed)).await;
        app.sync_fully().await;
        app
    }
}

#[tokio::test]
async fn hazard_e64_a_queued_edit_of_a_renamed_field_arrives_under_its_new_name() {
    let scene = Scene::new().await;
    let app = scene.synced(21).await;
    app.edit("t1", json!({"done": true})).await;
    app.create("t3", json!({"title": "New", "done": true}))
        .await;
    let app = app
        .update(&scene.server, &second(lifts(TableConfig::new())))
        .await;
    for id in ["t1", "t2"] {
        migrate(&scene.server, id);
    }
    // Somebody else edits another field meanwhile: the merge must know what the user changed.
    scene.server.update(TODOS, "t1", json!({"title": "Bread"}));
    app.sync_fully().await;
    assert_there(
        &scene.server,
        "t1",
        &json!({"status": "done", "title": "Bread"}),
    );
    assert_there(&scene.server, "t3", &json!({"status": "done"}));
    assert_eq!(scene.server.get(TODOS, "t3").unwrap().get("done"), None);
    let status = app.text("SELECT status FROM todos WHERE id = 't1'").await;
    assert_eq!(status.as_deref(), Some("done"));
    assert_eq!(scene.server.reused_keys(), Vec::<String>::new());
}

#[tokio::test]
async fn an_edit_of_unknown_fate_is_looked_up_before_it_goes_out_lifted() {
    for applied in [true, false] {
        let scene = Scene::new().await;
        let app = scene.synced(22).await;
        app.edit("t1", json!({"done": true})).await;
        let fault = if applied {
            Fault::drop_after()
        } else {
            Fault::drop_before()
        };
        let fault = scene.server.fault(fault).on(Route::Push).always();
        app.sync().await;
        fault.remove();
        let app = app
            .update(&scene.server, &second(lifts(TableConfig::new())))
            .await;
        migrate(&scene.server, "t1");
        let versions = scene.server.applied_to(TODOS, "t1");
        assert_eq!(versions, u32::from(applied));
        app.sync_fully().await;
        assert_there(&scene.server, "t1", &json!({"status": "done"}));
        assert_eq!(
            scene.server.applied_to(TODOS, "t1"),
            1,
            "applied: {applied}"
        );
        assert_eq!(scene.server.reused_keys(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn an_edit_after_the_update_folds_into_the_lifted_one() {
    let scene = Scene::new().await;
    let app = scene.synced(23).await;
    app.edit("t1", json!({"done": true})).await;
    let app = app
        .update(&scene.server, &second(lifts(TableConfig::new())))
        .await;
    migrate(&scene.server, "t1");
    app.edit("t1", json!({"title": "Bread"})).await;
    assert_eq!(app.ops().await.len(), 1);
    app.sync_fully().await;
    assert_there(
        &scene.server,
        "t1",
        &json!({"status": "done", "title": "Bread"}),
    );
}

#[tokio::test]
async fn a_decision_is_undone_in_the_new_form() {
    let scene = Scene::new().await;
    let app = scene.synced(29).await;
    let server_wins = || TableConfig::new().strategy(ConflictStrategy::ServerWins);
    let app = app
        .update(&scene.server, &first().table(server_wins()))
        .await;
    app.edit("t1", json!({"done": true})).await;
    scene.server.update(TODOS, "t1", json!({"title": "Bread"}));
    app.sync_fully().await;
    let past = app.engine.conflicts().history(1).await.unwrap();
    let version = second(lifts(server_wins()));
    let app = app.update(&scene.server, &version).await;
    let undone = app.engine.conflicts().undo(&past[0].op_id).await;
    assert_eq!(undone.unwrap(), Undo::Queued);
    app.sync_fully().await;
    let wanted = json!({"status": "done", "title": "Bread"});
    assert_there(&scene.server, "t1", &wanted);
}

#[tokio::test]
async fn an_export_of_an_older_version_is_imported_in_the_new_form() {
    let scene = Scene::new().await;
    let app = scene.synced(30).await;
    app.edit("t1", json!({"done": true})).await;
    let mut lines = Vec::new();
    app.engine.outbox().export(&mut lines).await.unwrap();
    let discarded = app.engine.outbox();
    let (kind, id) = (Kind::new(TODOS).unwrap(), EntityId::new("t1").unwrap());
    discarded.discard(&kind, &id).await.unwrap();
    let version = second(lifts(TableConfig::new()));
    let app = app.update(&scene.server, &version).await;
    let imported = app.engine.outbox().import(&lines[..]).await.unwrap();
    assert_eq!(imported.written, 1);
    app.sync_fully().await;
    assert_there(&scene.server, "t1", &json!({"status": "done"}));
}

#[tokio::test]
async fn a_conflict_that_was_put_off_is_judged_anew_in_the_new_form() {
    let scene = Scene::new().await;
    let app = scene.synced(24).await;
    let manual = first().table(TableConfig::new().strategy(ConflictStrategy::Manual));
    let app = app.update(&scene.server, &manual).await;
    app.edit("t1", json!({"done": true})).await;
    scene.server.update(TODOS, "t1", json!({"title": "Bread"}));
    app.sync().await;
    assert_eq!(app.engine.conflicts().open().await.unwrap().len(), 1);
    let app = app
        .update(&scene.server, &second(lifts(TableConfig::new())))
        .await;
    migrate(&scene.server, "t1");
    app.sync_fully().await;
    assert_there(
        &scene.server,
        "t1",
        &json!({"status": "done", "title": "Bread"}),
    );
    assert_eq!(app.engine.conflicts().open().await.unwrap(), []);
}

#[tokio::test]
async fn quarantined_rows_are_lifted_when_they_are_tried_again() {
    let scene = Scene::new().await;
    let app = scene.synced(25).await;
    scene
        .server
        .update(TODOS, "t1", json!({"title": 7, "done": true}));
    app.sync().await;
    let kind = app.engine.kinds().pop().unwrap();
    assert_eq!(
        app.engine.quarantine().list(&kind, 10).await.unwrap().len(),
        1
    );
    let mends = TableConfig::new().upcast(1, |mut record| {
        let title = record.get("title").map(Value::to_string);
        record.fields_mut().insert("title".to_owned(), title.into());
        Ok(record)
    });
    let app = app.update(&scene.server, &first().table(mends)).await;
    // Nothing new comes from the server, but what lies there fits now.
    app.sync().await;
    let title = app
        .text("SELECT title || done FROM todos WHERE id = 't1'")
        .await;
    assert_eq!(title.as_deref(), Some("71"));
    assert_eq!(app.engine.quarantine().list(&kind, 10).await.unwrap(), []);
}

#[tokio::test]
async fn an_upcast_that_fails_holds_up_its_own_entity_only() {
    for panics in [false, true] {
        let scene = Scene::new().await;
        let app = scene.synced(26).await;
        for id in ["t1", "t2"] {
            app.edit(id, json!({"done": true})).await;
        }
        let fails = move |table: TableConfig| {
            table.upcast(1, move |mut record| {
                if record.get("id") == Some(&json!("t1")) {
                    assert!(!panics, "the upcast of t1");
                    return Err("t1 is not wanted".to_owned());
                }
                record.fields_mut().remove("done");
                record
                    .fields_mut()
                    .insert("status".to_owned(), json!("done"));
                Ok(record)
            })
        };
        let app = app
            .update(&scene.server, &second(fails(TableConfig::new())))
            .await;
        for id in ["t1", "t2"] {
            migrate(&scene.server, id);
        }
        let report = app.sync().await;
        assert_eq!((report.pending, report.stuck), (1, 1));
        assert_there(&scene.server, "t2", &json!({"status": "done"}));
        assert_there(&scene.server, "t1", &json!({"status": "open"}));
        let stuck = app.engine.outbox().stuck().await.unwrap();
        assert_eq!(stuck[0].schema_version, 1);
        assert_eq!(
            stuck[0].written.payload().unwrap().get("done"),
            Some(&json!(true))
        );
        let reason = stuck[0].last_error.clone().unwrap();
        assert!(
            reason.starts_with("schema version 1 cannot be lifted to 2"),
            "{reason}"
        );
        assert!(app.events().contains(&"OperationFailed".to_owned()));
        // The user goes on; the edit waits behind. What the server has waits in quarantine.
        app.edit("t1", json!({"title": "Bread"})).await;
        scene.server.update(TODOS, "t1", json!({"note": "theirs"}));
        app.sync().await;
        assert_eq!(app.ops().await.len(), 2);
        // The next version of the app mends it.
        let mended = Version {
            sql: "",
            ..second(lifts(TableConfig::new()))
        };
        let app = app.update(&scene.server, &mended).await;
        app.sync_fully().await;
        app.sync_fully().await;
        let wanted = json!({"status": "done", "title": "Bread", "note": "theirs"});
        assert_there(&scene.server, "t1", &wanted);
    }
}

#[tokio::test]
async fn an_older_app_sends_nothing_that_a_newer_one_wrote() {
    let scene = Scene::new().await;
    let app = scene.synced(27).await;
    let app = app
        .update(&scene.server, &second(lifts(TableConfig::new())))
        .await;
    for id in ["t1", "t2"] {
        migrate(&scene.server, id);
    }
    app.edit("t1", json!({"status": "late"})).await;
    let sql = "ALTER TABLE todos ADD COLUMN done INTEGER";
    let older = Version { sql, ..first() };
    let app = app.update(&scene.server, &older).await;
    let report = app.sync().await;
    assert_eq!((report.pending, report.stuck), (1, 1));
    assert_eq!(scene.server.pushes().len(), 0);
    let stuck = app.engine.outbox().stuck().await.unwrap();
    let reason = stuck[0].last_error.clone().unwrap();
    assert_eq!(
        reason,
        "schema version 2 is newer than this app knows (1): update the app"
    );
    app.engine.outbox().retry_all().await.unwrap();
    app.sync().await;
    assert_eq!(scene.server.pushes().len(), 0);
    let newer = Version {
        sql: "",
        ..second(lifts(TableConfig::new()))
    };
    let app = app.update(&scene.server, &newer).await;
    assert_eq!(app.ops().await[0].status, OpStatus::Pending);
    app.sync_fully().await;
    assert_there(&scene.server, "t1", &json!({"status": "late"}));
}

#[tokio::test]
async fn what_cannot_be_lifted_can_be_given_up_by_name() {
    let scene = Scene::new().await;
    let app = scene.synced(28).await;
    app.edit("t1", json!({"done": true})).await;
    let fails = TableConfig::new().upcast(1, |_| Err("never".to_owned()));
    let app = app.update(&scene.server, &second(fails)).await;
    for id in ["t1", "t2"] {
        migrate(&scene.server, id);
    }
    app.sync().await;
    let kind = app.engine.kinds().pop().unwrap();
    let id = sync_core::EntityId::new("t1").unwrap();
    let discarded = app.engine.outbox().discard(&kind, &id).await.unwrap();
    assert_eq!(discarded.op_ids.len(), 1);
    app.sync_fully().await;
    let status = app.text("SELECT status FROM todos WHERE id = 't1'").await;
    assert_eq!(status.as_deref(), Some("open"));
}
