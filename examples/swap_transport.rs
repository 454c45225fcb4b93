//! The todo app on another transport: no HTTP, the server is a map in this process.

mod todo;

use std::error::Error;
use std::sync::Arc;

use examples::in_process::{InProcess, Server};
use sync_core::{Kind, SyncEngine, SyncEntity};
use sync_sqlx::SqliteStore;
use todo::Todo;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Arc::new(Server::new("secret"));
    server.seed(&Kind::new(Todo::KIND)?, todo::on_the_server())?;

    let transport = InProcess::new(server, "secret"); // the part that is swapped

    let store = SqliteStore::open_in_memory().await?;
    store.create_table::<Todo>().await?;
    let builder = SyncEngine::builder(store, transport).table::<Todo>();
    todo::run(&builder.build().await?).await
}
