//! What goes through the seam.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::contents::Contents;
use crate::id::{EntityId, Kind, OpId};
use crate::op::OpStatus;
use crate::record::Record;
use crate::time::Timestamp;
use crate::upcast::first_schema_version;
use crate::version::{ServerState, Version};

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TxMode {
    /// Reads one consistent state.
    Read,
    /// Writes; after a power cut the newest commits may be missing, never half there, if the
    /// database is set up so.
    Write,
    /// Writes, and is on disk when `commit` returns, whatever the database's setting: for the mark
    /// that an operation is about to leave.
    Durable,
}

/// One row to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct RowWrite {
    /// Its content.
    pub record: Record,
    /// Where the content comes from.
    pub origin: RowOrigin,
}

/// Where a row's content comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum RowOrigin {
    /// The user: the version that the store knows stays as it is.
    Local,
    /// The server.
    Server {
        /// Its version; `None` = unknown.
        version: Option<Version>,
        /// The generation of full pulls in which it was written.
        generation: u32,
    },
}

impl RowWrite {
    /// A row as the user wrote it.
    #[must_use]
    pub fn local(record: Record) -> Self {
        Self {
            record,
            origin: RowOrigin::Local,
        }
    }

    /// A row as the server has it.
    #[must_use]
    pub fn server(record: Record, version: Option<Version>, generation: u32) -> Self {
        Self {
            record,
            origin: RowOrigin::Server {
                version,
                generation,
            },
        }
    }

    /// The version that the server gave the row, if it did and it is known.
    #[must_use]
    pub fn version(&self) -> Option<&Version> {
        match &self.origin {
            RowOrigin::Local => None,
            RowOrigin::Server { version, .. } => version.as_ref(),
        }
    }
}

/// One row to be removed.
#[derive(Debug, Clone, PartialEq)]
pub struct Removal {
    /// Its id.
    pub id: EntityId,
    /// The version of the deletion, to be remembered.
    pub tombstone: Option<Version>,
}

/// What became of the rows of a call.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct PutReport {
    /// How many were written or removed.
    pub written: u64,
    /// Those that the table refused, by their place in the call.
    pub rejected: Vec<Rejected>,
}

/// A row that the table refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejected {
    /// Its place in the call.
    pub index: usize,
    /// The database's reason.
    pub reason: String,
}

/// Which operations; every condition that is set must hold.
///
/// ```
/// # use sync_core::{Kind, OpStatus};
/// # use sync_core::store::OpQuery;
/// let stuck_todos = OpQuery {
///     kinds: Some(vec![Kind::new("todos").unwrap()]),
///     status: Some(OpStatus::Stuck),
///     ..OpQuery::default()
/// };
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OpQuery {
    /// Of these kinds; `None` = all.
    pub kinds: Option<Vec<Kind>>,
    /// Of these entities of one kind.
    pub entities: Option<(Kind, Vec<EntityId>)>,
    /// With this id.
    pub op_id: Option<OpId>,
    /// Only the oldest operation of each entity: the oldest of all, so that an entity whose oldest
    /// one fails another condition yields nothing.
    pub heads_only: bool,
    /// With this status.
    pub status: Option<OpStatus>,
    /// In trouble (a `try_count` or `trouble_count` above 0), or healthy if `false`.
    pub in_trouble: Option<bool>,
    /// Due at this time of the device: not held back, or only until then, or by more than
    /// `longest_delay`, which a clock that jumped must have caused. Unix milliseconds.
    pub due_at: Option<i64>,
    /// The longest delay, in milliseconds, that `due_at` believes.
    pub longest_delay: i64,
    /// Behind this place.
    pub after_seq: Option<i64>,
    /// Up to this place.
    pub max_seq: Option<i64>,
    /// At most so many.
    pub limit: Option<u32>,
}

impl OpQuery {
    /// All operations of these entities.
    #[must_use]
    pub fn of(kind: &Kind, ids: &[EntityId]) -> Self {
        Self {
            entities: Some((kind.clone(), ids.to_vec())),
            ..Self::default()
        }
    }
}

/// Where the pull of one kind stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CursorState {
    /// Stamp from which the next chain of pages starts, inclusive; `None` = from zero.
    pub since: Option<Timestamp>,
    /// Id of the last row at `since`.
    pub after_id: Option<EntityId>,
    /// The server's own cursor.
    pub opaque: Option<String>,
    /// The token of the next page of a chain that was interrupted.
    pub page_token: Option<String>,
    /// The greatest (stamp, id) seen in the chain so far.
    pub reached: Option<(Timestamp, EntityId)>,
    /// Did the chain come in ascending order so far?
    #[serde(default)]
    pub unordered: bool,
    /// The server's `Date` when the chain began.
    pub chain_started: Option<Timestamp>,
    /// The server that this cursor belongs to.
    pub origin: Option<String>,
    /// Did at least one chain end, so that this kind is known to exist there?
    #[serde(default)]
    pub pulled: bool,
    /// The generation of full pulls; grows with each full resync.
    #[serde(default)]
    pub generation: u32,
    /// Is a full resync under way: pulling from zero, then sweeping?
    #[serde(default)]
    pub resync: Option<ResyncState>,
    /// When the last full resync ended, by the device's clock.
    pub last_full_resync: Option<Timestamp>,
    /// What the filter was; a changed one resyncs.
    pub filter: Option<String>,
    /// The coarsest unit of a stamp seen, in nanoseconds.
    #[serde(default)]
    pub stamp_unit: u64,
    /// The server's epoch, where it sends one: what was pulled before a backup was restored says
    /// nothing of the server since.
    #[serde(default)]
    pub epoch: Option<String>,
    /// The generation of the resync that followed the last restore of a backup, 0 = none: rows
    /// that were last seen before it may be ones that the server lost.
    #[serde(default)]
    pub restored: u32,
}

/// How far a full resync of one kind has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResyncState {
    /// Is the pull from zero finished, so that only the sweep remains?
    pub pulled: bool,
    /// Was it asked for with `clear_data`, so that the list alone decides?
    pub clear_data: bool,
    /// Does it follow the restore of a backup? Nothing is pushed before its end.
    #[serde(default)]
    pub restored: bool,
}

impl CursorState {
    /// Is everything pulled again because the server was restored from a backup?
    #[must_use]
    pub fn is_restoring(&self) -> bool {
        self.resync.as_ref().is_some_and(|resync| resync.restored)
    }
}

/// A conflict that waits for a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConflictEntry {
    /// The operation in conflict.
    pub op_id: OpId,
    /// Type of its entity.
    pub kind: Kind,
    /// Its entity.
    pub entity_id: EntityId,
    /// The server's side.
    pub server: ServerState,
    /// When last-write-wins says the server's side was written.
    pub server_time: Option<Timestamp>,
    /// Was it put off by choice, so that it is not asked again by itself?
    pub by_choice: bool,
    /// Why it is open.
    pub reason: String,
    /// When it was found, by the device's clock.
    pub detected_at: Timestamp,
}

/// Why a row is in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum QuarantineCause {
    /// The table cannot hold it; it is tried again after every pull.
    #[default]
    BadRow,
    /// The server lost it when a backup was restored, and this device still had it. It is kept
    /// until somebody takes it out ([`crate::Quarantine::forget`]).
    ServerRestored,
}

impl QuarantineCause {
    fn is_bad_row(&self) -> bool {
        *self == Self::BadRow
    }
}

/// A row that is kept aside: pulled and not applied, or about to be lost.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct QuarantineEntry {
    /// Type of the entity.
    pub kind: Kind,
    /// The entity's id; a fingerprint of a row that has none, or that the server lost.
    pub key: String,
    /// The row exactly as it came.
    pub row: Value,
    /// Its strong `ETag`.
    pub tag: Option<String>,
    /// Why it could not be applied.
    pub reason: String,
    /// When it came, by the device's clock.
    pub since: Timestamp,
    /// What it is kept for.
    #[serde(default, skip_serializing_if = "QuarantineCause::is_bad_row")]
    pub cause: QuarantineCause,
    /// The version of the table's schema that was in force then.
    #[serde(default = "first_schema_version")]
    pub schema_version: u32,
}

/// Without contents, and without the reason, which may repeat them.
impl fmt::Debug for QuarantineEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuarantineEntry")
            .field("kind", &self.kind)
            .field("key", &self.key)
            .field("row", &Contents(&self.row))
            .field("tag", &self.tag)
            .field("reason", &Contents(&self.reason))
            .field("since", &self.since)
            .field("cause", &self.cause)
            .finish()
    }
}
