use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Todo {
    id: String,
    updated_at: bool,
    #[sync(local_only)]
    deleted_at: Option<i64>,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct AlwaysDeleted {
    id: String,
    #[serde(rename = "deletedAt")]
    gone: chrono::DateTime<chrono::Utc>,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Alias {
    id: String,
    updated_at: Time,
}

type Time = chrono::DateTime<chrono::Utc>;

fn main() {}
