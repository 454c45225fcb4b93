//! What the suite needs of the server behind a transport.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use sync_core::Transport;

/// A transport under test, and a hand on the server behind it.
///
/// Every behaviour gets a harness of its own, with an empty server that serves every kind. The
/// server writes stamps that grow (`updated_at`), later than those of the records that were seeded.
/// What it cannot do stands in [`cannot`](Self::cannot): the behaviours that need it are skipped by
/// name.
///
/// ```
/// # use std::sync::Arc;
/// # use async_trait::async_trait;
/// # use serde_json::Value;
/// # use sync_core::Transport;
/// use sync_rest::RestTransport;
/// use sync_testkit::transport_conformance::{Ability, Circumstance, TransportHarness};
/// use sync_testkit::{Fault, MockServer};
///
/// struct Harness {
///     server: MockServer,
///     transport: Arc<RestTransport>,
/// }
///
/// #[async_trait]
/// impl TransportHarness for Harness {
///     fn transport(&self) -> Arc<dyn Transport> {
///         self.transport.clone()
///     }
///     fn cannot(&self) -> Vec<Ability> {
///         vec![Ability::LiveChannel]
///     }
///     fn secret(&self) -> Option<String> {
///         None
///     }
///     async fn seed(&self, kind: &str, records: Vec<Value>) {
///         self.server.seed(kind, records).expect("these are records");
///     }
///     async fn edit(&self, kind: &str, id: &str, fields: Value) -> Value {
///         self.server.update(kind, id, fields)
///     }
///     async fn delete(&self, kind: &str, id: &str) {
///         self.server.delete(kind, id);
///     }
///     async fn stored(&self, kind: &str, id: &str) -> Option<Value> {
///         self.server.get(kind, id)
///     }
///     async fn effects(&self, kind: &str, id: &str) -> u32 {
///         self.server.applied_to(kind, id)
///     }
///     async fn requests(&self) -> usize {
///         self.server.recorded().len()
///     }
///     async fn set(&self, circumstance: Circumstance) {
///         match circumstance {
///             Circumstance::LostAnswer => drop(self.server.fault(Fault::drop_after()).always()),
///             // … and so on, until every ability is either here or in `cannot`.
///             other => panic!("not here: {other:?}"),
///         }
///     }
///     async fn recover(&self) {
///         self.server.clear_faults();
///     }
/// }
/// ```
#[async_trait]
pub trait TransportHarness: Send + Sync {
    /// The transport under test, always the same one.
    fn transport(&self) -> Arc<dyn Transport>;

    /// What cannot be brought about here. The behaviours that need it are skipped by name.
    fn cannot(&self) -> Vec<Ability>;

    /// Can this be brought about, or is it there? Everything that is not in
    /// [`cannot`](Self::cannot), unless a harness knows better.
    fn can(&self, ability: Ability) -> bool {
        !self.cannot().contains(&ability)
    }

    /// A text that must not be shown anywhere: the token or password with which the transport signs
    /// in. `None` if it has none: the behaviours about secrets are skipped by name.
    fn secret(&self) -> Option<String>;

    /// Stores records as they are, stamp and tombstone to the letter; without [`Ability::Seeds`] in
    /// their order, with stamps of the server's own.
    async fn seed(&self, kind: &str, records: Vec<Value>);

    /// Somebody else's edit: lays these fields over the record, with a new stamp, and returns the
    /// whole. A missing record is created.
    async fn edit(&self, kind: &str, id: &str, fields: Value) -> Value;

    /// Somebody else's deletion.
    async fn delete(&self, kind: &str, id: &str);

    /// The live record as it is stored.
    async fn stored(&self, kind: &str, id: &str) -> Option<Value>;

    /// How often a push through the transport took effect on this record.
    async fn effects(&self, kind: &str, id: &str) -> u32;

    /// How many requests have reached the server so far, served or not.
    async fn requests(&self) -> usize;

    /// From now on every request meets this, until [`recover`](Self::recover). Called only with
    /// what is not in [`cannot`](Self::cannot).
    async fn set(&self, circumstance: Circumstance);

    /// Everything is again as it was in the beginning; what is stored stays.
    async fn recover(&self);
}

/// What requests can meet on their way.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Circumstance {
    /// Nothing leaves the device: no connection.
    Unreachable,
    /// The request is served, and its answer is lost.
    LostAnswer,
    /// The request changes nothing and is answered with this status.
    Status {
        /// The status.
        status: u16,
        /// What the server says about it; `None` = no body at all.
        message: Option<String>,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// What was done is answered by a success without a body.
    NoBody,
    /// What was done is answered by a success with this body in place of the server's own.
    Body(Value),
    /// The request changes nothing and is answered by a success with a page of HTML, as the log-in
    /// page of a hotel's network is.
    WebPage,
    /// The request changes nothing and is answered by a success whose body ends in the middle.
    BrokenBody,
    /// The request changes nothing and is answered by a redirect to another host.
    Redirect,
    /// The server can no longer answer from any cursor.
    ExpiredCursor,
    /// Pages bear a cursor of the server's own, and a pull that brings one goes on behind it.
    Cursors,
    /// The last result of a batch is missing, although its operation was done.
    MissingResult,
    /// The first result of a batch comes twice.
    DoubledResult,
    /// The first result of a batch does not say what became of its operation.
    ResultWithoutStatus,
    /// The first result of a batch is this status without a body.
    ResultStatus(u16),
    /// The server has no live channel.
    NoLiveChannel,
}

impl Circumstance {
    /// This status without a body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Status {
            status,
            message: None,
            retry_after: None,
        }
    }

    /// What a harness must be able to do for it.
    #[must_use]
    pub fn ability(&self) -> Ability {
        match self {
            Self::Unreachable => Ability::Unreachable,
            Self::LostAnswer => Ability::LostAnswer,
            Self::Status { status, .. } => Ability::Status(*status),
            Self::NoBody => Ability::NoBody,
            Self::Body(_) => Ability::Body,
            Self::WebPage => Ability::WebPage,
            Self::BrokenBody => Ability::BrokenBody,
            Self::Redirect => Ability::Redirect,
            Self::ExpiredCursor => Ability::ExpiredCursor,
            Self::Cursors => Ability::Cursors,
            Self::MissingResult
            | Self::DoubledResult
            | Self::ResultWithoutStatus
            | Self::ResultStatus(_) => Ability::SpoiltBatches,
            Self::NoLiveChannel => Ability::NoLiveChannel,
        }
    }
}

/// What a harness may be able to do, and a transport may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ability {
    /// [`Circumstance::Unreachable`].
    Unreachable,
    /// [`Circumstance::LostAnswer`].
    LostAnswer,
    /// [`Circumstance::Status`] with this status.
    Status(u16),
    /// [`Circumstance::NoBody`].
    NoBody,
    /// [`Circumstance::Body`].
    Body,
    /// [`Circumstance::WebPage`].
    WebPage,
    /// [`Circumstance::BrokenBody`].
    BrokenBody,
    /// [`Circumstance::Redirect`].
    Redirect,
    /// [`Circumstance::ExpiredCursor`].
    ExpiredCursor,
    /// [`Circumstance::Cursors`].
    Cursors,
    /// [`Circumstance::MissingResult`] and its like.
    SpoiltBatches,
    /// [`Circumstance::NoLiveChannel`].
    NoLiveChannel,
    /// The server announces changes on a live channel.
    LiveChannel,
    /// Pages that are not the last bear a token.
    PageTokens,
    /// [`TransportHarness::seed`] stores records as they are, with any stamp.
    Seeds,
    /// [`TransportHarness::effects`] counts.
    Effects,
    /// [`TransportHarness::requests`] counts.
    Requests,
    /// The server says that it is there.
    Health,
    /// The server takes a filter on the field `list`.
    Filter,
    /// Deleted records leave a tombstone in the list.
    Tombstones,
    /// The server answers a repeated idempotency key as before, without doing anything.
    Keys,
    /// The server refuses to create what exists.
    IfAbsent,
    /// The transport takes more than one operation in a request.
    Batches,
    /// The transport signs in with something that nobody may see.
    Secret,
}

impl fmt::Display for Ability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Unreachable => "the server cannot be made unreachable",
            Self::LostAnswer => "no answer can be lost",
            Self::Status(status) => return write!(f, "the server cannot answer {status}"),
            Self::NoBody => "the server cannot answer without a body",
            Self::Body => "the server cannot be made to answer with another body",
            Self::WebPage => "no web page can be answered",
            Self::BrokenBody => "no body can be broken",
            Self::Redirect => "the server cannot redirect",
            Self::ExpiredCursor => "no cursor can expire",
            Self::Cursors => "the server has no cursors of its own",
            Self::SpoiltBatches => "the results of a batch cannot be spoilt",
            Self::NoLiveChannel => "the live channel cannot be taken away",
            Self::LiveChannel => "the server has no live channel",
            Self::PageTokens => "the server gives no page tokens",
            Self::Seeds => "the server writes stamps of its own only",
            Self::Effects => "nobody counts what takes effect",
            Self::Requests => "nobody counts the requests",
            Self::Health => "the server does not say that it is there",
            Self::Filter => "the server takes no filter",
            Self::Tombstones => "deletions leave no tombstone",
            Self::Keys => "the server does not honour idempotency keys",
            Self::IfAbsent => "the server creates what exists",
            Self::Batches => "the transport takes one operation at a time",
            Self::Secret => "the transport has no secret",
        };
        f.write_str(text)
    }
}
