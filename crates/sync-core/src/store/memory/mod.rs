//! In memory.
/// placeholder
#[derive(Debug)]
pub struct MemoryStore;
