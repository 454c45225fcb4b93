//! What the SQLite store promises, on real files.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on says so by panicking"
)]

mod bookkeeping;
mod changes;
mod common;
mod concurrency;
mod hostile_ids;
mod opening;
mod outbox;
#[cfg(unix)]
mod permissions;
mod refusals;
mod rows;
mod schema;
mod sharing;
mod transactions;
mod versions;
