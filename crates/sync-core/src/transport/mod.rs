//! The seam to a server: one call is one request.

mod capabilities;
mod error;
mod messages;
mod offline;
mod page;
mod shared;

use std::fmt::Debug;
use std::pin::Pin;

use async_trait::async_trait;
use futures::stream::Stream;

pub use capabilities::{Capabilities, Features};
pub use error::{TransportError, TransportErrorKind};
pub use messages::{
    Answer, FetchRequest, PullRequest, PushChange, PushOp, PushOutcome, PushRequest, PushResult,
    Wakeup,
};
pub use offline::Offline;
pub use page::{PullPage, UnreadableItem};

use crate::version::ServerState;

/// Live wake-ups from a server; ends when the channel is lost.
pub type WakeupStream = Pin<Box<dyn Stream<Item = Wakeup> + Send>>;

/// A way to a server.
///
/// Expected outcomes are values; an error is a call that failed and says whether the request may
/// have reached the server. Batching, retries and time-outs of a run are the engine's, so a
/// transport does exactly what it is told, once.
///
/// # Contract
/// The suite `sync_testkit::transport_conformance!` states it as tests.
#[async_trait]
pub trait Transport: Debug + Send + Sync + 'static {
    /// Brings one page of a kind.
    ///
    /// # Errors
    /// [`TransportErrorKind::CursorExpired`] if the server can no longer answer from there.
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>, TransportError>;

    /// Sends one operation, or one batch of operations of different entities.
    ///
    /// # Behavior
    /// The results are in the order of the operations and of the same number.
    /// Redirects are not followed. What is not the server's own answer is
    /// [`PushOutcome::Protocol`], never a success.
    ///
    /// # Errors
    /// A failure of the request as a whole, by kind.
    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError>;

    /// Brings one entity; 404 and 410 are [`ServerState::gone`].
    ///
    /// # Errors
    /// As for [`Transport::pull`].
    async fn fetch(&self, request: FetchRequest) -> Result<Answer<ServerState>, TransportError>;

    /// Asks whether the server is there.
    ///
    /// # Errors
    /// What kept it from answering.
    async fn health(&self) -> Result<Answer<()>, TransportError>;

    /// Opens the live channel; an empty stream if the server has none.
    ///
    /// # Behavior
    /// The stream ends when the channel is lost. Called again, it goes on behind the last wake-up
    /// that was handed out; where some may have been missed, it begins with [`Wakeup::Everything`].
    ///
    /// # Errors
    /// What kept it from opening.
    async fn wakeups(&self) -> Result<WakeupStream, TransportError>;

    /// What this transport can do and whom it talks to.
    fn capabilities(&self) -> Capabilities;
}
