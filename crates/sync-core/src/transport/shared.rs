//! A shared transport is a transport.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Answer, Capabilities, FetchRequest, PullPage, PullRequest, PushRequest, PushResult, Transport,
    TransportError, WakeupStream,
};
use crate::version::ServerState;

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<T: Transport + ?Sized> Transport for Arc<T> {
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        (**self).pull(request).await
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        (**self).push(request).await
    }

    async fn fetch(&self, request: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        (**self).fetch(request).await
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        (**self).health().await
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        (**self).wakeups().await
    }

    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }
}
