//! Faults around a transport that only counts its calls.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::{FutureExt, StreamExt};
use sync_core::transport::{
    Answer, Capabilities, FetchRequest, PullPage, PullRequest, PushChange, PushOp, PushOutcome,
    PushRequest, PushResult, Wakeup, WakeupStream,
};
use sync_core::{
    EntityId, Kind, OpId, Precondition, ServerState, Transport, TransportError, TransportErrorKind,
};
use sync_testkit::{Call, Chances, FakeEnv, FaultyTransport, TransportFault, TransportScript};

#[derive(Debug, Default)]
struct Counting(AtomicUsize);

impl Counting {
    fn calls(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn count<T>(&self, value: T) -> Result<Answer<T>, TransportError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Answer::new(value))
    }
}

#[async_trait]
impl Transport for Counting {
    async fn pull(&self, _: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        self.count(PullPage::default())
    }
    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        let accepted = |op: PushOp| PushResult::new(op.key, PushOutcome::Accepted { state: None });
        self.count(request.ops.into_iter().map(accepted).collect())
    }
    async fn fetch(&self, _: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        self.count(ServerState::gone())
    }
    async fn health(&self) -> Result<Answer<()>, TransportError> {
        self.count(())
    }
    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        self.count(())?;
        Ok(futures::stream::iter([Wakeup::Everything]).boxed())
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities::new("counting").with_max_batch(9)
    }
}

struct Bench {
    world: FakeEnv,
    inner: Arc<Counting>,
    script: TransportScript,
    transport: FaultyTransport,
}

fn bench(seed: u64) -> Bench {
    let world = FakeEnv::new(seed);
    let inner = Arc::new(Counting::default());
    let script = TransportScript::new(world.env());
    let transport = FaultyTransport::new(inner.clone(), script.clone());
    Bench {
        world,
        inner,
        script,
        transport,
    }
}

fn kind() -> Kind {
    Kind::new("todos").unwrap()
}

fn op(key: &str) -> PushOp {
    let (op_id, id) = (OpId::new(key).unwrap(), EntityId::new("e1").unwrap());
    PushOp::new(
        key.to_owned(),
        op_id,
        kind(),
        id,
        PushChange::Delete,
        Precondition::Force,
    )
}

fn kind_of<T>(result: Result<T, TransportError>) -> Option<TransportErrorKind> {
    result.err().map(|error| error.kind())
}

#[tokio::test]
async fn without_faults_every_call_passes() {
    let bench = bench(1);
    let transport: Arc<dyn Transport> = Arc::new(bench.transport);
    transport.pull(PullRequest::new(kind(), 10)).await.unwrap();
    transport
        .push(PushRequest::new(vec![op("k1")]))
        .await
        .unwrap();
    let id = EntityId::new("e1").unwrap();
    transport
        .fetch(FetchRequest::new(kind(), id))
        .await
        .unwrap();
    transport.health().await.unwrap();
    let wakeups: Vec<_> = transport.wakeups().await.unwrap().collect().await;
    assert_eq!((wakeups.len(), bench.inner.calls()), (1, 5));
    assert_eq!(transport.capabilities().max_batch, 9);
}

#[tokio::test]
async fn a_call_fails_before_or_after_the_work() {
    let bench = bench(1);
    bench
        .script
        .next(
            Call::Health,
            TransportFault::Before(TransportErrorKind::Offline),
        )
        .next(
            Call::Any,
            TransportFault::After(TransportErrorKind::Timeout),
        );
    let first = bench.transport.health().await.unwrap_err();
    assert_eq!(
        (first.kind(), first.maybe_sent()),
        (TransportErrorKind::Offline, false)
    );
    assert_eq!(bench.inner.calls(), 0);
    let second = bench.transport.health().await.unwrap_err();
    assert_eq!(
        (second.kind(), second.maybe_sent()),
        (TransportErrorKind::Timeout, true)
    );
    assert_eq!(bench.inner.calls(), 1);
    bench.transport.health().await.unwrap();
}

#[tokio::test]
async fn faults_strike_the_calls_that_they_are_meant_for() {
    let bench = bench(1);
    let fault = TransportFault::Before(TransportErrorKind::Server);
    bench.script.next_times(2, Call::Pull, &fault);
    bench.transport.health().await.unwrap();
    for _ in 0..2 {
        assert!(
            bench
                .transport
                .pull(PullRequest::new(kind(), 1))
                .await
                .is_err()
        );
    }
    bench
        .transport
        .pull(PullRequest::new(kind(), 1))
        .await
        .unwrap();
}

#[tokio::test]
async fn unavailable_says_how_long_to_wait() {
    let bench = bench(1);
    let wait = Duration::from_secs(9);
    bench
        .script
        .next(Call::Any, TransportFault::Unavailable(wait));
    let error = bench.transport.health().await.unwrap_err();
    assert_eq!(
        (error.retry_after(), error.status()),
        (Some(wait), Some(503))
    );
}

#[tokio::test]
async fn a_delay_passes_in_fake_time() {
    let bench = bench(1);
    bench
        .script
        .next(Call::Any, TransportFault::Delay(Duration::from_secs(9)));
    let mut call = bench.transport.health();
    assert!(call.as_mut().now_or_never().is_none());
    bench.world.advance(Duration::from_secs(9));
    assert!(call.now_or_never().unwrap().is_ok());
}

#[tokio::test]
async fn a_request_can_arrive_twice() {
    let bench = bench(1);
    bench.script.next(Call::Push, TransportFault::Duplicate);
    bench
        .transport
        .push(PushRequest::new(vec![op("k1")]))
        .await
        .unwrap();
    assert_eq!(bench.inner.calls(), 2);
}

#[tokio::test]
async fn the_last_result_of_a_push_can_be_another() {
    let bench = bench(1);
    bench.script.next(
        Call::Push,
        TransportFault::LastResult(PushOutcome::Gone { state: None }),
    );
    let request = PushRequest::new(vec![op("k1"), op("k2")]);
    let results = bench.transport.push(request).await.unwrap().value;
    assert_eq!(results[0].outcome, PushOutcome::Accepted { state: None });
    assert_eq!(results[1].outcome, PushOutcome::Gone { state: None });
}

#[tokio::test]
async fn calls_wait_at_a_gate() {
    let bench = bench(1);
    let gate = bench.script.hold(Call::Health);
    let mut call = bench.transport.health();
    assert!(call.as_mut().now_or_never().is_none());
    assert_eq!((gate.count(), bench.inner.calls()), (1, 0));
    gate.release();
    assert!(call.now_or_never().unwrap().is_ok());
}

#[tokio::test]
async fn chance_is_repeated_by_its_seed_and_can_be_stopped() {
    let chances = Chances {
        lost_request: 200,
        lost_answer: 200,
        duplicate: 200,
        delay: 200,
        longest_delay: Duration::from_secs(1),
    };
    let run = async |seed: u64| {
        let bench = bench(seed);
        bench.world.auto_advance(Duration::MAX);
        bench.script.chances(chances);
        let mut seen = Vec::new();
        for _ in 0..200 {
            seen.push(kind_of(bench.transport.health().await));
        }
        bench.script.clear();
        bench.transport.health().await.unwrap();
        (seen, bench.inner.calls(), bench.world.slept().len())
    };
    let (seen, calls, slept) = run(7).await;
    let errors = seen.iter().filter(|kind| kind.is_some()).count();
    assert!(
        (40..120).contains(&errors),
        "{errors} of 200 should be near 80"
    );
    assert!(slept > 0 && calls > 150);
    assert_eq!((seen.clone(), calls, slept), run(7).await);
    assert_ne!(seen, run(8).await.0);
}
