use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Todo(String, bool);

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Nothing;

fn main() {}
