//! The transport over real HTTP on loopback, against a server whose every byte is scripted.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the lints spare tests, but not the helpers beside them"
)]

mod auth;
mod failures;
mod hostile;
mod live;
mod raw;
mod reading;
mod requests;
mod routes;
mod server;
mod setup;
mod table;
mod tls;
