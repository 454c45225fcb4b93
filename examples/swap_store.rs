//! The todo app on another store: rows live in memory instead of SQLite, and are gone with the
//! program. Nothing else changes.

mod todo;

use std::error::Error;

use sync_core::{MemoryStore, SyncEngine};
use sync_rest::RestTransport;
use sync_testkit::MockServer;
use todo::Todo;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = MockServer::start().await?;
    server.seed("todos", [todo::on_the_server()])?;
    let transport = RestTransport::builder(server.url()).build()?;

    let store = MemoryStore::new(); // the part that is swapped: no file, no tables to create

    let engine = SyncEngine::builder(store, transport)
        .table::<Todo>()
        .build()
        .await?;
    todo::run(&engine).await?;

    let milk = server.get("todos", "milk");
    println!("server: {}", milk.ok_or("the server has no milk")?["title"]);
    Ok(())
}
