//! HTTP transport for `sync-core`: JSON over REST.
//!
//! [`wire`] holds the protocol itself and needs no HTTP library (`default-features = false`), so
//! that servers speak exactly what the client speaks. The feature `client` (default) adds
//! `RestTransport`; `rustls` (default) gives it https.
//!
#![cfg_attr(feature = "client", doc = "```")]
#![cfg_attr(not(feature = "client"), doc = "```ignore")]
//! use sync_rest::{KindRoute, RestTransport, StaticToken, Token};
//!
//! # fn main() -> Result<(), sync_core::TransportError> {
//! let transport = RestTransport::builder("http://localhost:8080/api")
//!     .auth(StaticToken::new(Token::bearer("secret")))
//!     .kind("todos", KindRoute::new().path("v2/tasks").stamp_field("modified"))
//!     .build()?;
//! # Ok(())
//! # }
//! ```

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
