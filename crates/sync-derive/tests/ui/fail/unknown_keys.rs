use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos", tabel = "todo_items")]
struct Todo {
    id: String,
    #[sync(localonly)]
    is_open: Option<bool>,
}

fn main() {}
