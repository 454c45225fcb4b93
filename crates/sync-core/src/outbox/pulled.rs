//! What a pulled or fetched record does to an entity that has operations or a shadow.

use super::entity::{Entity, Rules};
use super::judge::{Flow, Found, newest};
use crate::conflict::Conflict;
use crate::id::OpId;
use crate::op::{Fate, OpStatus, Precondition};
use crate::version::ServerState;

impl Entity {
    /// A pull brought this state. It never overwrites a record that has operations.
    pub(crate) fn pulled(&mut self, state: ServerState, rules: &Rules<'_>) -> Flow {
        if self.ops.is_empty() {
            return self.pulled_idle(&state, rules);
        }
        if self.held_up().is_some() {
            return Flow::Stop;
        }
        let same_stamp = |base: &ServerState| {
            let stamps = [base, &state].map(|state| state.version().map(|one| &one.stamp));
            stamps[0].is_some() && stamps[0] == stamps[1]
        };
        if self.base.as_ref().is_some_and(same_stamp) {
            self.complete(&state);
        }
        let base_version = self.base.as_ref().and_then(ServerState::version);
        let is_news = match (base_version, state.version()) {
            (Some(base), Some(version)) => version.is_newer_than(base),
            _ => true,
        };
        // An increment that may have arrived is told by its repeat, if the server recognises that.
        let is_told = rules.recognises_repeats && self.adds_up(rules.table);
        if is_news && !is_told && self.head_landed_as(&state) {
            return self.ack(Some(state), rules);
        }
        let beats_parked = self.parked.as_ref().is_none_or(|parked| {
            parked.version().is_none()
                || state.is_newer_than(parked)
                || state.version().map(|v| &v.stamp) == parked.version().map(|v| &v.stamp)
        });
        if is_news && beats_parked {
            self.reopen_if_changed(&state);
            self.set_parked(Some(state));
        }
        Flow::Settled
    }

    /// Acknowledged without a record: this is the record, unless it is an older one.
    fn pulled_idle(&mut self, state: &ServerState, rules: &Rules<'_>) -> Flow {
        let known = self.known.as_ref().and_then(Option::as_ref);
        let held = self.parked.as_ref().and_then(ServerState::version);
        let is_older = state.version().is_some_and(|version| {
            let mut newer = known.into_iter().chain(held);
            newer.any(|newer| newer.is_newer_than(version))
        });
        if !is_older {
            let state = self.more_exact(state);
            self.settle(&state, rules);
        }
        Flow::Settled
    }

    /// The tombstone that a pull brought says more than a 404.
    fn more_exact(&self, state: &ServerState) -> ServerState {
        let is_bare = state.is_deleted() && state.version().is_none();
        let parked = self.parked.as_ref();
        let tombstone = parked.filter(|parked| parked.is_deleted() && parked.version().is_some());
        tombstone.filter(|_| is_bare).unwrap_or(state).clone()
    }

    /// A conflict that was put off is looked at again when its server record changes.
    fn reopen_if_changed(&mut self, state: &ServerState) {
        let deferred = self
            .head()
            .is_some_and(|head| head.status == OpStatus::Deferred);
        let met = [
            self.judged(),
            self.parked.as_ref().and_then(ServerState::version),
        ];
        let is_news = state.version().is_none_or(|version| {
            let mut met = met.into_iter().flatten();
            met.all(|met| version.is_newer_than(met))
        });
        if deferred && is_news {
            self.reopen();
        }
    }

    /// The deferred head takes part again.
    pub(crate) fn reopen(&mut self) {
        let Some(head) = self.head_mut() else { return };
        head.status = OpStatus::Pending;
        head.next_attempt_at = None;
        let op_id = head.op_id.clone();
        self.close_conflict(&op_id);
    }

    /// The deferred head takes part again; the server's record that it met is what it is judged
    /// against, without asking the server once more.
    pub(crate) fn reopen_with(&mut self, met: Option<ServerState>) {
        self.reopen();
        let base = self.base.clone();
        if let Some(met) = met
            && met.version().is_some()
            && base.is_none_or(|base| !base.is_newer_than(&met))
        {
            self.set_parked(newest(Some(met), self.parked.clone()));
        }
    }

    /// Something changed while a resolver thought about it: the conflict is judged anew, if it is
    /// still open.
    pub(crate) fn ask_again(&mut self, asked: &Conflict) -> bool {
        let waits = self
            .head()
            .is_some_and(|head| head.op_id == asked.op_id && head.status == OpStatus::Deferred);
        if waits {
            self.reopen_with(Some(asked.server.clone()));
        }
        waits
    }

    /// The user gives all operations up; the newest known server state comes into force. Returns
    /// them, and whether one may have been applied.
    pub(crate) fn discard(&mut self, rules: &Rules<'_>) -> (Vec<OpId>, bool) {
        let mut op_ids = Vec::with_capacity(self.ops.len());
        let mut maybe_applied = false;
        while let Some(op) = self.remove_op(0) {
            maybe_applied |= op.fate == Fate::Unknown;
            op_ids.push(op.op_id);
        }
        if !op_ids.is_empty() {
            if planted!(DiscardForgetsParked) {
                self.parked = None;
            }
            if self.held_up().is_some() {
                self.forget_unreadable();
                return (op_ids, maybe_applied);
            }
            let state = self.newest_seen();
            self.settle(&state.unwrap_or(ServerState::Absent), rules);
        }
        (op_ids, maybe_applied)
    }

    /// A fetch brought the record that belongs to an acknowledgement without one.
    pub(crate) fn fetched_idle(&mut self, state: &ServerState, rules: &Rules<'_>) {
        if self.ops.is_empty() {
            let state = self.more_exact(state);
            self.settle(&state, rules);
        }
    }

    /// A fetch answers what an unknown base really is. A fetched version alone is never taken as
    /// a base: only equal content lets it move.
    pub(crate) fn fetched_base(&mut self, state: ServerState, rules: &Rules<'_>) -> Flow {
        let Some(base) = &self.base else {
            return Flow::Again;
        };
        if !super::content::same_state(base, &state) && !planted!(FetchedVersionAsBase) {
            // One of unknown fate, whose answers and keys a restored server has forgotten.
            let negative = self.head().is_some_and(|head| head.fate == Fate::Unknown);
            let found = Found::seen(state);
            return self.conflict(Found { negative, ..found }, rules);
        }
        let deletes = self.head().is_some_and(|head| head.written.is_delete());
        if deletes && state.live().is_none() {
            return self.ack(Some(state), rules);
        }
        if state.version().is_some() {
            self.drop_older_parked(&state);
        }
        let unchecked = match &state {
            ServerState::Live { version: None, .. } => Some(Precondition::Force),
            ServerState::Deleted { version: None, .. } | ServerState::Absent => {
                Some(Precondition::IfAbsent)
            }
            _ => None,
        };
        self.set_base(state);
        self.reset(0);
        if let (Some(precondition), Some(head)) = (unchecked, self.head_mut()) {
            head.precondition = Some(precondition);
        }
        Flow::Again
    }
}
