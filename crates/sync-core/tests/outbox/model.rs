//! The rules of the outbox for one entity, as plainly as they are written.

use std::collections::BTreeSet;

use sync_core::Fate;

use crate::server::{Fields, Learned, State};
use crate::world::TRIES;

/// Places of [`Fields`].
pub(crate) type Changed = BTreeSet<usize>;

/// What is to become of the entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Fields, and which of them the user changed; `None` = all.
    Upsert(Fields, Option<Changed>),
    Delete,
}

/// What the server is asked to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    IfAbsent,
    IfBase(u32),
}

/// One operation.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    /// Which of all that were ever queued.
    pub(crate) number: usize,
    pub(crate) written: Intent,
    pub(crate) verdict: Option<Intent>,
    pub(crate) check: Check,
    pub(crate) fate: Fate,
    pub(crate) ever_sent: bool,
    pub(crate) refusals: u32,
    pub(crate) troubles: u32,
    /// Is it another request than the last that left?
    pub(crate) altered: bool,
    /// The version that its verdict was made against.
    judged: Option<u32>,
    /// Was it ever judged? A verdict raises the round although nothing was sent.
    pub(crate) was_judged: bool,
    /// Was it written during the run under way? Then it waits for the next.
    is_fresh: bool,
}

impl Waiting {
    pub(crate) fn outgoing(&self) -> &Intent {
        self.verdict.as_ref().unwrap_or(&self.written)
    }

    pub(crate) fn is_stuck(&self) -> bool {
        self.refusals >= TRIES || self.troubles >= TRIES
    }

    /// Is this what its verdict was made against?
    fn was_judged_against(&self, parked: State) -> bool {
        self.judged.is_some() && self.judged == parked.version()
    }

    fn forget_verdict(&mut self) {
        self.verdict = None;
        self.judged = None;
    }

    fn awaken(&mut self) {
        self.refusals = 0;
        self.troubles = 0;
    }

    /// Does the server's state say what this wants?
    fn is_met_by(&self, state: State) -> bool {
        let own = match &self.written {
            Intent::Upsert(_, changed) => changed,
            Intent::Delete => &None,
        };
        let sent = match self.outgoing() {
            Intent::Upsert(fields, Some(changed)) => (fields, Some(changed)),
            Intent::Upsert(fields, None) => (fields, own.as_ref()),
            Intent::Delete => return !matches!(state, State::Live(..)),
        };
        let State::Live(theirs, _) = state else {
            return false;
        };
        let (fields, changed) = sent;
        (0..3).all(|place| {
            changed.is_some_and(|changed| !changed.contains(&place))
                || fields[place] == theirs[place]
        })
    }
}

/// How a run goes on with the entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    LookAgain,
    Stop,
}

/// What was known of an operation before it left: its fate, whether it was ever sent, and whether
/// it had been altered since.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Before(Fate, bool, bool);

/// One entity on the device.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) row: Option<Fields>,
    /// What the server last said of it while nothing waited.
    pub(crate) known: State,
    /// What the oldest operation was made against.
    base: State,
    /// The newest state that a pull brought since.
    parked: State,
    pub(crate) queue: Vec<Waiting>,
    made: usize,
    /// Of the run under way.
    pushed: u32,
    in_trouble: bool,
}

/// The newer of two states; the first if neither has a version.
fn newest(first: State, second: State) -> State {
    if second.version() > first.version() {
        second
    } else {
        first
    }
}

fn same_content(one: State, other: State) -> bool {
    match (one, other) {
        (State::Live(one, _), State::Live(other, _)) => one == other,
        (State::Live(..), _) | (_, State::Live(..)) => false,
        _ => true,
    }
}

fn check_of(base: State) -> Check {
    match base {
        State::Absent => Check::IfAbsent,
        State::Live(_, version) | State::Deleted(version) => Check::IfBase(version),
    }
}

/// Of each field whoever changed it; the device where both did.
fn merge(mine: Fields, theirs: Fields, base: Option<Fields>, changed: Option<&Changed>) -> Fields {
    std::array::from_fn(|place| {
        let is_outside = changed.is_some_and(|changed| !changed.contains(&place));
        let is_unchanged = base.is_some_and(|base| base[place] == mine[place]);
        let fields = if is_outside || is_unchanged {
            theirs
        } else {
            mine
        };
        fields[place]
    })
}

fn fold(older: &Intent, newer: Intent) -> Intent {
    match (older, newer) {
        (_, Intent::Delete) => Intent::Delete,
        (Intent::Upsert(_, Some(older)), Intent::Upsert(fields, Some(newer))) => {
            Intent::Upsert(fields, Some(older | &newer))
        }
        (_, Intent::Upsert(fields, _)) => Intent::Upsert(fields, None),
    }
}

impl Model {
    /// The user writes or deletes.
    pub(crate) fn write(&mut self, intent: Intent) {
        self.row = match intent {
            Intent::Upsert(fields, _) => Some(fields),
            Intent::Delete => None,
        };
        if self.queue.is_empty() {
            self.base = self.known;
        }
        match self.queue.len().checked_sub(1) {
            Some(last) if self.queue[last].fate != Fate::Unknown => self.fold_into(last, intent),
            last => {
                let behind_delete =
                    last.is_some_and(|last| self.queue[last].written == Intent::Delete);
                let written = match intent {
                    Intent::Upsert(fields, _) if behind_delete => Intent::Upsert(fields, None),
                    other => other,
                };
                self.queue.push(Waiting {
                    number: self.made,
                    written,
                    verdict: None,
                    check: check_of(self.base),
                    fate: Fate::NeverSent,
                    ever_sent: false,
                    refusals: 0,
                    troubles: 0,
                    altered: false,
                    judged: None,
                    was_judged: false,
                    is_fresh: true,
                });
                self.made += 1;
            }
        }
        // Who acts on the entity wants it to take part again.
        if let Some(head) = self.queue.first_mut() {
            head.awaken();
        }
        assert!(self.queue.len() <= 2);
    }

    fn base_is_live(&self) -> bool {
        matches!(self.base, State::Live(..))
    }

    fn fold_into(&mut self, place: usize, newer: Intent) {
        let deletes = newer == Intent::Delete;
        let creates_nothing = match place {
            0 => !self.base_is_live(),
            place => self.queue[place - 1].written == Intent::Delete,
        };
        if deletes && creates_nothing && self.queue[place].written != Intent::Delete {
            self.queue.remove(place);
            if place == 0 {
                self.take(newest(self.base, self.parked));
            }
            return;
        }
        let base = self.base;
        let op = &mut self.queue[place];
        op.awaken();
        op.altered = true;
        op.written = fold(&op.written, newer);
        op.forget_verdict();
        op.check = check_of(base);
    }

    /// The user gives the entity's edits up: which go, and may one have been applied?
    pub(crate) fn discard(&mut self) -> (Vec<usize>, bool) {
        let gone = std::mem::take(&mut self.queue);
        if !gone.is_empty() {
            self.take(newest(self.base, self.parked));
        }
        let maybe_applied = gone.iter().any(|op| op.fate == Fate::Unknown);
        (gone.iter().map(|op| op.number).collect(), maybe_applied)
    }

    /// The server's state comes into force.
    fn take(&mut self, state: State) {
        self.known = state;
        self.parked = State::Absent;
        self.row = match state {
            State::Live(fields, _) => Some(fields),
            State::Absent | State::Deleted(_) => None,
        };
    }

    /// A pull brought this state.
    pub(crate) fn pull(&mut self, state: State) {
        if self.queue.is_empty() {
            if state.version() > self.known.version() {
                self.take(state);
            }
            return;
        }
        if state.version() <= self.base.version() {
            return;
        }
        let head = &self.queue[0];
        if head.fate == Fate::Unknown && head.is_met_by(state) {
            self.accepted(state);
        } else {
            self.parked = newest(self.parked, state);
        }
    }

    /// A run begins.
    pub(crate) fn begin_run(&mut self) {
        (self.pushed, self.in_trouble) = (0, false);
        for op in &mut self.queue {
            op.is_fresh = false;
        }
    }

    /// A run ends: trouble counts if others got through.
    pub(crate) fn end_run(&mut self) {
        if let Some(head) = self.queue.first_mut()
            && self.in_trouble
            && self.pushed > 0
        {
            head.troubles += 1;
        }
    }

    /// What goes out next. What a pull parked is met first, unless the head's fate is unknown.
    pub(crate) fn next(&mut self) -> Option<&Waiting> {
        loop {
            let head = self.queue.first()?;
            if head.is_stuck() || head.is_fresh {
                return None;
            }
            let judged = head.judged.or(self.base.version());
            if head.fate == Fate::Unknown || self.parked.version() <= judged {
                break;
            }
            if head.verdict.is_none() && same_content(self.base, self.parked) {
                self.rebase(self.parked);
            } else {
                self.conflict(self.parked, false);
            }
        }
        self.queue.first()
    }

    /// What the head is made against becomes this, silently.
    fn rebase(&mut self, state: State) {
        self.base = state;
        self.forget_parked(state);
        let head = &mut self.queue[0];
        head.forget_verdict();
        head.altered = true;
        head.check = check_of(state);
    }

    fn forget_parked(&mut self, met: State) {
        if self.parked.version() <= met.version() {
            self.parked = State::Absent;
        }
    }

    /// The head is about to leave; returns what was known of it before.
    pub(crate) fn send(&mut self) -> Before {
        let head = &mut self.queue[0];
        let before = Before(head.fate, head.ever_sent, head.altered);
        (head.ever_sent, head.fate, head.altered) = (true, Fate::Unknown, false);
        before
    }

    /// This came of it.
    pub(crate) fn learn(&mut self, before: Before, learned: Learned) -> Then {
        let head = &mut self.queue[0];
        match learned {
            Learned::NeverLeft => {
                (head.fate, head.ever_sent, head.altered) = (before.0, before.1, before.2);
                Then::Stop
            }
            Learned::Nothing => {
                self.in_trouble = true;
                Then::Stop
            }
            Learned::Refused => {
                self.refused(before.0);
                Then::Stop
            }
            Learned::Accepted(state) => self.accepted(state),
            Learned::Conflict(state) => self.conflict(state, true),
        }
    }

    fn refused(&mut self, before: Fate) {
        let head = &mut self.queue[0];
        head.refusals += 1;
        if before == Fate::Unknown {
            return;
        }
        head.fate = Fate::Negative;
        // What the user wrote meanwhile folds in and starts afresh.
        if self.queue.len() > 1 {
            let tail = self.queue.remove(1);
            self.fold_into(0, tail.written);
        }
    }

    fn accepted(&mut self, state: State) -> Then {
        let head = self.queue.remove(0);
        self.pushed += 1;
        if head.judged.is_some() && self.parked.version() <= head.judged {
            self.parked = State::Absent;
        }
        let Some(tail) = self.queue.first_mut() else {
            self.take(newest(state, self.parked));
            return Then::LookAgain;
        };
        self.base = state;
        tail.check = check_of(state);
        if let (State::Live(theirs, _), Intent::Upsert(seen, _)) = (state, head.written) {
            match &mut tail.written {
                // Deleted was what the user saw, and nothing else.
                Intent::Delete if theirs != seen => return self.conflict(state, false),
                Intent::Delete => {}
                Intent::Upsert(fields, changed) => {
                    *fields = merge(*fields, theirs, Some(seen), changed.as_ref());
                    self.row = Some(*fields);
                }
            }
        }
        self.forget_parked(state);
        Then::LookAgain
    }

    fn conflict(&mut self, answered: State, is_answer: bool) -> Then {
        if is_answer {
            if self.queue[0].is_met_by(answered) {
                return self.accepted(answered);
            }
            self.queue[0].fate = Fate::Negative;
        }
        let was_judged = self.queue[0].was_judged_against(self.parked);
        let state = if was_judged {
            answered
        } else {
            newest(answered, self.parked)
        };
        if self.queue.len() > 1 {
            let tail = self.queue.remove(1);
            self.fold_into(0, tail.written);
        }
        let base = match self.base {
            State::Live(fields, _) => Some(fields),
            State::Absent | State::Deleted(_) => None,
        };
        let Some(head) = self.queue.first_mut() else {
            // Created and deleted.
            self.take(state);
            return Then::LookAgain;
        };
        let as_written = Waiting {
            verdict: None,
            ..head.clone()
        };
        if head.is_met_by(state) || as_written.is_met_by(state) {
            return self.accepted(state);
        }
        let verdict = match (&head.written, state) {
            (Intent::Upsert(..), State::Deleted(_)) if self.base == State::Absent => {
                self.rebase(state);
                return Then::LookAgain;
            }
            (Intent::Upsert(fields, _), State::Deleted(_)) => Some(Intent::Upsert(*fields, None)),
            (Intent::Upsert(fields, changed), State::Live(theirs, _)) => {
                let merged = merge(*fields, theirs, base, changed.as_ref());
                let decided = (0..3).filter(|place| merged[*place] != theirs[*place]);
                let changed = changed.as_ref().map(|own| own | &decided.collect());
                (merged != theirs).then_some(Intent::Upsert(merged, changed))
            }
            (Intent::Delete, _) => None,
            (Intent::Upsert(..), State::Absent) => panic!("a base that the server never had"),
        };
        if verdict.is_none() {
            self.queue.clear();
            self.take(state);
            return Then::LookAgain;
        }
        head.verdict = verdict;
        head.judged = state.version();
        head.check = check_of(state);
        (head.altered, head.was_judged) = (true, true);
        // What was decided against comes into force if the edit is given up.
        self.parked = if was_judged {
            state
        } else {
            newest(state, self.parked)
        };
        Then::LookAgain
    }
}
