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
mod damage;
#[cfg(unix)]
mod disk;
mod hostile_ids;
mod opening;
#[cfg(unix)]
mod other_program;
mod outbox;
#[cfg(unix)]
mod permissions;
#[cfg(unix)]
mod process;
mod refusals;
mod rows;
mod schema;
mod sharing;
mod transactions;
mod versions;
