use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Todo {
    id: String,
    #[serde(with = "chrono::serde::ts_seconds")]
    due: chrono::DateTime<chrono::Utc>,
}

fn main() {}
