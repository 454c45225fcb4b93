//! Whom the engine speaks for, and whether the server is still the one that it knows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::transport::{
    Answer, Capabilities, FetchRequest, PullPage, PullRequest, PushRequest, PushResult, Transport,
    TransportError, TransportErrorKind, WakeupStream,
};
use crate::version::ServerState;

/// The account that an engine was built for, and the server's epoch.
#[derive(Debug, Default)]
pub(crate) struct Identity {
    account: Option<String>,
    epoch: Mutex<Epoch>,
}

#[derive(Debug, Default)]
struct Epoch {
    /// The one that everything in the store belongs to.
    kept: Option<String>,
    /// Is it not in the store yet?
    unsaved: bool,
    /// Another one, that an answer brought: a backup was restored, and nothing was done about it
    /// yet.
    other: Option<String>,
}

impl Identity {
    pub(crate) fn new(account: Option<String>) -> Self {
        Self {
            account,
            epoch: Mutex::default(),
        }
    }

    pub(crate) fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// The epoch that the store belongs to from now on, as the store says.
    pub(crate) fn recall(&self, kept: Option<String>) {
        let mut epoch = self.epoch();
        if kept.is_some() {
            *epoch = Epoch {
                kept,
                ..Epoch::default()
            };
        }
    }

    pub(crate) fn known_epoch(&self) -> Option<String> {
        self.epoch().kept.clone()
    }

    /// The epoch of a server that was restored since, if nothing was done about it yet.
    pub(crate) fn other_epoch(&self) -> Option<String> {
        self.epoch().other.clone()
    }

    /// An epoch that the next commit has to note. A server that begins to send one was not
    /// restored.
    pub(crate) fn unsaved_epoch(&self) -> Option<String> {
        let epoch = self.epoch();
        epoch.kept.clone().filter(|_| epoch.unsaved)
    }

    pub(crate) fn epoch_is_saved(&self) {
        self.epoch().unsaved = false;
    }

    /// May an answer under this epoch be used?
    fn admits(&self, met: Option<&String>) -> bool {
        let Some(met) = met.filter(|met| !met.is_empty()) else {
            return true;
        };
        let mut epoch = self.epoch();
        match &epoch.kept {
            None => {
                epoch.kept = Some(met.clone());
                epoch.unsaved = true;
                true
            }
            Some(kept) if kept == met => true,
            Some(_) if planted!(EpochIgnored) => true,
            Some(_) => {
                epoch.other = Some(met.clone());
                false
            }
        }
    }

    fn epoch(&self) -> MutexGuard<'_, Epoch> {
        self.epoch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says on every request whose it is, and lets no answer through of a server that was restored
/// from a backup: such an answer belongs to another past than what lies in the store. An operation
/// whose answer is stopped here has an unknown fate, and is looked up.
#[derive(Debug)]
pub(crate) struct IdentityLayer {
    inner: Arc<dyn Transport>,
    identity: Arc<Identity>,
}

impl IdentityLayer {
    pub(crate) fn new(inner: Arc<dyn Transport>, identity: Arc<Identity>) -> Self {
        Self { inner, identity }
    }

    fn admit<T>(&self, answer: Answer<T>) -> Result<Answer<T>, TransportError> {
        if self.identity.admits(answer.epoch.as_ref()) {
            return Ok(answer);
        }
        let message = "the server was restored from a backup: everything is pulled again first";
        let error = TransportError::new(TransportErrorKind::EpochChanged, message);
        Err(error.with_unanswered_before(answer.unanswered_before))
    }

    fn account(&self) -> Option<String> {
        self.identity.account().map(str::to_owned)
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Transport for IdentityLayer {
    async fn pull(&self, mut request: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        request.account = self.account();
        self.admit(self.inner.pull(request).await?)
    }

    async fn push(
        &self,
        mut request: PushRequest,
    ) -> Result<Answer<Vec<PushResult>>, TransportError> {
        request.account = self.account();
        self.admit(self.inner.push(request).await?)
    }

    async fn fetch(
        &self,
        mut request: FetchRequest,
    ) -> Result<Answer<ServerState>, TransportError> {
        request.account = self.account();
        self.admit(self.inner.fetch(request).await?)
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        self.inner.health().await
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        self.inner.wakeups().await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}
