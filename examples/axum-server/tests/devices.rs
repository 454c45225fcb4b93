//! Two devices with SQLite files, the server between them, and a line that loses answers.
#![expect(
    clippy::unwrap_used,
    reason = "the lints spare tests, but not the helpers beside them"
)]

mod support;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use support::Server;
use sync_core::{
    Env, SyncConfig, SyncEngine, SyncEntity, SyncOptions, SyncRepository, TransportErrorKind,
};
use sync_rest::RestTransport;
use sync_sqlx::SqliteStore;
use sync_testkit::{Call, FaultyTransport, TransportFault, TransportScript};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Todo {
    id: String,
    title: String,
    done: bool,
}

struct Device {
    engine: SyncEngine,
    todos: SyncRepository<Todo>,
    line: TransportScript,
}

impl Device {
    async fn open(server: &Server, name: &str, batch: bool) -> Self {
        let store = SqliteStore::open(server.folder.path().join(name))
            .await
            .unwrap();
        store.create_table::<Todo>().await.unwrap();
        let transport = RestTransport::builder(&server.url)
            .batch(batch)
            .build()
            .unwrap();
        let line = TransportScript::new(Env::system());
        let transport = FaultyTransport::new(Arc::new(transport), line.clone());
        // Without the layer that repeats a lost request at once, each loss lasts until the next run.
        let builder = SyncEngine::builder(store, transport).bare_transport();
        let builder = builder.config(SyncConfig::default().with_page_size(20));
        let engine = builder.table::<Todo>().build().await.unwrap();
        let todos = engine.repository().unwrap();
        Self {
            engine,
            todos,
            line,
        }
    }

    async fn add(&self, id: &str, title: &str) {
        let todo = Todo {
            id: id.into(),
            title: title.into(),
            done: false,
        };
        self.todos.create(&todo).await.unwrap();
    }

    async fn sync(&self) {
        let report = self.engine.sync().await.unwrap();
        assert!(report.is_complete() && report.pending == 0, "{report:?}");
    }
}

/// Every device syncs until what the last one sent has reached all, and all hold the same.
async fn converge(devices: [&Device; 2]) -> Vec<Todo> {
    for device in devices.into_iter().chain(devices) {
        device.sync().await;
    }
    let [one, other] = devices;
    let todos = one.todos.list().await.unwrap();
    assert_eq!(todos, other.todos.list().await.unwrap());
    todos
}

/// A client that would like batches gets along with a server that has none.
#[tokio::test]
async fn two_devices_converge_whether_they_ask_for_batches_or_not() {
    for batch in [false, true] {
        let server = Server::start().await;
        let one = Device::open(&server, "one.db", batch).await;
        let other = Device::open(&server, "other.db", batch).await;
        one.add("milk", "Milk").await;
        one.add("tea", "Tea").await;
        other.add("bread", "Bread").await;
        converge([&one, &other]).await;

        let writer = one.todos.writer();
        writer
            .update_with("milk", |todo| todo.title = "Oat milk".into())
            .await
            .unwrap();
        writer.delete("tea").await.unwrap();
        let writer = other.todos.writer();
        writer
            .update_with("milk", |todo| todo.done = true)
            .await
            .unwrap();
        let todos = converge([&one, &other]).await;

        let milk = Todo {
            id: "milk".into(),
            title: "Oat milk".into(),
            done: true,
        };
        assert!(todos.contains(&milk), "both edits live: {todos:?}");
        assert_eq!(todos.len(), 2, "{todos:?}");
        for todo in todos {
            let (_, record) = server.get(&todo.id).await;
            assert_eq!(
                (record["title"].as_str(), record["done"].as_bool()),
                (Some(&*todo.title), Some(todo.done))
            );
        }
    }
}

#[tokio::test]
async fn an_edit_whose_answer_is_lost_takes_effect_once() {
    for batch in [false, true] {
        let server = Server::start().await;
        let one = Device::open(&server, "one.db", batch).await;
        one.add("milk", "Milk").await;
        one.line.next(
            Call::Push,
            TransportFault::After(TransportErrorKind::Offline),
        );
        let push_only = SyncOptions::default().no_pull();
        assert!(
            one.engine.sync_with(push_only).await.unwrap().pending > 0,
            "the answer was lost"
        );
        let (status, applied) = server.get("milk").await;
        assert_eq!(status, 200, "the request was not");

        // Somebody else edits before the repetition comes, which must not undo that.
        let other = Device::open(&server, "other.db", batch).await;
        other.sync().await;
        let writer = other.todos.writer();
        writer
            .update_with("milk", |todo| todo.title = "Oat milk".into())
            .await
            .unwrap();
        other.sync().await;

        let todos = converge([&one, &other]).await;
        assert_eq!(todos[0].title, "Oat milk");
        let (_, record) = server.get("milk").await;
        assert_ne!(record["updated_at"], applied["updated_at"]);
        assert_eq!(record["title"], Value::from("Oat milk"));
    }
}

#[tokio::test]
async fn many_rows_come_page_by_page() {
    let server = Server::start().await;
    let one = Device::open(&server, "one.db", true).await;
    let todos: Vec<Todo> = (0..101)
        .map(|number| Todo {
            id: format!("t{number:03}"),
            title: "x".into(),
            done: false,
        })
        .collect();
    one.todos.writer().insert_all(&todos).await.unwrap();
    let other = Device::open(&server, "other.db", true).await;
    assert_eq!(converge([&one, &other]).await, todos);
}
