//! One registered table and its own settings.

use std::sync::Arc;
use std::time::Duration;

use crate::conflict::{ConflictResolver, ConflictStrategy, MergeFunction};
use crate::record::Record;
use crate::schema::TableSchema;
use crate::travel::{Direction, Payload};
use crate::upcast::Upcasts;

/// What becomes of the row of a deleted entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SoftDelete {
    /// It stays, with its tombstone field set. Default where the entity has one.
    Keep,
    /// It is removed. Its version stays known until the cursor is a day past it.
    Purge,
    /// It stays, with its tombstone field set, for this long after the stamp of the deletion, by
    /// the server's clock as far as it is known; a pull of the kind removes what is older. Its
    /// version stays known as under `Purge`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use sync_core::{SoftDelete, TableConfig};
    /// let month = Duration::from_secs(30 * 24 * 3600);
    /// let trash = TableConfig::new().soft_delete(SoftDelete::PurgeAfter(month));
    /// ```
    PurgeAfter(Duration),
}

impl SoftDelete {
    /// Does a deleted row stay, at least for a while?
    pub(crate) fn keeps(self) -> bool {
        match self {
            Self::Keep | Self::PurgeAfter(_) => true,
            Self::Purge => false,
        }
    }
}

/// What becomes of a row from the server that cannot be applied: it is no usable record, or the
/// table refuses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum BadRow {
    /// It is set aside ([`crate::SyncEvent::RowQuarantined`]), tried again after every pull of the
    /// kind, and the rest goes on.
    #[default]
    Quarantine,
    /// The pull of its kind stops with [`crate::SyncError::BadRow`], the cursor before it; the next
    /// run asks for it again. Other kinds go on. What the table refuses of an answer to a push is
    /// quarantined all the same: the server has taken that operation.
    ///
    /// ```
    /// # use sync_core::{BadRow, TableConfig};
    /// let strict = TableConfig::new().bad_rows(BadRow::Fail);
    /// ```
    Fail,
}

/// What becomes of rows that a table had before an engine was first built on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExistingRows {
    /// They are the user's: a create is queued for each of them, as if it had been inserted now.
    /// Rows that bear a tombstone are passed over.
    ///
    /// ```
    /// # use sync_core::{ExistingRows, TableConfig};
    /// let mine = TableConfig::new().existing_rows(ExistingRows::Adopt);
    /// ```
    Adopt,
    /// They are a copy of the server's: nothing is queued, and a pull overwrites those that the
    /// server has. What the server does not have stays as a local row that nobody sends, until it
    /// is edited: then it is created there. Deleting one before the first pull deletes it on the server, unless
    /// the server's record says something else than the row did then: that is a conflict.
    ServerOwned,
}

/// Settings of one table; what is not set follows the engine's.
///
/// ```
/// # use std::time::Duration;
/// # use sync_core::{SoftDelete, TableConfig};
/// let todos = TableConfig::new()
///     .soft_delete(SoftDelete::Purge)
///     .sync_interval(Duration::from_secs(30))
///     .filter("project", "7")
///     .references("list_id", "lists");
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct TableConfig {
    /// How its conflicts are settled.
    pub strategy: Option<ConflictStrategy>,
    /// Who decides them under `Manual`.
    pub resolver: Option<Arc<dyn ConflictResolver>>,
    /// How they are merged under `Merge`.
    pub merge: Option<MergeFunction>,
    /// What becomes of deleted rows.
    pub soft_delete: Option<SoftDelete>,
    /// What becomes of rows that cannot be applied.
    pub bad_rows: BadRow,
    /// Whose the rows are that the table had before the library; must be said if there are any.
    pub existing_rows: Option<ExistingRows>,
    /// Rows per page.
    pub page_size: Option<u32>,
    /// How often automatic runs pull it.
    pub sync_interval: Option<Duration>,
    /// Fold edits of one entity into one operation (the default), or send every single one.
    pub coalesce: Option<bool>,
    /// How urgent it is: kinds of a higher number push and pull first. Default 0.
    pub priority: i32,
    /// Which way its records travel. Default: both.
    pub direction: Direction,
    /// How much of an update travels. Default: the whole record.
    pub payload: Payload,
    /// Extra query parameters of its pull: partial sync.
    pub filter: Vec<(String, String)>,
    /// Its fields that hold the id of an entity of another kind, each with that kind.
    pub references: Vec<(String, String)>,
    /// How what waits since an older version of its schema is lifted to the present one.
    pub upcasts: Upcasts,
}

impl TableConfig {
    /// Settings that follow the engine's.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Settles its conflicts so. `Manual` without a [`resolver`](Self::resolver) leaves each conflict
    /// open ([`crate::Resolution::Defer`]) until [`crate::Conflicts::resolve`] decides it.
    #[must_use]
    pub fn strategy(mut self, strategy: ConflictStrategy) -> Self {
        self.strategy = Some(strategy);
        self
    }

    /// Lets this resolver decide, and implies [`ConflictStrategy::Manual`].
    #[must_use]
    pub fn resolver(mut self, resolver: Arc<dyn ConflictResolver>) -> Self {
        self.resolver = Some(resolver);
        self.strategy = Some(ConflictStrategy::Manual);
        self
    }

    /// Merges with this function, and implies [`ConflictStrategy::Merge`].
    #[must_use]
    pub fn merge(mut self, merge: MergeFunction) -> Self {
        self.merge = Some(merge);
        self.strategy = Some(ConflictStrategy::Merge);
        self
    }

    /// Keeps or removes the rows of deleted entities.
    #[must_use]
    pub fn soft_delete(mut self, policy: SoftDelete) -> Self {
        self.soft_delete = Some(policy);
        self
    }

    /// Sets rows aside that cannot be applied, or stops the pull of this table there.
    #[must_use]
    pub fn bad_rows(mut self, policy: BadRow) -> Self {
        self.bad_rows = policy;
        self
    }

    /// Says whose the rows are that the table had before an engine was first built on it.
    #[must_use]
    pub fn existing_rows(mut self, whose: ExistingRows) -> Self {
        self.existing_rows = Some(whose);
        self
    }

    /// Pulls in pages of so many rows.
    #[must_use]
    pub fn page_size(mut self, rows: u32) -> Self {
        self.page_size = Some(rows);
        self
    }

    /// Automatic runs pull it so often.
    #[must_use]
    pub fn sync_interval(mut self, interval: Duration) -> Self {
        self.sync_interval = Some(interval);
        self
    }

    /// Folds edits of one entity into one operation, or sends every single one in order.
    #[must_use]
    pub fn coalesce(mut self, coalesce: bool) -> Self {
        self.coalesce = Some(coalesce);
        self
    }

    /// Pushes and pulls it before the tables of a lower number, after those of a higher one; the
    /// default is 0. Kinds that it refers to come along with it, because they must come first.
    /// Within one number the order is that of writing, and kinds are pulled side by side.
    ///
    /// ```
    /// # use sync_core::TableConfig;
    /// let orders = TableConfig::new().priority(10);
    /// let reading_habits = TableConfig::new().priority(-1);
    /// ```
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Sends and pulls it, only pulls it, or only sends it.
    ///
    /// ```
    /// # use sync_core::{Direction, TableConfig};
    /// let prices = TableConfig::new().direction(Direction::PullOnly);
    /// ```
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Sends the whole record with each update, or only what the user changed.
    ///
    /// ```
    /// # use sync_core::{Payload, TableConfig};
    /// let long_texts = TableConfig::new().payload(Payload::Changed);
    /// ```
    #[must_use]
    pub fn payload(mut self, payload: Payload) -> Self {
        self.payload = payload;
        self
    }

    /// Lifts records that were written under version `from` of this table's schema to the next
    /// version. The first version is 1, and a table without an upcast is at that; one with upcasts
    /// is at the version that the last of them leads to.
    ///
    /// Lifted are queued operations, what is remembered of the server beside them, and quarantined
    /// rows, each when it is next touched. A field that was changed stays changed under its new
    /// name. The rows in the table itself are the app's own migration. An upcast that errs or
    /// panics holds up its own entity, whose operation is then stuck with that reason; so does a
    /// version that is newer than this app knows.
    ///
    /// ```
    /// # use sync_core::TableConfig;
    /// // `done: bool` has become `status: String`.
    /// let todos = TableConfig::new().upcast(1, |mut record| {
    ///     let fields = record.fields_mut();
    ///     if let Some(done) = fields.remove("done") {
    ///         let status = if done == true { "done" } else { "open" };
    ///         fields.insert("status".to_owned(), status.into());
    ///     }
    ///     Ok(record)
    /// });
    /// assert_eq!(todos.upcasts.current(), 2);
    /// ```
    #[must_use]
    pub fn upcast<F>(mut self, from: u32, lift: F) -> Self
    where
        F: Fn(Record) -> Result<Record, String> + Send + Sync + 'static,
    {
        self.upcasts.add(from, lift);
        self
    }

    /// Pulls only what the server gives for this query parameter.
    #[must_use]
    pub fn filter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.filter.push((name.into(), value.into()));
        self
    }

    /// Says that a field holds the id of an entity of this kind, its parent; null or absent means
    /// none. A parent's create reaches the server before its children, a parent's deletion after
    /// them, and a pulled row waits in quarantine until its parent is here. The field needs a
    /// synced column of text or integers; an index on it spares the pull a scan per page that
    /// removes parents. A kind may refer to itself (a tree), several kinds may not refer to each
    /// other in a circle.
    ///
    /// ```
    /// # use sync_core::TableConfig;
    /// let todos = TableConfig::new().references("list_id", "todo_lists");
    /// ```
    #[must_use]
    pub fn references(mut self, field: impl Into<String>, kind: impl Into<String>) -> Self {
        self.references.push((field.into(), kind.into()));
        self
    }
}

/// A table as the engine knows it: schema and settings, with defaults filled in.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) schema: TableSchema,
    pub(crate) strategy: ConflictStrategy,
    pub(crate) resolver: Option<Arc<dyn ConflictResolver>>,
    pub(crate) merge: MergeFunction,
    pub(crate) soft_delete: SoftDelete,
    pub(crate) bad_rows: BadRow,
    pub(crate) existing_rows: Option<ExistingRows>,
    pub(crate) page_size: u32,
    pub(crate) sync_interval: Option<Duration>,
    pub(crate) coalesce: bool,
    pub(crate) priority: i32,
    pub(crate) direction: Direction,
    pub(crate) payload: Payload,
    pub(crate) filter: Vec<(String, String)>,
    /// What the table declares; [`crate::references::References`] is what became of it.
    pub(crate) references: Vec<(String, String)>,
    pub(crate) upcasts: Upcasts,
}

impl Table {
    pub(crate) fn new(
        schema: TableSchema,
        own: TableConfig,
        strategy: ConflictStrategy,
        page_size: u32,
    ) -> Self {
        let keep = if schema.tombstone().is_some() {
            SoftDelete::Keep
        } else {
            SoftDelete::Purge
        };
        Self {
            strategy: own.strategy.unwrap_or(strategy),
            resolver: own.resolver,
            merge: own.merge.unwrap_or_default(),
            soft_delete: own.soft_delete.unwrap_or(keep),
            bad_rows: own.bad_rows,
            existing_rows: own.existing_rows,
            page_size: own.page_size.unwrap_or(page_size),
            sync_interval: own.sync_interval,
            coalesce: own.coalesce.unwrap_or(true),
            priority: own.priority,
            direction: own.direction,
            payload: own.payload,
            filter: own.filter,
            references: own.references,
            upcasts: own.upcasts,
            schema,
        }
    }

    /// Do the user's edits go to the server?
    pub(crate) fn pushes(&self) -> bool {
        self.direction.pushes()
    }

    /// The filter as one text, to notice that it changed.
    pub(crate) fn filter_text(&self) -> Option<String> {
        let pairs = self
            .filter
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        (!self.filter.is_empty()).then(|| pairs.collect::<Vec<_>>().join("&"))
    }
}
