//! The server was restored from a backup: what follows from it, in one transaction with the note.

use super::Shared;
use crate::context::Context;
use crate::error::SyncError;
use crate::event::{FullResyncReason, SyncEvent};
use crate::id::Kind;
use crate::pull::begin_restore;
use crate::store::TxMode;

impl Shared {
    /// Takes up another epoch, if an answer brought one: every kind goes back to zero, and only
    /// with that the new epoch is noted.
    pub(super) async fn take_up_epoch(&self) -> Result<(), SyncError> {
        let context = &self.context;
        let Some(now) = context.identity.other_epoch() else {
            return Ok(());
        };
        let before = context.identity.known_epoch().unwrap_or_default();
        let mut tx = context.begin(TxMode::Durable).await?;
        let note = context.epoch_note();
        // Another process may have been faster.
        let is_news = tx.meta(&note).await?.as_ref() != Some(&now);
        if is_news {
            for (kind, table) in &context.tables {
                begin_restore(context, &mut *tx, kind, table, &now).await?;
            }
            tx.put_meta(&note, Some(&now)).await?;
            tx.commit().await?;
        } else {
            drop(tx);
        }
        context.identity.recall(Some(now.clone()));
        if is_news {
            context
                .events
                .emit(SyncEvent::ServerRestored { before, now });
            for kind in &context.pull_kinds(None) {
                told(context, kind);
            }
        }
        Ok(())
    }
}

/// Kinds that were not registered when the server was restored go back to zero now.
pub(super) async fn catch_up(context: &Context) -> Result<(), SyncError> {
    let Some(now) = context.identity.known_epoch() else {
        return Ok(());
    };
    let mut any = false;
    let mut tx = context.store.begin(TxMode::Write).await?;
    for (kind, table) in &context.tables {
        let cursor = tx.cursor(kind).await?;
        let stale = cursor.and_then(|cursor| cursor.epoch);
        if stale.is_some_and(|epoch| epoch != now) {
            begin_restore(context, &mut *tx, kind, table, &now).await?;
            any = true;
        }
    }
    if any {
        tx.commit().await?;
    }
    Ok(())
}

fn told(context: &Context, kind: &Kind) {
    context.events.emit(SyncEvent::FullResyncStarted {
        kind: kind.clone(),
        reason: FullResyncReason::ServerRestored,
    });
}
