//! The todo app of the README. It knows neither its store nor its transport.

use std::error::Error;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sync_core::{SyncEngine, SyncEntity};

#[derive(Clone, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
pub(crate) struct Todo {
    id: String,
    title: String,
    done: bool,
}

/// What another device has sent to the server.
pub(crate) fn on_the_server() -> Value {
    json!({"id": "bread", "title": "Bake bread", "done": false, "updated_at": 1_767_225_600})
}

/// Writes a todo and ticks it off, syncs, and prints what is there.
pub(crate) async fn run(engine: &SyncEngine) -> Result<(), Box<dyn Error>> {
    let todos = engine.writer::<Todo>()?;
    let milk = Todo {
        id: "milk".into(),
        title: "Buy milk".into(),
        done: false,
    };
    todos.insert(&milk).await?;

    todos.update_with("milk", |todo| todo.done = true).await?;

    println!("{}", engine.sync().await?.stats);
    for id in ["bread", "milk"] {
        if let Some(todo) = todos.get(id).await? {
            println!("[{}] {}", if todo.done { 'x' } else { ' ' }, todo.title);
        }
    }
    Ok(())
}
