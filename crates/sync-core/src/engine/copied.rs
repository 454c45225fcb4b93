//! A database that is a copy of another one: a restored backup, a cloned device. Both own the same
//! operations, and what the one sent, the other must not be answered for (semantics 3, *Key*).

use std::collections::{BTreeMap, BTreeSet};

use crate::context::Context;
use crate::error::SyncError;
use crate::event::SyncEvent;
use crate::id::{Kind, OpId};
use crate::op::{Fate, Op, Precondition};
use crate::store::{OpQuery, StoreTx, TxMode};

/// Which database this was when it was last opened.
const IDENTITY: &str = "store_identity";

/// Looks whether the database is a copy of the one that it was; if so, its operations get new ids,
/// in one transaction with the note of what it is now.
pub(super) async fn notice_copy(context: &Context) -> Result<Option<SyncEvent>, SyncError> {
    let Some(here) = context.store.identity() else {
        return Ok(None);
    };
    let mut tx = context.store.begin(TxMode::Read).await?;
    if tx.meta(IDENTITY).await?.as_ref() == Some(&here) {
        return Ok(None);
    }
    drop(tx);
    // On disk before anything leaves under the new ids.
    let mut tx = context.store.begin(TxMode::Durable).await?;
    let known = tx.meta(IDENTITY).await?;
    if known.as_ref() == Some(&here) {
        return Ok(None);
    }
    let mut event = None;
    if known.is_some() && !planted!(CloneKeepsOpIds) {
        let operations = give_new_ids(context, &mut *tx).await?;
        tracing::warn!(
            operations,
            "the database is a copy of another one, or was moved: its operations got new ids"
        );
        event = Some(SyncEvent::StoreCopied { operations });
    }
    tx.put_meta(IDENTITY, Some(&here)).await?;
    tx.commit().await?;
    Ok(event)
}

/// New ids make other keys. The other copy may have sent any of them: what the server would not
/// check is looked up first.
async fn give_new_ids(context: &Context, tx: &mut dyn StoreTx) -> Result<u64, SyncError> {
    let mut ops = tx.ops(&OpQuery::default()).await?;
    let mut conflicts = tx.conflicts(None).await?;
    let former: Vec<OpId> = ops.iter().map(|op| op.op_id.clone()).collect();
    let mut renamed: BTreeMap<OpId, OpId> = BTreeMap::new();
    for op in &mut ops {
        let fresh = context.env.op_id();
        renamed.insert(op.op_id.clone(), fresh.clone());
        op.op_id = fresh;
        op.look_first |= needs_look(op);
    }
    tx.delete_ops(&former).await?;
    tx.append_ops(&ops).await?;
    let in_conflict: Vec<OpId> = conflicts.iter().map(|entry| entry.op_id.clone()).collect();
    conflicts.retain_mut(|entry| match renamed.get(&entry.op_id) {
        Some(fresh) => {
            entry.op_id = fresh.clone();
            true
        }
        None => false,
    });
    tx.delete_conflicts(&in_conflict).await?;
    tx.put_conflicts(&conflicts).await?;
    rename_history(tx, &renamed).await?;
    Ok(ops.len() as u64)
}

/// What was decided about operations that still wait stays with them.
async fn rename_history(
    tx: &mut dyn StoreTx,
    renamed: &BTreeMap<OpId, OpId>,
) -> Result<(), SyncError> {
    let mut history = tx.conflict_history(None, u32::MAX).await?;
    let kinds: BTreeSet<Kind> = history.iter().map(|entry| entry.kind.clone()).collect();
    let mut waits = false;
    for entry in &mut history {
        if let Some(fresh) = renamed.get(&entry.op_id) {
            entry.op_id = fresh.clone();
            waits = true;
        }
    }
    if waits {
        for kind in &kinds {
            tx.delete_conflict_history(kind).await?;
        }
        history.reverse();
        tx.put_conflict_history(&history, u32::MAX).await?;
    }
    Ok(())
}

fn needs_look(op: &Op) -> bool {
    let is_unchecked = matches!(
        op.precondition,
        Some(Precondition::Force | Precondition::IfAbsent)
    );
    op.fate == Fate::Unknown || is_unchecked
}
