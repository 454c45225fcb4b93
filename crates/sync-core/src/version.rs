//! What the server last said about an entity.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::record::Record;
use crate::time::Timestamp;

/// A version of an entity: the server's stamp, kept and echoed verbatim, and a strong `ETag` if it
/// sent one.
///
/// ```
/// # use sync_core::{Timestamp, Version};
/// let earlier = Version::new(Timestamp::parse("2026-03-01T12:00:00Z").unwrap());
/// let later = Version::new(Timestamp::parse("2026-03-01T12:00:01Z").unwrap());
/// assert!(later.is_newer_than(&earlier));
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Version {
    /// The stamp exactly as the server wrote it.
    pub stamp: Timestamp,
    /// The strong `ETag` header, quotes included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

impl Version {
    /// A version without a tag.
    #[must_use]
    pub fn new(stamp: Timestamp) -> Self {
        Self { stamp, tag: None }
    }

    /// The same version with this tag.
    #[must_use]
    pub fn with_tag(mut self, tag: Option<String>) -> Self {
        self.tag = tag;
        self
    }

    /// Is this version newer than the other, to the nanosecond?
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        self.stamp > other.stamp
    }
}

/// Equal stamps are one version unless both bear a tag and the tags differ.
impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        let tags_agree = match (&self.tag, &other.tag) {
            (Some(mine), Some(theirs)) => mine == theirs,
            _ => true,
        };
        self.stamp == other.stamp && tags_agree
    }
}

/// An entity as the server has it, or had it: as a JSON record, or as the app's own type.
///
/// ```
/// # use serde_json::json;
/// # use sync_core::{Record, ServerState};
/// let record = Record::try_from(json!({"id": "milk", "updated_at": "2026-03-01T12:00:00Z"})).unwrap();
/// assert!(ServerState::of(record, None).live().is_some());
/// assert!(ServerState::<Record>::Absent.live().is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ServerState<R = Record> {
    /// It did not exist: the base of a create.
    Absent,
    /// It exists.
    Live {
        /// Its content.
        record: R,
        /// Its version; `None` = unknown.
        version: Option<Version>,
    },
    /// It was deleted.
    Deleted {
        /// The tombstone, where the server showed one.
        record: Option<R>,
        /// The tombstone's version; `None` = unknown.
        version: Option<Version>,
    },
}

impl ServerState {
    /// The state that a record from the server describes. A stamp that is missing or unreadable
    /// leaves the version unknown.
    #[must_use]
    pub fn of(record: Record, tag: Option<String>) -> Self {
        let version = record
            .stamp()
            .ok()
            .map(|stamp| Version::new(stamp).with_tag(tag));
        if record.is_deleted() {
            Self::Deleted {
                record: Some(record),
                version,
            }
        } else {
            Self::Live { record, version }
        }
    }

    /// The same state, as far as it can be believed when the server's clock shows `date`: a stamp
    /// more than a day ahead of it would make everything that follows look old, so its version is
    /// taken as unknown.
    #[must_use]
    pub fn believed_at(mut self, date: Option<&Timestamp>) -> Self {
        let latest = date.map(Timestamp::latest_believable);
        if let (Some(latest), Self::Live { version, .. } | Self::Deleted { version, .. }) =
            (latest, &mut self)
            && version
                .as_ref()
                .is_some_and(|version| version.stamp > latest)
        {
            *version = None;
        }
        self
    }

    /// Is this state known to be newer than the other? An unknown version is newer than nothing.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        match (self.version(), other.version()) {
            (Some(mine), Some(theirs)) => mine.stamp.cmp(&theirs.stamp) == Ordering::Greater,
            _ => false,
        }
    }
}

impl<R> ServerState<R> {
    /// A deletion of which nothing more is known.
    #[must_use]
    pub fn gone() -> Self {
        Self::Deleted {
            record: None,
            version: None,
        }
    }

    /// The version, where it is known.
    #[must_use]
    pub fn version(&self) -> Option<&Version> {
        match self {
            Self::Absent => None,
            Self::Live { version, .. } | Self::Deleted { version, .. } => version.as_ref(),
        }
    }

    /// The content of a live record.
    #[must_use]
    pub fn live(&self) -> Option<&R> {
        match self {
            Self::Live { record, .. } => Some(record),
            Self::Absent | Self::Deleted { .. } => None,
        }
    }

    /// Is it deleted?
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        matches!(self, Self::Deleted { .. })
    }

    /// The record, live or tombstone, if there is one.
    #[must_use]
    pub fn record(&self) -> Option<&R> {
        match self {
            Self::Live { record, .. } => Some(record),
            Self::Deleted { record, .. } => record.as_ref(),
            Self::Absent => None,
        }
    }
}
