//! Local writes: the row and its queued operation in one transaction.

mod entity;
mod group;
mod record;
mod repository;
mod write;

pub use entity::{EntityWriter, EntityWriterIn};
pub(crate) use group::GroupCommit;
pub use record::{RecordWriter, RecordWriterIn};
pub use repository::SyncRepository;
