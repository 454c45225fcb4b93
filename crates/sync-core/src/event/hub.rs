//! How events reach their listeners.

use std::fmt;
use std::pin::Pin;

use futures::stream::{self, Stream};
use tokio::sync::broadcast;

use super::SyncEvent;

/// A listener's view of the events. It never blocks the engine and ends when the engine is gone.
pub type EventStream = Pin<Box<dyn Stream<Item = SyncEvent> + Send>>;

#[derive(Clone)]
pub(crate) struct EventHub {
    sender: broadcast::Sender<SyncEvent>,
}

impl fmt::Debug for EventHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventHub")
    }
}

impl EventHub {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            sender: broadcast::channel(capacity.max(1)).0,
        }
    }

    pub(crate) fn emit(&self, event: SyncEvent) {
        tracing::debug!(%event, "sync event");
        // No listener is no failure.
        let _ = self.sender.send(event);
    }

    pub(crate) fn subscribe(&self) -> EventStream {
        let receiver = self.sender.subscribe();
        Box::pin(stream::unfold(receiver, |mut receiver| async move {
            let event = match receiver.recv().await {
                Ok(event) => event,
                Err(broadcast::error::RecvError::Lagged(missed)) => SyncEvent::Lagged(missed),
                Err(broadcast::error::RecvError::Closed) => return None,
            };
            Some((event, receiver))
        }))
    }
}
