//! Requests and answers.

use std::fmt;
use std::time::Duration;

use super::capabilities::Features;
use crate::changed_fields::ChangedFields;
use crate::contents::Contents;
use crate::id::{EntityId, Kind, OpId};
use crate::op::Precondition;
use crate::record::Record;
use crate::time::Timestamp;
use crate::version::ServerState;

/// What came, and what came with it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Answer<T> {
    /// The answer itself.
    pub value: T,
    /// The server's clock (`Date`).
    pub server_date: Option<Timestamp>,
    /// The server's epoch (`X-Sync-Epoch`); a new one means that a backup was restored.
    pub epoch: Option<String>,
    /// What the server declared (`X-Sync-Features`); `None` = nothing in this answer.
    pub features: Option<Features>,
    /// Did an earlier attempt at the same request leave without an answer, so that it may have
    /// taken effect whatever this answer says?
    pub unanswered_before: bool,
}

impl<T> Answer<T> {
    /// An answer with nothing beside it.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self {
            value,
            server_date: None,
            epoch: None,
            features: None,
            unanswered_before: false,
        }
    }

    /// The same circumstances around another value.
    #[must_use]
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Answer<U> {
        Answer {
            value: f(self.value),
            server_date: self.server_date,
            epoch: self.epoch,
            features: self.features,
            unanswered_before: self.unanswered_before,
        }
    }
}

/// A page that is asked for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PullRequest {
    /// Of this kind.
    pub kind: Kind,
    /// Changed at or after this stamp; `None` = from the beginning.
    pub since: Option<Timestamp>,
    /// Id of the last row already seen at `since`.
    pub after_id: Option<EntityId>,
    /// The server's token for the next page of the chain.
    pub page_token: Option<String>,
    /// The server's own cursor, sent beside the keyset.
    pub cursor: Option<String>,
    /// At most so many rows.
    pub limit: u32,
    /// With tombstones?
    pub include_deleted: bool,
    /// Further query parameters.
    pub filter: Vec<(String, String)>,
    /// The account that the request is made for; a transport never sends another one's credentials
    /// with it. `None` = the engine was built without one.
    pub account: Option<String>,
}

impl PullRequest {
    /// The first page of a kind, from the beginning, tombstones included.
    #[must_use]
    pub fn new(kind: Kind, limit: u32) -> Self {
        Self {
            kind,
            since: None,
            after_id: None,
            page_token: None,
            cursor: None,
            limit,
            include_deleted: true,
            filter: Vec::new(),
            account: None,
        }
    }
}

/// One entity that is asked for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FetchRequest {
    /// Its type.
    pub kind: Kind,
    /// Its id.
    pub id: EntityId,
    /// The account that the request is made for; a transport never sends another one's credentials
    /// with it. `None` = the engine was built without one.
    pub account: Option<String>,
}

impl FetchRequest {
    /// Asks for this entity.
    #[must_use]
    pub fn new(kind: Kind, id: EntityId) -> Self {
        Self {
            kind,
            id,
            account: None,
        }
    }
}

/// One request of one or more operations.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PushRequest {
    /// The operations; more than one goes as a batch.
    pub ops: Vec<PushOp>,
    /// The account that the request is made for; a transport never sends another one's credentials
    /// with it. `None` = the engine was built without one.
    pub account: Option<String>,
}

impl PushRequest {
    /// A request of these operations.
    #[must_use]
    pub fn new(ops: Vec<PushOp>) -> Self {
        Self { ops, account: None }
    }

    /// May this request be repeated blindly after its fate became unknown? Only where every
    /// operation is checked against a version, or the server honours keys.
    #[must_use]
    pub fn is_repeatable(&self, features: &Features) -> bool {
        self.ops.iter().all(|op| match op.precondition {
            Precondition::IfBase { .. } => true,
            Precondition::IfAbsent => features.if_absent() || features.idempotency(),
            Precondition::Force => features.idempotency(),
        })
    }
}

/// One operation as it goes out.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PushOp {
    /// Idempotency key of this operation and round.
    pub key: String,
    /// The queued operation.
    pub op_id: OpId,
    /// Type of its entity.
    pub kind: Kind,
    /// Its entity.
    pub id: EntityId,
    /// What is to be done.
    pub change: PushChange,
    /// What the server is asked to check.
    pub precondition: Precondition,
}

impl PushOp {
    /// An operation as it goes out.
    #[must_use]
    pub fn new(
        key: String,
        op_id: OpId,
        kind: Kind,
        id: EntityId,
        change: PushChange,
        precondition: Precondition,
    ) -> Self {
        Self {
            key,
            op_id,
            kind,
            id,
            change,
            precondition,
        }
    }
}

/// What is to be done on the server.
#[derive(Debug, Clone, PartialEq)]
pub enum PushChange {
    /// Create or update.
    Upsert {
        /// The full record; with `changed` perhaps only its id and those fields
        /// ([`crate::Payload::Changed`]): the others stay as the server has them.
        record: Record,
        /// The fields that were changed, which the server is told. Only there where it has declared
        /// `changed-fields`; a repetition has what the first attempt had.
        changed: Option<ChangedFields>,
    },
    /// Delete.
    Delete,
}

/// What the server said to one operation.
///
/// ```
/// # use sync_core::transport::{PushOutcome, PushResult};
/// let taken = PushResult::new("the operation's key", PushOutcome::Accepted { state: None });
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PushResult {
    /// The idempotency key that was sent.
    pub key: String,
    /// The answer.
    pub outcome: PushOutcome,
}

impl PushResult {
    /// The answer to the operation with this key.
    #[must_use]
    pub fn new(key: impl Into<String>, outcome: PushOutcome) -> Self {
        Self {
            key: key.into(),
            outcome,
        }
    }
}

/// What one answer to one operation says, before the engine looks at the operation itself.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum PushOutcome {
    /// 2xx: done. A tombstone in answer to an upsert is for the engine to judge.
    Accepted {
        /// The stored record, if the answer had one.
        state: Option<ServerState>,
    },
    /// 409 or 412.
    Conflict {
        /// The server's record; `None` = none came that can be used: fetch it.
        state: Option<ServerState>,
        /// When the server's side was written, for last-write-wins.
        time: Option<Timestamp>,
    },
    /// 404 or 410.
    Gone {
        /// The tombstone, if the answer showed it.
        state: Option<ServerState>,
    },
    /// Another 4xx: the server will not do this.
    Refused {
        /// The status.
        status: u16,
        /// What the server said.
        message: String,
    },
    /// 5xx, or a result of a batch that is missing, doubled or without a status.
    Trouble {
        /// What happened.
        message: String,
    },
    /// 408, 429 or 503 for this item of a batch: nobody is being served now.
    Unavailable {
        /// The status.
        status: u16,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// 401 for this item of a batch.
    Unauthorized,
    /// Not an answer of this server to this operation: nothing is concluded from it.
    Protocol {
        /// What is wrong with it.
        message: String,
    },
}

/// Without contents, and without what the server said, which may repeat them.
impl fmt::Debug for PushOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { state } => f.debug_struct("Accepted").field("state", state).finish(),
            Self::Conflict { state, time } => f
                .debug_struct("Conflict")
                .field("state", state)
                .field("time", time)
                .finish(),
            Self::Gone { state } => f.debug_struct("Gone").field("state", state).finish(),
            Self::Refused { status, message } => f
                .debug_struct("Refused")
                .field("status", status)
                .field("message", &Contents(message))
                .finish(),
            Self::Trouble { message } => {
                f.debug_struct("Trouble").field("message", message).finish()
            }
            Self::Unavailable {
                status,
                retry_after,
            } => f
                .debug_struct("Unavailable")
                .field("status", status)
                .field("retry_after", retry_after)
                .finish(),
            Self::Unauthorized => f.write_str("Unauthorized"),
            Self::Protocol { message } => f
                .debug_struct("Protocol")
                .field("message", message)
                .finish(),
        }
    }
}

/// A hint that something changed on the server; carries no data.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wakeup {
    /// This kind changed.
    Kind(Kind),
    /// Anything may have changed: events were missed.
    Everything,
}
