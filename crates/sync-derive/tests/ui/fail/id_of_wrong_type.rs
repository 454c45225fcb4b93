use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Number {
    id: i64,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Optional {
    id: Option<String>,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Local {
    #[sync(local_only, nullable)]
    id: String,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Alias {
    id: TodoId,
}

type TodoId = String;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct CustomForm {
    #[sync(text)]
    #[serde(with = "uuid::serde::simple")]
    id: uuid::Uuid,
}

fn main() {}
