//! One rule each, on a real engine with a store in memory, against a server that answers by heart.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod accounts;
mod adding;
mod asking;
mod batches;
mod deciding;
mod deleting;
mod device;
mod family;
mod hostile;
mod importing;
mod orphans;
mod pages;
mod references;
mod resolving;
mod restoring;
mod resyncs;
mod rows;
mod sending;
mod server;
mod typed;
