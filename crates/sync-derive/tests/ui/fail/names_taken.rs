use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Todo {
    id: String,
    uuid: String,
    _note: String,
    #[sync(local_only)]
    #[serde(rename = "_draft")]
    draft: Option<String>,
}

fn main() {}
