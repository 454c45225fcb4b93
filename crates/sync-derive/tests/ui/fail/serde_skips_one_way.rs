use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Todo {
    id: String,
    #[serde(skip_serializing, default)]
    secret: String,
    #[serde(skip_deserializing)]
    shown: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(skip)]
    #[sync(local_only)]
    cache: Option<String>,
}

fn main() {}
