//! One sync per database at a time (semantics 6), with engines of one process and of several.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests may panic as tests do"
)]

mod engines;
mod files;
#[cfg(unix)]
mod processes;
mod server;
mod setup;
mod waking;
