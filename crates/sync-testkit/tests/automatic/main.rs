//! Automatic runs. Time moves when told.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod app;
mod channel;
mod runs;
