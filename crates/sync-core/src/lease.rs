//! The lease: one sync per database at a time, whoever else has the database open (semantics 6).
//!
//! It is a note in the store, changed by compare-and-set within writing transactions, which a store
//! runs one after another. Its number grows with each taking, so whoever lost it finds out in the
//! transaction that would do harm.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::config::SyncConfig;
use crate::env::Env;
use crate::error::SyncError;
use crate::store::{Store, StoreError, StoreTx, TxMode};

/// Where the note lies in the store.
const NOTE: &str = "lease";
/// The heartbeat moves so often within the lease's duration.
const BEATS: u32 = 4;
/// Who waits looks so often within the lease's duration.
const LOOKS: u32 = 20;

/// What the store says of the lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// Grows with each taking.
    number: u64,
    /// Who holds it; `None` = nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holder: Option<String>,
    /// Moves while the holder works.
    #[serde(default)]
    beat: u64,
    /// The holder may be thought dead when its heartbeat has not moved for so long.
    #[serde(default)]
    millis: u64,
}

impl Note {
    async fn read(tx: &mut dyn StoreTx) -> Result<(Option<String>, Option<Self>), StoreError> {
        let text = tx.meta(NOTE).await?;
        let note = text
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok());
        Ok((text, note))
    }

    async fn write(&self, tx: &mut dyn StoreTx) -> Result<(), StoreError> {
        let text = serde_json::to_string(self).map_err(|error| {
            StoreError::new(
                crate::store::StoreErrorKind::Other,
                "the note of the lease cannot be written",
            )
            .with_source(error)
        })?;
        tx.put_meta(NOTE, Some(&text)).await
    }
}

/// A taking that still counts.
#[derive(Debug)]
struct Held {
    number: u64,
    /// Until then nobody can have taken it over: on our clock the last heartbeat began a duration
    /// before, and who takes over sees it stand still for as long.
    certain_until: Duration,
    lost: CancellationToken,
}

/// What somebody who waits has seen of the holder.
#[derive(Debug)]
struct Watch {
    text: Option<String>,
    since: Duration,
    patience: Duration,
}

/// One engine's part in the lease.
#[derive(Debug)]
pub(crate) struct Lease {
    store: Arc<dyn Store>,
    env: Env,
    duration: Duration,
    me: String,
    held: Mutex<Option<Held>>,
}

impl Lease {
    pub(crate) fn new(store: Arc<dyn Store>, env: Env, duration: Duration) -> Self {
        Self {
            me: env.random_name(),
            store,
            env,
            duration,
            held: Mutex::new(None),
        }
    }

    /// Does work for which nobody else may sync this database: waits for the lease, keeps it while
    /// the work goes on, and releases it. `waits` is called if somebody else has it. Spawns
    /// nothing; dropping the future stops the work, and the lease is left to be taken over.
    ///
    /// # Errors
    /// [`SyncError::LeaseLost`] if somebody else took it over meanwhile; nothing that the work did
    /// since then has had an effect on the database.
    pub(crate) async fn during<T>(
        &self,
        waits: impl FnOnce(),
        work: impl Future<Output = Result<T, SyncError>>,
    ) -> Result<T, SyncError> {
        let lost = self.acquire(waits).await?;
        let outcome = tokio::select! {
            biased;
            outcome = work => outcome,
            () = lost.cancelled() => Err(SyncError::LeaseLost),
            () = self.keep() => Err(SyncError::LeaseLost),
        };
        if let Err(error) = self.release().await {
            // The work is done; the others wait a little longer than they had to.
            tracing::debug!(%error, "the lease could not be released");
        }
        outcome
    }

    async fn acquire(&self, waits: impl FnOnce()) -> Result<CancellationToken, SyncError> {
        let mut waits = Some(waits);
        let mut watch = None;
        loop {
            if self.is_to_be_had(&mut watch).await?
                && let Some(lost) = self.take(&mut watch).await?
            {
                return Ok(lost);
            }
            if let Some(waits) = waits.take() {
                waits();
            }
            self.env.sleep(self.duration / LOOKS).await;
        }
    }

    /// Who only waits disturbs no writer.
    async fn is_to_be_had(&self, watch: &mut Option<Watch>) -> Result<bool, SyncError> {
        if watch.is_none() {
            return Ok(true);
        }
        let mut tx = self.store.begin(TxMode::Read).await?;
        let (text, note) = Note::read(&mut *tx).await?;
        Ok(self.may_take(text, note.as_ref(), watch))
    }

    async fn take(
        &self,
        watch: &mut Option<Watch>,
    ) -> Result<Option<CancellationToken>, SyncError> {
        let began = self.env.monotonic();
        let mut tx = self.store.begin(TxMode::Write).await?;
        let (text, note) = Note::read(&mut *tx).await?;
        if !self.may_take(text, note.as_ref(), watch) {
            return Ok(None);
        }
        if let Some(before) = note.as_ref().and_then(|note| note.holder.as_ref())
            && *before != self.me
        {
            tracing::warn!("the sync of this database did not get on elsewhere, taking it over");
        }
        let number = note.map_or(0, |note| note.number).saturating_add(1);
        let taken = Note {
            number,
            holder: Some(self.me.clone()),
            beat: 0,
            millis: u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX),
        };
        taken.write(&mut *tx).await?;
        tx.commit().await?;
        let lost = CancellationToken::new();
        *self.held() = Some(Held {
            number,
            certain_until: began + self.duration,
            lost: lost.clone(),
        });
        Ok(Some(lost))
    }

    /// Is it free, our own, or held by somebody whose heartbeat has stood still for its duration?
    /// Only our own monotonic clock is asked (I12).
    fn may_take(
        &self,
        text: Option<String>,
        note: Option<&Note>,
        watch: &mut Option<Watch>,
    ) -> bool {
        let is_free = match note {
            Some(note) => note.holder.as_ref().is_none_or(|holder| *holder == self.me),
            None => text.is_none(),
        };
        if is_free || planted!(TakenTooEarly) {
            return true;
        }
        let now = self.env.monotonic();
        if let Some(watch) = watch.as_ref().filter(|watch| watch.text == text) {
            return now.saturating_sub(watch.since) >= watch.patience;
        }
        // What cannot be read is watched too: it may be the note of another version.
        let asked = note.map_or(self.duration, |note| Duration::from_millis(note.millis));
        *watch = Some(Watch {
            text,
            since: now,
            patience: asked.min(SyncConfig::LONGEST_LEASE),
        });
        false
    }

    /// Moves the heartbeat again and again; ends when there is nothing left to keep.
    async fn keep(&self) {
        loop {
            self.env.sleep(self.duration / BEATS).await;
            match self.beat().await {
                Ok(()) => {}
                Err(SyncError::LeaseLost) => return,
                // Whether it is lost will show in the next transaction.
                Err(error) => tracing::debug!(%error, "the lease's heartbeat could not be moved"),
            }
            // Where sleeping takes no time, the work must have its turn all the same.
            tokio::task::yield_now().await;
        }
    }

    async fn beat(&self) -> Result<(), SyncError> {
        let began = self.env.monotonic();
        let mut tx = self.store.begin(TxMode::Write).await?;
        let mut note = self.check(&mut *tx).await?;
        note.beat = note.beat.wrapping_add(1);
        note.write(&mut *tx).await?;
        tx.commit().await?;
        if let Some(held) = &mut *self.held() {
            held.certain_until = began + self.duration;
        }
        Ok(())
    }

    /// The fence within a transaction: is the lease still the one that was taken?
    ///
    /// # Errors
    /// [`SyncError::LeaseLost`]: this transaction must not be committed.
    pub(crate) async fn fence(&self, tx: &mut dyn StoreTx) -> Result<(), SyncError> {
        self.check(tx).await.map(drop)
    }

    /// The fence before a request that changes something on the server. Time may tell that nobody
    /// else can have the lease; the database is asked otherwise. It is only read: a request may
    /// have to wait while the answer to another one is settled, and must hold up no writer then.
    ///
    /// # Errors
    /// [`SyncError::LeaseLost`]: the request must not leave.
    pub(crate) async fn assure(&self) -> Result<(), SyncError> {
        let now = self.env.monotonic();
        let is_certain = self
            .held()
            .as_ref()
            .is_some_and(|held| !held.lost.is_cancelled() && now < held.certain_until);
        if is_certain {
            return Ok(());
        }
        let mut tx = self.store.begin(TxMode::Read).await?;
        self.check(&mut *tx).await.map(drop)
    }

    async fn check(&self, tx: &mut dyn StoreTx) -> Result<Note, SyncError> {
        let (_, note) = Note::read(tx).await?;
        let held = self.held();
        let own = held.as_ref().map(|held| held.number);
        let is_ours = |note: &Note| {
            Some(note.number) == own && note.holder.as_deref() == Some(self.me.as_str())
        };
        if let Some(note) = note.filter(|note| is_ours(note) || planted!(FenceUnchecked)) {
            return Ok(note);
        }
        if let Some(held) = held.as_ref() {
            held.lost.cancel();
        }
        Err(SyncError::LeaseLost)
    }

    /// Lets others have what a run that was cancelled left behind; writes nothing if that is nothing.
    pub(crate) async fn release_rest(&self) -> Result<(), StoreError> {
        let mut tx = self.store.begin(TxMode::Read).await?;
        let (_, note) = Note::read(&mut *tx).await?;
        drop(tx);
        if note.is_some_and(|note| note.holder.as_ref() == Some(&self.me)) {
            self.release().await?;
        }
        Ok(())
    }

    /// Lets others have it, if it is ours.
    async fn release(&self) -> Result<(), StoreError> {
        *self.held() = None;
        let mut tx = self.store.begin(TxMode::Write).await?;
        let (_, note) = Note::read(&mut *tx).await?;
        let Some(note) = note.filter(|note| note.holder.as_ref() == Some(&self.me)) else {
            return Ok(());
        };
        let free = Note {
            holder: None,
            beat: 0,
            millis: 0,
            ..note
        };
        free.write(&mut *tx).await?;
        tx.commit().await
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
