//! From a request to its answer.

mod batch;
mod events;
mod pull;
mod push;

use axum::http::Method;
use axum::response::Response;
use percent_encoding::percent_decode_str;
use serde_json::json;
use sync_rest::wire::path;

use super::Shared;
use super::incoming::Incoming;
use super::reply::Reply;
use super::settings::{Deletion, MockServerBuilder};

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Health,
    Events,
    Batch,
    List {
        kind: String,
    },
    Fetch {
        kind: String,
        id: String,
    },
    Put {
        kind: String,
        id: String,
    },
    Delete {
        kind: String,
        id: String,
    },
    /// A path that the server does not know, or a method that the path does not take.
    Unknown {
        status: u16,
    },
}

impl Action {
    pub(crate) fn of(method: &Method, raw_path: &str, settings: &MockServerBuilder) -> Self {
        let Some(segments) = segments_below(raw_path, &settings.base_path) else {
            return Self::Unknown { status: 404 };
        };
        let batch = settings.batch && segments.join("/") == settings.batch_path;
        if batch && method == Method::POST {
            return Self::Batch;
        }
        let (kind, rest) = match segments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [path::HEALTH] => return Self::Health,
            [path::EVENTS] if settings.events => return Self::Events,
            _ => match kind_of(&segments, settings) {
                Some(found) => found,
                None => return Self::Unknown { status: 404 },
            },
        };
        match (rest, method.as_str()) {
            ([], "GET") => Self::List { kind },
            ([id], "GET") => Self::Fetch {
                kind,
                id: id.clone(),
            },
            ([id], "PUT") => Self::Put {
                kind,
                id: id.clone(),
            },
            ([id], "DELETE") => Self::Delete {
                kind,
                id: id.clone(),
            },
            ([] | [_], _) => Self::Unknown { status: 405 },
            _ => Self::Unknown { status: 404 },
        }
    }

    pub(crate) fn kind(&self) -> Option<&str> {
        match self {
            Self::List { kind }
            | Self::Fetch { kind, .. }
            | Self::Put { kind, .. }
            | Self::Delete { kind, .. } => Some(kind),
            Self::Health | Self::Events | Self::Batch | Self::Unknown { .. } => None,
        }
    }

    pub(crate) fn id(&self) -> Option<&str> {
        match self {
            Self::Fetch { id, .. } | Self::Put { id, .. } | Self::Delete { id, .. } => Some(id),
            Self::Health
            | Self::Events
            | Self::Batch
            | Self::List { .. }
            | Self::Unknown { .. } => None,
        }
    }
}

/// The decoded segments of the path behind the base path.
fn segments_below(path: &str, base: &str) -> Option<Vec<String>> {
    let decode = |segment: &str| {
        let decoded = percent_decode_str(segment).decode_utf8().ok()?;
        Some(decoded.into_owned())
    };
    let below = path.trim_start_matches('/').strip_prefix(base)?;
    let below = match below.strip_prefix('/') {
        Some(below) => below,
        None if base.is_empty() || below.is_empty() => below,
        None => return None,
    };
    below.split('/').map(decode).collect()
}

/// The kind that the segments name, and what stands behind it.
fn kind_of<'a>(
    segments: &'a [String],
    settings: &MockServerBuilder,
) -> Option<(String, &'a [String])> {
    for (kind, path) in &settings.kind_paths {
        let own: Vec<&str> = path.split('/').collect();
        let starts = segments.len() >= own.len() && segments.iter().zip(&own).all(|(a, b)| a == b);
        if starts {
            return Some((kind.clone(), &segments[own.len()..]));
        }
    }
    let (kind, rest) = segments.split_first()?;
    (!kind.is_empty() && !settings.kind_paths.contains_key(kind)).then(|| (kind.clone(), rest))
}

/// An answer that faults can still spoil, or the live channel.
pub(crate) enum Answered {
    Reply(Reply),
    Stream(Response),
}

pub(crate) fn answer(
    shared: &Shared,
    settings: &MockServerBuilder,
    incoming: &Incoming,
) -> Answered {
    let reply = match &incoming.request.action {
        Action::Events => {
            let stream = events::open(shared, incoming.request.header("last-event-id"));
            return Answered::Stream(stream);
        }
        Action::Health => Ok(Reply::json(200, json!({"status": "ok"}))),
        Action::Batch => batch::serve(shared, settings, incoming),
        Action::List { kind } => pull::serve(shared, settings, incoming, kind),
        Action::Fetch { kind, id } => Ok(fetch(shared, settings, kind, id)),
        Action::Put { .. } | Action::Delete { .. } => push::serve(shared, settings, incoming),
        Action::Unknown { status } => {
            let path = &incoming.request.path;
            Err(Reply::error(
                *status,
                "no_route",
                format!("nothing is served at {path}"),
            ))
        }
    };
    Answered::Reply(reply.unwrap_or_else(|refusal| refusal))
}

fn fetch(shared: &Shared, settings: &MockServerBuilder, kind: &str, id: &str) -> Reply {
    let state = shared.state();
    let visible = |deleted: bool| !deleted || settings.deletion == Deletion::Tombstone;
    match state.row(kind, id).filter(|row| visible(row.deleted)) {
        Some(row) => {
            let tag = settings.etags.then(|| row.tag());
            Reply::json(200, row.value()).with_tag(tag)
        }
        None => Reply::error(404, "not_found", "no such record"),
    }
}
