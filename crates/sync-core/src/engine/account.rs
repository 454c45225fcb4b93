//! Whose data lies in a database: opening under an account, and signing out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::queue::IMPORTED_FILES;
use super::{Discarded, SyncEngine};
use crate::context::{ACCOUNT, Context};
use crate::error::SyncError;
use crate::event::SyncEvent;
use crate::id::{EntityId, Kind};
use crate::op::{Fate, Op};
use crate::stats::SyncStats;
use crate::store::{OpQuery, Removal, StoreTx, TxMode};
use crate::time::Timestamp;
use crate::version::Version;

const SLICE: u32 = 500;
/// So many operations are named in an error, the others are counted.
const NAMED: usize = 5;

type GivenUp = BTreeMap<(Kind, EntityId), Discarded>;

/// What becomes of operations that wait when somebody signs out.
///
/// ```
/// # use sync_core::{SignOut, SyncEngine, SyncError};
/// # async fn example(engine: &SyncEngine) -> Result<(), SyncError> {
/// match engine.sign_out(SignOut::RefusePending).await {
///     Err(SyncError::Unsent { pending, which }) => println!("{pending} not sent yet: {which}"),
///     other => drop(other?),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SignOut {
    /// Nobody is signed out while something waits: [`SyncError::Unsent`].
    #[default]
    RefusePending,
    /// They are discarded, each told by [`SyncEvent::OperationsDiscarded`].
    DiscardPending,
}

/// Settles whose the database is, in one transaction: another account's data goes before anything
/// of it can be read or sent. Of each kind it is noted whose it is, so that one that was not
/// registered when the account changed is cleared when it comes back.
pub(super) async fn settle(context: &Context, takes_unnamed: bool) -> Result<(), SyncError> {
    let mut tx = context.store.begin(TxMode::Read).await?;
    let noted = tx.meta(ACCOUNT).await?;
    let Some(wanted) = context.identity.account() else {
        return match noted {
            None => Ok(()),
            Some(_) => Err(SyncError::Config(
                "the database belongs to an account: name it with `SyncEngineBuilder::account`"
                    .to_owned(),
            )),
        };
    };
    let mut own = noted.as_deref() == Some(wanted);
    for kind in context.tables.keys() {
        own &= tx.meta(&note(kind)).await?.as_deref() == Some(wanted);
    }
    drop(tx);
    if own {
        return Ok(());
    }
    let mut tx = context.store.begin(TxMode::Durable).await?;
    let pending = tx.ops(&OpQuery::default()).await?;
    let noted = tx.meta(ACCOUNT).await?;
    if noted.as_deref().is_some_and(|noted| noted != wanted) && !pending.is_empty() {
        return Err(SyncError::OtherAccount {
            pending: pending.len(),
            which: named(&pending),
        });
    }
    let mut unnamed = Vec::new();
    let mut others = Vec::new();
    for kind in context.tables.keys() {
        match tx.meta(&note(kind)).await? {
            Some(name) if name == wanted => {}
            Some(_) => others.push(kind),
            None if has_data(&mut *tx, kind).await? => unnamed.push(kind.as_str()),
            None => {}
        }
    }
    if noted.is_none() && !pending.is_empty() {
        unnamed.push("the outbox");
    }
    if !takes_unnamed && !unnamed.is_empty() {
        return Err(SyncError::Config(format!(
            "the database holds data that belongs to no account ({}): say \
             `SyncEngineBuilder::takes_unnamed_data` if it is this account's, or sign out with an \
             engine that names no account",
            unnamed.join(", ")
        )));
    }
    clear(&mut *tx, &others, &BTreeMap::new()).await?;
    tx.put_meta(ACCOUNT, Some(wanted)).await?;
    for kind in context.tables.keys() {
        tx.put_meta(&note(kind), Some(wanted)).await?;
    }
    Ok(tx.commit().await?)
}

/// Where it is noted whose the data of a kind is.
fn note(kind: &Kind) -> String {
    format!("{ACCOUNT}:{kind}")
}

async fn has_data(tx: &mut dyn StoreTx, kind: &Kind) -> Result<bool, SyncError> {
    Ok(tx.cursor(kind).await?.is_some() || tx.count_synced(kind).await? > 0)
}

/// `todos/1, todos/2 and 3 more`
fn named(ops: &[Op]) -> String {
    let names = ops.iter().take(NAMED);
    let names: Vec<String> = names
        .map(|op| format!("{}/{}", op.kind, op.entity_id))
        .collect();
    match ops.len().checked_sub(NAMED) {
        Some(more) if more > 0 => format!("{} and {more} more", names.join(", ")),
        _ => names.join(", "),
    }
}

/// Removes all that was synced of these kinds: rows, versions, shadows, quarantine, conflicts,
/// cursors; and the rows whose operations were given up. Rows that neither the server nor the
/// outbox ever knew are nobody's to remove.
async fn clear(
    tx: &mut dyn StoreTx,
    kinds: &[&Kind],
    given_up: &BTreeMap<Kind, Vec<EntityId>>,
) -> Result<(), SyncError> {
    let mut left: Vec<&Kind> = kinds.to_vec();
    // A row that others refer to goes after them.
    while !left.is_empty() {
        let mut refused = Vec::new();
        let mut removed = 0;
        for kind in std::mem::take(&mut left) {
            let mut rows = Cleared::default();
            for ids in given_up
                .get(kind)
                .into_iter()
                .flat_map(|ids| ids.chunks(SLICE as usize))
            {
                rows.remove(tx, kind, ids).await?;
            }
            rows.remove_synced(tx, kind).await?;
            removed += rows.removed;
            if let Some((id, reason)) = rows.refused {
                refused.push((kind, id, reason));
            }
        }
        match refused.first() {
            Some((kind, id, reason)) if removed == 0 => {
                return Err(SyncError::RowRejected {
                    kind: (*kind).clone(),
                    id: id.clone(),
                    reason: format!("it cannot be removed with its account's data: {reason}"),
                });
            }
            _ => left.extend(refused.into_iter().map(|(kind, _, _)| kind)),
        }
    }
    for kind in kinds {
        clear_bookkeeping(tx, kind).await?;
    }
    if !kinds.is_empty() {
        tx.put_meta(IMPORTED_FILES, None).await?;
    }
    Ok(())
}

#[derive(Default)]
struct Cleared {
    removed: u64,
    refused: Option<(EntityId, String)>,
}

impl Cleared {
    async fn remove_synced(&mut self, tx: &mut dyn StoreTx, kind: &Kind) -> Result<(), SyncError> {
        let mut after: Option<EntityId> = None;
        loop {
            let ids = tx.unseen(kind, u32::MAX, after.as_ref(), SLICE).await?;
            let Some(last) = ids.last() else {
                return Ok(());
            };
            after = Some(last.clone());
            self.remove(tx, kind, &ids).await?;
        }
    }

    async fn remove(
        &mut self,
        tx: &mut dyn StoreTx,
        kind: &Kind,
        ids: &[EntityId],
    ) -> Result<(), SyncError> {
        let removal = |id: &EntityId| Removal {
            id: id.clone(),
            tombstone: None,
        };
        let removals: Vec<Removal> = ids.iter().map(removal).collect();
        let report = tx.remove(kind, &removals).await?;
        self.removed += report.written;
        if let Some(rejected) = report.rejected.into_iter().next() {
            let id = ids[rejected.index].clone();
            self.refused.get_or_insert((id, rejected.reason));
        }
        Ok(())
    }
}

async fn clear_bookkeeping(tx: &mut dyn StoreTx, kind: &Kind) -> Result<(), SyncError> {
    let far = Version::new(Timestamp::from_unix_millis(253_402_300_799_000));
    tx.forget_tombstones(kind, &far).await?;
    let idle = tx.idle_shadows(kind, None, u32::MAX).await?;
    let ids: Vec<EntityId> = idle.into_iter().map(|shadow| shadow.entity_id).collect();
    tx.delete_shadows(kind, &ids).await?;
    loop {
        let entries = tx.quarantined(kind, None, SLICE).await?;
        if entries.is_empty() {
            break;
        }
        let keys: Vec<String> = entries.into_iter().map(|entry| entry.key).collect();
        tx.delete_quarantine(kind, &keys).await?;
    }
    let conflicts = tx.conflicts(None).await?.into_iter();
    let conflicts: Vec<_> = conflicts
        .filter(|entry| entry.kind == *kind)
        .map(|entry| entry.op_id)
        .collect();
    tx.delete_conflicts(&conflicts).await?;
    tx.delete_conflict_history(kind).await?;
    if !planted!(AccountKeepsCursor) {
        tx.put_cursor(kind, None).await?;
    }
    Ok(())
}

impl SyncEngine {
    /// Signs out: what was synced goes from the database, with its versions, cursors and
    /// quarantine, and the account's note; the engine is shut down. One transaction: after a crash
    /// at any instant everything is there, or nothing.
    ///
    /// Operations that wait are treated as `policy` says; the result names those that were
    /// discarded. Rows that were never synced and are not queued stay. Waits for a run that is
    /// under way ([`SyncEngine::shutdown`] before it stops that run). Later writes through this
    /// engine are [`SyncError::ShutDown`].
    ///
    /// ```
    /// # async fn example(engine: &sync_core::SyncEngine) -> Result<(), sync_core::SyncError> {
    /// use sync_core::{SignOut, SyncError};
    ///
    /// match engine.sign_out(SignOut::RefusePending).await {
    ///     Err(SyncError::Unsent { pending, which }) => {
    ///         println!("{pending} changes were not sent yet: {which}");
    ///         // … and if the user says so all the same:
    ///         engine.sign_out(SignOut::DiscardPending).await?;
    ///     }
    ///     other => drop(other?),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SyncError::Unsent`] if operations wait and are not to be discarded,
    /// [`SyncError::RowRejected`] if a row cannot be removed because a table of the app refers to
    /// it, [`SyncError::Store`], [`SyncError::LeaseLost`]. After an error nothing has changed.
    pub async fn sign_out(
        &self,
        policy: SignOut,
    ) -> Result<Vec<(Kind, EntityId, Discarded)>, SyncError> {
        let _no_run = self.shared.turns.exclusive().await;
        let discarded = self.context().alone(self.clear_account(policy)).await?;
        let events = discarded
            .iter()
            .map(|((kind, id), gone)| SyncEvent::OperationsDiscarded {
                kind: kind.clone(),
                entity_id: id.clone(),
                op_ids: gone.op_ids.clone(),
            });
        self.context()
            .tell(events.collect(), &mut SyncStats::default());
        self.stop_auto();
        self.shared.shut_down.cancel();
        let gone = discarded.into_iter();
        Ok(gone.map(|((kind, id), gone)| (kind, id, gone)).collect())
    }

    /// Clears everything in one transaction; returns what was discarded.
    async fn clear_account(&self, policy: SignOut) -> Result<GivenUp, SyncError> {
        let context = self.context();
        let mut tx = context.begin(TxMode::Durable).await?;
        let pending = tx.ops(&OpQuery::default()).await?;
        if policy == SignOut::RefusePending && !pending.is_empty() {
            return Err(SyncError::Unsent {
                pending: pending.len(),
                which: named(&pending),
            });
        }
        let discarded = by_entity(pending);
        let mut given_up: BTreeMap<Kind, Vec<EntityId>> = BTreeMap::new();
        for ((kind, id), gone) in &discarded {
            tx.delete_ops(&gone.op_ids).await?;
            tx.delete_conflicts(&gone.op_ids).await?;
            tx.delete_shadows(kind, std::slice::from_ref(id)).await?;
            if context.tables.contains_key(kind) {
                given_up.entry(kind.clone()).or_default().push(id.clone());
            }
        }
        let kinds: Vec<&Kind> = context.tables.keys().collect();
        clear(&mut *tx, &kinds, &given_up).await?;
        tx.put_meta(ACCOUNT, None).await?;
        for kind in kinds {
            tx.put_meta(&note(kind), None).await?;
        }
        // Whoever waits to write finds this before the data is gone, not after it.
        let signing_out = SigningOut::begin(&self.shared.signed_out);
        tx.commit().await?;
        signing_out.end();
        Ok(discarded)
    }
}

/// Notes that the account's data is gone; takes the note back if the commit fails, or nobody waits
/// for it any more.
struct SigningOut<'a> {
    note: &'a AtomicBool,
    is_done: bool,
}

impl<'a> SigningOut<'a> {
    fn begin(note: &'a AtomicBool) -> Self {
        note.store(true, Ordering::Release);
        let is_done = false;
        Self { note, is_done }
    }

    fn end(mut self) {
        self.is_done = true;
    }
}

impl Drop for SigningOut<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.note.store(false, Ordering::Release);
        }
    }
}

/// What is given up, entity by entity.
fn by_entity(ops: Vec<Op>) -> GivenUp {
    let mut gone = GivenUp::new();
    for op in ops {
        let of_entity = gone.entry((op.kind, op.entity_id)).or_default();
        of_entity.maybe_applied |= op.fate == Fate::Unknown;
        of_entity.op_ids.push(op.op_id);
    }
    gone
}
