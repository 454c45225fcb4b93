//! Rows that could not be applied are tried again whenever their kind was pulled.

use super::PullPhase;
use super::incoming::{Row, read};
use crate::error::SyncError;
use crate::id::{EntityId, Kind};
use crate::quarantine::release;
use crate::record::Record;
use crate::stats::SyncStats;
use crate::store::TxMode;
use crate::table::Table;

const AT_A_TIME: u32 = 200;

impl PullPhase<'_> {
    pub(super) async fn retry_quarantined(
        &self,
        kind: &Kind,
        table: &Table,
        stats: &mut SyncStats,
    ) -> Result<(), SyncError> {
        let mut after: Option<String> = None;
        loop {
            let mut tx = self.context.begin(TxMode::Write).await?;
            let entries = tx.quarantined(kind, after.as_deref(), AT_A_TIME).await?;
            let Some(last) = entries.last() else {
                return Ok(());
            };
            after = Some(last.key.clone());
            let latest = self.context.corrected_now().latest_believable();
            let rows: Vec<Row> = entries
                .into_iter()
                .filter_map(|entry| {
                    let (id, stamp) = read(&entry.row, Some(&latest)).ok()?;
                    let record = Record::try_from(entry.row).ok()?;
                    let record = if planted!(UpcastSkipped) {
                        record
                    } else {
                        table.upcasts.record(entry.schema_version, &record).ok()?
                    };
                    let mut row = Row::new(id, stamp, record);
                    row.version.tag = entry.tag;
                    Some(row)
                })
                .collect();
            let cursor = tx.cursor(kind).await?.unwrap_or_default();
            let mut done = self
                .apply_rows(&mut *tx, kind, table, rows, &cursor)
                .await?;
            if planted!(QuarantineDropped) {
                let refused = done.refused.iter().map(|entry| EntityId::new(&entry.key));
                done.applied.extend(refused.filter_map(Result::ok));
            }
            if done.applied.is_empty() && !done.handed_over {
                continue;
            }
            release(&mut *tx, kind, &done.applied).await?;
            tx.commit().await?;
            self.context.tell(done.events, stats);
        }
    }
}
