use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos", table = "todo_items")]
#[serde(rename_all = "camelCase", default)]
struct Todo {
    #[sync(id)]
    id: String,
    #[serde(alias = "heading", default = "untitled")]
    title: String,
    #[sync(column = "prio")]
    priority: Option<i64>,
    #[serde(skip)]
    cache: Vec<u8>,
    #[sync(local_only)]
    is_open: Option<bool>,
    updated_at: Option<DateTime<Utc>>,
    deleted_at: Option<DateTime<Utc>>,
}

fn untitled() -> String {
    "untitled".to_owned()
}

impl Default for Todo {
    fn default() -> Self {
        Self {
            id: "1".to_owned(),
            title: untitled(),
            priority: None,
            cache: Vec::new(),
            is_open: None,
            updated_at: None,
            deleted_at: None,
        }
    }
}

fn main() {
    let _ = (Todo::schema(), Todo::create_table_sql(), Todo::default().entity_id());
}
