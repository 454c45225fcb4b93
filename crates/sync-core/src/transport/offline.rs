//! The transport of those who have no server.

use async_trait::async_trait;

use super::{
    Answer, Capabilities, FetchRequest, PullPage, PullRequest, PushRequest, PushResult, Transport,
    TransportError, TransportErrorKind, WakeupStream,
};
use crate::version::ServerState;

/// A transport without a server, for an app whose user has named none, or is not signed in: writing
/// and reading need none, and every call of this one fails as [`TransportErrorKind::Offline`]. What
/// was written waits in the outbox for an engine that is built on the same database with another
/// transport.
///
/// ```
/// # use sync_core::{PhaseEnd, Store, SyncEngine, SyncEntity, SyncError, transport::Offline};
/// # #[derive(Clone, serde::Serialize, serde::Deserialize, SyncEntity)]
/// # #[sync(kind = "todos")]
/// # struct Todo { id: String, title: String }
/// # async fn example(store: impl Store) -> Result<(), SyncError> {
/// let engine = SyncEngine::builder(store, Offline::new("sign in to sync"))
///     .table::<Todo>()
///     .build()
///     .await?;
/// engine.writer::<Todo>()?.insert(&Todo { id: "1".into(), title: "Milk".into() }).await?;
///
/// let report = engine.sync().await?;
/// assert_eq!(report.pending, 1);
/// assert!(matches!(report.push, PhaseEnd::Offline { .. }));
/// # Ok(())
/// # }
/// # let store = sync_core::MemoryStore::new();
/// # tokio::runtime::Runtime::new().unwrap().block_on(example(store)).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Offline {
    why: String,
}

impl Offline {
    /// Every call fails with these words, which may say what to do about it.
    #[must_use]
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into() }
    }

    fn error(&self) -> TransportError {
        TransportError::new(TransportErrorKind::Offline, &self.why)
    }
}

impl Default for Offline {
    fn default() -> Self {
        Self::new("this app has no server: build the engine with a transport to one")
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Transport for Offline {
    async fn pull(&self, _: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        Err(self.error())
    }

    async fn push(&self, _: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        Err(self.error())
    }

    async fn fetch(&self, _: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        Err(self.error())
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        Err(self.error())
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        Err(self.error())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::without_server()
    }
}
