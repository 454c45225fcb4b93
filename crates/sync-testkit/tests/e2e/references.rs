//! Lists and todos under real foreign keys: immediate ones, ones that are checked at the commit, and
//! ones that cascade.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sync_core::store::OpQuery;
use sync_core::{
    BlockedBy, Column, ColumnType, EntityId, EntityState, Kind, Record, SoftDelete, SyncConfig,
    SyncEngine, SyncOptions, SyncReport, TableConfig, TableSchema,
};
use sync_rest::RestTransport;
use sync_sqlx::SqliteStore;
use sync_testkit::{FakeEnv, Fault, MockServer, Route};
use tempfile::TempDir;

use crate::setup::path_in;

/// How the database minds that a todo's list is there.
const FOREIGN_KEYS: [&str; 4] = [
    "REFERENCES lists (id)",
    "REFERENCES lists (id) DEFERRABLE INITIALLY DEFERRED",
    "REFERENCES lists (id) ON DELETE CASCADE",
    "REFERENCES lists (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED",
];

struct Device {
    engine: SyncEngine,
    store: SqliteStore,
    world: FakeEnv,
    _folder: Arc<TempDir>,
}

fn kind(name: &str) -> Kind {
    Kind::new(name).unwrap()
}

fn table(name: &str, field: &str) -> TableSchema {
    TableSchema::new(kind(name), name, "id")
        .column(Column::new("id", ColumnType::Text))
        .column(Column::new("title", ColumnType::Text).nullable())
        .column(Column::new(field, ColumnType::Text).nullable())
        .column(Column::new("updated_at", ColumnType::Timestamp).nullable())
}

/// A device whose database has this foreign key.
async fn device(server: &MockServer, foreign_key: &str) -> Device {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let store = SqliteStore::open(path_in(&folder)).await.unwrap();
    let sql = format!(
        "PRAGMA foreign_keys = ON;
         CREATE TABLE lists (id TEXT PRIMARY KEY NOT NULL, title TEXT, colour TEXT, updated_at TEXT);
         CREATE TABLE todos (id TEXT PRIMARY KEY NOT NULL, title TEXT,
                             list_id TEXT {foreign_key}, updated_at TEXT);
         CREATE INDEX todos_of_list ON todos (list_id);"
    );
    let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
    sql.execute(store.pool()).await.unwrap();
    let world = FakeEnv::new(7);
    world.auto_advance(Duration::from_secs(20));
    let rest = RestTransport::builder(server.url()).env(world.env());
    let purged = || TableConfig::new().soft_delete(SoftDelete::Purge);
    let engine = SyncEngine::builder(store.clone(), rest.build().unwrap())
        .schema(table("lists", "colour"), purged())
        .schema(
            table("todos", "list_id"),
            purged().references("list_id", "lists"),
        )
        .config(SyncConfig::default().with_max_retries(1))
        .env(world.env())
        .build()
        .await
        .unwrap();
    Device {
        engine,
        store,
        world,
        _folder: folder,
    }
}

impl Device {
    async fn sync(&self) -> SyncReport {
        self.world.advance(Duration::from_secs(600));
        let report = self.engine.sync().await.unwrap();
        assert!(report.pull_failures.is_empty(), "{report:?}");
        report
    }

    async fn insert(&self, kind: &str, row: Value) {
        let records = self.engine.records(kind).unwrap();
        let record = Record::try_from(row).unwrap();
        records.insert(record).await.unwrap();
    }

    async fn replace(&self, kind: &str, row: Value) {
        let records = self.engine.records(kind).unwrap();
        let record = Record::try_from(row).unwrap();
        assert!(records.replace(record).await.unwrap());
    }

    async fn ids(&self, table: &str) -> Vec<String> {
        let sql = format!("SELECT id FROM {table} ORDER BY id");
        let rows = sqlx::query_scalar(sqlx::AssertSqlSafe(sql));
        rows.fetch_all(self.store.pool()).await.unwrap()
    }

    async fn quarantined(&self, name: &str) -> usize {
        let entries = self
            .engine
            .quarantine()
            .list(&kind(name), 100)
            .await
            .unwrap();
        entries.len()
    }
}

fn todo(id: &str, list: &str) -> Value {
    json!({"id": id, "title": "T", "list_id": list})
}

/// The ids of what was pushed, in order.
fn pushed(server: &MockServer) -> Vec<String> {
    let pushes = server.pushes().into_iter();
    pushes
        .filter_map(|push| push.id().map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn hazard_e30_children_written_offline_follow_their_parent() {
    let server = MockServer::start().await.unwrap();
    let here = device(&server, FOREIGN_KEYS[1]).await;
    here.sync().await;
    here.insert("todos", json!({"id": "t1", "title": "T", "list_id": null}))
        .await;
    here.insert("lists", json!({"id": "l", "title": "L"})).await;
    here.insert("todos", todo("t2", "l")).await;
    // The oldest operation of all now needs one that was written later.
    here.replace("todos", todo("t1", "l")).await;
    assert_eq!(here.sync().await.pending, 0);
    assert_eq!(pushed(&server), ["l", "t1", "t2"]);
}

#[tokio::test]
async fn e2e_a_refused_parent_blocks_its_children_and_names_itself() {
    let server = MockServer::start().await.unwrap();
    let here = device(&server, FOREIGN_KEYS[0]).await;
    here.sync().await;
    let refusal = server
        .fault(Fault::status(422))
        .on(Route::Push)
        .only("lists", "l")
        .always();
    here.insert("lists", json!({"id": "l", "title": "L"})).await;
    here.insert("todos", todo("t", "l")).await;
    for _ in 0..6 {
        here.sync().await;
    }
    assert_eq!(server.get("todos", "t"), None);
    let blocked = here.engine.outbox().blocked().await.unwrap();
    assert_eq!(blocked.len(), 1);
    let BlockedBy::Operation(by) = &blocked[0].by else {
        panic!("{blocked:?}")
    };
    assert_eq!(by.entity_id.as_str(), "l");
    assert!(by.last_error.is_some());
    for (name, id, state) in [
        ("lists", "l", EntityState::Stuck),
        ("todos", "t", EntityState::Blocked),
    ] {
        let id = EntityId::new(id).unwrap();
        assert_eq!(here.engine.state(&kind(name), &id).await.unwrap(), state);
    }

    refusal.remove();
    here.engine.outbox().retry_all().await.unwrap();
    assert_eq!(here.sync().await.pending, 0);
    assert!(server.get("todos", "t").is_some());
}

#[tokio::test]
async fn e2e_a_discarded_parent_takes_its_children_along_only_if_told() {
    for foreign_key in FOREIGN_KEYS {
        let server = MockServer::start().await.unwrap();
        let here = device(&server, foreign_key).await;
        here.insert("lists", json!({"id": "l", "title": "L"})).await;
        here.insert("todos", todo("t", "l")).await;
        let id = EntityId::new("l").unwrap();
        let refused = here
            .engine
            .outbox()
            .discard(&kind("lists"), &id)
            .await
            .unwrap();
        assert_eq!(refused.dependants.len(), 1);
        assert_eq!(here.ids("lists").await, ["l"]);
        let gone = here
            .engine
            .outbox()
            .discard_with_dependants(&kind("lists"), &id)
            .await
            .unwrap();
        assert_eq!(gone.len(), 2);
        assert_eq!(here.ids("lists").await, Vec::<String>::new());
        assert_eq!(here.ids("todos").await, Vec::<String>::new());
        assert_eq!(here.sync().await.pending, 0);
    }
}

#[tokio::test]
async fn hazard_e30_one_row_without_its_parent_does_not_fail_its_page() {
    for foreign_key in FOREIGN_KEYS {
        let server = MockServer::start().await.unwrap();
        server
            .seed("lists", [json!({"id": "l", "title": "L"})])
            .unwrap();
        let todos = [todo("t1", "l"), todo("t2", "nowhere"), todo("t3", "l")];
        server.seed("todos", todos).unwrap();
        let here = device(&server, foreign_key).await;
        here.sync().await;
        assert_eq!(here.ids("todos").await, ["t1", "t3"], "{foreign_key}");
        assert_eq!(here.quarantined("todos").await, 1);
        server
            .seed("lists", [json!({"id": "nowhere", "title": "N"})])
            .unwrap();
        here.sync().await;
        assert_eq!(here.ids("todos").await, ["t1", "t2", "t3"]);
        assert_eq!(here.quarantined("todos").await, 0);
    }
}

#[tokio::test]
async fn e2e_a_parent_that_was_deleted_elsewhere_takes_no_pending_edit_along() {
    for foreign_key in FOREIGN_KEYS {
        let server = MockServer::start().await.unwrap();
        server
            .seed("lists", [json!({"id": "l", "title": "L"})])
            .unwrap();
        server
            .seed("todos", [todo("t1", "l"), todo("t2", "l")])
            .unwrap();
        let here = device(&server, foreign_key).await;
        here.sync().await;
        let edited = json!({"id": "t1", "title": "mine", "list_id": "l"});
        here.replace("todos", edited).await;
        server.delete("lists", "l");
        let pull = SyncOptions::default().no_push();
        let report = here.engine.sync_with(pull).await.unwrap();
        assert!(report.pull_failures.is_empty(), "{foreign_key}: {report:?}");
        assert_eq!(here.ids("lists").await, ["l"], "{foreign_key}");
        assert_eq!(here.ids("todos").await, ["t1", "t2"], "{foreign_key}");

        // The edit goes, and the list when nothing lies in it any more.
        here.sync().await;
        assert_eq!(server.get("todos", "t1").unwrap()["title"], "mine");
        for todo in ["t1", "t2"] {
            server.delete("todos", todo);
        }
        here.sync().await;
        assert_eq!(here.ids("todos").await, Vec::<String>::new());
        assert_eq!(here.ids("lists").await, Vec::<String>::new());
        let left = here
            .engine
            .outbox()
            .list(&OpQuery::default())
            .await
            .unwrap();
        assert_eq!(left, []);
    }
}

#[tokio::test]
async fn e2e_an_answer_that_names_an_unknown_parent_does_not_end_the_run() {
    for foreign_key in FOREIGN_KEYS {
        let server = MockServer::start().await.unwrap();
        server
            .seed("lists", [json!({"id": "l", "title": "L"})])
            .unwrap();
        server.seed("todos", [todo("t", "l")]).unwrap();
        let here = device(&server, foreign_key).await;
        here.sync().await;
        let edited = json!({"id": "t", "title": "mine", "list_id": "l"});
        here.replace("todos", edited).await;
        server.update("todos", "t", json!({"list_id": "new"}));
        let push = SyncOptions::default().no_pull();
        let report = here.engine.sync_with(push).await.unwrap();
        assert_eq!(report.pending, 0, "{foreign_key}: {report:?}");
        assert_eq!(here.quarantined("todos").await, 1);
        server
            .seed("lists", [json!({"id": "new", "title": "N"})])
            .unwrap();
        here.sync().await;
        assert_eq!(here.quarantined("todos").await, 0);
        let sql = "SELECT list_id || title FROM todos";
        let row: String = sqlx::query_scalar(sql)
            .fetch_one(here.store.pool())
            .await
            .unwrap();
        assert_eq!(row, "newmine");
    }
}
