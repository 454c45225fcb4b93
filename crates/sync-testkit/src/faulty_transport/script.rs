//! What is to go wrong, and with which call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sync_core::{Env, TransportErrorKind};

use super::fault::TransportFault;
use crate::gate::{Barrier, Gate};

/// The calls that a fault is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// Every call.
    Any,
    /// [`Transport::pull`](sync_core::Transport::pull).
    Pull,
    /// [`Transport::push`](sync_core::Transport::push).
    Push,
    /// [`Transport::fetch`](sync_core::Transport::fetch).
    Fetch,
    /// [`Transport::health`](sync_core::Transport::health).
    Health,
    /// [`Transport::wakeups`](sync_core::Transport::wakeups).
    Wakeups,
}

/// How often calls go wrong by chance, in calls of a thousand. Default: never.
///
/// ```
/// # use sync_testkit::{Chances, FakeEnv, TransportScript};
/// let script = TransportScript::new(FakeEnv::new(7).env());
/// script.chances(Chances { lost_answer: 100, ..Chances::default() });
/// ```
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
///
/// ```
/// # use sync_core::TransportErrorKind;
/// # use sync_testkit::{Call, FakeEnv, TransportFault, TransportScript};
/// let script = TransportScript::new(FakeEnv::new(7).env());
/// script
///     .next(Call::Push, TransportFault::Before(TransportErrorKind::Offline))
///     .next(Call::Pull, TransportFault::After(TransportErrorKind::Timeout));
/// ```
#[derive(Debug, Clone)]
pub struct TransportScript {
    pub(super) env: Env,
    plan: Arc<Mutex<Plan>>,
}

/// A fault and the calls that it is meant for.
pub(super) type Due = (Call, TransportFault);

#[derive(Debug, Default)]
struct Plan {
    chances: Chances,
    next: Vec<Due>,
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

    /// Waits at the gates of this call; then the fault that befalls it, if one does.
    pub(super) async fn meet(&self, call: Call) -> Option<Due> {
        for barrier in self.gates_of(call) {
            barrier.wait().await;
        }
        self.take(call)
    }

    /// Lets a fault strike an answer; one that does not fit waits for the next call.
    pub(super) fn strike(&self, due: Option<Due>, spoil: impl FnOnce(&TransportFault) -> bool) {
        if let Some(due) = due
            && !spoil(&due.1)
        {
            self.put_back(due);
        }
    }

    /// It did not strike: it waits for the next call.
    pub(super) fn put_back(&self, due: Due) {
        self.plan().next.insert(0, due);
    }

    fn gates_of(&self, call: Call) -> Vec<Barrier> {
        let plan = self.plan();
        let gates = plan.gates.iter().filter(|(held, _)| covers(*held, call));
        gates.map(|(_, barrier)| barrier.clone()).collect()
    }

    /// The scripted fault of this call, or one by chance.
    fn take(&self, call: Call) -> Option<Due> {
        let mut plan = self.plan();
        let meant = |due: &Due| covers(due.0, call) && due.1.can_befall(call);
        match plan.next.iter().position(meant) {
            Some(index) => Some(plan.next.remove(index)),
            None => Some((call, by_chance(plan.chances, &self.env)?)),
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
