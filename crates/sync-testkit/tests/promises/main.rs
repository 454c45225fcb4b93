//! What the engine promises beside conflicts: policies of a table, full resyncs, quarantine, and
//! the queue in the app's hands.

#![expect(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking, and reads better with literals passed by value"
)]

mod bad_rows;
mod device;
mod existing_rows;
mod merges;
mod queue;
mod resync;
mod schemas;
mod server;
mod soft_delete;
