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

/// Longest that one event of the channel may be; events carry no data.
const MAX_EVENT: usize = 64 * 1024;

/// Longest id that is sent back: servers refuse long headers.
const MAX_ID: usize = 1024;

/// What is remembered of the channel between two openings of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Channel(Arc<Mutex<Memory>>);

#[derive(Debug, Default)]
struct Memory {
    opened_before: bool,
    /// Id of the last event that was read; `None` = the server gave none.
    last_id: Option<HeaderValue>,
}

impl Channel {
    /// Where the server is asked to go on.
    pub(crate) fn last_id(&self) -> Option<HeaderValue> {
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
            200 if is_event_stream(head) => {
                let pieces = response.bytes_stream();
                let pieces = pieces
                    .map(|piece| piece.map_err(|error| io::Error::other(error.without_url())));
                Ok(self.resume(pieces, told_id))
            }
            204 | 404 | 405 | 406 | 410 | 501 => Ok(Box::pin(stream::empty())),
            401 => Err(failed(TransportErrorKind::Unauthorized, head)),
            408 | 429 | 503 => Err(failed(TransportErrorKind::Unavailable, head)),
            500..=599 => Err(failed(TransportErrorKind::Server, head)),
            400..=499 => Err(failed(TransportErrorKind::Rejected, head)),
            _ => Err(failed(TransportErrorKind::Protocol, head)),
        }
    }

    /// The wake-ups from here on; [`Wakeup::Everything`] first where some may have been missed.
    pub(crate) fn resume<P>(
        &self,
        pieces: impl Stream<Item = io::Result<P>> + Send + 'static,
        told_id: bool,
    ) -> WakeupStream
    where
        P: AsRef<[u8]> + Send + 'static,
    {
        let reopened = std::mem::replace(&mut self.memory().opened_before, true);
        let first = (reopened && !told_id).then_some(Wakeup::Everything);
        // A server that gives no ids has not understood the one that it was told either.
        let mut doubtful = told_id;
        let channel = self.clone();
        let wakeups = events(pieces).filter_map(move |event| {
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
fn events<P: AsRef<[u8]> + Send + 'static>(
    pieces: impl Stream<Item = io::Result<P>> + Send,
) -> impl Stream<Item = Sse> + Send {
    let mut meter = Meter::default();
    let pieces = pieces.map(move |piece| {
        let piece = piece?;
        match piece.as_ref().iter().all(|byte| meter.takes(*byte)) {
            true => Ok(io::Cursor::new(piece)),
            false => Err(io::Error::other("an event of the live channel is too long")),
        }
    });
    // A broken channel ends: reconnecting is the engine's. Boxed, for the parser wants it pinned.
    SseByteStream::new(Box::pin(pieces)).scan((), |(), event| ready(event.ok()))
}

/// Measures events: what has come since the last empty line, comments aside, is kept in memory.
#[derive(Debug, Default)]
struct Meter {
    /// Bytes of the line so far.
    line: usize,
    /// Bytes of the event's lines so far.
    event: usize,
    is_comment: bool,
    after_return: bool,
}

impl Meter {
    /// `false`: the line, or the event, has grown too long.
    fn takes(&mut self, byte: u8) -> bool {
        let ends_return = std::mem::replace(&mut self.after_return, byte == b'\r');
        match byte {
            b'\n' if ends_return => {}
            b'\n' | b'\r' => {
                if self.line == 0 {
                    self.event = 0;
                }
                (self.line, self.is_comment) = (0, false);
            }
            _ => {
                self.is_comment |= self.line == 0 && byte == b':';
                self.line += 1;
                self.event += usize::from(!self.is_comment);
            }
        }
        self.line <= MAX_EVENT && self.event <= MAX_EVENT
    }
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
