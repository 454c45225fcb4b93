use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Todo {
    #[sync(id = true)]
    id: String,
    #[sync(column)]
    title: String,
    #[sync(nullable, nullable)]
    note: String,
}

fn main() {}
