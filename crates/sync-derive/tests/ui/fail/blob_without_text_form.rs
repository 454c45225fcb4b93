use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "photos")]
struct Photo {
    id: String,
    #[sync(blob)]
    pixels: Vec<u8>,
}

fn main() {}
