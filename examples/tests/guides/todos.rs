//! The app that most guides speak of.

use std::error::Error;

use serde::{Deserialize, Serialize};
use sync_core::{SyncConfig, SyncEngine, SyncEntity};
use sync_rest::RestTransport;
use sync_sqlx::SqliteStore;
use sync_testkit::MockServer;

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
pub(crate) struct Todo {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) done: bool,
    pub(crate) list_id: Option<String>,
    pub(crate) deleted_at: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "lists")]
pub(crate) struct List {
    pub(crate) id: String,
    pub(crate) name: String,
}

pub(crate) fn todo(id: &str, title: &str) -> Todo {
    Todo {
        id: id.to_owned(),
        title: title.to_owned(),
        done: false,
        list_id: None,
        deleted_at: None,
    }
}

/// A device of its own, with both tables and nothing in them.
pub(crate) async fn device(
    server: &MockServer,
) -> Result<(SqliteStore, SyncEngine), Box<dyn Error>> {
    let store = SqliteStore::open_in_memory().await?;
    store.create_table::<Todo>().await?;
    store.create_table::<List>().await?;
    let transport = RestTransport::builder(server.url()).build()?;
    let engine = SyncEngine::builder(store.clone(), transport)
        .table::<Todo>()
        .table::<List>()
        .config(SyncConfig::default().with_max_retries(1)) // no test waits
        .build()
        .await?;
    Ok((store, engine))
}
