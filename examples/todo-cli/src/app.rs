//! The file, the engine, and finding a to-do by the end of its id.

use std::path::Path;

use sync_core::transport::Offline;
use sync_core::{ConflictStrategy, SyncEngine, SyncRepository, TableConfig, Transport};
use sync_rest::RestTransport;
use sync_sqlx::SqliteStore;

use crate::failure::Failure;
use crate::merge;
use crate::todo::{Todo, short};

pub(crate) struct App {
    pub(crate) engine: SyncEngine,
    pub(crate) todos: SyncRepository<Todo>,
    store: SqliteStore,
}

impl App {
    pub(crate) async fn open(file: &Path, server: Option<&str>) -> Result<Self, Failure> {
        match server {
            None => {
                let nobody = Offline::new("no server is named: give --server URL");
                Self::build(file, nobody).await
            }
            Some(url) => {
                let advice = "give --server an address like https://example.org/api";
                let transport = RestTransport::new(url);
                let transport =
                    transport.map_err(|error| Failure::of("the server", &error, advice))?;
                Self::build(file, transport).await
            }
        }
    }

    async fn build(file: &Path, transport: impl Transport) -> Result<Self, Failure> {
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
        if let Ok(Some(todo)) = self.todos.get(end).await {
            return Ok(todo);
        }
        let mut found = self
            .todos
            .find(|todo| !end.is_empty() && todo.id.ends_with(end))
            .await?;
        match (found.pop(), found.len()) {
            (Some(todo), 0) => Ok(todo),
            (None, _) => Err(Failure::new(
                format!("no to-do has an id that ends with {end:?}"),
                "`todo-cli list --all` shows the ids",
            )),
            (Some(one), _) => {
                let ids: Vec<&str> = found
                    .iter()
                    .chain([&one])
                    .map(|todo| short(&todo.id))
                    .collect();
                let what = format!("{end:?} is the end of several ids: {}", ids.join(", "));
                Err(Failure::new(what, "give more of the one that you mean"))
            }
        }
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
