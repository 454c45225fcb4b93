//! Tokens and contents of records are in no log, no error and no `Debug` output, whatever happens.
//!
//! Everything that says anything in this process is captured, at the most talkative level.

#![expect(
    clippy::unwrap_used,
    reason = "the lints spare tests, but not the helpers beside them"
)]

mod app;
mod runs;
mod said;
mod servers;
mod types;
