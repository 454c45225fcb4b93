//! The seam to a database: a factory of short transactions.
//!
//! Atomicity is written once, in this crate: a local write with its queued operation, a pulled page
//! with its cursor, an answer with everything that follows from it are each one [`StoreTx`]. A
//! store only has to make one transaction atomic, isolated and durable.

mod changes;
mod error;
mod history;
pub mod memory;
mod shared;
mod types;

use std::fmt::Debug;

use async_trait::async_trait;

pub use changes::{ChangeHub, ChangeNotice, ChangeStream};
pub use error::{StoreError, StoreErrorKind};
pub use history::{Decided, ResolvedConflict};
pub use memory::MemoryStore;
pub use types::{
    ConflictEntry, CursorState, OpQuery, PutReport, QuarantineCause, QuarantineEntry, Rejected,
    Removal, ResyncState, RowOrigin, RowWrite, TxMode,
};

use crate::id::{EntityId, Kind, OpId};
use crate::op::{Op, Shadow};
use crate::record::Record;
use crate::schema::TableSchema;
use crate::version::Version;

/// A database that holds the user's tables and the library's own.
///
/// # Contract
/// The suite `sync_testkit::store_conformance!` states it as tests; [`MemoryStore`] is its
/// executable specification.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// Creates or migrates the library's own tables and checks the user's.
    ///
    /// # Behavior
    /// Idempotent, and safe when several processes do it at once. Never alters a user's table.
    /// Kinds of an earlier call stay registered; of a kind given again the newest schema holds.
    /// After an error the earlier registrations stand.
    ///
    /// # Errors
    /// [`StoreErrorKind::Schema`] names every difference between `tables` and the database in one
    /// message, a kind given twice and a table without a synced column for its id included; [`StoreErrorKind::Open`] if the library's tables cannot be made or are newer than
    /// this version understands.
    async fn prepare(&self, tables: &[TableSchema]) -> Result<(), StoreError>;

    /// Begins a transaction.
    ///
    /// # Behavior
    /// Dropping it without [`StoreTx::commit`] rolls everything back, also when the future of one
    /// of its methods is dropped with it. A reading transaction sees one consistent state, at the
    /// latest from its first read on; a writing one sees its own changes. Writing in
    /// [`TxMode::Read`] is [`StoreErrorKind::ReadOnly`].
    ///
    /// # Concurrency
    /// Writing transactions run one after another, in the order in which `begin` was first polled:
    /// it waits its turn (without blocking the runtime thread) and never fails merely because
    /// somebody else writes; dropping its future gives the turn up. Readers do not wait for
    /// writers, nor writers for readers.
    ///
    /// # Errors
    /// [`StoreErrorKind::Busy`] if another program kept the database locked too long.
    async fn begin(&self, mode: TxMode) -> Result<Box<dyn StoreTx>, StoreError>;

    /// [`Store::begin`] for a write of the app's, whose task may hold another writing transaction
    /// of this store, and would wait for itself for ever.
    ///
    /// # Behavior
    /// As [`Store::begin`], which it is unless the store says otherwise. It may give up when nothing
    /// happens any more in the transaction that it waits for.
    ///
    /// # Errors
    /// As [`Store::begin`], and [`StoreErrorKind::Busy`] if it gave up; the message says what to do.
    async fn begin_for_app(&self, mode: TxMode) -> Result<Box<dyn StoreTx>, StoreError> {
        self.begin(mode).await
    }

    /// What tells this database from a copy of it, as far as it can be told: the device and the
    /// place of a file on it, never its name. `None` (the default): a copy cannot be told.
    ///
    /// # Behavior
    /// The same as long as it is the same database, also after it was closed and opened again;
    /// another for a copy. Should it ever change without need, operations get new ids, and some are
    /// asked for before they are sent: nothing is lost by it.
    fn identity(&self) -> Option<String> {
        None
    }

    /// Which kinds changed, told after each commit that was made through this store. A listener
    /// that hears of a commit sees it in the transactions that it begins from then on; one that
    /// does not listen holds nobody up.
    fn changes(&self) -> ChangeStream;
}

/// One transaction. Every method takes a set and needs a bounded number of statements for it.
///
/// # Contract for every method
/// Unknown ids are no error and yield nothing; an empty set does nothing; results come in the
/// order of the ids asked for, each id once, or of `seq` for operations. "In order of id" or key is
/// the order of Rust's strings (by bytes). Of what is written twice in one call the last wins.
/// After an error the transaction may only be dropped.
///
/// # Errors
/// The methods for the user's rows fail with [`StoreErrorKind::UnknownKind`] for a kind that was
/// not given to [`Store::prepare`]. Outbox and bookkeeping take any kind: what is queued for a kind
/// that an update of the app no longer registers stays, and is listed.
#[async_trait]
pub trait StoreTx: Send {
    // -- the user's rows ------------------------------------------------------------------------

    /// The rows as records, local-only columns left out, fields without a column included exactly
    /// as they were put. A synced field that was absent may come back as null. A field that was put
    /// when it had no column comes back as it was put, although it has one now, until the row is
    /// written again.
    async fn get(&mut self, kind: &Kind, ids: &[EntityId]) -> Result<Vec<Record>, StoreError>;

    /// The rows as the app sees them: what [`StoreTx::get`] returns, and the local-only columns.
    async fn app_rows(&mut self, kind: &Kind, ids: &[EntityId]) -> Result<Vec<Record>, StoreError>;

    /// All rows as the app sees them, in order of id, after `after`, at most `limit`.
    async fn app_rows_after(
        &mut self,
        kind: &Kind,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError>;

    /// Inserts or updates rows: the columns of the synced fields, an absent field being null, and
    /// the fields without a column, whose absence removes them. Local-only columns are written only
    /// where a [`RowOrigin::Local`] record has their field; [`RowOrigin::Server`] never touches
    /// them, whatever its record says.
    ///
    /// # Behavior
    /// The version of [`RowOrigin::Server`] is what [`StoreTx::versions`] returns for the row from
    /// then on, exactly as given: an unknown one or one without a tag replaces a better one too.
    /// Its generation never lowers the one that is noted. [`RowOrigin::Local`] leaves what is known
    /// as it is. A row that the table refuses (no usable id in the schema's id field, type,
    /// constraint) is reported in order of its place and leaves no trace, its version included; the
    /// others are written. A value is kept exactly or refused, never cut or rounded. Never deletes
    /// and re-inserts, so that no cascade fires. Of a doubled id the last wins and counts once.
    async fn put(&mut self, kind: &Kind, rows: &[RowWrite]) -> Result<PutReport, StoreError>;

    /// Inserts a row of the user's ([`RowOrigin::Local`]) that must not exist yet: `false`, and
    /// nothing done, if a row with this id is there.
    ///
    /// # Errors
    /// [`StoreErrorKind::Constraint`] if the table refuses the row.
    async fn insert(&mut self, kind: &Kind, record: &Record) -> Result<bool, StoreError>;

    /// Removes rows, with everything that is kept beside them. With a [`Removal::tombstone`] its
    /// version stays known although the row is gone, also where there was no row; without one the
    /// version is forgotten too. [`PutReport::written`] counts the rows that were there. A removal
    /// that the table refuses (a foreign key) is reported.
    async fn remove(&mut self, kind: &Kind, rows: &[Removal]) -> Result<PutReport, StoreError>;

    /// The versions that the server last gave these entities, removed ones included. An entry
    /// whose stamp is `None` is a row that the server's answer brought without a version.
    async fn versions(
        &mut self,
        kind: &Kind,
        ids: &[EntityId],
    ) -> Result<Vec<(EntityId, Option<Version>)>, StoreError>;

    /// Notes that a full pull of this generation saw these entities; ids that the server never
    /// wrote are passed over. A mark of an earlier generation does not undo a later one.
    async fn mark_seen(
        &mut self,
        kind: &Kind,
        generation: u32,
        ids: &[EntityId],
    ) -> Result<(), StoreError>;

    /// Rows that the server once wrote, that are still there, have no operation and were neither
    /// written nor seen in this generation or a later one; in order of id, after `after`, at most
    /// `limit`.
    async fn unseen(
        &mut self,
        kind: &Kind,
        generation: u32,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<EntityId>, StoreError>;

    /// How many rows of this kind the server once wrote and are still there.
    async fn count_synced(&mut self, kind: &Kind) -> Result<u64, StoreError>;

    /// Forgets tombstone versions older than this stamp, of entities that have no row; returns how
    /// many.
    async fn forget_tombstones(&mut self, kind: &Kind, before: &Version)
    -> Result<u64, StoreError>;

    /// Rows whose tombstone field says that they are deleted, whose version is older than this
    /// stamp, and that have neither operation nor shadow; with their versions, in order of id,
    /// after `after`, at most `limit`. None of a table without a tombstone field.
    async fn tombstone_rows(
        &mut self,
        kind: &Kind,
        before: &Version,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<(EntityId, Version)>, StoreError>;

    /// Rows that nobody claims: no version is kept of them, not even an unknown one, and they have
    /// no operation; in order of id, after `after`, at most `limit`.
    async fn unclaimed(
        &mut self,
        kind: &Kind,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<EntityId>, StoreError>;

    /// Which of these ids the field of some row holds, rows that bear a tombstone included. A field
    /// without a synced column of its own holds none.
    async fn referred_to(
        &mut self,
        kind: &Kind,
        field: &str,
        ids: &[EntityId],
    ) -> Result<Vec<EntityId>, StoreError>;

    /// Rows with fields that lie beside the table although they have a synced column now, because
    /// the table has gained it since they were put; with these fields, in order of id, after
    /// `after`, at most `limit`. Putting again what [`StoreTx::get`] returns of such a row brings
    /// them into their columns.
    async fn misplaced(
        &mut self,
        kind: &Kind,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<(EntityId, Vec<String>)>, StoreError>;

    // -- outbox ---------------------------------------------------------------------------------

    /// Appends operations in this order, whatever their `seq` says; returns their places, growing
    /// and never used again, not even after the operation with the greatest place is gone.
    /// An operation id that exists already is [`StoreErrorKind::Constraint`].
    async fn append_ops(&mut self, ops: &[Op]) -> Result<Vec<i64>, StoreError>;

    /// The operations that match, ordered by place.
    async fn ops(&mut self, query: &OpQuery) -> Result<Vec<Op>, StoreError>;

    /// How many operations match (`limit` is ignored).
    async fn count_ops(&mut self, query: &OpQuery) -> Result<u64, StoreError>;

    /// The greatest place given so far, also if its operation is gone; 0 if none was.
    async fn last_seq(&mut self) -> Result<i64, StoreError>;

    /// Replaces operations, found by `op_id`; their place stays, whatever their `seq` says.
    /// One that is not there is not added.
    async fn update_ops(&mut self, ops: &[Op]) -> Result<(), StoreError>;

    /// Removes operations.
    async fn delete_ops(&mut self, ids: &[OpId]) -> Result<(), StoreError>;

    /// The shadows of these entities.
    async fn shadows(&mut self, kind: &Kind, ids: &[EntityId]) -> Result<Vec<Shadow>, StoreError>;

    /// Inserts or replaces shadows.
    async fn put_shadows(&mut self, shadows: &[Shadow]) -> Result<(), StoreError>;

    /// Removes shadows.
    async fn delete_shadows(&mut self, kind: &Kind, ids: &[EntityId]) -> Result<(), StoreError>;

    /// Which of these entities have an operation or a shadow.
    async fn pending(&mut self, kind: &Kind, ids: &[EntityId])
    -> Result<Vec<EntityId>, StoreError>;

    /// Shadows of entities of this kind that have no operation (acknowledged without a record, to be
    /// fetched), in order of id, after `after`, at most `limit`.
    async fn idle_shadows(
        &mut self,
        kind: &Kind,
        after: Option<&EntityId>,
        limit: u32,
    ) -> Result<Vec<Shadow>, StoreError>;

    // -- bookkeeping ----------------------------------------------------------------------------

    /// Where the pull of this kind stands.
    async fn cursor(&mut self, kind: &Kind) -> Result<Option<CursorState>, StoreError>;

    /// Moves the cursor; `None` forgets it.
    async fn put_cursor(
        &mut self,
        kind: &Kind,
        cursor: Option<&CursorState>,
    ) -> Result<(), StoreError>;

    /// Open conflicts, oldest first by `detected_at`, then in order of operation id; of one
    /// operation if it is given.
    async fn conflicts(&mut self, op: Option<&OpId>) -> Result<Vec<ConflictEntry>, StoreError>;

    /// Stores open conflicts, one per operation.
    async fn put_conflicts(&mut self, entries: &[ConflictEntry]) -> Result<(), StoreError>;

    /// Removes open conflicts.
    async fn delete_conflicts(&mut self, ops: &[OpId]) -> Result<(), StoreError>;

    /// Resolved conflicts, the one that was stored last first, at most `limit`; of one operation if
    /// it is given.
    async fn conflict_history(
        &mut self,
        op: Option<&OpId>,
        limit: u32,
    ) -> Result<Vec<ResolvedConflict>, StoreError>;

    /// Stores resolved conflicts in this order as the newest ones, one per operation: one that is
    /// stored again takes the newest place. Of all that are there then, only the newest `keep` stay.
    async fn put_conflict_history(
        &mut self,
        entries: &[ResolvedConflict],
        keep: u32,
    ) -> Result<(), StoreError>;

    /// Forgets the resolved conflicts of a kind.
    async fn delete_conflict_history(&mut self, kind: &Kind) -> Result<(), StoreError>;

    /// Quarantined rows of a kind in order of [`QuarantineEntry::key`], after the key `after`, at
    /// most `limit`. Entries may come and go between pages: the place is the key itself.
    async fn quarantined(
        &mut self,
        kind: &Kind,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<QuarantineEntry>, StoreError>;

    /// The quarantined rows of these keys, in the order asked for, each once.
    async fn quarantined_of(
        &mut self,
        kind: &Kind,
        keys: &[String],
    ) -> Result<Vec<QuarantineEntry>, StoreError>;

    /// How many rows of this kind are quarantined.
    async fn count_quarantined(&mut self, kind: &Kind) -> Result<u64, StoreError>;

    /// Quarantines rows, one entry per key: the newest replaces.
    async fn put_quarantine(&mut self, entries: &[QuarantineEntry]) -> Result<(), StoreError>;

    /// Releases rows from quarantine. Unknown keys are no error.
    async fn delete_quarantine(&mut self, kind: &Kind, keys: &[String]) -> Result<(), StoreError>;

    /// One value of the library's own notes (schema version, account, epoch, lease).
    async fn meta(&mut self, key: &str) -> Result<Option<String>, StoreError>;

    /// Sets or removes a note.
    async fn put_meta(&mut self, key: &str, value: Option<&str>) -> Result<(), StoreError>;

    /// Makes everything durable as the transaction's mode promises, then tells [`Store::changes`].
    /// Of a reading transaction it only ends it.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}
