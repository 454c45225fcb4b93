//! The file and the engine.

use std::collections::BTreeMap;
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use sync_core::{ConflictStrategy, SyncEngine, SyncRepository, TableConfig, Transport};
use sync_sqlx::SqliteStore;

use crate::failure::Failure;
use crate::ids;
use crate::merge;
use crate::todo::Todo;

pub(crate) struct App {
    pub(crate) engine: SyncEngine,
    pub(crate) todos: SyncRepository<Todo>,
    store: SqliteStore,
}

impl App {
    pub(crate) async fn open(file: &Path, transport: impl Transport) -> Result<Self, Failure> {
        if is_of_another_program(file).await {
            return Err(Failure::new(
                format!("{} is the database of another program", file.display()),
                "give --file another name: a file that is not there is made",
            ));
        }
        let store = SqliteStore::open(file).await?;
        store.create_table::<Todo>().await?;
        // Edits of different fields are merged, the rest is put off until a person decides.
        let config = TableConfig::new()
            .strategy(ConflictStrategy::Manual)
            .resolver(merge::resolver());
        let builder = SyncEngine::builder(store.clone(), transport).table_with::<Todo>(config);
        let engine = builder.build().await?;
        let todos = engine.repository()?;
        Ok(Self {
            engine,
            todos,
            store,
        })
    }

    /// The to-do whose id ends so.
    pub(crate) async fn find(&self, end: &str) -> Result<Todo, Failure> {
        let mut todos = self.todos.find(|todo| todo.id.ends_with(end)).await?;
        let missing = || {
            Failure::new(
                format!("no to-do has an id that ends with {end:?}"),
                "`todo-cli list --all` shows the ids",
            )
        };
        let all = todos.iter().map(|todo| todo.id.as_str());
        let id = ids::the_one(end, all, missing())?.to_owned();
        todos.retain(|todo| todo.id == id);
        todos.pop().ok_or_else(missing)
    }

    /// By id: the titles that to-dos had before they were edited or removed here.
    pub(crate) async fn titles_before(&self) -> Result<BTreeMap<String, String>, Failure> {
        let titles = "SELECT entity_id, base_record ->> 'title' FROM sync_shadow
            WHERE base_record ->> 'title' IS NOT NULL";
        let titles: Result<Vec<(String, String)>, _> =
            sqlx::query_as(titles).fetch_all(self.store.pool()).await;
        let titles = titles.map_err(|error| {
            Failure::of("reading the file", &error, "check that it may be read")
        })?;
        Ok(titles.into_iter().collect())
    }

    /// Ends the engine and frees the file.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        self.engine.shutdown().await;
        let closed = self.store.close().await;
        closed.map_err(|error| {
            Failure::of(
                "closing the file",
                &error,
                "everything that was reported as done is in it",
            )
        })
    }
}

/// Are there tables in it, but no to-dos? A file that is not there, or cannot be read, is not looked
/// into: the store makes the one, and says what is wrong with the other.
async fn is_of_another_program(file: &Path) -> bool {
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let Ok(mut database) = options.connect().await else {
        return false;
    };
    let tables = "SELECT name FROM sqlite_schema
        WHERE type = 'table' AND name NOT GLOB 'sqlite_*' AND name NOT GLOB 'sync_*'";
    let tables = sqlx::query_scalar(tables).fetch_all(&mut database).await;
    let tables: Vec<String> = tables.unwrap_or_default();
    let _closed = database.close().await;
    !tables.is_empty() && !tables.iter().any(|name| name == "todos")
}
