use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Todo {
    id: String,
    #[serde(flatten)]
    extra: std::collections::BTreeMap<String, String>,
}

fn main() {}
