use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
#[serde(tag = "type", deny_unknown_fields)]
struct Todo {
    id: String,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
#[serde(transparent)]
struct Only {
    id: String,
}

fn main() {}
