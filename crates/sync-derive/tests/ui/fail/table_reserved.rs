use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos", table = "Sync_todos")]
struct Todo {
    id: String,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "sync_outbox")]
struct Outbox {
    id: String,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "master", table = "sqlite_master")]
struct Master {
    id: String,
}

fn main() {}
