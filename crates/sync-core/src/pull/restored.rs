//! After the restore of a server's backup: everything is pulled again, and what the server lost is
//! exported before it goes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;

use super::PullPhase;
use super::apply::RowsDone;
use super::incoming::Row;
use super::resync;
use crate::context::Context;
use crate::error::SyncError;
use crate::event::SyncEvent;
use crate::id::{EntityId, Kind};
use crate::outbox::{Entity, Rules, is_lost, with_stamp};
use crate::quarantine;
use crate::record::Record;
use crate::store::{
    CursorState, OpQuery, QuarantineCause, QuarantineEntry, Removal, RowWrite, StoreError, StoreTx,
};
use crate::table::Table;
use crate::upcast::FIRST_SCHEMA_VERSION;
use crate::version::{ServerState, Version};

/// So many entities or entries are looked at together.
const AT_A_TIME: usize = 200;

/// Puts one kind back to zero: its operations and shadows forget the versions of before, its
/// quarantined rows are of before, and nothing of it is pushed before it was pulled again.
pub(crate) async fn begin_restore(
    context: &Context,
    tx: &mut dyn StoreTx,
    kind: &Kind,
    table: &Table,
    epoch: &str,
) -> Result<(), StoreError> {
    let stored = tx.cursor(kind).await?;
    let generation = stored.as_ref().map_or(0, |cursor| cursor.generation);
    forget_versions(context, tx, table, generation).await?;
    keep_quarantined(tx, kind).await?;
    let is_new = stored.is_none();
    let mut cursor = stored.unwrap_or_default();
    if is_new {
        cursor.filter = table.filter_text();
    }
    resync::begin(&mut cursor, false);
    cursor.restored = cursor.generation;
    cursor.epoch = Some(epoch.to_owned());
    if let Some(resync) = &mut cursor.resync {
        resync.restored = true;
    }
    tx.put_cursor(kind, Some(&cursor)).await
}

async fn forget_versions(
    context: &Context,
    tx: &mut dyn StoreTx,
    table: &Table,
    generation: u32,
) -> Result<(), StoreError> {
    let kind = &table.schema.kind;
    let of_kind = OpQuery {
        kinds: Some(vec![kind.clone()]),
        ..OpQuery::default()
    };
    let ops = tx.ops(&of_kind).await?;
    let idle = tx.idle_shadows(kind, None, u32::MAX).await?;
    let ids: BTreeSet<EntityId> = ops
        .into_iter()
        .map(|op| op.entity_id)
        .chain(idle.into_iter().map(|shadow| shadow.entity_id))
        .collect();
    let ids: Vec<EntityId> = ids.into_iter().collect();
    for ids in ids.chunks(AT_A_TIME) {
        for mut entity in Entity::load(tx, table, ids).await? {
            entity.forget_versions();
            context.save(tx, &mut entity, generation).await?;
        }
    }
    Ok(())
}

/// Rows that could not be applied are of before: applied later, they would bring the past back.
async fn keep_quarantined(tx: &mut dyn StoreTx, kind: &Kind) -> Result<(), StoreError> {
    let mut after: Option<String> = None;
    loop {
        let limit = u32::try_from(AT_A_TIME).unwrap_or(u32::MAX);
        let entries = tx.quarantined(kind, after.as_deref(), limit).await?;
        let Some(last) = entries.last() else {
            return Ok(());
        };
        after = Some(last.key.clone());
        let of_before: Vec<QuarantineEntry> = entries
            .into_iter()
            .filter(|entry| entry.cause == QuarantineCause::BadRow)
            .collect();
        let old: Vec<String> = of_before.iter().map(|entry| entry.key.clone()).collect();
        tx.delete_quarantine(kind, &old).await?;
        let kept: Vec<QuarantineEntry> = of_before
            .into_iter()
            .map(|entry| QuarantineEntry {
                key: fingerprint(&entry.row),
                cause: QuarantineCause::ServerRestored,
                ..entry
            })
            .collect();
        tx.put_quarantine(&kept).await?;
    }
}

/// The key of an exported row: the same row is exported once, and beside what may lie in
/// quarantine of the same record.
fn fingerprint(row: &Value) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("restored {row}").as_bytes()).to_string()
}

impl PullPhase<'_> {
    /// Exports the rows that are about to be replaced by states that are not newer.
    pub(super) async fn export_replaced(
        &self,
        tx: &mut dyn StoreTx,
        kind: &Kind,
        rows: &[Row],
        known: &BTreeMap<EntityId, Option<Version>>,
        done: &mut RowsDone,
    ) -> Result<(), StoreError> {
        let ids: Vec<EntityId> = rows.iter().map(|row| row.id.clone()).collect();
        let here: BTreeMap<EntityId, Record> = tx
            .get(kind, &ids)
            .await?
            .into_iter()
            .filter_map(|record| Some((record.id().ok()?, record)))
            .collect();
        let mut lost = Vec::new();
        for row in rows {
            let (Some(record), Some(version)) = (here.get(&row.id), known.get(&row.id)) else {
                continue;
            };
            let state = row.clone().into_state();
            if !record.is_deleted() && is_lost(record, version.as_ref(), &state) {
                lost.push(with_stamp(record.clone(), version.as_ref()));
            }
        }
        self.export(tx, kind, lost, &mut done.events).await
    }

    /// Exports a row that the server no longer has.
    pub(super) async fn export_missing(
        &self,
        tx: &mut dyn StoreTx,
        kind: &Kind,
        id: &EntityId,
    ) -> Result<Vec<SyncEvent>, StoreError> {
        let ids = std::slice::from_ref(id);
        let version = tx
            .versions(kind, ids)
            .await?
            .pop()
            .and_then(|known| known.1);
        let rows = tx.get(kind, ids).await?.into_iter();
        let lost = rows
            .filter(|row| !row.is_deleted())
            .map(|row| with_stamp(row, version.as_ref()))
            .collect();
        let mut events = Vec::new();
        self.export(tx, kind, lost, &mut events).await?;
        Ok(events)
    }

    /// A pull shows this state of an entity with operations or a shadow.
    pub(super) async fn show(
        &self,
        tx: &mut dyn StoreTx,
        entity: &mut Entity,
        state: ServerState,
        cursor: &CursorState,
        rules: &Rules<'_>,
    ) -> Result<(), StoreError> {
        if cursor.is_restoring() {
            return self.meet_restored(tx, entity, state, rules).await;
        }
        entity.pulled(state, rules);
        Ok(())
    }

    /// A restored server shows this state of an entity with operations or a shadow.
    pub(super) async fn meet_restored(
        &self,
        tx: &mut dyn StoreTx,
        entity: &mut Entity,
        state: ServerState,
        rules: &Rules<'_>,
    ) -> Result<(), StoreError> {
        let kind = entity.kind.clone();
        let lost = entity.meet_restored(&state).into_iter().collect();
        let events = &mut entity.effects.events;
        self.export(tx, &kind, lost, events).await?;
        if entity.ops.is_empty() {
            entity.fetched_idle(&state, rules);
        } else {
            entity.pulled(state, rules);
        }
        Ok(())
    }

    /// Puts records into quarantine, each once, and tells of those that are new there.
    pub(super) async fn export(
        &self,
        tx: &mut dyn StoreTx,
        kind: &Kind,
        lost: Vec<Record>,
        events: &mut Vec<SyncEvent>,
    ) -> Result<(), StoreError> {
        if lost.is_empty() || planted!(LostRowsDropped) {
            return Ok(());
        }
        let table = self.context.tables.get(kind);
        let schema_version = table.map_or(FIRST_SCHEMA_VERSION, |table| table.upcasts.current());
        let entries = lost.into_iter().map(|record| {
            let row = Value::from(record);
            QuarantineEntry {
                kind: kind.clone(),
                key: fingerprint(&row),
                row,
                tag: None,
                reason: "the server was restored from a backup and no longer has the record like \
                         this: write it again if it is wanted, or take it out of quarantine"
                    .to_owned(),
                since: self.context.env.now(),
                schema_version,
                cause: QuarantineCause::ServerRestored,
            }
        });
        let new = quarantine::put_new(tx, kind, entries.collect()).await?;
        events.extend(new.iter().map(SyncEvent::quarantined));
        Ok(())
    }

    /// What a restored server shows of these records waits in quarantine. It comes into force from
    /// there although what is known of them is of before the restore, and newer.
    pub(super) async fn forget_newer(
        &self,
        tx: &mut dyn StoreTx,
        kind: &Kind,
        ids: &[EntityId],
        cursor: &CursorState,
    ) -> Result<(), SyncError> {
        let rows = tx.get(kind, ids).await?;
        let here: BTreeSet<EntityId> = rows.iter().filter_map(|row| row.id().ok()).collect();
        let unknown = |row| RowWrite::server(row, None, cursor.generation);
        let writes: Vec<RowWrite> = rows.into_iter().map(unknown).collect();
        tx.put(kind, &writes).await?;
        let gone = ids.iter().filter(|id| !here.contains(*id));
        let removals: Vec<Removal> = gone
            .map(|id| Removal {
                id: id.clone(),
                tombstone: None,
            })
            .collect();
        tx.remove(kind, &removals).await?;
        Ok(())
    }

    /// The server has this very row after all, so that it need not be kept as one that it lost.
    pub(super) async fn withdraw(
        &self,
        tx: &mut dyn StoreTx,
        kind: &Kind,
        refused: &[QuarantineEntry],
    ) -> Result<(), SyncError> {
        let keys: Vec<String> = refused
            .iter()
            .map(|entry| fingerprint(&entry.row))
            .collect();
        Ok(tx.delete_quarantine(kind, &keys).await?)
    }

    /// Rows that were last seen before the last restore.
    pub(super) async fn of_before(
        &self,
        kind: &Kind,
        restored: u32,
    ) -> Result<BTreeSet<EntityId>, SyncError> {
        if restored == 0 {
            return Ok(BTreeSet::new());
        }
        Ok(self
            .unseen_since(kind, restored)
            .await?
            .into_iter()
            .collect())
    }
}
