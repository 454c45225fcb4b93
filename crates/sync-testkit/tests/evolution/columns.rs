//! Tables gain and lose columns.

use serde_json::{Value, json};
use sync_core::ColumnType;
use sync_core::store::{Store, TxMode};
use sync_testkit::{FakeEnv, Fault, MockServer, Route};

use crate::app::{App, TODOS, Version, assert_there, first};

/// The app of before, with a colour.
fn with_colour(ty: ColumnType) -> Version {
    let sql = "ALTER TABLE todos ADD COLUMN colour TEXT";
    Version::new(sql, &[("done", ColumnType::Boolean), ("colour", ty)])
}

/// The app of before, which has given `done` up.
fn without_done() -> Version {
    Version::new("ALTER TABLE todos DROP COLUMN done", &[])
}

struct Scene {
    server: MockServer,
    folder: tempfile::TempDir,
}

impl Scene {
    /// A server with one todo that has a field more than the app knows.
    async fn new(todo: Value) -> Self {
        let server = MockServer::start().await.unwrap();
        server.seed(TODOS, [todo]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self { server, folder }
    }

    /// The first version of the app, after its first sync.
    async fn synced(&self, seed: u64) -> App {
        let path = self.folder.path().join("app.db");
        let app = App::start(&self.server, &path, &first(), &FakeEnv::new(seed)).await;
        app.sync_fully().await;
        app
    }
}

fn red() -> Value {
    json!({"id": "t1", "title": "Milk", "done": false, "colour": "red"})
}

#[tokio::test]
async fn a_gained_column_is_filled_with_what_was_known() {
    let scene = Scene::new(red()).await;
    let app = scene.synced(1).await;
    let app = app
        .update(&scene.server, &with_colour(ColumnType::Text))
        .await;
    // Before anything is synced, and for the app's own SQL.
    let colour = app.text("SELECT colour FROM todos").await;
    assert_eq!(colour.as_deref(), Some("red"));
    app.edit("t1", json!({"title": "Bread"})).await;
    app.sync_fully().await;
    assert_there(
        &scene.server,
        "t1",
        &json!({"title": "Bread", "colour": "red"}),
    );
    app.edit("t1", json!({"colour": null})).await;
    app.sync_fully().await;
    assert_there(&scene.server, "t1", &json!({"colour": null}));
}

#[tokio::test]
async fn edits_that_waited_carry_the_field_of_a_gained_column() {
    let scene = Scene::new(red()).await;
    let app = scene.synced(2).await;
    app.edit("t1", json!({"done": true})).await;
    let app = app
        .update(&scene.server, &with_colour(ColumnType::Text))
        .await;
    app.edit("t1", json!({"title": "Bread"})).await;
    app.sync_fully().await;
    let wanted = json!({"title": "Bread", "done": true, "colour": "red"});
    assert_there(&scene.server, "t1", &wanted);
}

#[tokio::test]
async fn many_rows_are_filled_and_a_second_start_fills_nothing() {
    let scene = Scene::new(red()).await;
    let many = (0..1_234).map(|n| json!({"id": format!("m{n}"), "title": "T", "colour": n % 7}));
    scene.server.seed(TODOS, many.collect::<Vec<_>>()).unwrap();
    let app = scene.synced(3).await;
    let sql = "ALTER TABLE todos ADD COLUMN colour BLOB";
    let columns = [("done", ColumnType::Boolean), ("colour", ColumnType::Json)];
    let app = app
        .update(&scene.server, &Version::new(sql, &columns))
        .await;
    let count = "SELECT CAST(count(*) AS TEXT) FROM todos WHERE colour IS NOT NULL";
    assert_eq!(app.text(count).await.as_deref(), Some("1235"));
    let left = "SELECT CAST(count(*) AS TEXT) FROM sync_extra";
    assert_eq!(app.text(left).await.as_deref(), Some("0"));
    let again = Version::new("UPDATE todos SET colour = NULL WHERE id = 'm1'", &columns);
    let app = app.update(&scene.server, &again).await;
    assert_eq!(app.text(count).await.as_deref(), Some("1234"));
}

#[tokio::test]
async fn a_value_that_the_gained_column_cannot_hold_is_set_aside_and_not_lost() {
    let scene = Scene::new(red()).await;
    let app = scene.synced(4).await;
    let sql = "ALTER TABLE todos ADD COLUMN colour INTEGER";
    let columns = [
        ("done", ColumnType::Boolean),
        ("colour", ColumnType::Integer),
    ];
    let app = app
        .update(&scene.server, &Version::new(sql, &columns))
        .await;
    let kind = app.engine.kinds().pop().unwrap();
    let quarantined = app.engine.quarantine().list(&kind, 10).await.unwrap();
    assert_eq!(quarantined.len(), 1);
    assert_eq!(quarantined[0].row["colour"], json!("red"));
    // The user goes on, and the server keeps its value.
    app.edit("t1", json!({"title": "Bread"})).await;
    app.sync().await;
    app.sync().await;
    assert_there(
        &scene.server,
        "t1",
        &json!({"title": "Bread", "colour": "red"}),
    );
    // Once it fits it comes in.
    scene.server.update(TODOS, "t1", json!({"colour": 7}));
    app.sync_fully().await;
    let colour = app.text("SELECT CAST(colour AS TEXT) FROM todos").await;
    assert_eq!(colour.as_deref(), Some("7"));
    assert_eq!(app.engine.quarantine().list(&kind, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_waiting_edit_does_not_wipe_what_the_gained_column_cannot_hold() {
    let scene = Scene::new(red()).await;
    let app = scene.synced(5).await;
    app.edit("t1", json!({"done": true})).await;
    let sql = "ALTER TABLE todos ADD COLUMN colour INTEGER";
    let columns = [
        ("done", ColumnType::Boolean),
        ("colour", ColumnType::Integer),
    ];
    let app = app
        .update(&scene.server, &Version::new(sql, &columns))
        .await;
    app.edit("t1", json!({"title": "Bread"})).await;
    app.sync().await;
    app.sync().await;
    let wanted = json!({"title": "Bread", "done": true, "colour": "red"});
    assert_there(&scene.server, "t1", &wanted);
}

#[tokio::test]
async fn a_lost_column_is_pulled_again_before_anything_is_sent() {
    let scene = Scene::new(json!({"id": "t1", "title": "Milk", "done": true})).await;
    let app = scene.synced(6).await;
    let app = app.update(&scene.server, &without_done()).await;
    app.edit("t1", json!({"title": "Bread"})).await;
    scene.server.clear_recorded();
    app.sync_fully().await;
    assert_there(
        &scene.server,
        "t1",
        &json!({"title": "Bread", "done": true}),
    );
    let requests = scene.server.recorded();
    let first_push = requests
        .iter()
        .position(|request| request.is_push())
        .unwrap();
    let pulled = requests[..first_push]
        .iter()
        .any(|request| request.is_pull(TODOS));
    assert!(pulled, "{requests:?}");
    // It is owed once.
    scene.server.clear_recorded();
    app.edit("t1", json!({"title": "Eggs"})).await;
    app.sync_fully().await;
    assert!(scene.server.recorded()[0].is_push());
    assert_there(&scene.server, "t1", &json!({"title": "Eggs", "done": true}));
}

#[tokio::test]
async fn nothing_is_sent_while_the_pull_that_is_owed_fails() {
    let scene = Scene::new(json!({"id": "t1", "title": "Milk", "done": true})).await;
    let app = scene.synced(7).await;
    let app = app.update(&scene.server, &without_done()).await;
    app.edit("t1", json!({"title": "Bread"})).await;
    let fault = scene
        .server
        .fault(Fault::status(500))
        .on(Route::pull_of(TODOS))
        .always();
    let report = app.sync().await;
    assert!(!report.is_complete());
    assert_eq!(report.pending, 1);
    assert_eq!(scene.server.pushes().len(), 0);
    fault.remove();
    // Also after a restart, and by a run that only pushes.
    let again = Version {
        sql: "",
        ..without_done()
    };
    let app = app.update(&scene.server, &again).await;
    app.push().await;
    assert_there(
        &scene.server,
        "t1",
        &json!({"title": "Bread", "done": true}),
    );
}

#[tokio::test]
async fn a_waiting_edit_keeps_the_field_of_a_lost_column() {
    let scene = Scene::new(json!({"id": "t1", "title": "Milk", "done": false})).await;
    let app = scene.synced(8).await;
    app.edit("t1", json!({"done": true})).await;
    let app = app.update(&scene.server, &without_done()).await;
    app.edit("t1", json!({"title": "Bread"})).await;
    app.sync_fully().await;
    assert_there(
        &scene.server,
        "t1",
        &json!({"title": "Bread", "done": true}),
    );
}

#[tokio::test]
async fn a_column_that_stays_on_the_device_is_given_up_knowingly() {
    let scene = Scene::new(json!({"id": "t1", "title": "Milk", "done": true})).await;
    let app = scene.synced(9).await;
    let mut local = first();
    for column in &mut local.schema.columns {
        column.local_only |= column.field == "done";
    }
    let app = app.update(&scene.server, &local).await;
    scene.server.clear_recorded();
    app.sync_fully().await;
    let since_zero = |request: &&sync_testkit::RecordedRequest| {
        request.is_pull(TODOS) && request.query("updatedSince").is_none()
    };
    assert_eq!(scene.server.recorded().iter().filter(since_zero).count(), 0);
    let mut tx = Store::begin(&app.store, TxMode::Read).await.unwrap();
    let kind = app.engine.kinds().pop().unwrap();
    let row = tx
        .get(&kind, &[sync_core::EntityId::new("t1").unwrap()])
        .await
        .unwrap();
    assert_eq!(row[0].get("done"), None);
}

#[tokio::test]
async fn a_column_that_no_longer_stays_on_the_device_brings_the_servers_values() {
    let scene = Scene::new(json!({"id": "t1", "title": "Milk", "done": true})).await;
    let mut local = first();
    for column in &mut local.schema.columns {
        column.local_only |= column.field == "done";
    }
    let path = scene.folder.path().join("app.db");
    let app = App::start(&scene.server, &path, &local, &FakeEnv::new(10)).await;
    app.sync_fully().await;
    let app = app.update(&scene.server, &first()).await;
    app.edit("t1", json!({"title": "Bread"})).await;
    app.sync_fully().await;
    assert_there(
        &scene.server,
        "t1",
        &json!({"title": "Bread", "done": true}),
    );
}
