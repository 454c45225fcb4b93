//! A transport that is right but for one flaw.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use sync_core::transport::{
    Answer, Capabilities, FetchRequest, PullPage, PullRequest, PushRequest, PushResult,
    WakeupStream,
};
use sync_core::{ServerState, Transport, TransportError, TransportErrorKind};
use tokio::sync::Mutex;

type Result<T> = std::result::Result<T, TransportError>;

/// A request on its way out.
pub(crate) enum Call {
    Pull(PullRequest),
    Push(PushRequest),
    Fetch(FetchRequest),
    Health,
}

/// An answer on its way back.
pub(crate) enum Reply {
    Page(Result<PullPage>),
    Results(Result<Vec<PushResult>>),
    State(Result<ServerState>),
    Health(Result<()>),
}

impl Reply {
    /// The same answer, its error changed.
    pub(crate) fn map_error(self, change: impl FnOnce(TransportError) -> TransportError) -> Self {
        match self {
            Self::Page(page) => Self::Page(page.map_err(change)),
            Self::Results(results) => Self::Results(results.map_err(change)),
            Self::State(state) => Self::State(state.map_err(change)),
            Self::Health(health) => Self::Health(health.map_err(change)),
        }
    }
}

/// What is wrong with a transport.
#[derive(Clone, Copy)]
pub(crate) enum Flaw {
    /// Requests are changed before they leave.
    Asks(fn(&mut Call)),
    /// Answers are changed; what was asked is at hand.
    Tells(fn(&Call, Reply) -> Reply),
    /// Pushes are answered without being sent.
    Pretends,
    /// Every push has a key that nobody has seen.
    FreshKeys,
    /// The live channel is this one.
    Wakes(fn() -> WakeupStream),
    /// Capabilities are changed; the number counts the calls.
    Claims(fn(usize, &mut Capabilities)),
    /// The `Debug` form shows this.
    Shows(&'static str),
    /// A pull that failed is repeated at once.
    Repeats,
    /// After one failure it stays offline.
    Sulks,
    /// A call that is dropped leaves a lock behind.
    LeavesLocked,
    /// Records of calls that run side by side are mixed up.
    MixesUp,
}

pub(crate) struct Wrong {
    inner: Arc<dyn Transport>,
    flaw: Flaw,
    calls: AtomicUsize,
    tripped: AtomicBool,
    last: Mutex<Option<ServerState>>,
}

impl Wrong {
    pub(crate) fn new(inner: Arc<dyn Transport>, flaw: Flaw) -> Self {
        Self {
            inner,
            flaw,
            calls: AtomicUsize::new(0),
            tripped: AtomicBool::new(false),
            last: Mutex::new(None),
        }
    }

    async fn ask(&self, mut call: Call) -> Result<Call> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        match (self.flaw, &mut call) {
            (Flaw::Asks(change), call) => change(call),
            (Flaw::FreshKeys, Call::Push(request)) => {
                for (place, op) in request.ops.iter_mut().enumerate() {
                    op.key = format!("fresh-{number}-{place}");
                }
            }
            (Flaw::Sulks, _) if self.tripped.load(Ordering::SeqCst) => {
                return Err(TransportError::new(TransportErrorKind::Offline, "sulking"));
            }
            (Flaw::LeavesLocked, _) if self.tripped.swap(true, Ordering::SeqCst) => {
                return Err(TransportError::new(TransportErrorKind::Other, "locked"));
            }
            _ => {}
        }
        // There is an await to be dropped at, however quick the answer is.
        tokio::task::yield_now().await;
        Ok(call)
    }

    fn tell(&self, call: &Call, reply: Reply) -> Reply {
        match self.flaw {
            Flaw::Tells(change) => change(call, reply),
            Flaw::Sulks => reply.map_error(|error| {
                self.tripped.store(true, Ordering::SeqCst);
                error
            }),
            Flaw::LeavesLocked => {
                self.tripped.store(false, Ordering::SeqCst);
                reply
            }
            _ => reply,
        }
    }
}

#[async_trait]
impl Transport for Wrong {
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>> {
        let call = self.ask(Call::Pull(request)).await?;
        let Call::Pull(sent) = &call else {
            unreachable!()
        };
        let page = self
            .inner
            .pull(sent.clone())
            .await
            .map(|answer| answer.value);
        let page = match page {
            Err(_) if matches!(self.flaw, Flaw::Repeats) => {
                let again = self.inner.pull(sent.clone()).await;
                again.map(|answer| answer.value)
            }
            page => page,
        };
        match self.tell(&call, Reply::Page(page)) {
            Reply::Page(page) => page.map(Answer::new),
            _ => unreachable!(),
        }
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>> {
        if matches!(self.flaw, Flaw::Pretends) {
            let accepted = sync_core::transport::PushOutcome::Accepted { state: None };
            let results = request
                .ops
                .iter()
                .map(|op| PushResult::new(&*op.key, accepted.clone()));
            return Ok(Answer::new(results.collect()));
        }
        let keys: Vec<String> = request.ops.iter().map(|op| op.key.clone()).collect();
        let call = self.ask(Call::Push(request)).await?;
        let Call::Push(sent) = &call else {
            unreachable!()
        };
        let results = self
            .inner
            .push(sent.clone())
            .await
            .map(|answer| answer.value);
        // The keys are the caller's again, whatever was sent.
        let named = results.map(|results| {
            let pairs = results.into_iter().zip(&keys);
            pairs
                .map(|(result, key)| PushResult::new(&**key, result.outcome))
                .collect()
        });
        match self.tell(&call, Reply::Results(named)) {
            Reply::Results(results) => results.map(Answer::new),
            _ => unreachable!(),
        }
    }

    async fn fetch(&self, request: FetchRequest) -> Result<Answer<ServerState>> {
        let call = self.ask(Call::Fetch(request)).await?;
        let Call::Fetch(sent) = &call else {
            unreachable!()
        };
        let mut state = self
            .inner
            .fetch(sent.clone())
            .await
            .map(|answer| answer.value);
        if matches!(self.flaw, Flaw::MixesUp)
            && let Ok(state) = &mut state
        {
            let mut last = self.last.lock().await;
            let mine = state.clone();
            *state = last.replace(mine.clone()).unwrap_or(mine);
        }
        match self.tell(&call, Reply::State(state)) {
            Reply::State(state) => state.map(Answer::new),
            _ => unreachable!(),
        }
    }

    async fn health(&self) -> Result<Answer<()>> {
        let call = self.ask(Call::Health).await?;
        let health = self.inner.health().await.map(|answer| answer.value);
        match self.tell(&call, Reply::Health(health)) {
            Reply::Health(health) => health.map(Answer::new),
            _ => unreachable!(),
        }
    }

    async fn wakeups(&self) -> Result<WakeupStream> {
        match self.flaw {
            Flaw::Wakes(stream) => Ok(stream()),
            _ => self.inner.wakeups().await,
        }
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.inner.capabilities();
        if let Flaw::Claims(change) = self.flaw {
            change(self.calls.load(Ordering::SeqCst), &mut capabilities);
        }
        capabilities
    }
}

impl fmt::Debug for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.flaw {
            Flaw::Shows(text) => write!(f, "Wrong {{ token: {text:?} }}"),
            _ => f.write_str("Wrong"),
        }
    }
}
