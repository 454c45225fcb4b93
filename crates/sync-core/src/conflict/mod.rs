//! Two edits of one entity, and the ways to settle them.

mod merge_function;
mod merged;
mod open;
mod resolver;
mod side;
mod strategy;
mod typed;

pub use merge_function::MergeFunction;
pub use merged::MergedEntity;
pub use open::OpenConflict;
pub use resolver::{ConflictResolver, Resolution, ResolverError, resolve_fn};
pub use side::ConflictSide;
pub(crate) use side::Source;
pub use strategy::ConflictStrategy;
pub use typed::resolve_typed;

use crate::changed_fields::ChangedFields;
use crate::id::{EntityId, Kind, OpId};
use crate::record::Record;
use crate::time::Timestamp;
use crate::version::ServerState;

/// An edit of this device that met a newer state of the server (semantics 4): with JSON records, or
/// as `Conflict<Todo>` with the app's own type.
///
/// The engine makes them; an app makes one to test its merge function or resolver.
///
/// ```
/// # use serde_json::json;
/// # use sync_core::{Conflict, EntityId, Env, Kind, MergeFunction, Record, ServerState};
/// let record = |stock: u32| Record::try_from(json!({"id": "milk", "stock": stock})).unwrap();
/// let (kind, id) = (Kind::new("items").unwrap(), EntityId::new("milk").unwrap());
/// let mut conflict = Conflict::new(kind, id, Env::system().op_id());
/// conflict.base = ServerState::of(record(5), None);
/// conflict.local = Some(record(4));
/// conflict.server = ServerState::of(record(7), None);
///
/// let fewest = MergeFunction::new(|local, server| {
///     let mine_is_less = local["stock"].as_u64() < server["stock"].as_u64();
///     if mine_is_less { local.clone() } else { server.clone() }
/// });
/// assert_eq!(fewest.merge(&conflict).unwrap(), conflict.local);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Conflict<R = Record> {
    /// Type of the entity.
    pub kind: Kind,
    /// The entity.
    pub entity_id: EntityId,
    /// The operation in conflict.
    pub op_id: OpId,
    /// The record as the user left it; `None` = the user deleted it.
    pub local: Option<R>,
    /// The newest state of the server.
    pub server: ServerState<R>,
    /// What the user's edit was made against.
    pub base: ServerState<R>,
    /// The fields that the user changed; `None` = all.
    pub changed_fields: Option<ChangedFields>,
    /// When the user edited, corrected by the offset to the server's clock.
    pub local_time: Timestamp,
    /// When the server's side was written, as far as it says.
    pub server_time: Option<Timestamp>,
    /// What a typed one was made of.
    pub(crate) source: Source,
}

impl<R> Conflict<R> {
    /// A conflict of which nothing is known yet: on no side there is a record.
    #[must_use]
    pub fn new(kind: Kind, entity_id: EntityId, op_id: OpId) -> Self {
        Self {
            kind,
            entity_id,
            op_id,
            local: None,
            server: ServerState::Absent,
            base: ServerState::Absent,
            changed_fields: None,
            local_time: Timestamp::from_unix_millis(0),
            server_time: None,
            source: Source::default(),
        }
    }

    /// The server's live record; `None` = deleted.
    #[must_use]
    pub fn server_record(&self) -> Option<&R> {
        self.server.live()
    }

    /// The record that the edit was made against; `None` = it did not exist or was deleted.
    #[must_use]
    pub fn base_record(&self) -> Option<&R> {
        self.base.live()
    }

    /// The strong `ETag` of the server's side.
    #[must_use]
    pub fn server_tag(&self) -> Option<&str> {
        self.server
            .version()
            .and_then(|version| version.tag.as_deref())
    }
}
