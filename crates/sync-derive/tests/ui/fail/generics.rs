use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Todo<T> {
    id: String,
    extra: T,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Borrowed<'a> {
    id: String,
    title: &'a str,
}

fn main() {}
