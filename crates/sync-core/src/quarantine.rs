//! Rows from the server that could not be applied: one entry per record, the newest state.

use std::collections::BTreeMap;

use crate::id::{EntityId, Kind};
use crate::record::stamp_of;
use crate::store::{QuarantineEntry, StoreError, StoreTx};
use crate::time::Timestamp;

/// Sets rows of one kind aside; one that is older than what lies there already, or the very same, is
/// dropped from `entries`.
pub(crate) async fn put(
    tx: &mut dyn StoreTx,
    kind: &Kind,
    entries: &mut Vec<QuarantineEntry>,
) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let keys: Vec<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    let kept = tx.quarantined_of(kind, &keys).await?;
    let newest: BTreeMap<&str, Timestamp> = kept
        .iter()
        .filter_map(|entry| Some((&*entry.key, stamp(entry)?)))
        .collect();
    entries.retain(|entry| !kept.iter().any(|kept| is_same(kept, entry)));
    entries.retain(|entry| match (newest.get(&*entry.key), stamp(entry)) {
        (Some(kept), Some(stamp)) => stamp >= *kept,
        _ => true,
    });
    tx.put_quarantine(entries).await
}

/// Sets rows of one kind aside that are not there yet, by their keys; returns them.
pub(crate) async fn put_new(
    tx: &mut dyn StoreTx,
    kind: &Kind,
    mut entries: Vec<QuarantineEntry>,
) -> Result<Vec<QuarantineEntry>, StoreError> {
    let keys: Vec<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    let kept = tx.quarantined_of(kind, &keys).await?;
    entries.retain(|entry| kept.iter().all(|kept| kept.key != entry.key));
    tx.put_quarantine(&entries).await?;
    Ok(entries)
}

/// Releases the entries of records that were applied: those that are not newer than what the store
/// knows of the record now.
pub(crate) async fn release(
    tx: &mut dyn StoreTx,
    kind: &Kind,
    ids: &[EntityId],
) -> Result<(), StoreError> {
    let keys: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let entries = tx.quarantined_of(kind, &keys).await?;
    if entries.is_empty() {
        return Ok(());
    }
    let known: BTreeMap<String, Timestamp> = tx
        .versions(kind, ids)
        .await?
        .into_iter()
        .filter_map(|(id, version)| Some((id.to_string(), version?.stamp)))
        .collect();
    let released: Vec<String> = entries
        .into_iter()
        .filter(|entry| match (known.get(&entry.key), stamp(entry)) {
            (Some(known), Some(stamp)) => stamp <= *known,
            _ => true,
        })
        .map(|entry| entry.key)
        .collect();
    tx.delete_quarantine(kind, &released).await
}

fn is_same(one: &QuarantineEntry, other: &QuarantineEntry) -> bool {
    one.key == other.key && one.row == other.row && one.reason == other.reason
}

fn stamp(entry: &QuarantineEntry) -> Option<Timestamp> {
    stamp_of(entry.row.as_object()?).ok()
}
