//! Where the process is, told to the parent at every change.

use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::line::Line;
use crate::phase::Phase;

/// The longest pause in a phase that the parent aims at, so that it can hit it.
const LONGEST_PAUSE: Duration = Duration::from_micros(1_500);

/// Tells a line to the parent; without a parent there is nothing left to do.
pub(crate) fn say(line: &Line) {
    let mut out = std::io::stdout().lock();
    if out.write_all(format!("{line}\n").as_bytes()).is_err() || out.flush().is_err() {
        std::process::exit(0);
    }
}

/// Which part of a run is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    None,
    Push,
    Pull,
    Sweep,
}

#[derive(Debug)]
struct State {
    building: bool,
    half: Half,
    pushes: u32,
    questions: u32,
    /// The phase of the transaction that writes, if there is one.
    writes: Option<Phase>,
    told: Option<Phase>,
    dice: fastrand::Rng,
}

impl State {
    fn phase(&self) -> Phase {
        match self.writes {
            Some(phase) => phase,
            None if self.building => Phase::Building,
            None if self.pushes > 0 => Phase::Wire,
            None if self.questions > 0 && self.half == Half::Sweep => Phase::Sweep,
            None if self.questions > 0 => Phase::Asking,
            None => Phase::Between,
        }
    }
}

/// Knows which phase the process is in.
#[derive(Debug)]
pub(crate) struct Stage {
    state: Mutex<State>,
    aim: Option<Phase>,
}

impl Stage {
    /// A process that is being built. In the phase `aim` it takes its time.
    pub(crate) fn new(aim: Option<Phase>, seed: u64) -> Self {
        let state = State {
            building: true,
            half: Half::None,
            pushes: 0,
            questions: 0,
            writes: None,
            told: None,
            dice: fastrand::Rng::with_seed(seed),
        };
        let this = Self {
            state: Mutex::new(state),
            aim,
        };
        this.change(|_| ());
        this
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        let phase = state.phase();
        if state.told != Some(phase) {
            state.told = Some(phase);
            say(&Line::Phase(phase));
        }
        drop(state);
        self.linger();
    }

    /// Stands still for a moment in the phase that the parent aims at. This blocks the thread on
    /// purpose: nothing else may happen meanwhile.
    pub(crate) fn linger(&self) {
        let mut state = self.state();
        if self.aim != Some(state.phase()) || state.dice.bool() {
            return;
        }
        let pause = LONGEST_PAUSE.mul_f64(state.dice.f64());
        drop(state);
        thread::sleep(pause);
    }

    pub(crate) fn built(&self) {
        self.change(|state| state.building = false);
    }

    pub(crate) fn run_begins(&self) {
        self.change(|state| state.half = Half::None);
    }

    pub(crate) fn push_leaves(&self) {
        self.change(|state| {
            state.half = Half::Push;
            state.pushes += 1;
        });
    }

    pub(crate) fn push_answered(&self) {
        self.change(|state| state.pushes = state.pushes.saturating_sub(1));
    }

    /// A page (`is_pull`) or one record is asked for.
    pub(crate) fn question_leaves(&self, is_pull: bool) {
        self.change(|state| {
            if is_pull {
                state.half = Half::Pull;
            }
            state.questions += 1;
        });
    }

    pub(crate) fn question_answered(&self) {
        self.change(|state| state.questions = state.questions.saturating_sub(1));
    }

    pub(crate) fn sweep_begins(&self) {
        self.change(|state| state.half = Half::Sweep);
    }

    /// A transaction that writes has begun, and what it is for is known.
    pub(crate) fn transaction(&self, phase: Phase) {
        self.change(|state| state.writes = Some(phase));
    }

    /// A transaction of a run writes for the first time.
    pub(crate) fn run_writes(&self) {
        self.change(|state| {
            state.writes = match state.half {
                Half::None => None,
                Half::Push => Some(Phase::Settling),
                Half::Pull => Some(Phase::Page),
                Half::Sweep => Some(Phase::Sweep),
            };
        });
    }

    pub(crate) fn transaction_ends(&self) {
        self.change(|state| state.writes = None);
    }
}
