use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
enum Todo {
    Open { id: String },
    Done { id: String },
}

fn main() {}
