//! The outbox against a small model of its rules (semantics 3), played through the public engine
//! on a store in memory, against a server that does as it is told.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod law;
mod model;
mod order;
mod server;
mod world;
