use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Marked {
    #[sync(id)]
    todo_id: String,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
#[serde(rename_all = "PascalCase")]
struct Renamed {
    id: String,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Shadowed {
    id: String,
    #[sync(id)]
    uuid: String,
}

fn main() {}
