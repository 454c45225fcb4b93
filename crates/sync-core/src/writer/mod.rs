//! Local writes: the row and its queued operation in one transaction.

mod entity;
mod group;
mod record;
mod repository;
mod write;

pub(crate) use entity::difference;
pub use entity::{EntityWriter, EntityWriterIn};
pub(crate) use group::GroupCommit;
pub use record::{RecordWriter, RecordWriterIn};
pub use repository::SyncRepository;
pub(crate) use write::{Write, without_tombstone};
