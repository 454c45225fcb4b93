//! Who changed what, told after the commit.

use std::collections::BTreeSet;
use std::pin::Pin;

use futures::stream::{self, Stream};
use tokio::sync::broadcast;

use crate::id::Kind;

/// What one committed transaction changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeNotice {
    /// These kinds' rows, or their queues.
    Changed {
        /// Kinds whose rows changed.
        rows: BTreeSet<Kind>,
        /// Kinds whose queued operations changed.
        outbox: BTreeSet<Kind>,
    },
    /// So many notices were missed by this listener: look at everything.
    Lagged(u64),
}

/// A listener's view of the changes; ends when the store is gone.
pub type ChangeStream = Pin<Box<dyn Stream<Item = ChangeNotice> + Send>>;

/// What a store uses to tell its listeners; never blocks.
///
/// ```
/// use futures::StreamExt;
/// use sync_core::Kind;
/// use sync_core::store::{ChangeHub, ChangeNotice};
///
/// # async fn example() {
/// let hub = ChangeHub::default();
/// let mut changes = hub.subscribe();
/// hub.publish([Kind::new("todos").unwrap()].into(), [].into()); // after a commit
/// assert!(matches!(changes.next().await, Some(ChangeNotice::Changed { .. })));
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ChangeHub {
    sender: broadcast::Sender<ChangeNotice>,
}

impl Default for ChangeHub {
    fn default() -> Self {
        Self {
            sender: broadcast::channel(256).0,
        }
    }
}

impl ChangeHub {
    /// Tells what a commit changed; nothing if it changed nothing.
    pub fn publish(&self, rows: BTreeSet<Kind>, outbox: BTreeSet<Kind>) {
        if !(rows.is_empty() && outbox.is_empty()) {
            // No listener is no failure.
            let _ = self.sender.send(ChangeNotice::Changed { rows, outbox });
        }
    }

    /// A new listener.
    #[must_use]
    pub fn subscribe(&self) -> ChangeStream {
        let receiver = self.sender.subscribe();
        Box::pin(stream::unfold(receiver, |mut receiver| async move {
            let notice = match receiver.recv().await {
                Ok(notice) => notice,
                Err(broadcast::error::RecvError::Lagged(missed)) => ChangeNotice::Lagged(missed),
                Err(broadcast::error::RecvError::Closed) => return None,
            };
            Some((notice, receiver))
        }))
    }
}
