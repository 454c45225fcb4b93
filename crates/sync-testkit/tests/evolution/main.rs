//! An app is updated while edits wait, and a database is copied: real files, a real server.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod app;
mod columns;
mod copies;
mod upcasts;
