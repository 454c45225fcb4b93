use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Todo {
    id: String,
    #[serde(rename(serialize = "dueDate", deserialize = "due"))]
    due_date: String,
    #[serde(rename(serialize = "heading"))]
    title: String,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
#[serde(rename_all(serialize = "camelCase", deserialize = "snake_case"))]
struct Cased {
    id: String,
    due_date: String,
}

fn main() {}
