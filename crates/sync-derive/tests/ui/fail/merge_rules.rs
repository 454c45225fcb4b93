use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Todo {
    id: String,
    #[sync(merge = "newest")]
    title: String,
    #[sync(merge = "sum_delta")]
    note: String,
    #[sync(merge = "max")]
    tags: Vec<String>,
    #[sync(merge = "union")]
    count: i64,
    #[sync(merge)]
    body: String,
    #[sync(local_only, merge = "local")]
    pinned: Option<bool>,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "notes")]
struct Note {
    #[sync(merge = "local")]
    id: String,
    #[sync(merge = "max")]
    updated_at: Option<i64>,
}

fn main() {}
