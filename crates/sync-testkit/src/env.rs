//! An outside world that stands still: time, ids and randomness in the hands of a test.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::future::BoxFuture;
use sync_core::{Clock, Entropy, Env, Timestamp};
use tokio::sync::watch;
use uuid::{Builder, Uuid};

/// 2026-01-01T00:00:00Z, where the wall clock and the ids start.
const START_MILLIS: u64 = 1_767_225_600_000;

/// A fake outside world. The same seed gives the same ids and random numbers; time moves only when
/// told. A clone is another handle to the same world.
///
/// ```
/// # use std::time::Duration;
/// # use sync_testkit::FakeEnv;
/// # async fn example() {
/// let world = FakeEnv::new(7);
/// let env = world.env();
/// let nap = env.sleep(Duration::from_secs(60));
/// let wake = async {
///     world.sleepers(1).await; // somebody sleeps now
///     world.advance(Duration::from_secs(60));
/// };
/// futures::join!(nap, wake);
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct FakeEnv {
    clock: Arc<FakeClock>,
    entropy: Arc<SeededEntropy>,
}

impl FakeEnv {
    /// A world with these random numbers, on 1 January 2026 at midnight, UTC.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            clock: Arc::default(),
            entropy: Arc::new(SeededEntropy {
                inner: Mutex::new((fastrand::Rng::with_seed(seed), START_MILLIS)),
            }),
        }
    }

    /// The world as the engine sees it.
    #[must_use]
    pub fn env(&self) -> Env {
        let clock: Arc<dyn Clock> = self.clock.clone();
        Env::new(clock, self.entropy.clone())
    }

    /// Moves both clocks on; sleeps that are over complete.
    pub fn advance(&self, duration: Duration) {
        let target = self.clock.time().monotonic.saturating_add(duration);
        self.clock.advance_to(target);
    }

    /// Moves both clocks on to where the first sleep is over; `false` if nobody sleeps.
    #[must_use]
    pub fn advance_to_next(&self) -> bool {
        let next = self
            .clock
            .time()
            .sleepers
            .values()
            .map(|(until, _)| *until)
            .min();
        if let Some(until) = next {
            self.clock.advance_to(until);
        }
        next.is_some()
    }

    /// Sets the wall clock, forward or back. Monotonic time and sleeps do not notice.
    pub fn set_wall(&self, now: &Timestamp) {
        let mut time = self.clock.time();
        time.wall_offset_nanos = now.unix_nanos() - nanos(time.monotonic);
    }

    /// Sleeps no longer than this complete at once and take the clocks along; longer ones wait for
    /// [`advance`](Self::advance). `Duration::MAX` takes all of them, `Duration::ZERO` none, which
    /// is the default. A time-out is a sleep too: leave those of real requests above the limit.
    pub fn auto_advance(&self, longest: Duration) {
        self.clock.time().auto_advance = longest;
    }

    /// How long everybody has slept so far, in order of falling asleep; sleeps of no length and
    /// those that are not over yet included.
    #[must_use]
    pub fn slept(&self) -> Vec<Duration> {
        self.clock.time().slept.clone()
    }

    /// Waits until at least so many sleep at once.
    pub async fn sleepers(&self, count: usize) {
        let mut sleeping = self.clock.sleeping.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = sleeping.wait_for(|sleeping| *sleeping >= count).await;
    }
}

#[derive(Debug, Default)]
struct FakeClock {
    time: Arc<Mutex<FakeTime>>,
    sleeping: Arc<watch::Sender<usize>>,
}

#[derive(Debug)]
struct FakeTime {
    monotonic: Duration,
    wall_offset_nanos: i128,
    auto_advance: Duration,
    slept: Vec<Duration>,
    next_sleeper: u64,
    sleepers: BTreeMap<u64, (Duration, Waker)>,
}

impl Default for FakeTime {
    fn default() -> Self {
        Self {
            monotonic: Duration::ZERO,
            wall_offset_nanos: i128::from(START_MILLIS) * 1_000_000,
            auto_advance: Duration::ZERO,
            slept: Vec::new(),
            next_sleeper: 0,
            sleepers: BTreeMap::new(),
        }
    }
}

impl FakeClock {
    fn time(&self) -> MutexGuard<'_, FakeTime> {
        lock(&self.time)
    }

    fn advance_to(&self, target: Duration) {
        let mut over = {
            let mut time = self.time();
            time.monotonic = time.monotonic.max(target);
            let now = time.monotonic;
            let (over, still) = std::mem::take(&mut time.sleepers)
                .into_iter()
                .partition(|(_, (until, _))| *until <= now);
            time.sleepers = still;
            self.sleeping.send_replace(time.sleepers.len());
            let over: BTreeMap<u64, (Duration, Waker)> = over;
            over.into_values().collect::<Vec<_>>()
        };
        over.sort_by_key(|(until, _)| *until);
        for (_, waker) in over {
            waker.wake();
        }
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        let time = self.time();
        Timestamp::from_unix_nanos(nanos(time.monotonic) + time.wall_offset_nanos)
    }

    fn monotonic(&self) -> Duration {
        self.time().monotonic
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(Sleep {
            clock: Self {
                time: Arc::clone(&self.time),
                sleeping: Arc::clone(&self.sleeping),
            },
            duration,
            started: None,
        })
    }
}

/// Begins when it is first polled, so that a sleep nobody waits for leaves no trace.
struct Sleep {
    clock: FakeClock,
    duration: Duration,
    /// Number and end.
    started: Option<(u64, Duration)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let (number, until, at_once) = self.begin();
        if at_once {
            self.clock.advance_to(until);
        }
        let mut time = self.clock.time();
        if time.monotonic >= until {
            return Poll::Ready(());
        }
        time.sleepers
            .insert(number, (until, context.waker().clone()));
        self.clock.sleeping.send_replace(time.sleepers.len());
        Poll::Pending
    }
}

impl Sleep {
    fn begin(&mut self) -> (u64, Duration, bool) {
        let mut time = self.clock.time();
        let at_once = self.duration <= time.auto_advance;
        if let Some((number, until)) = self.started {
            return (number, until, at_once);
        }
        let number = time.next_sleeper;
        time.next_sleeper += 1;
        time.slept.push(self.duration);
        let until = time.monotonic.saturating_add(self.duration);
        drop(time);
        self.started = Some((number, until));
        (number, until, at_once)
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some((number, _)) = self.started {
            let mut time = self.clock.time();
            time.sleepers.remove(&number);
            self.clock.sleeping.send_replace(time.sleepers.len());
        }
    }
}

/// Random numbers of a seed; ids of version 7 that count up the milliseconds, one for each id, so
/// that they sort in the order of creation whatever the wall clock does.
#[derive(Debug)]
struct SeededEntropy {
    inner: Mutex<(fastrand::Rng, u64)>,
}

impl Entropy for SeededEntropy {
    fn uuid(&self) -> Uuid {
        let mut inner = lock(&self.inner);
        let (random, millis) = &mut *inner;
        *millis += 1;
        let mut tail = [0; 10];
        random.fill(&mut tail);
        Builder::from_unix_timestamp_millis(*millis, &tail).into_uuid()
    }

    fn next_u64(&self) -> u64 {
        lock(&self.inner).0.u64(..)
    }
}

fn nanos(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
