//! HTTP transport for `sync-core`: JSON over REST.
//!
//! [`wire`] holds the protocol itself and needs no HTTP library (`default-features = false`), so
//! that servers speak exactly what the client speaks.

pub mod wire;
