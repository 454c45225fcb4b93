//! The live channel: server-sent events as wake-ups.

use std::future::ready;
use std::io;

use futures::StreamExt;
use futures::stream;
use reqwest::Response;
use sse_stream::{Sse, SseByteStream};
use sync_core::Kind;
use sync_core::transport::{TransportError, TransportErrorKind, Wakeup, WakeupStream};

use crate::answer::Head;
use crate::wire::{CHANGE_EVENT, ChangeEvent};

/// Longest that one line of the channel may be; events carry no data.
const MAX_LINE: usize = 64 * 1024;

/// The wake-ups of an opened channel; none if the server has no channel.
pub(super) fn wakeups(head: &Head, response: Response) -> Result<WakeupStream, TransportError> {
    match head.status {
        200 if is_event_stream(head) => Ok(decode(response)),
        204 | 404 | 405 | 406 | 410 | 501 => Ok(Box::pin(stream::empty())),
        401 => Err(failed(TransportErrorKind::Unauthorized, head)),
        408 | 429 | 503 => Err(failed(TransportErrorKind::Unavailable, head)),
        500..=599 => Err(failed(TransportErrorKind::Server, head)),
        400..=499 => Err(failed(TransportErrorKind::Rejected, head)),
        _ => Err(failed(TransportErrorKind::Protocol, head)),
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

fn decode(response: Response) -> WakeupStream {
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
    let events = SseByteStream::new(pieces).scan((), |(), event| ready(event.ok()));
    Box::pin(events.filter_map(|event| ready(wakeup(&event))))
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
