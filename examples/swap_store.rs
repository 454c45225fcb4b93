//! The todo app on another store: rows live in one JSON file instead of SQLite. Nothing else
//! changes.

mod todo;

use std::error::Error;

use examples::file_store::FileStore;
use sync_core::SyncEngine;
use sync_rest::RestTransport;
use sync_testkit::MockServer;
use todo::Todo;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = MockServer::start().await?;
    server.seed("todos", [todo::on_the_server()])?;
    let transport = RestTransport::builder(server.url()).build()?;

    let folder = tempfile::tempdir()?;
    let store = FileStore::open(folder.path().join("todos.json"))?; // the part that is swapped

    let engine = SyncEngine::builder(store, transport)
        .table::<Todo>()
        .build()
        .await?;
    todo::run(&engine).await?;

    let milk = server.get("todos", "milk");
    println!("server: {}", milk.ok_or("the server has no milk")?["title"]);
    Ok(())
}
