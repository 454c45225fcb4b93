//! The live channel: server-sent events as wake-ups.

use std::future::ready;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use futures::stream::{self, Stream};
use reqwest::Response;
use reqwest::header::HeaderValue;
use sse_stream::{Sse, SseByteStream};
use sync_core::Kind;
use sync_core::transport::{TransportError, TransportErrorKind, Wakeup, WakeupStream};

use crate::answer::Head;
use crate::wire::{CHANGE_EVENT, ChangeEvent};

/// Longest that one line of the channel may be; events carry no data.
const MAX_LINE: usize = 64 * 1024;

/// Longest id that is sent back: servers refuse long headers.
const MAX_ID: usize = 1024;

/// What is remembered of the channel between two openings of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Channel(Arc<Mutex<Memory>>);

#[derive(Debug, Default)]
struct Memory {
    opened_before: bool,
    /// Id of the last event that was read; `None` = the server gave none.
    last_id: Option<HeaderValue>,
}

impl Channel {
    /// Where the server is asked to go on.
    pub(super) fn last_id(&self) -> Option<HeaderValue> {
        self.memory().last_id.clone()
    }

    /// The wake-ups of an opened channel; none if the server has no channel. `told_id`: the request
    /// said where to go on.
    pub(super) fn wakeups(
        &self,
        head: &Head,
        response: Response,
        told_id: bool,
    ) -> Result<WakeupStream, TransportError> {
        if (400..500).contains(&head.status) {
            // It may be this very id that the server refuses.
            self.memory().last_id = None;
        }
        match head.status {
            200 if is_event_stream(head) => Ok(self.resume(response, told_id)),
            204 | 404 | 405 | 406 | 410 | 501 => Ok(Box::pin(stream::empty())),
            401 => Err(failed(TransportErrorKind::Unauthorized, head)),
            408 | 429 | 503 => Err(failed(TransportErrorKind::Unavailable, head)),
            500..=599 => Err(failed(TransportErrorKind::Server, head)),
            400..=499 => Err(failed(TransportErrorKind::Rejected, head)),
            _ => Err(failed(TransportErrorKind::Protocol, head)),
        }
    }

    /// The wake-ups from here on; [`Wakeup::Everything`] first where some may have been missed.
    fn resume(&self, response: Response, told_id: bool) -> WakeupStream {
        let reopened = std::mem::replace(&mut self.memory().opened_before, true);
        let first = (reopened && !told_id).then_some(Wakeup::Everything);
        // A server that gives no ids has not understood the one that it was told either.
        let mut doubtful = told_id;
        let channel = self.clone();
        let wakeups = events(response).filter_map(move |event| {
            if let Some(id) = &event.id {
                channel.remember(id);
                doubtful &= id.is_empty();
            }
            let wakeup = wakeup(&event).map(|wakeup| {
                let gap = std::mem::take(&mut doubtful);
                if gap { Wakeup::Everything } else { wakeup }
            });
            ready(wakeup)
        });
        Box::pin(stream::iter(first).chain(wakeups))
    }

    /// Keeps the id of an event; an empty one takes the last one back.
    fn remember(&self, id: &str) {
        let usable = !id.is_empty() && id.len() <= MAX_ID;
        let header = HeaderValue::from_bytes(id.as_bytes()).ok();
        self.memory().last_id = header.filter(|_| usable);
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_event_stream(head: &Head) -> bool {
    let label = head.content_type.as_deref();
    label.is_some_and(|label| label.starts_with("text/event-stream"))
}

fn failed(kind: TransportErrorKind, head: &Head) -> TransportError {
    let message = format!(
        "server did not open the live channel (status {})",
        head.status
    );
    TransportError::new(kind, message)
        .with_status(head.status)
        .with_retry_after(head.retry_after)
}

/// The events of a channel; it ends with the first thing that cannot be read.
fn events(response: Response) -> impl Stream<Item = Sse> + Send {
    let mut line = 0;
    let pieces = response.bytes_stream().map(move |piece| {
        let piece = piece.map_err(|error| io::Error::other(error.without_url()))?;
        for byte in &piece {
            line = if *byte == b'\n' { 0 } else { line + 1 };
            if line > MAX_LINE {
                return Err(io::Error::other("an event of the live channel is too long"));
            }
        }
        Ok(piece)
    });
    // A broken channel ends: reconnecting is the engine's.
    SseByteStream::new(pieces).scan((), |(), event| ready(event.ok()))
}

fn wakeup(event: &Sse) -> Option<Wakeup> {
    if event.event.as_deref() != Some(CHANGE_EVENT) {
        return None;
    }
    let data = event.data.as_deref().unwrap_or_default();
    let change = serde_json::from_str::<ChangeEvent>(data).ok();
    let kind = change.and_then(|change| Kind::new(change.kind).ok());
    Some(kind.map_or(Wakeup::Everything, Wakeup::Kind))
}
