//! What can go wrong when the library is called.

use crate::entity::InvalidEntity;
use crate::id::{EntityId, InvalidId, Kind};
use crate::record::InvalidRecord;
use crate::store::StoreError;
use crate::transport::TransportError;

impl SyncError {
    /// An entity that cannot be converted.
    pub(crate) fn entity(kind: &Kind, error: InvalidEntity) -> Self {
        let kind = kind.clone();
        match error {
            InvalidEntity::Json(source) => Self::Entity { kind, source },
            InvalidEntity::Record(source) => Self::Record { kind, source },
            InvalidEntity::Kind(source) => Self::InvalidId(source),
        }
    }

    /// The error with the server's words, for what is kept and shown to the app; `Display` leaves
    /// them out.
    pub(crate) fn in_full(&self) -> String {
        match self {
            Self::Transport(error) => error.in_full(),
            other => other.to_string(),
        }
    }
}

/// A failed call. Expected outcomes (a conflict, a refusal, being offline) are values and events.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The configuration cannot work.
    #[error("{0}")]
    Config(String),
    /// An identifier is not usable.
    #[error(transparent)]
    InvalidId(#[from] InvalidId),
    /// This kind was not registered when the engine was built.
    #[error(
        "kind {kind:?} is not registered: add its table to the engine's builder (registered: {known})"
    )]
    UnknownKind {
        /// The kind that was asked for.
        kind: String,
        /// The kinds that are there.
        known: String,
    },
    /// An entity cannot be turned into a record, or back.
    #[error("entity of kind {kind:?} cannot be converted to or from JSON: {source}")]
    Entity {
        /// Its kind.
        kind: Kind,
        /// Why.
        source: serde_json::Error,
    },
    /// A record lacks what it needs.
    #[error("record of kind {kind:?} is not usable: {source}")]
    Record {
        /// Its kind.
        kind: Kind,
        /// Why.
        source: InvalidRecord,
    },
    /// The row that is to be changed is not there.
    #[error("{kind}/{id} does not exist: insert it first, or check the id")]
    NotFound {
        /// Its kind.
        kind: Kind,
        /// Its id.
        id: EntityId,
    },
    /// The row that is to be inserted is there already.
    #[error("{kind}/{id} exists already: replace it instead, or use another id")]
    AlreadyExists {
        /// Its kind.
        kind: Kind,
        /// Its id.
        id: EntityId,
    },
    /// A field is named as changed that the record does not have.
    #[error(
        "changed field {field:?} is not in the payload of {kind}/{id}: use the field's JSON name"
    )]
    UnknownChangedField {
        /// The entity's kind.
        kind: Kind,
        /// The entity.
        id: EntityId,
        /// The field.
        field: String,
    },
    /// Nothing of this kind is written here.
    #[error(
        "{kind} is only pulled (Direction::PullOnly), so nothing of it can be written: write it on the server, or register its table with Direction::Both"
    )]
    PullOnly {
        /// The kind.
        kind: Kind,
    },
    /// The table refuses the row.
    #[error("{kind}/{id} was refused by its table: {reason}")]
    RowRejected {
        /// The entity's kind.
        kind: Kind,
        /// The entity.
        id: EntityId,
        /// The database's reason.
        reason: String,
    },
    /// A row from the server cannot be applied, and its table does not set such rows aside
    /// ([`crate::BadRow::Fail`]).
    #[error(
        "row {key} of kind {kind:?} cannot be applied: {reason}; mend it on the server or the table, or let the table use BadRow::Quarantine"
    )]
    BadRow {
        /// The row's kind.
        kind: Kind,
        /// The entity's id, or a fingerprint of a row that has none.
        key: String,
        /// Why.
        reason: String,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A request failed.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A file or stream of the caller's failed.
    #[error("cannot {what}")]
    Io {
        /// What was to be done.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A line of an import cannot be used ([`crate::Outbox::import`]).
    #[error("line {line} of the import cannot be used: {reason}; nothing was imported")]
    ImportLine {
        /// Its number, from 1.
        line: u64,
        /// Why.
        reason: String,
    },
    /// The server breaks the protocol.
    #[error("{kind}: {message}")]
    Protocol {
        /// The kind that was pulled.
        kind: Kind,
        /// What it did.
        message: String,
    },
    /// The run that served this call failed; others may have been served by it too.
    #[error(transparent)]
    Run(std::sync::Arc<SyncError>),
    /// The database holds operations of another account.
    #[error(
        "{pending} operations of another account are not sent yet ({which}): build the engine for \
         that account and sync, or discard them there with `sign_out`"
    )]
    OtherAccount {
        /// How many.
        pending: usize,
        /// Their entities, the first ones by name.
        which: String,
    },
    /// Nobody is signed out while operations wait.
    #[error(
        "{pending} operations are not sent yet ({which}): sync first, or sign out with \
         SignOut::DiscardPending"
    )]
    Unsent {
        /// How many.
        pending: usize,
        /// Their entities, the first ones by name.
        which: String,
    },
    /// Another engine or process took over the sync of this database, again and again.
    #[error(
        "another engine or process took over the sync of this database because this one did not get on: call again; if it happens often, raise `lease_duration`"
    )]
    LeaseLost,
    /// The engine was shut down.
    #[error("the engine was shut down: build a new one")]
    ShutDown,
}
