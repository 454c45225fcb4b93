//! Faults as a layer around any transport, for tests without a network.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use sync_core::transport::{
    Answer, Capabilities, FetchRequest, PullPage, PullRequest, PushOutcome, PushRequest,
    PushResult, WakeupStream,
};
use sync_core::{Env, ServerState, Transport, TransportError, TransportErrorKind};

use crate::gate::{Barrier, Gate};

/// The calls that a fault is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// Every call.
    Any,
    /// [`Transport::pull`].
    Pull,
    /// [`Transport::push`].
    Push,
    /// [`Transport::fetch`].
    Fetch,
    /// [`Transport::health`].
    Health,
    /// [`Transport::wakeups`].
    Wakeups,
}

/// One thing that goes wrong with one call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TransportFault {
    /// The call fails in this way and nothing is done.
    Before(TransportErrorKind),
    /// The work is done, then the call fails in this way: the answer is lost.
    After(TransportErrorKind),
    /// Nobody is served for this long: `Unavailable`, with the time that the server asks to wait.
    Unavailable(Duration),
    /// The call waits for so long in the time of the [`Env`], then goes on.
    Delay(Duration),
    /// The request arrives twice; the second answer counts.
    Duplicate,
    /// The push is done, but the last of its results is this one.
    LastResult(PushOutcome),
}

/// How often calls go wrong by chance, in calls of a thousand. Default: never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Chances {
    /// The request is lost: `Offline` or `Interrupted`, nothing is done.
    pub lost_request: u16,
    /// The answer is lost: `Interrupted` or `Timeout`, the work is done.
    pub lost_answer: u16,
    /// The request arrives twice.
    pub duplicate: u16,
    /// The call waits first.
    pub delay: u16,
    /// The longest such wait.
    pub longest_delay: Duration,
}

/// What is to go wrong. A clone is another handle to the same script.
#[derive(Debug, Clone)]
pub struct TransportScript {
    env: Env,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Debug, Default)]
struct Plan {
    chances: Chances,
    next: Vec<(Call, TransportFault)>,
    gates: Vec<(Call, Barrier)>,
}

#[expect(
    clippy::must_use_candidate,
    reason = "the script is for chaining; it changes in any case"
)]
impl TransportScript {
    /// A script without faults. Delays and chance come from the environment, so that a seed
    /// repeats them exactly.
    #[must_use]
    pub fn new(env: Env) -> Self {
        Self {
            env,
            plan: Arc::default(),
        }
    }

    /// The next call of this sort goes wrong so; called again, the one after it.
    pub fn next(&self, call: Call, fault: TransportFault) -> &Self {
        self.plan().next.push((call, fault));
        self
    }

    /// The next calls of this sort go wrong so.
    pub fn next_times(&self, times: usize, call: Call, fault: &TransportFault) -> &Self {
        let faults = std::iter::repeat_n((call, fault.clone()), times);
        self.plan().next.extend(faults);
        self
    }

    /// From now on calls also go wrong by chance.
    pub fn chances(&self, chances: Chances) -> &Self {
        self.plan().chances = chances;
        self
    }

    /// Lets the calls of this sort wait before anything is done, until the gate is released.
    pub fn hold(&self, call: Call) -> Gate {
        let (gate, barrier) = Gate::new();
        self.plan().gates.push((call, barrier));
        gate
    }

    /// Nothing goes wrong any more. Gates stay shut for those who wait at them.
    pub fn clear(&self) {
        *self.plan() = Plan::default();
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gates_of(&self, call: Call) -> Vec<Barrier> {
        let plan = self.plan();
        let gates = plan.gates.iter().filter(|(held, _)| covers(*held, call));
        gates.map(|(_, barrier)| barrier.clone()).collect()
    }

    /// The scripted fault of this call, or one by chance.
    fn take(&self, call: Call) -> Option<TransportFault> {
        let mut plan = self.plan();
        let due = plan.next.iter().position(|(meant, _)| covers(*meant, call));
        match due {
            Some(index) => Some(plan.next.remove(index).1),
            None => by_chance(plan.chances, &self.env),
        }
    }
}

fn covers(meant: Call, call: Call) -> bool {
    meant == Call::Any || meant == call
}

fn by_chance(chances: Chances, env: &Env) -> Option<TransportFault> {
    if chances == Chances::default() {
        return None;
    }
    let mut lot = env.next_u64() % 1000;
    let coin = env.next_u64();
    let mut falls = |share: u16| {
        let hit = lot < u64::from(share);
        lot = lot.wrapping_sub(u64::from(share));
        hit
    };
    let either = |one, other| if coin.is_multiple_of(2) { one } else { other };
    if falls(chances.lost_request) {
        let kind = either(TransportErrorKind::Offline, TransportErrorKind::Interrupted);
        Some(TransportFault::Before(kind))
    } else if falls(chances.lost_answer) {
        let kind = either(TransportErrorKind::Interrupted, TransportErrorKind::Timeout);
        Some(TransportFault::After(kind))
    } else if falls(chances.duplicate) {
        Some(TransportFault::Duplicate)
    } else if falls(chances.delay) {
        let longest = u64::try_from(chances.longest_delay.as_millis()).unwrap_or(u64::MAX);
        let millis = coin % longest.saturating_add(1).max(1);
        Some(TransportFault::Delay(Duration::from_millis(millis)))
    } else {
        None
    }
}

/// A transport on which calls go wrong by script.
///
/// ```
/// # use std::sync::Arc;
/// # use sync_core::{Transport, TransportErrorKind};
/// # use sync_testkit::{Call, FakeEnv, FaultyTransport, TransportFault, TransportScript};
/// # fn example(rest: Arc<dyn Transport>) {
/// let script = TransportScript::new(FakeEnv::new(7).env());
/// let transport = FaultyTransport::new(rest, script.clone());
/// // The next push is done, but its answer is lost.
/// script.next(Call::Push, TransportFault::After(TransportErrorKind::Interrupted));
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

    /// One call with everything that befalls it.
    async fn through<'a, T>(
        &'a self,
        call: Call,
        run: impl Fn() -> BoxFuture<'a, Result<T, TransportError>>,
    ) -> Result<(T, Option<PushOutcome>), TransportError> {
        for barrier in self.script.gates_of(call) {
            barrier.wait().await;
        }
        match self.script.take(call) {
            None => Ok((run().await?, None)),
            Some(TransportFault::Before(kind)) => Err(failure(kind)),
            Some(TransportFault::After(kind)) => {
                // Whatever came of it, nobody hears of it.
                let _ = run().await;
                Err(failure(kind).with_maybe_sent(true))
            }
            Some(TransportFault::Unavailable(wait)) => {
                let error = failure(TransportErrorKind::Unavailable);
                Err(error.with_status(503).with_retry_after(Some(wait)))
            }
            Some(TransportFault::Delay(wait)) => {
                self.script.env.sleep(wait).await;
                Ok((run().await?, None))
            }
            Some(TransportFault::Duplicate) => {
                // The first answer never arrives.
                let _ = run().await;
                Ok((run().await?, None))
            }
            Some(TransportFault::LastResult(outcome)) => Ok((run().await?, Some(outcome))),
        }
    }
}

fn failure(kind: TransportErrorKind) -> TransportError {
    TransportError::new(kind, "simulated failure")
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Transport for FaultyTransport {
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        let run = || self.inner.pull(request.clone());
        Ok(self.through(Call::Pull, run).await?.0)
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        let run = || self.inner.push(request.clone());
        let (mut answer, replaced) = self.through(Call::Push, run).await?;
        if let (Some(outcome), Some(last)) = (replaced, answer.value.last_mut()) {
            last.outcome = outcome;
        }
        Ok(answer)
    }

    async fn fetch(&self, request: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        let run = || self.inner.fetch(request.clone());
        Ok(self.through(Call::Fetch, run).await?.0)
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        let run = || self.inner.health();
        Ok(self.through(Call::Health, run).await?.0)
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        let run = || self.inner.wakeups();
        Ok(self.through(Call::Wakeups, run).await?.0)
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}
