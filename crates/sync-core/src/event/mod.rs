//! What the engine tells while it works: facts, after they are committed.

mod display;
mod hub;

use std::time::Duration;

pub(crate) use hub::EventHub;
pub use hub::EventStream;

use crate::conflict::{Conflict, ConflictStrategy, Resolution};
use crate::id::{EntityId, Kind, OpId};
use crate::record::Record;
use crate::stats::SyncStats;
use crate::store::QuarantineEntry;

/// A half of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncPhase {
    /// Sending the outbox.
    Push,
    /// Bringing changes.
    Pull,
}

/// Why everything is pulled again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FullResyncReason {
    /// The interval has passed.
    Scheduled,
    /// Somebody asked for it.
    Manual,
    /// The server no longer answers from the cursor.
    CursorExpired,
    /// The table's filter changed.
    FilterChanged,
    /// The table no longer holds all that it held of the server's records, because the app was
    /// updated; nothing of the kind is sent before.
    SchemaChanged,
    /// The transport talks to another server (another base URL) than the one that was pulled.
    ServerChanged,
    /// The server was restored from a backup ([`SyncEvent::ServerRestored`]).
    ServerRestored,
}

/// Something that happened; the names are those of the Dart family.
#[derive(Clone)]
#[non_exhaustive]
pub enum SyncEvent {
    /// A full resync of a kind begins.
    FullResyncStarted {
        /// The kind.
        kind: Kind,
        /// Why.
        reason: FullResyncReason,
    },
    /// The server's epoch changed: it was restored from a backup. Everything is pulled again before
    /// anything is sent; what the server has lost and this device still has is exported to
    /// quarantine ([`crate::store::QuarantineCause::ServerRestored`]) before it goes.
    ServerRestored {
        /// The epoch so far.
        before: String,
        /// The epoch from now on.
        now: String,
    },
    /// A half of a run begins.
    SyncStarted {
        /// Which.
        phase: SyncPhase,
    },
    /// A half of a run gets on.
    SyncProgress {
        /// Which.
        phase: SyncPhase,
        /// So many rows or operations are done.
        done: u64,
        /// Of so many, where that is known.
        total: Option<u64>,
    },
    /// A run ended; whether it did everything is in its report.
    SyncCompleted {
        /// How long it took.
        took: Duration,
        /// What it did.
        stats: SyncStats,
    },
    /// Another engine or process is syncing this database. The run begins when that one has ended,
    /// or has not got on for its [`crate::SyncConfig::lease_duration`].
    SyncWaiting,
    /// Something failed that is not one operation's.
    SyncError {
        /// In which half.
        phase: SyncPhase,
        /// For which kind, where it is one kind's.
        kind: Option<Kind>,
        /// What happened and what to do.
        error: String,
        /// Will it be tried again without anybody acting?
        will_retry: bool,
    },
    /// The server wants other credentials; pushes stop until then.
    AuthRequired,
    /// An edit met a newer state of the server.
    ConflictDetected {
        /// What met what.
        conflict: Box<Conflict>,
        /// How it will be settled.
        strategy: ConflictStrategy,
    },
    /// A conflict was decided.
    ConflictResolved {
        /// What met what.
        conflict: Box<Conflict>,
        /// How it was decided.
        resolution: Resolution,
        /// Fields in which a side lost something, where both were merged field by field; a decision
        /// for one whole side names none.
        contested_fields: Vec<String>,
    },
    /// A conflict stays open.
    ConflictUnresolved {
        /// What met what.
        conflict: Box<Conflict>,
        /// Why.
        reason: String,
    },
    /// Two edits were merged field by field: by `AutoPreserve`, when an edit that waited behind
    /// another one met somebody else's changes in the answer, or before a forced push
    /// ([`SyncEvent::PreconditionUnreliable`]).
    DataMerged {
        /// Type of the entity.
        kind: Kind,
        /// The entity.
        entity_id: EntityId,
        /// Fields that came from here.
        local_fields: Vec<String>,
        /// Fields that came from the server.
        server_fields: Vec<String>,
        /// Fields in which a side lost something.
        contested_fields: Vec<String>,
        /// The result.
        merged: Record,
    },
    /// The server cannot check this entity's version, so the operation goes out by force, merged
    /// with the record just seen.
    PreconditionUnreliable {
        /// Type of the entity.
        kind: Kind,
        /// The entity.
        entity_id: EntityId,
    },
    /// Rows changed because of a pull.
    CacheUpdate {
        /// Their kind.
        kind: Kind,
        /// So many were written.
        upserts: u64,
        /// So many were deleted.
        deletes: u64,
    },
    /// The server took an operation.
    OperationPushed {
        /// The operation.
        op_id: OpId,
        /// Type of its entity.
        kind: Kind,
        /// Its entity.
        entity_id: EntityId,
        /// Was it a deletion?
        is_delete: bool,
    },
    /// An operation could not be sent, or was refused; it is still there.
    OperationFailed {
        /// The operation.
        op_id: OpId,
        /// Type of its entity.
        kind: Kind,
        /// Its entity.
        entity_id: EntityId,
        /// What happened.
        error: String,
        /// Will it be tried again without anybody acting? If not, it is stuck.
        will_retry: bool,
    },
    /// Operations were discarded by name.
    OperationsDiscarded {
        /// Type of the entity.
        kind: Kind,
        /// The entity.
        entity_id: EntityId,
        /// The operations.
        op_ids: Vec<OpId>,
    },
    /// A page was applied.
    PullPageProcessed {
        /// Its kind.
        kind: Kind,
        /// Rows in it.
        page_size: u64,
        /// Rows of this kind so far.
        total_done: u64,
    },
    /// A round of pushes was settled.
    PushBatchProcessed {
        /// Operations in it.
        batch_size: u64,
        /// The server took so many.
        success_count: u64,
        /// So many failed.
        error_count: u64,
        /// So many met a conflict.
        conflict_count: u64,
    },
    /// A pulled row could not be applied; it is kept, the rest goes on.
    RowQuarantined {
        /// Its kind.
        kind: Kind,
        /// Its id, or its fingerprint.
        key: String,
        /// Why.
        reason: String,
    },
    /// The database is a copy of the one that it was: a restored backup, or a cloned device. Its
    /// operations got new ids, and those that the other copy may have sent are looked up before
    /// they are sent. Told at the beginning of the first run.
    StoreCopied {
        /// So many operations wait in it.
        operations: u64,
    },
    /// A full resync would have removed suspiciously many rows; it removed none.
    SweepHeld {
        /// The kind.
        kind: Kind,
        /// So many rows were not seen on the server.
        candidates: u64,
        /// Of so many.
        of: u64,
    },
    /// This listener was too slow and missed so many events.
    Lagged(u64),
}

impl SyncEvent {
    pub(crate) fn quarantined(entry: &QuarantineEntry) -> Self {
        Self::RowQuarantined {
            kind: entry.kind.clone(),
            key: entry.key.clone(),
            reason: entry.reason.clone(),
        }
    }
}
