//! `RestTransport`: the parts put together behind `sync_core::Transport`.

use std::fmt;

use async_trait::async_trait;
use sync_core::transport::{
    Answer, Capabilities, Features, FetchRequest, PullPage, PullRequest, PushOp, PushRequest,
    PushResult, Transport, TransportError, TransportErrorKind, WakeupStream,
};
use sync_core::{Precondition, ServerState};
use tracing::{Instrument, debug_span};

use super::builder::RestTransportBuilder;
use super::http::Http;
use super::live::Channel;
use super::request::Requests;
use crate::answer;

/// A server that speaks JSON over HTTP.
///
/// One call is one request, made once; the only repeat is after a 401 with a renewed token.
///
/// ```
/// # fn main() -> Result<(), sync_core::TransportError> {
/// use sync_rest::{RestTransport, StaticToken, Token};
///
/// let transport = RestTransport::builder("http://localhost:8080/api")
///     .auth(StaticToken::new(Token::bearer("secret")))
///     .batch(true)
///     .build()?;
/// # let _ = transport;
/// # Ok(())
/// # }
/// ```
pub struct RestTransport {
    pub(super) http: Http,
    pub(super) requests: Requests,
    pub(super) capabilities: Capabilities,
    pub(super) channel: Channel,
}

impl RestTransport {
    /// A transport to this base URL with the defaults of [`RestTransport::builder`].
    ///
    /// # Errors
    /// [`TransportErrorKind::Configuration`](sync_core::TransportErrorKind) if the URL has no scheme
    /// or host, or no HTTP client can be made.
    pub fn new(base_url: impl Into<String>) -> Result<Self, TransportError> {
        Self::builder(base_url).build()
    }

    /// Starts with the base URL, for example `https://example.org/api?tenant=7`; its query goes with
    /// every request. Plain `http` is for this machine only, unless
    /// [`RestTransportBuilder::allow_plain_http`] says otherwise.
    #[must_use]
    pub fn builder(base_url: impl Into<String>) -> RestTransportBuilder {
        RestTransportBuilder::new(base_url.into())
    }

    async fn push_one(
        &self,
        op: &PushOp,
        account: Option<&String>,
    ) -> Result<Answer<Vec<PushResult>>, TransportError> {
        let outgoing = self.requests.push(op, &self.http.features())?;
        let outgoing = outgoing.of_account(account);
        let (head, body) = self.http.exchange(&outgoing).await?;
        let names = &self.requests.route(&op.kind).names;
        let outcome = answer::push(&head, &body, op, names)?;
        Ok(head.answer(vec![PushResult::new(op.key.clone(), outcome)]))
    }

    async fn push_batch(
        &self,
        ops: &[PushOp],
        account: Option<&String>,
    ) -> Result<Answer<Vec<PushResult>>, TransportError> {
        let features = self.http.features();
        self.check_batch(ops, &features)?;
        let outgoing = self.requests.batch(ops, &features)?.of_account(account);
        let (head, body) = self.http.exchange(&outgoing).await?;
        let names_of = |op: &PushOp| &self.requests.route(&op.kind).names;
        let results = answer::batch(&head, &body, ops, names_of)?;
        Ok(head.answer(results))
    }

    /// Refuses, as a server would, what must not go as a batch: the operations then go singly.
    fn check_batch(&self, ops: &[PushOp], features: &Features) -> Result<(), TransportError> {
        let most = self.capabilities.max_batch;
        let too_many = u32::try_from(ops.len()).map_or(true, |count| count > most);
        let forced = ops.iter().any(|op| op.precondition == Precondition::Force);
        let message = if too_many {
            format!(
                "a request takes at most {most} operations, not {}",
                ops.len()
            )
        } else if forced && !features.force() {
            "the server does not take forced operations inside a batch".to_owned()
        } else {
            return Ok(());
        };
        let error = TransportError::new(TransportErrorKind::Rejected, message);
        Err(error.with_maybe_sent(false))
    }
}

#[async_trait]
impl Transport for RestTransport {
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        let span = debug_span!("rest.pull", kind = %request.kind);
        async {
            let outgoing = self.requests.pull(&request)?;
            let outgoing = outgoing.of_account(request.account.as_ref());
            let (head, body) = self.http.exchange(&outgoing).await?;
            let page = answer::pull(&head, &body, self.requests.route(&request.kind))?;
            Ok(head.answer(page))
        }
        .instrument(span)
        .await
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        let span = debug_span!("rest.push", ops = request.ops.len());
        async {
            match request.ops.as_slice() {
                [] => Ok(Answer::new(Vec::new())),
                [op] => self.push_one(op, request.account.as_ref()).await,
                ops => self.push_batch(ops, request.account.as_ref()).await,
            }
        }
        .instrument(span)
        .await
    }

    async fn fetch(&self, request: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        let span = debug_span!("rest.fetch", kind = %request.kind);
        async {
            let outgoing = self.requests.fetch(&request)?;
            let outgoing = outgoing.of_account(request.account.as_ref());
            let (head, body) = self.http.exchange(&outgoing).await?;
            let route = self.requests.route(&request.kind);
            let state = answer::fetch(&head, &body, &request, route)?;
            Ok(head.answer(state))
        }
        .instrument(span)
        .await
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        let (head, body) = self
            .http
            .exchange(&self.requests.health())
            .instrument(debug_span!("rest.health"))
            .await?;
        answer::health(&head, &body)?;
        Ok(head.answer(()))
    }

    /// Opens the live channel. Opened again, it goes on behind the last event that was read; where
    /// events may have been missed, [`Wakeup::Everything`](sync_core::transport::Wakeup) comes first.
    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        let last_id = self.channel.last_id();
        let told_id = last_id.is_some();
        let (head, response) = self
            .http
            .stream(&self.requests.events(last_id))
            .instrument(debug_span!("rest.events"))
            .await?;
        self.channel.wakeups(&head, response, told_id)
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }
}

impl fmt::Debug for RestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestTransport")
            .field("origin", &self.capabilities.origin)
            .field("routes", &self.requests.routes)
            .field("max_batch", &self.capabilities.max_batch)
            .finish_non_exhaustive()
    }
}
