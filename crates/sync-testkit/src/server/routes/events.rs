//! `GET /events`: wake-ups as server-sent events.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream};
use sync_rest::wire::{CHANGE_EVENT, ChangeEvent};
use tokio::sync::watch;

use crate::server::{Shared, Stored};

/// The live channel from now on, or from behind the last event that the client has seen. After an
/// id that this server never gave, every kind is announced.
pub(super) fn open(shared: &Shared, last_seen: Option<&str>) -> Response {
    let changed = shared.changed.subscribe();
    let (next, gap) = {
        let state = shared.state();
        let known = state.changes.len();
        match last_seen.map(|id| id.parse::<usize>().ok().filter(|id| *id <= known)) {
            None => (known, BTreeSet::new()),
            Some(Some(seen)) => (seen, BTreeSet::new()),
            Some(None) => (known, state.tables.keys().cloned().collect()),
        }
    };
    Sse::new(feed(Arc::clone(&shared.stored), changed, next, gap)).into_response()
}

struct Feed {
    stored: Arc<Stored>,
    changed: watch::Receiver<()>,
    next: usize,
    gap: BTreeSet<String>,
}

fn feed(
    stored: Arc<Stored>,
    changed: watch::Receiver<()>,
    next: usize,
    gap: BTreeSet<String>,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let feed = Feed {
        stored,
        changed,
        next,
        gap,
    };
    stream::unfold(feed, |mut feed| async move {
        loop {
            if let Some(kind) = feed.gap.pop_first() {
                return Some((Ok(event(kind, feed.next)), feed));
            }
            let kind = feed.stored.state().changes.get(feed.next).cloned();
            if let Some(kind) = kind {
                feed.next += 1;
                return Some((Ok(event(kind, feed.next)), feed));
            }
            feed.changed.changed().await.ok()?;
        }
    })
}

fn event(kind: String, id: usize) -> Event {
    let data = ChangeEvent { kind, cursor: None };
    let data = serde_json::to_string(&data).unwrap_or_default();
    Event::default()
        .event(CHANGE_EVENT)
        .id(id.to_string())
        .data(data)
}
