//! Schemas written by hand that cannot work.

use sync_core::{Column, ColumnType, MemoryStore, SyncError, TableConfig};

use crate::device::{Device, schema};
use crate::server::Server;

#[tokio::test]
async fn a_field_whose_edits_would_reach_nobody_is_refused() {
    let text = |name: &str| Column::new(name, ColumnType::Text).nullable();
    let odd = schema().column(text("uuid")).column(text("_note"));
    let table = TableConfig::new();
    let built = Device::on(MemoryStore::new(), &Server::new(), odd, table).await;
    let Err(SyncError::Config(said)) = built.map(drop) else {
        panic!("both are taken");
    };
    for part in [
        "notes: the field \"uuid\" names the id too",
        "notes: the field \"_note\" begins",
    ] {
        assert!(said.contains(part), "{said}");
    }
}
