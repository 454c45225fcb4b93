//! A newer state of the server meets an operation (semantics 4, rules 0 to 2).

use super::content::{has_landed, same_state};
use super::entity::{Entity, Rules};
use super::verdict::Decision;
use super::write::Fold;
use crate::conflict::{Conflict, ConflictStrategy, Source};
use crate::event::SyncEvent;
use crate::merge::FieldMerge;
use crate::op::{Change, Fate, Precondition};
use crate::table::Table;
use crate::time::Timestamp;
use crate::version::{ServerState, Version};

/// A state of the server that does not fit an operation, and how it became known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    /// The server's state.
    pub(crate) state: ServerState,
    /// When it was written, for last-write-wins.
    pub(crate) time: Option<Timestamp>,
    /// Is it the definitive negative answer to the operation's last attempt?
    pub(crate) negative: bool,
    /// What was known of the operation before the attempt that this answers; `None` = this answers
    /// none.
    pub(crate) fate_before: Option<Fate>,
}

impl Found {
    /// A state that a pull or a fetch brought.
    pub(crate) fn seen(state: ServerState) -> Self {
        let time = state.version().map(|version| version.stamp.clone());
        Self {
            state,
            time,
            negative: false,
            fate_before: None,
        }
    }

    /// A state that came as, or because of, a negative answer.
    pub(crate) fn answered(state: ServerState, time: Option<Timestamp>, before: Fate) -> Self {
        let time = time.or_else(|| state.version().map(|version| version.stamp.clone()));
        Self {
            state,
            time,
            negative: true,
            fate_before: Some(before),
        }
    }
}

/// How to go on with an entity after something happened to its head.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Flow {
    /// The head is settled; what waits behind it may go on.
    Settled,
    /// The head was rewritten: look again, in this run.
    Again,
    /// Nothing more for this entity in this run.
    Stop,
    /// A resolver has to be asked.
    Ask(Box<Conflict>),
}

/// The newest of two states, by stamp; without stamps the first.
pub(super) fn newest(
    first: Option<ServerState>,
    second: Option<ServerState>,
) -> Option<ServerState> {
    match (first, second) {
        (Some(first), Some(second)) => {
            let second_wins = match (first.version(), second.version()) {
                (Some(one), Some(other)) => other.is_newer_than(one),
                (None, Some(_)) => true,
                (_, None) => false,
            };
            Some(if second_wins { second } else { first })
        }
        (first, second) => first.or(second),
    }
}

impl Entity {
    /// The version that the head was last judged against.
    pub(super) fn judged(&self) -> Option<&Version> {
        let head = self.head()?;
        match &head.verdict {
            Some(verdict) => verdict.judged.as_ref(),
            None => self.base.as_ref().and_then(ServerState::version),
        }
    }

    /// Judges the head against a state of the server.
    pub(crate) fn conflict(&mut self, found: Found, rules: &Rules<'_>) -> Flow {
        let Found {
            state: answered,
            time,
            negative,
            fate_before,
        } = found;
        let Some(head) = self.head() else {
            return Flow::Settled;
        };
        // A server that recognises repeats would not refuse one that it has carried out.
        let is_refused_repeat =
            fate_before.is_some() && rules.recognises_repeats && !planted!(EqualIncrementLost);
        let may_have_arrived =
            fate_before.unwrap_or(head.fate) == Fate::Unknown && !is_refused_repeat;
        let maybe_ours = may_have_arrived || !self.adds_up(rules.table);
        // Rule 0, of the operation as sent: our own write, answered late or twice.
        if negative && maybe_ours && has_landed(head.outgoing(), head.outgoing_changed(), &answered)
        {
            return self.ack(Some(answered), rules);
        }
        let carried = self.carried();
        let (state, time) = self.newest_known(&answered, time);
        if negative && let Some(head) = self.head_mut() {
            head.fate = Fate::Negative;
            head.look_first = false;
        }
        if self.fold_waiting(rules) == Fold::Vanished {
            let state = if state.version().is_some() {
                newest(Some(state.clone()), self.parked.clone()).unwrap_or(state)
            } else {
                state
            };
            self.settle(&state, rules);
            return Flow::Settled;
        }
        let Some(head) = self.head() else {
            return Flow::Settled;
        };
        let landed = has_landed(&head.written, head.changed(), &state)
            || has_landed(head.outgoing(), head.outgoing_changed(), &state);
        if landed && maybe_ours {
            return self.ack(Some(state), rules);
        }
        if negative
            && self.recreates()
            && state.live().is_none()
            && same_tombstone(&state, &carried)
        {
            self.alternate_revival();
            let created = state.record().is_none() && carried.is_none();
            let message = if created && !self.had_record() {
                "the server refuses the record although it has none with this id"
            } else {
                "the server does not revive a deleted record"
            };
            return self.refuse(message, rules);
        }
        if self.rebase_create(&state) {
            return Flow::Again;
        }
        if negative && self.forced_in_vain(&answered) {
            let message = "the server refuses the record although nobody else has changed it";
            return self.refuse(message, rules);
        }
        let own_version = match self.head().and_then(|head| head.precondition.as_ref()) {
            Some(Precondition::IfBase { version }) => Some(version.clone()),
            _ => None,
        };
        let unreliable = negative
            && state.live().is_some()
            && own_version.is_some()
            && own_version.as_ref() == answered.version();
        if unreliable {
            return self.force_unreliable(&state, rules);
        }
        let conflict = self.describe(state, time);
        self.decide_and_apply(conflict, rules)
    }

    /// Does the head hold an increment? Then a record that says the same may be somebody else's
    /// equal increment, unless the head may have been applied.
    pub(super) fn adds_up(&self, table: &Table) -> bool {
        let sums = |field: &str| table.schema.merge_rule(field) == FieldMerge::SumDelta;
        table.strategy == ConflictStrategy::AutoPreserve
            && self.base.as_ref().is_some_and(|base| base.live().is_some())
            && self.head().is_some_and(|head| match &head.written {
                Change::Upsert { payload, changed } => match changed {
                    Some(changed) => changed.iter().any(sums),
                    None => payload.fields().keys().any(|field| sums(field)),
                },
                Change::Delete => false,
            })
    }

    /// Was the head forced past a version that the server cannot check, and does the server still
    /// show that version? Then it is not the version that it objects to.
    fn forced_in_vain(&self, answered: &ServerState) -> bool {
        let verdict = self.head().and_then(|head| head.verdict.as_ref());
        verdict.is_some_and(|verdict| {
            verdict.unreliable
                && verdict.judged.is_some()
                && verdict.judged.as_ref() == answered.version()
        })
    }

    /// Is this only what the last decision was made against?
    pub(super) fn was_judged(&self, parked: &ServerState) -> bool {
        let verdict = self.head().and_then(|head| head.verdict.as_ref());
        let judged = verdict.and_then(|verdict| verdict.judged.as_ref());
        judged.is_some() && judged == parked.version()
    }

    /// Who made the newest of what is known: the answer, or what a pull parked.
    fn newest_known(
        &self,
        answered: &ServerState,
        time: Option<Timestamp>,
    ) -> (ServerState, Option<Timestamp>) {
        let parked_is_newer = self.parked.as_ref().is_some_and(|parked| {
            let versionless_deletion = answered.is_deleted() && answered.version().is_none();
            match (parked.version(), answered.version()) {
                (Some(stamp), Some(answered)) => {
                    stamp.is_newer_than(answered) && !self.was_judged(parked)
                }
                (Some(_), None) => !versionless_deletion || parked.is_deleted(),
                (None, _) => false,
            }
        });
        match &self.parked {
            Some(parked) if parked_is_newer => (
                parked.clone(),
                parked.version().map(|version| version.stamp.clone()),
            ),
            _ => (answered.clone(), time),
        }
    }

    /// The tombstone version that a re-creating head carried.
    fn carried(&self) -> Option<Version> {
        let head = self.head()?;
        match (&head.precondition, &head.verdict) {
            (Some(Precondition::IfBase { version }), _) => Some(version.clone()),
            (_, Some(verdict)) => verdict.judged.clone(),
            (_, None) => self.base.as_ref().and_then(ServerState::version).cloned(),
        }
    }

    /// Did the server have a record when the head was written, or delete one?
    fn had_record(&self) -> bool {
        !matches!(self.base, None | Some(ServerState::Absent))
    }

    /// The whole edit is judged at once: everything that waits folds into the head.
    fn fold_waiting(&mut self, rules: &Rules<'_>) -> Fold {
        while self.ops.len() > 1 {
            let Some(next) = self.remove_op(1) else { break };
            if self.fold(0, next.written, next.written_at, false, rules) == Fold::Vanished {
                return Fold::Vanished;
            }
        }
        Fold::Stays
    }

    /// A deletion of what the operation never knew is no conflict for a create: base and
    /// precondition move, silently.
    fn rebase_create(&mut self, state: &ServerState) -> bool {
        let knew_nothing = matches!(self.base, None | Some(ServerState::Absent));
        let creates = self.head().is_some_and(|head| !head.written.is_delete());
        if !(knew_nothing && creates && state.is_deleted() && state.version().is_some()) {
            return false;
        }
        self.set_base(state.clone());
        self.drop_older_parked(state);
        self.reset(0);
        self.new_round();
        true
    }

    /// The content that goes out from now on is another one.
    pub(super) fn new_round(&mut self) {
        if let Some(head) = self.head_mut()
            && head.ever_sent
        {
            head.next_round();
        }
    }

    /// What was decided against is the newest known state of the server: it comes into force if
    /// the user gives the edit up, also after another edit has dropped the decision.
    pub(super) fn remember_judged(&mut self, state: &ServerState) {
        let parked = self.parked.as_ref();
        let keeps = match state.version() {
            Some(_) => {
                parked.is_some_and(|parked| parked.is_newer_than(state) && !self.was_judged(parked))
            }
            // The tombstone that a pull brought says more than a 404.
            None => {
                let newest = parked.or(self.base.as_ref());
                newest.is_some_and(|newest| newest.is_deleted() && newest.version().is_some())
            }
        };
        if !keeps {
            let is_known = state.version().is_some() || state.is_deleted();
            self.set_parked(is_known.then(|| state.clone()));
        }
    }

    /// What lies parked is forgotten if it is not newer than this state.
    pub(super) fn drop_older_parked(&mut self, state: &ServerState) {
        if let Some(parked) = &self.parked
            && !parked.is_newer_than(state)
        {
            self.set_parked(None);
        }
    }

    /// The newest state of the server that is known: what comes into force if the user's edit goes.
    pub(super) fn newest_seen(&self) -> Option<ServerState> {
        match &self.parked {
            // A deletion without a version is newer than anything that was pulled before it.
            Some(parked) if parked.version().is_none() => Some(parked.clone()),
            parked => newest(self.base.clone(), parked.clone()),
        }
    }

    /// The state that comes into force if the server wins with this one.
    pub(super) fn newest_against(&self, state: &ServerState) -> ServerState {
        let parked = self.parked.clone();
        // A deletion without a version is newer than anything that was pulled before it.
        let parked = parked.filter(|_| state.version().is_some());
        newest(Some(state.clone()), parked).unwrap_or_else(|| state.clone())
    }

    /// The parked state says what *base* says: both move, silently.
    pub(super) fn parked_is_no_news(&self) -> bool {
        match (&self.base, &self.parked) {
            (Some(base), Some(parked)) => same_state(base, parked),
            _ => false,
        }
    }

    /// The conflict as resolvers, merge functions and listeners see it.
    pub(crate) fn describe(&self, server: ServerState, time: Option<Timestamp>) -> Conflict {
        let head = self.head();
        let base = if planted!(ParkedAsBase) {
            newest(self.base.clone(), self.parked.clone())
        } else {
            self.base.clone()
        };
        Conflict {
            kind: self.kind.clone(),
            entity_id: self.id.clone(),
            op_id: head.map_or_else(
                || crate::id::OpId::from(uuid::Uuid::nil()),
                |head| head.op_id.clone(),
            ),
            local: head.and_then(|head| head.judged_edit().payload().cloned()),
            server,
            base: base.unwrap_or(ServerState::Absent),
            changed_fields: head.and_then(|head| head.changed().cloned()),
            local_time: head.map_or_else(
                || Timestamp::from_unix_millis(0),
                |head| head.written_at.clone(),
            ),
            server_time: time,
            source: Source::default(),
        }
    }

    fn decide_and_apply(&mut self, conflict: Conflict, rules: &Rules<'_>) -> Flow {
        let strategy = rules.table.strategy;
        self.emit(SyncEvent::ConflictDetected {
            conflict: Box::new(conflict.clone()),
            strategy,
        });
        if strategy == ConflictStrategy::Manual {
            return match &rules.table.resolver {
                Some(_) => self.wait_for_resolver(conflict, rules),
                None => {
                    let reason = "no conflict resolver for the manual strategy";
                    self.put_off(conflict, reason, false, None, rules)
                }
            };
        }
        match Decision::by_strategy(&conflict, rules.table) {
            Ok(Some(decision)) => self.apply_decision(&conflict, decision, rules),
            Ok(None) => Flow::Stop,
            Err(error) => {
                let reason = format!("the merge function failed: {error}");
                let again = Some(rules.next_attempt(1));
                self.put_off(conflict, &reason, false, again, rules)
            }
        }
    }
}

/// Is this the very deletion that the attempt carried, or does neither have a version?
fn same_tombstone(state: &ServerState, carried: &Option<Version>) -> bool {
    match (state.version(), carried) {
        (Some(state), Some(carried)) => state.stamp == carried.stamp,
        (None, None) => true,
        // A 404 after a tombstone's version was carried: the server shows no tombstones.
        (None, Some(_)) | (Some(_), None) => false,
    }
}
