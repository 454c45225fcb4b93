use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "my todos")]
struct Todo {
    id: String,
    count: u64,
    #[sync(local_only)]
    is_open: bool,
    #[sync(colour = "red")]
    title: String,
}

fn main() {}
