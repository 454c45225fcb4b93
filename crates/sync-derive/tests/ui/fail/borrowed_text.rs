use serde::Serialize;
use sync_core::SyncEntity;

#[derive(Serialize, SyncEntity)]
#[sync(kind = "todos")]
struct Todo {
    id: String,
    title: &'static str,
}

fn main() {}
