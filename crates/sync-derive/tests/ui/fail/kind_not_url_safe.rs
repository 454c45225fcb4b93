use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "my todos")]
struct Todo {
    id: String,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "")]
struct Empty {
    id: String,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "..")]
struct Dots {
    id: String,
}

fn main() {}
