//! Faults as a layer around any transport, for tests without a network.

mod fault;
mod script;
mod spoil;

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use sync_core::transport::{
    Answer, Capabilities, FetchRequest, PullPage, PullRequest, PushRequest, PushResult,
    WakeupStream,
};
use sync_core::{Env, ServerState, Transport, TransportError, TransportErrorKind};

pub use fault::{Change, TransportFault};
pub use script::{Call, Chances, TransportScript};

use script::Due;

/// A transport on which calls go wrong by script.
///
/// ```
/// # use std::sync::Arc;
/// # use sync_core::{Transport, TransportErrorKind};
/// # use sync_testkit::{Call, FakeEnv, FaultyTransport, TransportFault, TransportScript};
/// # fn example(rest: Arc<dyn Transport>) {
/// let script = TransportScript::new(FakeEnv::new(7).env());
/// let transport = FaultyTransport::new(rest, script.clone());
/// // The next push is done, but its answer is lost; the one after it is redirected.
/// script.next(Call::Push, TransportFault::After(TransportErrorKind::Interrupted));
/// script.next(Call::Push, TransportFault::redirect());
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct FaultyTransport {
    inner: Arc<dyn Transport>,
    script: TransportScript,
}

impl FaultyTransport {
    /// Lays the script around the transport.
    #[must_use]
    pub fn new(inner: Arc<dyn Transport>, script: TransportScript) -> Self {
        Self { inner, script }
    }

    /// One call and what befalls it on its way; what is to befall its answer comes back with it.
    async fn through<'a, T>(
        &'a self,
        due: Option<Due>,
        run: impl Fn() -> BoxFuture<'a, Result<T, TransportError>>,
    ) -> Result<(T, Option<Due>), Failure> {
        let Some((meant, fault)) = due else {
            return Ok((run().await?, None));
        };
        match fault {
            TransportFault::Before(kind) => Err(Failure::Scripted(failure(kind))),
            TransportFault::After(kind) => {
                // Whatever came of it, nobody hears of it.
                let _ = run().await;
                Err(Failure::Scripted(failure(kind).with_maybe_sent(true)))
            }
            TransportFault::Unavailable(wait) => {
                let error = failure(TransportErrorKind::Unavailable);
                Err(Failure::Scripted(error.with_retry_after(Some(wait))))
            }
            TransportFault::Delay(wait) => {
                self.script.env.sleep(wait).await;
                Ok((run().await?, None))
            }
            TransportFault::Duplicate => {
                // The first answer never arrives.
                let _ = run().await;
                Ok((run().await?, None))
            }
            // The request has been changed already.
            TransportFault::PageOf(_) | TransportFault::IgnoredKey => Ok((run().await?, None)),
            TransportFault::LastResult(_)
            | TransportFault::Page(_)
            | TransportFault::Results(_) => match run().await {
                Ok(answer) => Ok((answer, Some((meant, fault)))),
                Err(error) => {
                    self.script.put_back((meant, fault));
                    Err(error.into())
                }
            },
        }
    }

    /// A call that only fails, waits or arrives twice.
    async fn plainly<'a, T>(
        &'a self,
        call: Call,
        run: impl Fn() -> BoxFuture<'a, Result<T, TransportError>>,
    ) -> Result<T, TransportError> {
        let due = self.script.meet(call).await;
        Ok(self.through(due, run).await?.0)
    }
}

/// Whose failure it is.
enum Failure {
    Scripted(TransportError),
    Inner(TransportError),
}

impl Failure {
    /// An answer to one operation that is not the server's is a result, not an error.
    fn of_push(self, request: &PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        match (self, request.ops.as_slice()) {
            (Self::Scripted(error), [op]) if error.kind() == TransportErrorKind::Protocol => {
                let outcome = fault::protocol("the answer is not the server's (simulated)");
                Ok(Answer::new(vec![PushResult::new(&*op.key, outcome)]))
            }
            (failure, _) => Err(failure.into()),
        }
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        Self::Inner(error)
    }
}

impl From<Failure> for TransportError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Scripted(error) | Failure::Inner(error) => error,
        }
    }
}

fn failure(kind: TransportErrorKind) -> TransportError {
    let error = TransportError::new(kind, "simulated failure");
    match usual_status(kind) {
        Some(status) => error.with_status(status),
        None => error,
    }
}

/// The status of an answer that such a failure is read from; `None` = there was no whole answer.
fn usual_status(kind: TransportErrorKind) -> Option<u16> {
    match kind {
        TransportErrorKind::BrokenBody | TransportErrorKind::Protocol => Some(200),
        TransportErrorKind::Rejected => Some(400),
        TransportErrorKind::Unauthorized => Some(401),
        TransportErrorKind::CursorExpired => Some(410),
        TransportErrorKind::Server => Some(500),
        TransportErrorKind::Unavailable => Some(503),
        _ => None,
    }
}

/// The same operations under keys that nobody has seen before.
fn under_fresh_keys(mut request: PushRequest, env: &Env) -> PushRequest {
    for op in &mut request.ops {
        env.op_id().as_str().clone_into(&mut op.key);
    }
    request
}

/// Results bear the keys of the request that the caller made.
fn restore_keys(results: &mut [PushResult], sent: &PushRequest, request: &PushRequest) {
    for result in results {
        let mut pairs = sent.ops.iter().zip(&request.ops);
        if let Some((_, asked)) = pairs.find(|(op, _)| op.key == result.key) {
            result.key.clone_from(&asked.key);
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Transport for FaultyTransport {
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        let due = self.script.meet(Call::Pull).await;
        let mut sent = request.clone();
        if let Some((_, TransportFault::PageOf(rows))) = due {
            sent.limit = sent.limit.min(rows);
        }
        let run = || self.inner.pull(sent.clone());
        let (mut answer, due) = self.through(due, run).await?;
        let page = &mut answer.value;
        self.script
            .strike(due, |fault| fault.spoil_page(&request, page));
        Ok(answer)
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        let due = self.script.meet(Call::Push).await;
        let sent = match due {
            Some((_, TransportFault::IgnoredKey)) => {
                under_fresh_keys(request.clone(), &self.script.env)
            }
            _ => request.clone(),
        };
        let run = || self.inner.push(sent.clone());
        let (mut answer, due) = match self.through(due, run).await {
            Ok(met) => met,
            Err(failure) => return failure.of_push(&request),
        };
        restore_keys(&mut answer.value, &sent, &request);
        let results = &mut answer.value;
        self.script
            .strike(due, |fault| fault.spoil_results(&request, results));
        Ok(answer)
    }

    async fn fetch(&self, request: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        let run = || self.inner.fetch(request.clone());
        self.plainly(Call::Fetch, run).await
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        self.plainly(Call::Health, || self.inner.health()).await
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        self.plainly(Call::Wakeups, || self.inner.wakeups()).await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}
