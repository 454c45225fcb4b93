//! The switches of a server.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use sync_rest::wire::path;

use super::MockServer;
use super::clock::StampStyle;

/// What a deletion leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Deletion {
    /// A tombstone that every route shows, the default.
    #[default]
    Tombstone,
    /// A tombstone that only the list shows; a push or a fetch of it is answered by 404.
    Hidden,
    /// Nothing: the record is gone from the list and answered by 404.
    Hard,
}

/// The names of the fields that the server itself writes.
///
/// ```
/// # use sync_testkit::{FieldNames, MockServer};
/// let server = MockServer::builder().field_names(FieldNames::new("_id", "modified", "removed", "made"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldNames {
    /// Of the id, where the sender used none of its own. Default: `id`.
    pub id: String,
    /// Of the stamp. Default: `updated_at`.
    pub stamp: String,
    /// Of the tombstone. Default: `deleted_at`.
    pub tombstone: String,
    /// Of the time of creation, written where the sender named it. Default: `created_at`.
    pub created: String,
}

impl FieldNames {
    /// `id`, `updated_at`, `deleted_at`, `created_at`.
    #[must_use]
    pub fn snake_case() -> Self {
        Self::new("id", "updated_at", "deleted_at", "created_at")
    }

    /// `id`, `updatedAt`, `deletedAt`, `createdAt`.
    #[must_use]
    pub fn camel_case() -> Self {
        Self::new("id", "updatedAt", "deletedAt", "createdAt")
    }

    /// Names of the caller's choice.
    #[must_use]
    pub fn new(id: &str, stamp: &str, tombstone: &str, created: &str) -> Self {
        Self {
            id: id.to_owned(),
            stamp: stamp.to_owned(),
            tombstone: tombstone.to_owned(),
            created: created.to_owned(),
        }
    }
}

/// The switches of a [`MockServer`], to start one or to change one that runs
/// ([`MockServer::reconfigure`]).
///
/// ```
/// # use sync_testkit::{MockServer, StampStyle};
/// # async fn example() -> std::io::Result<()> {
/// let server = MockServer::builder()
///     .stamps(StampStyle::Millis)
///     .etags(true)
///     .features(&["idempotency", "if-absent"])
///     .start()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `start`"]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches, each of which a test turns on or off by name"
)]
pub struct MockServerBuilder {
    pub(crate) features: Vec<String>,
    pub(crate) epoch: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) names: FieldNames,
    pub(crate) base_path: String,
    pub(crate) kind_paths: BTreeMap<String, String>,
    pub(crate) batch_path: String,
    pub(crate) envelope: (String, String),
    pub(crate) filters: BTreeSet<String>,
    pub(crate) stamps: StampStyle,
    pub(crate) kind_stamps: BTreeMap<String, StampStyle>,
    pub(crate) coarse: bool,
    pub(crate) hidden_precision: bool,
    pub(crate) deletion: Deletion,
    pub(crate) revives: bool,
    pub(crate) if_absent: bool,
    pub(crate) checks_base: bool,
    pub(crate) ignore_keys: bool,
    pub(crate) store_conflicts: bool,
    pub(crate) etags: bool,
    pub(crate) bodies: bool,
    pub(crate) normalises: bool,
    pub(crate) max_limit: Option<usize>,
    pub(crate) page_tokens: bool,
    pub(crate) cursors: bool,
    pub(crate) batch: bool,
    pub(crate) events: bool,
    pub(crate) gzip: bool,
}

impl Default for MockServerBuilder {
    fn default() -> Self {
        Self {
            features: Vec::new(),
            epoch: None,
            token: None,
            names: FieldNames::snake_case(),
            base_path: String::new(),
            kind_paths: BTreeMap::new(),
            batch_path: path::BATCH.to_owned(),
            envelope: ("items".to_owned(), "nextPageToken".to_owned()),
            filters: BTreeSet::new(),
            stamps: StampStyle::default(),
            kind_stamps: BTreeMap::new(),
            coarse: false,
            hidden_precision: false,
            deletion: Deletion::default(),
            revives: true,
            if_absent: true,
            checks_base: true,
            ignore_keys: false,
            store_conflicts: false,
            etags: false,
            bodies: true,
            normalises: false,
            max_limit: None,
            page_tokens: true,
            cursors: false,
            batch: true,
            events: true,
            gzip: false,
        }
    }
}

macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name(mut self, on: bool) -> Self {
            self.$name = on;
            self
        }
    )*};
}

impl MockServerBuilder {
    switches! {
        /// Several writes may share a stamp. Default: off, every stamp is later than the one before.
        coarse;
        /// The server compares more digits than its JSON shows, so that no precondition can be
        /// met where [`StampStyle`] cuts them off. Default: off.
        hidden_precision;
        /// An upsert with null tombstone fields and the tombstone's version brings a deleted
        /// record back. Default: on; off, it is a conflict.
        revives;
        /// `If-None-Match: *` is honoured. Default: on.
        if_absent;
        /// `_baseUpdatedAt` is compared. Default: on; off, every push wins.
        checks_base;
        /// Idempotency keys are not looked at. Default: off.
        ignore_keys;
        /// Negative answers are stored under their key and replayed too. Default: off.
        store_conflicts;
        /// Answers bear a strong `ETag`. Default: off. `If-Match` is honoured in any case.
        etags;
        /// Answers to a push have a body. Default: on; off, they are 204.
        bodies;
        /// Text values are stored trimmed. Default: off.
        normalises;
        /// Pages bear a `nextPageToken`. Default: on; off, the client pages by keyset.
        page_tokens;
        /// Pages bear an opaque `nextCursor`, which is honoured. Default: off.
        cursors;
        /// Batches are served. Default: on; off, it is 405.
        batch;
        /// `GET /events` is the live channel. Default: on; off, it lists a kind of that name.
        events;
        /// Answers are gzipped for clients that take that. Default: off. Gzipped requests are
        /// read in any case.
        gzip;
    }

    /// What the server declares in `X-Sync-Features`. Default: nothing. Declaring changes
    /// nothing else.
    pub fn features(mut self, features: &[&str]) -> Self {
        self.features = features.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// The server declares and does everything that the protocol knows.
    pub fn extended(self) -> Self {
        self.features(&[
            "idempotency",
            "if-absent",
            "if-match",
            "force",
            "changed-fields",
            "cursor",
            "events",
            "gzip",
        ])
        .epoch("epoch-1")
        .etags(true)
        .cursors(true)
        .gzip(true)
    }

    /// What the server sends as `X-Sync-Epoch`. Default: nothing.
    pub fn epoch(mut self, epoch: impl Into<String>) -> Self {
        self.epoch = Some(epoch.into());
        self
    }

    /// Only requests with `Authorization: Bearer <token>` are served; others get 401.
    pub fn require_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// How the server names the fields that it writes.
    pub fn field_names(mut self, names: FieldNames) -> Self {
        self.names = names;
        self
    }

    /// The path below which everything is served, for example `/api/v1`. Default: the root.
    pub fn base_path(mut self, path: &str) -> Self {
        self.base_path = path.trim_matches('/').to_owned();
        self
    }

    /// The path of one kind, for example `v2/users/1/todos`. Default: its name.
    pub fn kind_path(mut self, kind: &str, path: &str) -> Self {
        let path = path.trim_matches('/').to_owned();
        self.kind_paths.insert(kind.to_owned(), path);
        self
    }

    /// The path of batches. Default: `batch`.
    pub fn batch_path(mut self, path: &str) -> Self {
        path.trim_matches('/').clone_into(&mut self.batch_path);
        self
    }

    /// The names in a page of its rows and of the next page's token. Default: `items` and
    /// `nextPageToken`.
    pub fn envelope(mut self, items: &str, next_page_token: &str) -> Self {
        self.envelope = (items.to_owned(), next_page_token.to_owned());
        self
    }

    /// A field by which the list can be filtered with a query parameter of its name.
    pub fn filter_by(mut self, field: impl Into<String>) -> Self {
        self.filters.insert(field.into());
        self
    }

    /// How stamps are written, all kinds. Default: [`StampStyle::Micros`].
    pub fn stamps(mut self, style: StampStyle) -> Self {
        self.stamps = style;
        self.kind_stamps.clear();
        self
    }

    /// How the stamps of one kind are written.
    pub fn stamps_of(mut self, kind: &str, style: StampStyle) -> Self {
        self.kind_stamps.insert(kind.to_owned(), style);
        self
    }

    /// What a deletion leaves behind. Default: [`Deletion::Tombstone`].
    pub fn deletion(mut self, deletion: Deletion) -> Self {
        self.deletion = deletion;
        self
    }

    /// The most rows that a page holds, whatever `limit` asks for. Default: no such cap.
    pub fn max_limit(mut self, rows: usize) -> Self {
        self.max_limit = Some(rows.max(1));
        self
    }

    /// Starts the server on a free port of the loopback interface.
    ///
    /// # Errors
    /// If no port can be bound.
    pub async fn start(self) -> io::Result<MockServer> {
        MockServer::with(self).await
    }

    pub(crate) fn style_of(&self, kind: &str) -> StampStyle {
        self.kind_stamps.get(kind).copied().unwrap_or(self.stamps)
    }
}
