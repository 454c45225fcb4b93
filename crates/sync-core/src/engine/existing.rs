//! What lies in the tables and the outbox when an engine is built: rows that were there before the
//! first one, of which somebody must say whose they are, and operations that were held up.

use crate::context::Context;
use crate::error::SyncError;
use crate::id::{EntityId, Kind};
use crate::op::{Op, OpStatus};
use crate::outbox::{Entity, strip_for_server, was_held_up};
use crate::record::Record;
use crate::store::{OpQuery, StoreTx, TxMode};
use crate::table::{ExistingRows, Table};

/// So many rows are looked at, or adopted, in one transaction.
const SLICE: u32 = 500;

/// Looks at the tables that are prepared for the first time. Adopts rows where that is wanted;
/// nothing is changed if a table has rows and does not say whose they are.
pub(super) async fn settle_existing_rows(context: &Context) -> Result<(), SyncError> {
    let mut fresh = Vec::new();
    let mut problems = Vec::new();
    let mut tx = context.store.begin(TxMode::Read).await?;
    for (kind, table) in &context.tables {
        if is_prepared(&mut *tx, kind).await? {
            continue;
        }
        fresh.push((kind, table));
        if table.existing_rows.is_none() {
            problems.extend(problem(&mut *tx, kind, table).await?);
        }
    }
    drop(tx);
    if !problems.is_empty() {
        return Err(SyncError::Config(problems.join("; ")));
    }
    for (kind, table) in fresh {
        planted!(AdoptionNotedFirst => note_prepared(context, kind).await?);
        let adopts = match table.existing_rows {
            Some(ExistingRows::ServerOwned) => planted!(ServersRowsQueued),
            whose => whose == Some(ExistingRows::Adopt),
        };
        if adopts {
            adopt(context, kind, table).await?;
        }
        note_prepared(context, kind).await?;
    }
    Ok(())
}

async fn note_prepared(context: &Context, kind: &Kind) -> Result<(), SyncError> {
    let mut tx = context.store.begin(TxMode::Write).await?;
    tx.put_meta(&note(kind), Some("1")).await?;
    Ok(tx.commit().await?)
}

/// Where it is noted that a kind's table was prepared once.
fn note(kind: &Kind) -> String {
    format!("prepared:{kind}")
}

async fn is_prepared(tx: &mut dyn StoreTx, kind: &Kind) -> Result<bool, SyncError> {
    Ok(tx.cursor(kind).await?.is_some() || tx.meta(&note(kind)).await?.is_some())
}

async fn problem(
    tx: &mut dyn StoreTx,
    kind: &Kind,
    table: &Table,
) -> Result<Option<String>, SyncError> {
    let mut rows = 0;
    let mut last: Option<EntityId> = None;
    loop {
        let page = tx.unclaimed(kind, last.as_ref(), SLICE).await?;
        rows += page.len();
        match page.into_iter().next_back() {
            Some(id) => last = Some(id),
            None => break,
        }
    }
    let table = &table.schema.table;
    Ok((rows > 0).then(|| {
        format!(
            "table {table:?} of kind {kind:?} has {rows} rows that were never synced: say \
             TableConfig::existing_rows(ExistingRows::Adopt) to create them on the server, or \
             ExistingRows::ServerOwned if they come from there and a pull may overwrite them"
        )
    }))
}

/// Operations that an older app could not read take part again.
pub(super) async fn release_readable(context: &Context) -> Result<(), SyncError> {
    let stuck = OpQuery {
        kinds: Some(context.tables.keys().cloned().collect()),
        status: Some(OpStatus::Stuck),
        ..OpQuery::default()
    };
    let mut tx = context.store.begin(TxMode::Read).await?;
    let held_up = tx.ops(&stuck).await?.into_iter().filter(was_held_up);
    let held_up: Vec<Op> = held_up.collect();
    drop(tx);
    for op in held_up {
        let table = context.table(&op.kind)?;
        let mut tx = context.store.begin(TxMode::Write).await?;
        let mut entity = Entity::load_one(&mut *tx, table, &op.entity_id).await?;
        entity.release_if_readable();
        entity.save(&mut *tx, 0).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Queues a create for each row, slice by slice: an adoption that was interrupted goes on with the
/// rows that are left.
async fn adopt(context: &Context, kind: &Kind, table: &Table) -> Result<(), SyncError> {
    let mut last: Option<EntityId> = None;
    loop {
        let mut tx = context.store.begin(TxMode::Write).await?;
        let ids = tx.unclaimed(kind, last.as_ref(), SLICE).await?;
        for mut entity in Entity::load(&mut *tx, table, &ids).await? {
            let Some(row) = entity.row.clone().filter(|row| !row.is_deleted()) else {
                continue;
            };
            create(context, table, &mut entity, row);
            let refused = entity.save(&mut *tx, 0).await?;
            if let Some(refused) = refused.into_iter().next() {
                let (kind, id) = (kind.clone(), refused.id);
                let reason = refused.reason;
                return Err(SyncError::RowRejected { kind, id, reason });
            }
        }
        let Some(id) = ids.into_iter().next_back() else {
            return Ok(());
        };
        last = Some(id);
        tx.commit().await?;
    }
}

fn create(context: &Context, table: &Table, entity: &mut Entity, row: Record) {
    let payload = strip_for_server(&row, &table.schema);
    let (op_id, at) = (context.env.op_id(), context.corrected_now());
    entity.upsert(row, payload, None, op_id, at, &context.rules(table));
}
