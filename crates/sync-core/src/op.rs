//! One queued intent on one entity.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::changed_fields::ChangedFields;
use crate::contents::Contents;
use crate::id::{EntityId, Kind, OpId};
use crate::record::Record;
use crate::time::Timestamp;
use crate::upcast::{FIRST_SCHEMA_VERSION, first_schema_version};
use crate::version::Version;

/// What a user did to an entity, or what is to be done on the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Change {
    /// Create or update: the full record.
    Upsert {
        /// The record as it is to be.
        payload: Record,
        /// The fields that the user changed; `None` = all.
        #[serde(default)]
        changed: Option<ChangedFields>,
    },
    /// Delete.
    Delete,
}

impl Change {
    /// The payload of an upsert.
    #[must_use]
    pub fn payload(&self) -> Option<&Record> {
        match self {
            Self::Upsert { payload, .. } => Some(payload),
            Self::Delete => None,
        }
    }

    /// Is it a deletion?
    #[must_use]
    pub fn is_delete(&self) -> bool {
        matches!(self, Self::Delete)
    }
}

/// What the server is asked to check before it applies an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "check", rename_all = "snake_case")]
pub enum Precondition {
    /// The entity still has this version.
    IfBase {
        /// The version that the operation was made, or judged, against.
        version: Version,
    },
    /// The entity does not exist.
    IfAbsent,
    /// Nothing: overwrite whatever is there.
    Force,
}

/// What is known about whether the server applied an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fate {
    /// It never left: surely not applied.
    #[default]
    NeverSent,
    /// It was sent and no definitive answer came: perhaps applied.
    Unknown,
    /// Every attempt so far got a definitive negative answer: surely not applied.
    Negative,
}

/// How much of an update goes out, as it was decided when it was first sent under its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Body {
    /// The whole record, without a word about what was changed.
    Whole,
    /// The whole record and the names of the fields that were changed.
    Named,
    /// The id, the fields that were changed and their names.
    Part,
}

/// Whether an operation takes part in synchronisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OpStatus {
    /// Waiting to be sent.
    #[default]
    Pending,
    /// In a conflict that somebody put off: not sent until it is resolved, edited again, or its
    /// server record changes.
    Deferred,
    /// Set aside with its reason: nothing is lost, nothing is sent until somebody acts.
    Stuck,
}

/// How a conflict was decided: the operation as it will go out instead of as it was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What goes out.
    pub change: Change,
    /// The version that the decision was made against; `None` = unknown or a deletion without one.
    pub judged: Option<Version>,
    /// Does it re-create an entity that the server had deleted?
    #[serde(default)]
    pub recreate: bool,
    /// Is it forced only because the server cannot check this entity's version?
    #[serde(default)]
    pub unreliable: bool,
    /// Do the changed fields name everything in which it differs from the record that it was decided
    /// against? What is to win as a whole says no.
    #[serde(default)]
    pub names_all: bool,
}

/// One queued operation, with everything that a restart must remember.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Op {
    /// Place in the queue, assigned by the store.
    pub seq: i64,
    /// Its identity.
    pub op_id: OpId,
    /// The type of its entity.
    pub kind: Kind,
    /// Its entity.
    pub entity_id: EntityId,
    /// The edit as the user wrote it; a conflict is always judged from this.
    pub written: Change,
    /// When the newest edit in it was made: the device's time, corrected by the offset to the
    /// server's clock that was known then.
    pub written_at: Timestamp,
    /// The decision of a conflict, if there was one.
    pub verdict: Option<Verdict>,
    /// What the server is asked to check; `None` = the base is unknown, fetch before sending.
    pub precondition: Option<Precondition>,
    /// Grows whenever content or precondition changes after the operation was sent.
    pub round: u32,
    /// What is known about its effect.
    pub fate: Fate,
    /// Was it ever sent, in any round?
    pub ever_sent: bool,
    /// Does it take part?
    pub status: OpStatus,
    /// How often the server refused it.
    pub try_count: u32,
    /// In how many runs it alone got no usable answer.
    pub trouble_count: u32,
    /// Not sent before this time of the device, in Unix milliseconds.
    pub next_attempt_at: Option<i64>,
    /// What the server or the library last said against it.
    pub last_error: Option<String>,
    /// The version of the table's schema that it was written under, see
    /// [`crate::TableConfig::upcast`].
    #[serde(default = "first_schema_version")]
    pub schema_version: u32,
    /// Is the server asked for its record before this is sent, whatever it declares? So it is where
    /// the operation may have been applied under another key than the present one.
    #[serde(default)]
    pub look_first: bool,
    /// How it goes out in this round, each time with the same bytes; `None` = it was not sent yet in
    /// this round.
    #[serde(default)]
    pub body: Option<Body>,
}

/// Without contents, and without what the server said, which may repeat them.
impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Op")
            .field("seq", &self.seq)
            .field("op_id", &self.op_id)
            .field("kind", &self.kind)
            .field("entity_id", &self.entity_id)
            .field("written", &self.written)
            .field("written_at", &self.written_at)
            .field("verdict", &self.verdict)
            .field("precondition", &self.precondition)
            .field("round", &self.round)
            .field("fate", &self.fate)
            .field("ever_sent", &self.ever_sent)
            .field("status", &self.status)
            .field("try_count", &self.try_count)
            .field("trouble_count", &self.trouble_count)
            .field("next_attempt_at", &self.next_attempt_at)
            .field("last_error", &self.last_error.as_ref().map(Contents))
            .finish_non_exhaustive()
    }
}

impl Op {
    /// A fresh operation that was never sent.
    #[must_use]
    pub fn new(op_id: OpId, kind: Kind, id: EntityId, written: Change, at: Timestamp) -> Self {
        Self {
            seq: 0,
            op_id,
            kind,
            entity_id: id,
            written,
            written_at: at,
            verdict: None,
            precondition: None,
            round: 0,
            fate: Fate::NeverSent,
            ever_sent: false,
            status: OpStatus::Pending,
            try_count: 0,
            trouble_count: 0,
            next_attempt_at: None,
            last_error: None,
            schema_version: FIRST_SCHEMA_VERSION,
            look_first: false,
            body: None,
        }
    }

    /// The record that goes out; `None` = it deletes.
    #[must_use]
    pub fn payload(&self) -> Option<&Record> {
        self.outgoing().payload()
    }

    /// Why it still waits, as the server or the library last said; `None` = nothing was said
    /// against it. It may repeat what is in the record.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// How many attempts since the last edit were refused, or alone got no usable answer.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.try_count.saturating_add(self.trouble_count)
    }

    /// The time of the device before which it is not tried again; `None` = as soon as its turn
    /// comes. What is stuck or in a conflict is not tried at all until somebody acts.
    #[must_use]
    pub fn next_attempt(&self) -> Option<Timestamp> {
        self.next_attempt_at.map(Timestamp::from_unix_millis)
    }

    /// What goes out: the verdict's content, else the edit as written.
    #[must_use]
    pub fn outgoing(&self) -> &Change {
        self.verdict
            .as_ref()
            .map_or(&self.written, |verdict| &verdict.change)
    }

    /// What conflicts are about, in each round anew: the edit as its user left it.
    pub(crate) fn judged_edit(&self) -> &Change {
        if planted!(MergeAskedTwice) {
            return self.outgoing();
        }
        &self.written
    }

    /// The fields that the user changed; `None` = all (or a delete).
    #[must_use]
    pub fn changed(&self) -> Option<&ChangedFields> {
        match &self.written {
            Change::Upsert { changed, .. } => changed.as_ref(),
            Change::Delete => None,
        }
    }

    /// The fields that what goes out is about: those of the decision, else the user's; `None` = all.
    pub(crate) fn outgoing_changed(&self) -> Option<&ChangedFields> {
        match self.outgoing() {
            Change::Upsert {
                changed: Some(changed),
                ..
            } => Some(changed),
            _ => self.changed(),
        }
    }

    /// What goes out is another content, or under another precondition, and so bears another key.
    pub(crate) fn next_round(&mut self) {
        self.round += 1;
        self.body = None;
    }

    /// The key under which the server recognises a repetition.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        let round = if planted!(KeyReused) { 0 } else { self.round };
        self.op_id.idempotency_key(round)
    }

    /// Did the server surely not apply it, so that a new edit may fold into it?
    #[must_use]
    pub fn surely_not_applied(&self) -> bool {
        self.fate != Fate::Unknown
    }
}

/// Both slots of what the library remembers about the server while an entity has operations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shadow {
    /// The type of the entity.
    pub kind: Kind,
    /// The entity.
    pub entity_id: EntityId,
    /// The entity at the version that its oldest operation was made against.
    pub base: crate::version::ServerState,
    /// The newest state that a pull brought since.
    pub parked: Option<crate::version::ServerState>,
    /// The version of the table's schema that both slots are of.
    #[serde(default = "first_schema_version")]
    pub schema_version: u32,
}
