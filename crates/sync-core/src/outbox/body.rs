//! How much of an update goes out (semantics 3, *Key*: the same round has the same bytes).

use super::entity::{Entity, Rules};
use crate::changed_fields::ChangedFields;
use crate::op::{Body, Change, Op, Precondition};
use crate::record::{ID_FIELDS, Record};
use crate::transport::{Features, PushChange};
use crate::travel::Payload;
use crate::version::ServerState;

impl Entity {
    /// How much of an operation goes out that was not sent yet in its round.
    pub(super) fn body(&self, op: &Op, features: &Features, rules: &Rules<'_>) -> Body {
        let is_known = match op.outgoing() {
            Change::Upsert { changed, .. } => changed.is_some(),
            Change::Delete => false,
        };
        if !is_known || !(features.changed_fields() || planted!(PartUndeclared)) {
            return Body::Whole;
        }
        if rules.table.payload == Payload::Changed && self.differs_in_changed_fields(op) {
            Body::Part
        } else {
            Body::Named
        }
    }

    /// Does the server have the very record from which this differs in its changed fields alone?
    fn differs_in_changed_fields(&self, op: &Op) -> bool {
        let is_checked = matches!(op.precondition, Some(Precondition::IfBase { .. }));
        is_checked
            && match &op.verdict {
                Some(verdict) => verdict.names_all && !verdict.recreate,
                None => self.base.as_ref().and_then(ServerState::live).is_some(),
            }
    }
}

/// What the server is told of a record.
pub(super) fn told(body: Body, whole: Record, changed: Option<&ChangedFields>) -> PushChange {
    let changed = match body {
        Body::Whole => None,
        Body::Named | Body::Part => changed.cloned(),
    };
    let record = match (&changed, body) {
        (Some(changed), Body::Part) => {
            let fields = whole.into_fields().into_iter();
            let travels = |name: &str| changed.contains(name) || ID_FIELDS.contains(&name);
            fields.filter(|(name, _)| travels(name)).collect()
        }
        _ => whole,
    };
    PushChange::Upsert { record, changed }
}
