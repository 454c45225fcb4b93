//! What the mock server does, seen through a plain HTTP client.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod deletion_and_keys;
mod faults;
mod pull;
mod push;
mod service;
mod support;
