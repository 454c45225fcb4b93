use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos", table = "")]
struct Todo {
    id: String,
    #[sync(column = "")]
    title: String,
}

fn main() {}
