//! HTTP transport for `sync-core`: JSON over REST.
//!
//! [`wire`] holds the protocol itself and needs no HTTP library (`default-features = false`), so
//! that servers speak exactly what the client speaks. The feature `client` (default) adds
//! `RestTransport`; `rustls` (default) gives it https.

pub mod wire;

#[cfg(feature = "client")]
mod answer;
#[cfg(feature = "client")]
mod client;
#[cfg(all(fuzzing, feature = "client"))]
pub mod fuzz;
#[cfg(feature = "client")]
mod route;
#[cfg(feature = "client")]
mod token;

#[cfg(feature = "client")]
pub use client::{RestTransport, RestTransportBuilder};
#[cfg(feature = "client")]
pub use route::KindRoute;
#[cfg(feature = "client")]
pub use token::{StaticToken, Token, TokenError, TokenProvider};
