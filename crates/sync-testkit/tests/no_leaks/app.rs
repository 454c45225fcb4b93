//! An app that says all it can of itself.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use sync_core::store::OpQuery;
use sync_core::{
    Column, ColumnType, EntityWriter, Kind, SyncConfig, SyncEngine, SyncEntity, TableConfig,
    TableSchema, Transport,
};
use sync_rest::{KindRoute, RestTransport, StaticToken, Token};
use sync_sqlx::SqliteStore;
use sync_testkit::FakeEnv;

use crate::said::{Said, secret};

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Note {
    id: String,
    pub(crate) title: String,
    mood: Option<i64>,
    updated_at: Option<String>,
    deleted_at: Option<String>,
}

impl SyncEntity for Note {
    const KIND: &'static str = "notes";
    const TABLE: &'static str = "notes";

    fn schema() -> Result<TableSchema, sync_core::InvalidId> {
        let text = |name: &str| Column::new(name, ColumnType::Text);
        Ok(TableSchema::new(Kind::new(Self::KIND)?, Self::TABLE, "id")
            .column(text("id"))
            .column(text("title"))
            .column(Column::new("mood", ColumnType::Integer).nullable())
            .column(Column::new("updated_at", ColumnType::Timestamp).nullable())
            .column(Column::new("deleted_at", ColumnType::Timestamp).nullable()))
    }

    fn create_table_sql() -> String {
        "CREATE TABLE notes (id TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL CHECK (title <> 'no'), \
         mood INTEGER, updated_at TEXT, deleted_at TEXT)"
            .to_owned()
    }

    fn entity_id(&self) -> String {
        self.id.clone()
    }
}

pub(crate) struct App {
    engine: SyncEngine,
    pub(crate) store: SqliteStore,
    world: FakeEnv,
    _folder: tempfile::TempDir,
}

/// An app that says all it can of itself.
pub(crate) async fn app(url: &str, table: TableConfig, batch: bool) -> App {
    let said = Said::everything();
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("app.db"))
        .await
        .unwrap();
    store.create_table::<Note>().await.unwrap();
    let world = FakeEnv::new(7);
    world.auto_advance(Duration::from_secs(20));
    let token = StaticToken::new(Token::bearer(secret("token")).with_account("me"));
    said.debug(&token);
    let route = KindRoute::new()
        .header("X-Tenant", secret("header"))
        .query("tenant", secret("query"));
    said.debug(&route);
    let builder = RestTransport::builder(format!("{url}?key={}", secret("base")))
        .auth(token)
        .batch(batch)
        .kind("notes", route)
        .request_timeout(Duration::from_secs(5))
        .env(world.env());
    said.debug(&builder);
    let transport = builder.build().unwrap();
    said.debug(&transport);
    said.debug(&transport.capabilities());
    let builder = SyncEngine::builder(store.clone(), transport)
        .table_with::<Note>(table)
        .config(
            SyncConfig::default()
                .with_max_retries(2)
                .with_max_outbox_try_count(2),
        )
        .env(world.env());
    said.debug(&builder);
    let engine = builder.build().await.unwrap();
    said.debug(&engine);
    said.debug(&store);
    App {
        engine,
        store,
        world,
        _folder: folder,
    }
}

pub(crate) fn note(id: &str, what: &str) -> Note {
    Note {
        id: id.to_owned(),
        title: secret(what),
        mood: Some(1),
        updated_at: None,
        deleted_at: None,
    }
}

impl App {
    pub(crate) fn notes(&self) -> EntityWriter<Note> {
        self.engine.writer::<Note>().unwrap()
    }

    /// Syncs, and says all that can be seen of it.
    pub(crate) async fn sync(&self) {
        let said = Said::everything();
        let mut events = self.engine.events();
        match self.engine.sync().await {
            Ok(report) => said.debug(&report),
            Err(error) => said.error(&error),
        }
        while let Some(Some(event)) = events.next().now_or_never() {
            said.debug(&event);
            said.debug(&event.to_string());
        }
        said.debug(
            &self
                .engine
                .outbox()
                .list(&OpQuery::default())
                .await
                .unwrap(),
        );
        let kind = Kind::new("notes").unwrap();
        said.debug(&self.engine.quarantine().list(&kind, 100).await.unwrap());
        said.debug(&self.engine.conflicts().history(100).await.unwrap());
        self.world.advance(Duration::from_secs(600));
    }
}
