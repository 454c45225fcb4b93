//! Test tools for offline-first sync: a server that misbehaves on demand, and an outside world
//! that stands still.

pub mod conformance;
mod server;

pub use server::{
    Backup, Deletion, Fault, FieldNames, Gate, MockServer, MockServerBuilder, RecordedRequest,
    Route, ScriptedFault, StampStyle,
};
