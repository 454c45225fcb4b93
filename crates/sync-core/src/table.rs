//! One registered table and its own settings.

use std::sync::Arc;
use std::time::Duration;

use crate::conflict::{ConflictResolver, ConflictStrategy, MergeFunction};
use crate::schema::TableSchema;

/// What becomes of the row of a deleted entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SoftDelete {
    /// It stays, with its tombstone field set. Default where the entity has one.
    Keep,
    /// It is removed.
    Purge,
}

/// Settings of one table; what is not set follows the engine's.
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
    /// Rows per page.
    pub page_size: Option<u32>,
    /// How often automatic runs pull it.
    pub sync_interval: Option<Duration>,
    /// Fold edits of one entity into one operation (the default), or send every single one.
    pub coalesce: Option<bool>,
    /// Extra query parameters of its pull: partial sync.
    pub filter: Vec<(String, String)>,
}

impl TableConfig {
    /// Settings that follow the engine's.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Settles its conflicts so.
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

    /// Pulls only what the server gives for this query parameter.
    #[must_use]
    pub fn filter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.filter.push((name.into(), value.into()));
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
    pub(crate) page_size: u32,
    pub(crate) sync_interval: Option<Duration>,
    pub(crate) coalesce: bool,
    pub(crate) filter: Vec<(String, String)>,
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
            page_size: own.page_size.unwrap_or(page_size),
            sync_interval: own.sync_interval,
            coalesce: own.coalesce.unwrap_or(true),
            filter: own.filter,
            schema,
        }
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
