//! Offline-first sync: read and write locally, sync when ready.
//!
//! This crate is the engine. It knows neither SQL nor HTTP: a database is a [`store::Store`], a
//! server is a [`transport::Transport`].
//!
//! An app writes through an [`EntityWriter`], or a [`SyncRepository`]: the row and the operation that
//! carries it to the server are one transaction. [`SyncEngine::sync`] sends what waits and brings back
//! what others changed. Where two changed the same record, the table's [`ConflictStrategy`] decides.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use sync_core::{MemoryStore, SyncEngine, SyncEntity, SyncError, Transport};
//!
//! #[derive(Clone, Serialize, Deserialize, SyncEntity)]
//! #[sync(kind = "todos")]
//! struct Todo {
//!     id: String,
//!     title: String,
//!     done: bool,
//! }
//!
//! async fn run(transport: impl Transport) -> Result<(), SyncError> {
//!     let store = MemoryStore::new(); // or `SqliteStore` of `sync-sqlx`
//!     let engine = SyncEngine::builder(store, transport).table::<Todo>().build().await?;
//!
//!     let todos = engine.writer::<Todo>()?;
//!     todos.insert(&Todo { id: "milk".into(), title: "Buy milk".into(), done: false }).await?;
//!     todos.update_with("milk", |todo| todo.done = true).await?;
//!
//!     println!("{}", engine.sync().await?.stats);
//!     Ok(())
//! }
//! ```
//!
//! | to | begin with |
//! |---|---|
//! | describe a table | [`SyncEntity`], [`TableConfig`], [`SyncConfig`] |
//! | write and read | [`EntityWriter`], [`SyncRepository`] |
//! | settle conflicts | [`ConflictStrategy`], [`FieldMerge`], [`MergeFunction`], [`resolve_typed`] |
//! | hear what happens | [`SyncReport`], [`SyncEvent`], [`SyncError`] |
//! | bring a database or a server of another sort | [`Store`], [`Transport`] |
//!
//! The crate `sync-rest` has the transport over HTTP, `sync-sqlx` the store on SQLite, `sync-testkit` a
//! server for tests. The guides are in the folder `docs` of the repository.
//!
//! The feature `derive` (default) brings `#[derive(SyncEntity)]`.

#[cfg(not(sync_planted))]
#[macro_use]
mod planted;
#[cfg(sync_planted)]
#[macro_use]
pub mod planted;

pub mod answer;
pub mod backoff;
pub mod base64;
pub mod changed_fields;
pub mod config;
pub mod conflict;
pub mod contents;
mod context;
pub mod engine;
pub mod entity;
pub mod env;
pub mod error;
pub mod event;
mod field_merge;
pub mod id;
mod identity;
pub mod json;
pub mod layers;
mod lease;
pub mod merge;
pub mod op;
mod outbox;
mod owed;
mod priority;
mod pull;
mod push;
mod quarantine;
pub mod record;
mod references;
pub mod schema;
pub mod stats;
pub mod store;
pub mod system_fields;
pub mod table;
pub mod time;
pub mod transport;
mod travel;
pub mod upcast;
pub mod version;
pub mod writer;

#[cfg(feature = "backoff")]
pub use backoff::BackoffPolicy;
pub use backoff::{FullJitter, RetryPolicy};
pub use changed_fields::{ChangedFields, ChangedFieldsDiff, ChangedFieldsTracker};
pub use config::SyncConfig;
pub use conflict::{
    Conflict, ConflictResolver, ConflictSide, ConflictStrategy, MergeFunction, MergedEntity,
    OpenConflict, Resolution, ResolverError, resolve_fn, resolve_typed,
};
pub use engine::{
    BlockedBy, BlockedOperation, Conflicts, Delivery, Discarded, EntityState, Imported, Outbox,
    Quarantine, SignOut, SyncEngine, SyncEngineBuilder, SyncOptions, Undo,
};
pub use entity::SyncEntity;
pub use env::{Clock, Entropy, Env};
pub use error::SyncError;
pub use event::{EventStream, FullResyncReason, SyncEvent, SyncPhase};
pub use id::{EntityId, InvalidId, Kind, OpId};
pub use merge::{
    FieldMerge, MergeResult, deep_merge, default_merge, preserving_merge, preserving_merge_with,
};
pub use op::{Body, Change, Fate, Op, OpStatus, Precondition, Shadow, Verdict};
pub use record::{InvalidRecord, Record};
pub use schema::{Column, ColumnType, TableSchema};
pub use stats::{PhaseEnd, SyncReport, SyncStats};
pub use store::{MemoryStore, Store, StoreError, StoreErrorKind, StoreTx, TxMode};
pub use table::{BadRow, ExistingRows, SoftDelete, TableConfig};
pub use time::{InvalidTimestamp, Timestamp};
pub use transport::{Transport, TransportError, TransportErrorKind};
pub use travel::{Direction, Payload};
pub use version::{ServerState, Version};
pub use writer::{EntityWriter, EntityWriterIn, RecordWriter, RecordWriterIn, SyncRepository};

#[cfg(feature = "derive")]
pub use sync_derive::SyncEntity;
