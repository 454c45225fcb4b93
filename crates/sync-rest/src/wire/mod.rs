//! The protocol: names, bodies and paths, shared by clients and servers.
//!
//! Bodies are JSON in UTF-8. Records stay [`serde_json::Value`]s here: what makes one usable is
//! `sync_core::Record`'s to say.

mod batch;
mod conflict;
mod pull;

pub mod path;

pub use batch::{BatchOp, BatchOpKind, BatchRequest, BatchResponse, BatchResult};
pub use conflict::{ConflictBody, ErrorBody};
pub use pull::{ChangeEvent, DeleteQuery, PullQuery, PullResponse};

/// Header names, in lower case as HTTP/2 wants them.
pub mod header {
    /// `X-Idempotency-Key`: names one operation in one round; a server that honours it applies it once.
    pub const IDEMPOTENCY_KEY: &str = "x-idempotency-key";
    /// `X-Force-Update: true`: an upsert that overwrites whatever is there.
    pub const FORCE_UPDATE: &str = "x-force-update";
    /// `X-Force-Delete: true`: a delete whatever is there.
    pub const FORCE_DELETE: &str = "x-force-delete";
    /// `X-Sync-Features`: comma-separated [features](super::feature) of a server, on any answer.
    pub const FEATURES: &str = "x-sync-features";
    /// `X-Sync-Epoch`: changes when the server was restored from a backup.
    pub const EPOCH: &str = "x-sync-epoch";
    /// `Last-Event-ID`: the last event of the live channel that the client has seen.
    pub const LAST_EVENT_ID: &str = "last-event-id";
}

/// Query parameters.
pub mod query {
    /// Rows changed at or after this instant, RFC 3339 in UTC.
    pub const UPDATED_SINCE: &str = "updatedSince";
    /// Rows a page may have.
    pub const LIMIT: &str = "limit";
    /// `true` = with tombstones.
    pub const INCLUDE_DELETED: &str = "includeDeleted";
    /// Id of the last row already seen at `updatedSince`.
    pub const AFTER_ID: &str = "afterId";
    /// The server's token for the next page of a chain.
    pub const PAGE_TOKEN: &str = "pageToken";
    /// The server's own cursor, beside the keyset.
    pub const CURSOR: &str = "cursor";
    /// The verbatim stamp that a delete was made against.
    pub const BASE_UPDATED_AT: &str = "_baseUpdatedAt";
}

/// Keys that the client adds to the record it sends; a server does not store them.
pub mod body_key {
    /// The verbatim stamp that an upsert was made against.
    pub const BASE_UPDATED_AT: &str = "_baseUpdatedAt";
    /// The names of the fields that the user changed.
    pub const CHANGED_FIELDS: &str = "_changedFields";
}

/// What a server may declare in [`header::FEATURES`].
pub mod feature {
    /// It honours [`header::IDEMPOTENCY_KEY`](super::header::IDEMPOTENCY_KEY).
    pub const IDEMPOTENCY: &str = "idempotency";
    /// It checks `If-None-Match: *`.
    pub const IF_ABSENT: &str = "if-absent";
    /// It checks `If-Match`.
    pub const IF_MATCH: &str = "if-match";
    /// It takes forced operations inside a batch.
    pub const FORCE: &str = "force";
    /// It wants [`body_key::CHANGED_FIELDS`](super::body_key::CHANGED_FIELDS).
    pub const CHANGED_FIELDS: &str = "changed-fields";
    /// It gives cursors of its own with pages.
    pub const CURSOR: &str = "cursor";
    /// It has a live channel.
    pub const EVENTS: &str = "events";
    /// It takes request bodies compressed with gzip.
    pub const GZIP: &str = "gzip";
}

/// The `updatedSince` of a first pull: everything.
pub const BEGINNING: &str = "1970-01-01T00:00:00.000Z";

/// The SSE event name of a [`ChangeEvent`].
pub const CHANGE_EVENT: &str = "change";

#[cfg(test)]
mod tests;
