//! The transport itself: requests out, answers in.

mod auth;
mod builder;
mod http;
mod live;
mod request;
mod transport;

pub use builder::RestTransportBuilder;
pub use transport::RestTransport;
