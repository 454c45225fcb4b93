use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct NotFlattened {
    id: String,
    #[sync(extra)]
    rest: Map<String, Value>,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct WithAType {
    id: String,
    #[sync(extra, json)]
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Twice {
    id: String,
    #[sync(extra)]
    #[serde(flatten)]
    rest: Map<String, Value>,
    #[sync(extra)]
    #[serde(flatten)]
    more: Map<String, Value>,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct SameColumn {
    id: String,
    #[sync(column = "REST")]
    title: String,
    #[sync(extra)]
    #[serde(flatten)]
    rest: Map<String, Value>,
}

fn main() {}
