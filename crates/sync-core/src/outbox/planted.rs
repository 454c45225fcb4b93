//! The longer parts of planted defects.

use super::content::outgoing_record;
use super::entity::{Entity, Rules};
use super::next::Attempt;
use crate::op::{Change, Fate, Precondition};
use crate::transport::{PushChange, PushOp};

impl Entity {
    /// What the head was decided to be is not saved with the mark that it was sent.
    pub(super) fn keep_verdict_in_memory(&mut self, attempt: &mut Attempt) {
        let Some(head) = self.head().filter(|head| head.verdict.is_some()) else {
            return;
        };
        attempt.unsaved = Some(Box::new(head.clone()));
        if let Some(head) = self.head_mut() {
            head.round -= 1;
        }
        self.reset(0);
    }

    /// An answer came before anything made the process forget.
    pub(crate) fn recall_verdict(&mut self, attempt: &mut Attempt) {
        let Some(unsaved) = attempt.unsaved.take() else {
            return;
        };
        if let Some(head) = self.head_mut()
            && head.op_id == unsaved.op_id
        {
            head.verdict = unsaved.verdict;
            head.precondition = unsaved.precondition;
            head.round = unsaved.round;
        }
    }

    /// What waits behind the head, as if nobody else could have come between.
    pub(crate) fn send_tails(&mut self, watermark: i64, rules: &Rules<'_>) -> Vec<PushOp> {
        let mut tails = Vec::new();
        for index in 1..self.ops.len() {
            let Some(op) = self.op_mut(index).filter(|op| op.seq <= watermark) else {
                break;
            };
            op.fate = Fate::Unknown;
            op.ever_sent = true;
            let op = op.clone();
            let change = match op.outgoing() {
                Change::Upsert { payload, changed } => PushChange::Upsert {
                    record: outgoing_record(&op, None, payload, &rules.table.schema),
                    changed: changed.clone(),
                },
                Change::Delete => PushChange::Delete,
            };
            tails.push(PushOp::new(
                op.idempotency_key(),
                op.op_id,
                op.kind,
                op.entity_id,
                change,
                Precondition::Force,
            ));
        }
        tails
    }
}
