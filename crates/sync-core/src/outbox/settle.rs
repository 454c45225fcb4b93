//! What an answer does to the entity (semantics 3, *Ack* and the table of answers).

use super::content::{has_landed, same_content};
use super::entity::{Entity, Rules};
use super::judge::{Flow, Found, newest};
use super::next::Attempt;
use crate::event::SyncEvent;
use crate::op::{Change, Fate, Op, OpStatus, Precondition};
use crate::record::Record;
use crate::version::ServerState;

impl Entity {
    /// 2xx: the server took the head; `state` is the record that it answered with.
    pub(crate) fn accepted(&mut self, state: Option<ServerState>, rules: &Rules<'_>) -> Flow {
        let Some(head) = self.head() else {
            return Flow::Settled;
        };
        let deletes = head.outgoing().is_delete();
        match state {
            Some(state) if state.is_deleted() && !deletes && !planted!(TombstoneIsSuccess) => {
                self.conflict(Found::answered(state, None, Fate::Unknown), rules)
            }
            // Some servers answer a deletion with the record that they deleted.
            Some(state) if deletes && !state.is_deleted() => self.ack(None, rules),
            state => self.ack(state, rules),
        }
    }

    /// The head took effect: it goes, and what it leaves is brought in order.
    pub(super) fn ack(&mut self, state: Option<ServerState>, rules: &Rules<'_>) -> Flow {
        let Some(op) = self.take_head() else {
            return Flow::Settled;
        };
        self.forget_judged(&op);
        self.note_landed(&op, state.as_ref(), rules);
        match state {
            None => self.ack_without_record(&op, rules),
            Some(state) if self.ops.is_empty() => self.ack_last(state, rules),
            Some(state) => return self.replay_waiting(&op, state, rules),
        }
        Flow::Settled
    }

    /// What the operation was decided against is older than its own effect.
    fn forget_judged(&mut self, op: &Op) {
        let Some(verdict) = &op.verdict else { return };
        let parked = self.parked.as_ref().map(ServerState::version);
        let is_older = match (&verdict.judged, parked) {
            (Some(judged), Some(Some(parked))) => !parked.is_newer_than(judged),
            (_, Some(None)) => true,
            _ => false,
        };
        if is_older {
            self.set_parked(None);
        }
    }

    /// Takes the head out of the queue, as one that the server took.
    pub(super) fn take_head(&mut self) -> Option<Op> {
        let op = self.remove_op(0)?;
        self.emit(SyncEvent::OperationPushed {
            op_id: op.op_id.clone(),
            kind: self.kind.clone(),
            entity_id: self.id.clone(),
            is_delete: op.outgoing().is_delete(),
        });
        Some(op)
    }

    /// Success without a record: *base* is the content as sent, its version unknown.
    fn ack_without_record(&mut self, op: &Op, rules: &Rules<'_>) {
        let tail_waits = !self.ops.is_empty();
        let content = if tail_waits {
            &op.written
        } else {
            op.outgoing()
        };
        let base = match content {
            Change::Upsert { payload, .. } => ServerState::Live {
                record: payload.clone(),
                version: None,
            },
            Change::Delete => ServerState::gone(),
        };
        if tail_waits {
            self.set_base(base);
            if let Some(next) = self.op_mut(0) {
                next.verdict = None;
                next.precondition = None;
            }
        } else {
            self.take_state(&base, rules);
            self.set_base(base);
        }
    }

    /// Nothing waits: the newest known server state comes into force and the shadow goes, unless
    /// the pull brought other content under the same stamp; then a fetch decides.
    fn ack_last(&mut self, state: ServerState, rules: &Rules<'_>) {
        let parked = self.parked.take().filter(|_| !planted!(LateAnswerWins));
        if let (Some(parked), Some(version)) = (&parked, state.version())
            && parked
                .version()
                .is_some_and(|other| other.stamp == version.stamp)
            && !super::content::same_state(parked, &state)
        {
            self.take_state(&state, rules);
            self.set_base(state);
            self.set_parked(Some(parked.clone()));
            return;
        }
        let state = if state.version().is_some() {
            newest(Some(state.clone()), parked).unwrap_or(state)
        } else {
            parked.filter(ServerState::is_deleted).unwrap_or(state)
        };
        self.settle(&state, rules);
    }

    /// A tail waits: it is replayed onto the record now in force, against what the user saw.
    fn replay_waiting(&mut self, head: &Op, state: ServerState, rules: &Rules<'_>) -> Flow {
        if state.version().is_some() {
            self.drop_older_parked(&state);
        }
        self.set_base(state.clone());
        let deletes = self.ops.iter().any(|op| op.written.is_delete());
        if deletes
            && let (Some(record), Some(seen)) = (state.live(), head.written.payload())
            && !same_as_seen(seen, record, head)
            && !planted!(DeletesUnseen)
        {
            // What the user saw and deleted, not what was merged into it since.
            self.set_base(ServerState::Live {
                record: seen.clone(),
                version: None,
            });
            return self.conflict(Found::seen(state), rules);
        }
        if self.ops[0].written.is_delete() {
            self.reset(0);
            return Flow::Settled;
        }
        let (Some(server), Some(seen)) = (state.live(), head.written.payload()) else {
            // Behind our own deletion: the waiting edit brings the record back.
            self.reset(0);
            return Flow::Settled;
        };
        if !planted!(RebaseMovesStampOnly) {
            self.replay_onto(server.clone(), seen.clone(), rules);
        }
        self.reset(0);
        Flow::Settled
    }

    /// Each waiting edit in turn: its own changed fields on what is now before it.
    fn replay_onto(&mut self, mut server: Record, mut seen: Record, rules: &Rules<'_>) {
        for index in 0..self.ops.len() {
            let Change::Upsert { payload, changed } = self.ops[index].written.clone() else {
                break;
            };
            server = self.merge_edit(&payload, changed.as_ref(), &server, Some(&seen), rules);
            seen = payload;
            if let Some(op) = self.op_mut(index) {
                op.written = Change::Upsert {
                    payload: server.clone(),
                    changed,
                };
            }
        }
        let ends_live = self.ops.iter().all(|op| !op.written.is_delete());
        if ends_live {
            self.write_row(server);
        }
    }

    /// 404 or 410, from a kind that is known to be there.
    pub(crate) fn gone(&mut self, state: ServerState, rules: &Rules<'_>) -> Flow {
        let Some(head) = self.head() else {
            return Flow::Settled;
        };
        if head.outgoing().is_delete() || planted!(NotFoundAcksUpsert) {
            self.ack(Some(state), rules)
        } else {
            self.conflict(Found::answered(state, None, Fate::Unknown), rules)
        }
    }

    /// The server will not do this. After so many refusals the operation is set aside.
    pub(crate) fn refuse(&mut self, message: &str, rules: &Rules<'_>) -> Flow {
        let Some(head) = self.head_mut() else {
            return Flow::Settled;
        };
        head.try_count += 1;
        head.last_error = Some(message.to_owned());
        let (tries, limit) = (head.try_count, rules.config.max_outbox_try_count);
        let is_stuck = tries >= limit;
        head.status = if is_stuck {
            OpStatus::Stuck
        } else {
            OpStatus::Pending
        };
        head.next_attempt_at = Some(rules.next_attempt(tries));
        let fate_is_known = head.fate != Fate::Unknown;
        let event = failed(head, message, !is_stuck);
        self.emit(event);
        if fate_is_known && rules.table.coalesce && self.ops.len() > 1 {
            // The user has edited since: that edit folds in and starts afresh.
            if let Some(next) = self.remove_op(1)
                && !planted!(TailLostWithHead)
            {
                let fold = self.fold(0, next.written, next.written_at, false, rules);
                if fold == super::write::Fold::Vanished {
                    let state = self.newest_seen();
                    self.settle(&state.unwrap_or(ServerState::Absent), rules);
                }
            }
        }
        Flow::Stop
    }

    /// A revival refused with the tombstone's version is tried once as a create.
    pub(super) fn alternate_revival(&mut self) {
        let judged = self.judged().cloned();
        let Some(head) = self.head_mut() else { return };
        let next = match (&head.precondition, judged) {
            (Some(Precondition::IfBase { .. }), _) if head.try_count == 0 => Precondition::IfAbsent,
            (Some(Precondition::IfAbsent), Some(version)) => Precondition::IfBase { version },
            _ => return,
        };
        head.precondition = Some(next);
        head.next_round();
    }

    /// The attempt got no usable answer: its fate stays unknown and it waits a little.
    pub(crate) fn trouble(&mut self, message: &str, rules: &Rules<'_>) -> Flow {
        let Some(head) = self.head_mut() else {
            return Flow::Settled;
        };
        head.last_error = Some(message.to_owned());
        head.next_attempt_at = Some(rules.next_attempt(head.trouble_count + 1));
        let event = failed(head, message, true);
        self.emit(event);
        Flow::Stop
    }

    /// The operation alone was in trouble in a run in which others got through.
    pub(crate) fn count_trouble(&mut self, rules: &Rules<'_>) {
        let limit = rules.config.max_outbox_try_count;
        let Some(head) = self.head_mut() else { return };
        head.trouble_count += 1;
        if head.trouble_count >= limit {
            head.status = OpStatus::Stuck;
            let message = head.last_error.clone().unwrap_or_default();
            let event = failed(head, &message, false);
            self.emit(event);
        }
    }

    /// What answered was not the server: nothing is concluded, nothing counted.
    pub(crate) fn protocol_error(&mut self, message: &str) -> Flow {
        let Some(head) = self.head_mut() else {
            return Flow::Settled;
        };
        head.last_error = Some(message.to_owned());
        let event = failed(head, message, true);
        self.emit(event);
        Flow::Stop
    }

    /// A definitive negative answer of this attempt; an earlier attempt of unknown fate stays so.
    pub(crate) fn answered_negatively(&mut self, before: Fate) {
        if let Some(head) = self.head_mut() {
            head.fate = if before == Fate::Unknown && !planted!(RefusalSpeaksForAll) {
                Fate::Unknown
            } else {
                Fate::Negative
            };
        }
    }

    /// The server repeated the answer to another attempt under the same key, so this one was not
    /// carried out: it goes out under another key, after a look at what is there.
    pub(crate) fn doubt(&mut self) -> Flow {
        if let Some(head) = self.head_mut() {
            head.fate = Fate::Negative;
            head.look_first = true;
            head.next_round();
        }
        Flow::Again
    }

    /// Nothing left the device: the mark is taken back.
    pub(crate) fn unmark_sent(&mut self, attempt: &Attempt) {
        if let Some(head) = self.head_mut() {
            head.fate = attempt.fate_before;
            head.ever_sent = attempt.ever_sent_before;
            head.body = attempt.body_before;
        }
    }

    /// Did the pulled state come from the head itself, whose fate is unknown?
    pub(super) fn head_landed_as(&self, state: &ServerState) -> bool {
        self.head().is_some_and(|head| {
            head.fate == Fate::Unknown
                && has_landed(head.outgoing(), head.outgoing_changed(), state)
        })
    }
}

/// Does the record say what the user saw when deleting it? What a server adds to a fresh create is
/// nobody's edit.
fn same_as_seen(seen: &Record, record: &Record, head: &Op) -> bool {
    let created = head.precondition == Some(Precondition::IfAbsent);
    if !created {
        return same_content(seen, record);
    }
    let change = Change::Upsert {
        payload: seen.clone(),
        changed: None,
    };
    has_landed(
        &change,
        None,
        &ServerState::Live {
            record: record.clone(),
            version: None,
        },
    )
}

fn failed(op: &Op, error: &str, will_retry: bool) -> SyncEvent {
    SyncEvent::OperationFailed {
        op_id: op.op_id.clone(),
        kind: op.kind.clone(),
        entity_id: op.entity_id.clone(),
        error: error.to_owned(),
        will_retry,
    }
}
