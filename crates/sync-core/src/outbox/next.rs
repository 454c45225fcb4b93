//! What to do next with the head of an entity (semantics 3, *Claim*, and 4 before sending).

use super::body::told;
use super::content::{has_landed, outgoing_record};
use super::entity::{Entity, Rules};
use super::judge::{Flow, Found, newest};
use crate::conflict::Conflict;
use crate::op::{Body, Change, Fate, OpStatus, Precondition};
use crate::transport::{Features, PushChange, PushOp};
use crate::version::ServerState;

/// What one run knows about its dealings with one entity.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attempt {
    /// Conflicts judged in this run.
    pub(crate) rounds: u32,
    /// Did a negative answer of this run lead to the present verdict?
    pub(crate) answered: bool,
    /// Was the server asked since the last attempt whether the operation may be sent?
    pub(crate) checked: bool,
    /// What was known before the attempt that is under way.
    pub(crate) fate_before: Fate,
    /// Was it ever sent before the attempt that is under way?
    pub(crate) ever_sent_before: bool,
    /// How it went out before in this round.
    pub(crate) body_before: Option<Body>,
    /// The last conflict, to tell who is left waiting.
    pub(crate) last_conflict: Option<Box<Conflict>>,
    #[cfg(sync_planted)]
    pub(super) unsaved: Option<Box<crate::op::Op>>,
}

/// Why the server's record is needed before the head can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FetchWhy {
    /// The version that the edit was made against is unknown.
    UnknownBase,
    /// A repeat that the server would not check, or a forced push that no answer of this run
    /// justifies.
    Unchecked,
    /// A conflict was answered without a usable record.
    Conflict,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Next {
    /// Nothing in this run.
    Nothing,
    /// Ask for the server's record.
    Fetch(FetchWhy),
    /// Mark the head as sent, then send this.
    Send(Box<PushOp>, Body),
    /// A resolver has to be asked.
    Ask(Box<Conflict>),
}

impl Entity {
    /// Looks at the head until it is clear what to do. May judge conflicts; save afterwards.
    pub(crate) fn next(
        &mut self,
        attempt: &mut Attempt,
        features: &Features,
        watermark: i64,
        rules: &Rules<'_>,
    ) -> Next {
        loop {
            let Some(head) = self.head() else {
                return Next::Nothing;
            };
            if head.status != OpStatus::Pending || head.seq > watermark {
                return Next::Nothing;
            }
            if self.held_up().is_some() {
                self.hold_up();
                return Next::Nothing;
            }
            // One that was built anew after damage may have been sent, but nobody knows against what.
            if head.fate == Fate::Unknown && head.precondition.is_some() {
                let looks = head.look_first || self.needs_check_before_repeat(attempt, features);
                if !attempt.checked && looks {
                    return Next::Fetch(FetchWhy::Unchecked);
                }
                return self.send(features, rules);
            }
            if attempt.rounds > rules.config.max_conflict_retries {
                self.give_up_for_now(attempt, rules);
                return Next::Nothing;
            }
            if head.precondition.is_none() {
                return Next::Fetch(FetchWhy::UnknownBase);
            }
            match self.judge_parked(attempt, rules) {
                None => {}
                Some(Flow::Ask(conflict)) => return Next::Ask(conflict),
                Some(Flow::Stop) => return Next::Nothing,
                Some(Flow::Again | Flow::Settled) => continue,
            }
            if !attempt.checked && self.needs_check_before_first(attempt, features) {
                return Next::Fetch(FetchWhy::Unchecked);
            }
            return self.send(features, rules);
        }
    }

    /// Is the repeat one that the server would carry out a second time, or one that would cover
    /// what others wrote since the record that it was merged with?
    fn needs_check_before_repeat(&self, attempt: &Attempt, features: &Features) -> bool {
        if self.is_forced_by_rule() {
            return !attempt.answered;
        }
        let unchecked = match self.head().and_then(|head| head.precondition.as_ref()) {
            Some(Precondition::Force) => true,
            Some(Precondition::IfAbsent) => !features.if_absent(),
            Some(Precondition::IfBase { .. }) | None => false,
        };
        unchecked && !features.idempotency()
    }

    /// Does the head create a record that nobody is known to have?
    pub(crate) fn creates(&self) -> bool {
        self.head()
            .is_some_and(|head| head.precondition == Some(Precondition::IfAbsent))
    }

    fn needs_check_before_first(&self, attempt: &Attempt, features: &Features) -> bool {
        let Some(head) = self.head() else {
            return false;
        };
        match head.precondition {
            _ if head.look_first => true,
            Some(Precondition::Force) => self.is_forced_by_rule() && !attempt.answered,
            // Somebody else may have chosen the same id, and this server does not look.
            Some(Precondition::IfAbsent) => {
                !features.if_absent() && !self.id.is_uuid() && !attempt.answered
            }
            _ => false,
        }
    }

    /// Does the head go out by force only because the server cannot check its version?
    fn is_forced_by_rule(&self) -> bool {
        let verdict = self.head().and_then(|head| head.verdict.as_ref());
        verdict.is_some_and(|verdict| verdict.unreliable)
    }

    /// A parked state that is newer than what the head was judged against is a conflict before
    /// anything is sent.
    fn judge_parked(&mut self, attempt: &mut Attempt, rules: &Rules<'_>) -> Option<Flow> {
        let parked = self.parked.clone()?;
        let version = parked.version()?;
        let is_news = self
            .judged()
            .is_none_or(|judged| version.is_newer_than(judged));
        let head = self.head()?;
        let verdict = head.verdict.as_ref();
        let settled_revival =
            verdict.is_some_and(|v| v.recreate && v.judged.is_none()) && parked.is_deleted();
        if !is_news || settled_revival {
            return None;
        }
        if verdict.is_none() && self.parked_is_no_news() {
            self.set_base(parked);
            self.set_parked(None);
            self.reset(0);
            self.new_round();
            return Some(Flow::Again);
        }
        attempt.rounds += 1;
        let flow = self.conflict(Found::seen(parked.clone()), rules);
        if flow == Flow::Again {
            attempt.last_conflict = Some(Box::new(self.describe(parked, None)));
        }
        Some(flow)
    }

    /// Too many rounds: the verdict stands and is tried in the next run.
    fn give_up_for_now(&mut self, attempt: &mut Attempt, rules: &Rules<'_>) {
        let conflict = match attempt.last_conflict.take() {
            Some(conflict) => *conflict,
            None => {
                let known = newest(self.base.clone(), self.parked.clone());
                self.describe(known.unwrap_or(ServerState::Absent), None)
            }
        };
        let reason = "the record changed on the server at every attempt; it is tried again later";
        self.put_off(conflict, reason, false, None, rules);
    }

    /// The operation as it goes out.
    fn send(&self, features: &Features, rules: &Rules<'_>) -> Next {
        let Some(head) = self.head() else {
            return Next::Nothing;
        };
        let Some(precondition) = head.precondition.clone() else {
            return Next::Nothing;
        };
        let body = head
            .body
            .filter(|_| !planted!(BodyDecidedAnew))
            .unwrap_or_else(|| self.body(head, features, rules));
        let change = match head.outgoing() {
            Change::Upsert { payload, changed } => {
                let base = self.base.as_ref();
                let whole = outgoing_record(head, base, payload, &rules.table.schema);
                told(body, whole, changed.as_ref())
            }
            Change::Delete => PushChange::Delete,
        };
        let op = PushOp::new(
            head.idempotency_key(),
            head.op_id.clone(),
            self.kind.clone(),
            self.id.clone(),
            change,
            precondition,
        );
        Next::Send(Box::new(op), body)
    }

    /// Notes that the head is about to leave; must be on disk before it does.
    pub(crate) fn mark_sent(&mut self, body: Body, attempt: &mut Attempt) {
        attempt.checked = false;
        let Some(head) = self.head_mut() else { return };
        attempt.fate_before = head.fate;
        attempt.ever_sent_before = head.ever_sent;
        attempt.body_before = head.body;
        head.body = Some(body);
        head.fate = Fate::Unknown;
        head.ever_sent = true;
        planted!(VerdictNotDurable => self.keep_verdict_in_memory(attempt););
        if planted!(AckBeforeCommit) {
            self.take_head();
        }
    }

    /// A fetch before an unchecked push brought this state.
    pub(crate) fn fetched_before_push(
        &mut self,
        state: ServerState,
        attempt: &mut Attempt,
        features: &Features,
        rules: &Rules<'_>,
    ) -> Flow {
        attempt.checked = true;
        let Some(head) = self.head() else {
            return Flow::Settled;
        };
        let was_sent = head.fate == Fate::Unknown;
        let (looks, rekeyed) = (head.look_first, head.look_first && was_sent);
        let changed = match (state.version(), self.judged()) {
            (Some(version), Some(judged)) => version.stamp != judged.stamp,
            // Not there as far as the edit knows: anything live is news, whatever its version.
            (_, None) => state.live().is_some(),
            (None, Some(_)) => true,
        };
        let landed =
            (was_sent || looks) && has_landed(head.outgoing(), head.outgoing_changed(), &state);
        // After a restart it takes an answer to learn that the server recognises a repeat.
        let is_recognised =
            was_sent && !rekeyed && !self.needs_check_before_repeat(attempt, features);
        if !landed && (is_recognised || !changed) {
            return Flow::Again;
        }
        attempt.rounds += 1;
        let found = Found {
            negative: was_sent,
            ..Found::seen(state)
        };
        self.conflict(found, rules)
    }
}
