//! The program of `docs/quick-start.md`: two devices that edit one record, each without a network.

use std::error::Error;

use serde::{Deserialize, Serialize};
use sync_core::{EntityId, SyncEngine, SyncEntity};
use sync_rest::RestTransport;
use sync_sqlx::SqliteStore;
use sync_testkit::MockServer;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Todo {
    id: String,
    title: String,
    done: bool,
}

/// A device: a database of its own, and the way to the server.
async fn device(url: &str) -> Result<SyncEngine, Box<dyn Error>> {
    let store = SqliteStore::open_in_memory().await?; // an app says open("app.db")
    store.create_table::<Todo>().await?;
    let transport = RestTransport::builder(url).build()?;
    Ok(SyncEngine::builder(store, transport)
        .table::<Todo>()
        .build()
        .await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = MockServer::start().await?;
    let (phone, laptop) = (device(&server.url()).await?, device(&server.url()).await?);

    // Written on the phone: the row and its place in the outbox, in one transaction.
    let todos = phone.writer::<Todo>()?;
    let id = EntityId::generate().to_string();
    let milk = Todo {
        id: id.clone(),
        title: "Buy milk".into(),
        done: false,
    };
    todos.insert(&milk).await?;

    // Sent by the phone, fetched by the laptop.
    println!("phone:  {}", phone.sync().await?.stats);
    println!("laptop: {}", laptop.sync().await?.stats);

    // Both edit it without a network, each another field.
    server.set_online(false).await?;
    todos.update_with(&id, |todo| todo.done = true).await?;
    let elsewhere = laptop.writer::<Todo>()?;
    elsewhere
        .update_with(&id, |todo| todo.title = "Buy oat milk".into())
        .await?;

    // Back online. The laptop meets the phone's edit, and both are kept.
    server.set_online(true).await?;
    println!("phone:  {}", phone.sync().await?.stats);
    println!("laptop: {}", laptop.sync().await?.stats);
    println!("phone:  {}", phone.sync().await?.stats);
    let both = Todo {
        title: "Buy oat milk".into(),
        done: true,
        ..milk
    };
    assert_eq!(todos.get(&id).await?, Some(both.clone()));
    assert_eq!(elsewhere.get(&id).await?, Some(both));
    Ok(())
}
