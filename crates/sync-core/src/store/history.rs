//! Conflicts that were resolved, kept so that a person can look at them and take one back.

use serde::{Deserialize, Serialize};

use crate::changed_fields::ChangedFields;
use crate::conflict::ConflictStrategy;
use crate::id::{EntityId, Kind, OpId};
use crate::record::Record;
use crate::time::Timestamp;
use crate::upcast::first_schema_version;
use crate::version::{ServerState, Version};

/// Whose side a decision took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Decided {
    /// The server's state came into force, the user's edit went.
    Server,
    /// The user's edit was sent over the server's state, or re-created what was deleted.
    Client,
    /// Something made of both sides was sent.
    Merged,
    /// The user gave the edit up ([`crate::Resolution::Discard`]).
    Discarded,
}

/// A conflict that was resolved: what each side had, what was decided, and what it led to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResolvedConflict {
    /// The operation that was in conflict.
    pub op_id: OpId,
    /// Type of its entity.
    pub kind: Kind,
    /// Its entity.
    pub entity_id: EntityId,
    /// The strategy of the table; [`ConflictStrategy::Manual`] if somebody was asked.
    pub strategy: ConflictStrategy,
    /// Whose side the decision took.
    pub decided: Decided,
    /// The record as the user had left it; `None` = the user had deleted it.
    pub local: Option<Record>,
    /// What the server had.
    pub server: ServerState,
    /// What the user's edit was made against.
    pub base: ServerState,
    /// The fields that the user had changed; `None` = all.
    pub changed_fields: Option<ChangedFields>,
    /// The fields in which a side lost something, where both were merged field by field; a decision
    /// for one whole side names none.
    pub contested_fields: Vec<String>,
    /// What was decided on: the record as it was sent, or came into force; `None` = deleted.
    pub result: Option<Record>,
    /// Does the server have it? Until then the decision waits in the outbox, unless it was given
    /// up: by discarding it, or by a newer edit that was judged anew.
    pub in_force: bool,
    /// The version that it led to, as far as the server told; `None` while it is not in force.
    pub version: Option<Version>,
    /// When it was decided, by the device's clock.
    pub resolved_at: Timestamp,
    /// The version of the table's schema that the records are of.
    #[serde(default = "first_schema_version")]
    pub schema_version: u32,
}
