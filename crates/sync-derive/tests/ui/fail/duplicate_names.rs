#![allow(unreachable_patterns)] // serde's own words about the same mistake

use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Todo {
    id: String,
    title: String,
    #[serde(rename = "title")]
    heading: String,
    #[sync(column = "Title")]
    name: String,
}

fn main() {}
