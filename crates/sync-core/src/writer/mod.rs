//! Local writes: the row and its queued operation in one transaction.

mod entity;
mod record;

pub use entity::EntityWriter;
pub use record::RecordWriter;
