//! An answer that was given before, to something else.

use std::time::Duration;

use super::{PushPhase, Sent};
use crate::op::Fate;
use crate::outbox::{Entity, has_landed};
use crate::time::Timestamp;
use crate::transport::PushOutcome;

/// A record that was written because of a request is no older than this when it is answered.
const AT_ONCE: Duration = Duration::from_secs(60);

impl PushPhase<'_> {
    /// Does the answer to a very first attempt speak of another one, made long ago? Then this
    /// database was restored in place to a state from before that one was sent, and what the server
    /// answered then is repeated now, whatever the operation says by now.
    pub(super) fn answers_another(
        &mut self,
        entity: &Entity,
        sent: &Sent,
        outcome: &PushOutcome,
        date: Option<&Timestamp>,
    ) -> bool {
        let attempt = self.attempt(&(entity.kind.clone(), entity.id.clone()));
        let is_first = !attempt.ever_sent_before && attempt.fate_before == Fate::NeverSent;
        let PushOutcome::Accepted { state: Some(state) } = outcome else {
            return false;
        };
        let (Some(head), Some(version), Some(date)) = (entity.head(), state.version(), date) else {
            return false;
        };
        is_first
            && head.op_id == sent.op_id
            && self.context.features().idempotency()
            && state.live().is_some()
            && !head.outgoing().is_delete()
            && version.stamp.plus(AT_ONCE) < *date
            && !has_landed(head.outgoing(), head.outgoing_changed(), state)
    }
}
