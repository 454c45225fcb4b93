//! Kinds that are never pulled: that the server took an operation of one shows that the address is
//! right, so that a 404 means what it says.

use std::collections::BTreeSet;

use super::PushPhase;
use crate::context::Context;
use crate::event::SyncEvent;
use crate::id::Kind;
use crate::store::{StoreError, StoreTx};

fn note(kind: &Kind) -> String {
    format!("taken:{kind}")
}

/// Did the server that this transport talks to ever take an operation of this kind?
pub(super) async fn by_this_server(
    context: &Context,
    tx: &mut dyn StoreTx,
    kind: &Kind,
) -> Result<bool, StoreError> {
    let taken_by = tx.meta(&note(kind)).await?;
    Ok(taken_by == Some(context.transport.capabilities().origin))
}

impl PushPhase<'_> {
    /// Notes the kinds of which an operation was taken just now for the first time, and returns
    /// them: they count when this is committed.
    pub(super) async fn note_taken(
        &mut self,
        tx: &mut dyn StoreTx,
        events: &[SyncEvent],
    ) -> Result<BTreeSet<Kind>, StoreError> {
        let mut taken = BTreeSet::new();
        for event in events {
            if let SyncEvent::OperationPushed { kind, .. } = event
                && !self.context.pulls(kind)
                && !self.proven.contains(kind)
            {
                taken.insert(kind.clone());
            }
        }
        let origin = self.context.transport.capabilities().origin;
        for kind in &taken {
            tx.put_meta(&note(kind), Some(&origin)).await?;
        }
        Ok(taken)
    }
}
