use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Todo {
    id: String,
    #[sync(text, json)]
    title: String,
}

fn main() {}
