//! Tables that gained or lost columns since they were last prepared (semantics 7, *Unknown fields
//! survive*).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::SyncError;
use crate::id::EntityId;
use crate::outbox::Entity;
use crate::owed::{self, Owed};
use crate::quarantine;
use crate::record::Record;
use crate::schema::TableSchema;
use crate::store::{OpQuery, QuarantineCause, QuarantineEntry, RowWrite, StoreTx, TxMode};
use crate::table::Table;

/// So many rows are filled, or completed, in one transaction.
const SLICE: u32 = 500;

/// Where the fields of a kind lie, as far as a change of it moves them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Layout {
    synced: BTreeSet<String>,
    local_only: BTreeSet<String>,
    extra: Option<String>,
}

impl Layout {
    fn of(schema: &TableSchema) -> Self {
        let local_only = schema.columns.iter().filter(|column| column.local_only);
        Self {
            synced: schema.synced().map(|column| column.field.clone()).collect(),
            local_only: local_only.map(|column| column.field.clone()).collect(),
            extra: schema.extra_column.clone(),
        }
    }

    /// Did the table hold fields of the server's, when it was like that, which it does not any
    /// more, or pass some over that it is to hold now? What stays on the device from now on is given
    /// up knowingly.
    fn lacks(&self, before: &Self, schema: &TableSchema) -> bool {
        let extra_lost = before.extra.is_some() && before.extra != self.extra;
        let passed_over = !before.local_only.is_disjoint(&self.synced);
        let mut left = before.synced.difference(&self.synced);
        extra_lost || passed_over || left.any(|field| schema.by_field(field).is_none())
    }
}

fn note(table: &Table) -> String {
    format!("columns:{}", table.schema.kind)
}

/// Moves the fields of all tables to where they belong now. An interruption leaves the rest for the
/// next time: that it is done is noted last.
pub(super) async fn settle_columns(context: &Context) -> Result<(), SyncError> {
    for table in context.tables.values() {
        let now = Layout::of(&table.schema);
        let mut tx = context.store.begin(TxMode::Read).await?;
        let before = tx.meta(&note(table)).await?;
        drop(tx);
        // What cannot be read was written by nobody who knew how to note it.
        let before: Option<Layout> = before.and_then(|text| serde_json::from_str(&text).ok());
        if before.as_ref() == Some(&now) {
            continue;
        }
        let lacks = before.is_some_and(|before| now.lacks(&before, &table.schema));
        fill(context, table).await?;
        if lacks {
            complete(context, table).await?;
        }
        let mut tx = context.store.begin(TxMode::Write).await?;
        if lacks {
            owed::put(&mut *tx, &table.schema.kind, Some(Owed::Due)).await?;
        }
        let text = serde_json::to_string(&now).unwrap_or_default();
        tx.put_meta(&note(table), Some(&text)).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Fills columns that the table has gained with what was kept beside it.
async fn fill(context: &Context, table: &Table) -> Result<(), SyncError> {
    if planted!(ExtraNotFilled) {
        return Ok(());
    }
    let kind = &table.schema.kind;
    let mut last: Option<EntityId> = None;
    loop {
        let mut tx = context.store.begin(TxMode::Write).await?;
        let misplaced = tx.misplaced(kind, last.as_ref(), SLICE).await?;
        let ids: Vec<EntityId> = misplaced.iter().map(|(id, _)| id.clone()).collect();
        let Some(id) = ids.last() else {
            return Ok(());
        };
        last = Some(id.clone());
        let rows = tx.get(kind, &ids).await?;
        let writes: Vec<RowWrite> = rows.into_iter().map(RowWrite::local).collect();
        let report = tx.put(kind, &writes).await?;
        for refused in report.rejected {
            let row = &writes[refused.index].record;
            let fields = misplaced.iter().find(|(id, _)| row.id().as_ref() == Ok(id));
            if let Some((id, fields)) = fields {
                set_aside(context, &mut *tx, table, (id, row, fields), refused.reason).await?;
            }
        }
        tx.commit().await?;
    }
}

/// What a new column cannot hold is the server's side of the next edit; the row is shown without
/// it, and the record lies in quarantine.
async fn set_aside(
    context: &Context,
    tx: &mut dyn StoreTx,
    table: &Table,
    (id, record, fields): (&EntityId, &Record, &[String]),
    reason: String,
) -> Result<(), SyncError> {
    let kind = &table.schema.kind;
    let mut shown = record.clone();
    shown.fields_mut().retain(|name, _| !fields.contains(name));
    let report = tx.put(kind, &[RowWrite::local(shown)]).await?;
    if !report.rejected.is_empty() {
        // Without the field it fits even less: it stays where it is.
        return Ok(());
    }
    let Some(shown) = tx.get(kind, std::slice::from_ref(id)).await?.pop() else {
        return Ok(());
    };
    let mut entity = Entity::load_one(tx, table, id).await?;
    entity.shows_without(&shown, record, fields);
    entity.save(tx, 0).await?;
    let mut entries = vec![QuarantineEntry {
        kind: kind.clone(),
        key: id.to_string(),
        row: record.clone().into(),
        tag: None,
        reason,
        since: context.env.now(),
        cause: QuarantineCause::BadRow,
        schema_version: table.upcasts.current(),
    }];
    Ok(quarantine::put(tx, kind, &mut entries).await?)
}

/// Rows that wait for the server know their own lost fields from the edit that waits.
async fn complete(context: &Context, table: &Table) -> Result<(), SyncError> {
    let kind = &table.schema.kind;
    let mut after_seq = None;
    loop {
        let query = OpQuery {
            kinds: Some(vec![kind.clone()]),
            after_seq,
            limit: Some(SLICE),
            ..OpQuery::default()
        };
        let mut tx = context.store.begin(TxMode::Write).await?;
        let ops = tx.ops(&query).await?;
        let Some(last) = ops.last() else {
            return Ok(());
        };
        after_seq = Some(last.seq);
        let mut ids: Vec<EntityId> = ops.into_iter().map(|op| op.entity_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let entities = Entity::load(&mut *tx, table, &ids).await?;
        let whole = entities.iter().filter_map(Entity::forgotten_fields);
        let whole: Vec<RowWrite> = whole.map(RowWrite::local).collect();
        tx.put(kind, &whole).await?;
        tx.commit().await?;
    }
}
