//! The transport itself: requests out, answers in.

mod auth;
mod builder;
mod http;
mod live;
mod request;
mod transport;

#[cfg(fuzzing)]
pub(crate) use live::Channel;

pub use builder::RestTransportBuilder;
pub use transport::RestTransport;
