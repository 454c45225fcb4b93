//! Local writes: the row and its queued operation in one transaction.

mod carried;
mod entity;
mod group;
mod record;
mod repository;
mod whole;
mod within;
mod write;

pub(crate) use carried::TakenOver;
pub use entity::EntityWriter;
pub(crate) use group::GroupCommit;
pub use record::RecordWriter;
pub use repository::SyncRepository;
pub use within::{EntityWriterIn, RecordWriterIn};
pub(crate) use write::{Write, without_tombstone};
