//! A database is a copy of another one: a restored backup, a cloned device.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use sync_core::{ConflictStrategy, TableConfig};
use sync_testkit::{FakeEnv, Fault, MockServer, MockServerBuilder, Route};

use crate::app::{App, TODOS, Version, assert_there, first};

/// The app writes what it knows into one file, and the file is copied.
fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
    for ending in ["-wal", "-shm"] {
        let beside = |path: &Path| PathBuf::from(format!("{}{ending}", path.display()));
        let _ = std::fs::remove_file(beside(to));
        if beside(from).exists() {
            std::fs::copy(beside(from), beside(to)).unwrap();
        }
    }
}

struct Scene {
    server: MockServer,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn new(change: impl FnOnce(MockServerBuilder) -> MockServerBuilder) -> Self {
        let server = change(MockServer::builder()).start().await.unwrap();
        let todo = json!({"id": "t1", "title": "Milk", "done": false});
        server.seed(TODOS, [todo]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self { server, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn open(&self, name: &str, version: &Version, world: &FakeEnv) -> App {
        App::start(&self.server, &self.path(name), version, world).await
    }

    /// A device with something in its queue, and a copy of it.
    async fn two(&self, version: &Version, seed: u64, write: impl AsyncFnOnce(&App)) -> (App, App) {
        let world = FakeEnv::new(seed);
        let app = self.open("a.db", version, &world).await;
        app.sync_fully().await;
        write(&app).await;
        app.stop().await;
        copy(&self.path("a.db"), &self.path("b.db"));
        let other = FakeEnv::new(seed + 1000);
        other.advance(Duration::from_secs(1));
        let (one, two) = (
            self.open("a.db", version, &world).await,
            self.open("b.db", version, &other).await,
        );
        (one, two)
    }
}

fn honours(builder: MockServerBuilder) -> MockServerBuilder {
    builder.features(&["idempotency", "if-absent"])
}

#[tokio::test]
async fn both_copies_edit_on_and_both_edits_survive() {
    let scene = Scene::new(honours).await;
    let (one, two) = scene
        .two(&first(), 41, async |app| {
            app.edit("t1", json!({"done": true})).await
        })
        .await;
    // Both fold into what is the same operation, made once.
    one.edit("t1", json!({"title": "from one"})).await;
    two.edit("t1", json!({"colour": "from two"})).await;
    one.sync_fully().await;
    two.sync_fully().await;
    let wanted = json!({"title": "from one", "done": true, "colour": "from two"});
    assert_there(&scene.server, "t1", &wanted);
    assert!(two.events().contains(&"StoreCopied".to_owned()));
    assert!(!one.events().contains(&"StoreCopied".to_owned()));
    assert_eq!(scene.server.reused_keys(), Vec::<String>::new());
    one.sync_fully().await;
    assert_eq!(
        one.text("SELECT title FROM todos").await.as_deref(),
        Some("from one")
    );
}

#[tokio::test]
async fn both_copies_edit_the_same_field_and_the_conflict_is_told() {
    let scene = Scene::new(honours).await;
    let (one, two) = scene
        .two(&first(), 42, async |app| {
            app.edit("t1", json!({"done": true})).await
        })
        .await;
    one.edit("t1", json!({"title": "from one"})).await;
    two.edit("t1", json!({"title": "from two"})).await;
    one.sync_fully().await;
    two.sync_fully().await;
    assert_there(
        &scene.server,
        "t1",
        &json!({"title": "from two", "done": true}),
    );
    assert!(two.events().contains(&"ConflictResolved".to_owned()));
    assert_eq!(scene.server.reused_keys(), Vec::<String>::new());
}

#[tokio::test]
async fn what_both_copies_have_waiting_is_applied_once() {
    let scene = Scene::new(honours).await;
    let (one, two) = scene
        .two(&first(), 43, async |app| {
            app.edit("t1", json!({"done": true})).await;
            app.create("t2", json!({"title": "New"})).await;
        })
        .await;
    one.sync_fully().await;
    two.sync_fully().await;
    assert_eq!(scene.server.applied_to(TODOS, "t1"), 1);
    assert_eq!(scene.server.applied_to(TODOS, "t2"), 1);
    assert!(!two.events().contains(&"ConflictDetected".to_owned()));
}

#[tokio::test]
async fn what_the_other_copy_may_have_forced_is_looked_up_first() {
    // The server checks neither that a record is absent nor what a forced push covers.
    let scene = Scene::new(|server| server.if_absent(false)).await;
    let forces = first().table(TableConfig::new().strategy(ConflictStrategy::ClientWins));
    let (one, two) = scene
        .two(&forces, 44, async |app| {
            app.create(
                "0190a5a0-0000-7000-8000-000000000001",
                json!({"title": "New"}),
            )
            .await;
        })
        .await;
    let id = "0190a5a0-0000-7000-8000-000000000001";
    one.sync_fully().await;
    scene.server.update(TODOS, id, json!({"note": "theirs"}));
    two.sync_fully().await;
    assert_there(
        &scene.server,
        id,
        &json!({"title": "New", "note": "theirs"}),
    );
    assert_eq!(scene.server.applied_to(TODOS, id), 1);
}

#[tokio::test]
async fn an_operation_of_unknown_fate_is_looked_up_by_the_copy() {
    let scene = Scene::new(honours).await;
    let lost = scene
        .server
        .fault(Fault::drop_after())
        .on(Route::Push)
        .always();
    let (one, two) = scene
        .two(&first(), 45, async |app| {
            app.edit("t1", json!({"done": true})).await;
            app.sync().await;
        })
        .await;
    lost.remove();
    assert_eq!(scene.server.applied_to(TODOS, "t1"), 1);
    two.sync_fully().await;
    one.sync_fully().await;
    assert_eq!(scene.server.applied_to(TODOS, "t1"), 1);
    assert_eq!(scene.server.reused_keys(), Vec::<String>::new());
}

#[tokio::test]
async fn conflicts_and_waiting_tails_stay_with_their_operations() {
    let scene = Scene::new(honours).await;
    let manual = first().table(TableConfig::new().strategy(ConflictStrategy::Manual));
    let lost = scene.server.fault(Fault::drop_after()).on(Route::Push);
    let lost = lost.only(TODOS, "t1").always();
    let (_one, two) = scene
        .two(&manual, 46, async |app| {
            app.edit("t1", json!({"done": true})).await;
            app.push().await;
            app.edit("t1", json!({"title": "tail"})).await;
            app.create("t2", json!({"title": "Mine"})).await;
            scene
                .server
                .seed(TODOS, [json!({"id": "t2", "title": "Theirs"})])
                .unwrap();
            app.push().await;
        })
        .await;
    lost.remove();
    let conflicts = two.engine.conflicts().open().await.unwrap();
    let ops = two.ops().await;
    assert_eq!(ops.len(), 3, "{ops:?}");
    assert!(
        ops.iter().any(|op| op.op_id == conflicts[0].conflict.op_id),
        "{conflicts:?}"
    );
    let of_t1: Vec<_> = ops
        .iter()
        .filter(|op| op.entity_id.as_str() == "t1")
        .collect();
    assert!(of_t1[0].ever_sent && !of_t1[1].ever_sent);
    let resolved = two
        .engine
        .conflicts()
        .resolve(&conflicts[0].conflict, sync_core::Resolution::AcceptClient)
        .await;
    assert!(resolved.unwrap());
    two.sync_fully().await;
    assert_there(&scene.server, "t1", &json!({"title": "tail", "done": true}));
    assert_there(&scene.server, "t2", &json!({"title": "Mine"}));
}

#[tokio::test]
async fn what_was_decided_about_an_operation_stays_with_it() {
    let scene = Scene::new(honours).await;
    let client_wins = first().table(TableConfig::new().strategy(ConflictStrategy::ClientWins));
    let lost = scene.server.fault(Fault::drop_before()).on(Route::Push);
    let lost = lost.only(TODOS, "t1").skip(1).always();
    let (_one, two) = scene
        .two(&client_wins, 48, async |app| {
            app.edit("t1", json!({"done": true})).await;
            scene.server.update(TODOS, "t1", json!({"title": "Theirs"}));
            app.push().await;
        })
        .await;
    lost.remove();
    let history = async || two.engine.conflicts().history(9).await.unwrap();
    let before = history().await;
    assert_eq!(before.len(), 1);
    assert_eq!(before[0].op_id, two.ops().await[0].op_id);
    assert!(!before[0].in_force);
    two.sync_fully().await;
    assert!(history().await[0].in_force);
}

#[tokio::test]
async fn a_file_that_is_only_opened_again_or_renamed_is_no_copy() {
    let scene = Scene::new(honours).await;
    let world = FakeEnv::new(47);
    let app = scene.open("a.db", &first(), &world).await;
    app.create("t2", json!({"title": "New"})).await;
    let before = app.ops().await;
    app.stop().await;
    std::fs::rename(scene.path("a.db"), scene.path("c.db")).unwrap();
    let app = scene.open("c.db", &first(), &world).await;
    assert_eq!(app.ops().await, before);
    app.sync_fully().await;
    assert!(!app.events().contains(&"StoreCopied".to_owned()));
}

#[tokio::test]
async fn a_restore_in_place_is_noticed_by_an_answer_that_is_too_old() {
    let scene = Scene::new(honours).await;
    let world = FakeEnv::new(48);
    let app = scene.open("a.db", &first(), &world).await;
    app.sync_fully().await;
    app.edit("t1", json!({"title": "first"})).await;
    app.stop().await;
    let backup = std::fs::read(scene.path("a.db")).unwrap();
    let app = scene.open("a.db", &first(), &world).await;
    app.sync_fully().await;
    app.stop().await;
    scene.server.advance(Duration::from_secs(3600));
    // The same file, with the content of before: its operation was never sent, as far as it knows.
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(scene.path("a.db"))
        .unwrap();
    std::io::Write::write_all(&mut file, &backup).unwrap();
    drop(file);
    let app = scene.open("a.db", &first(), &world).await;
    app.edit("t1", json!({"title": "second"})).await;
    app.sync_fully().await;
    assert_there(&scene.server, "t1", &json!({"title": "second"}));
    assert!(!app.events().contains(&"StoreCopied".to_owned()));
}

#[tokio::test]
async fn a_server_that_changes_what_it_is_sent_is_believed() {
    let scene = Scene::new(|server| honours(server).normalises(true)).await;
    let world = FakeEnv::new(49);
    let app = scene.open("a.db", &first(), &world).await;
    app.sync_fully().await;
    app.edit("t1", json!({"title": " blanks "})).await;
    app.sync_fully().await;
    assert_there(&scene.server, "t1", &json!({"title": "blanks"}));
    assert_eq!(scene.server.applied_to(TODOS, "t1"), 1);
    assert_eq!(scene.server.fetches().len(), 0);
}
