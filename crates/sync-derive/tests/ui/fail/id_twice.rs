use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Todo {
    #[sync(id)]
    id: String,
    #[sync(id)]
    uuid: String,
}

fn main() {}
