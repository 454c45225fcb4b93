//! Real engines and a small server in one thread: chosen interleavings, with lost
//! requests and answers, refusals and crashes.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking, and reads better with literals passed by value"
)]

mod device;
mod faults;
mod interleavings;
mod link;
mod server;
mod world;
