//! What waits since an older version of the table's schema is lifted when it is loaded; what cannot
//! be lifted stays as it is and is held up (semantics 7).

use super::content::same_content;
use super::entity::Entity;
use super::write::awaken;
use crate::event::SyncEvent;
use crate::op::{Change, Fate, Op, OpStatus};
use crate::record::Record;
use crate::upcast::{REASON, Upcasts};
use crate::version::ServerState;

/// Everything of an entity that has a version, lifted.
struct Lifted {
    ops: Vec<Op>,
    base: Option<ServerState>,
    parked: Option<ServerState>,
}

impl Entity {
    /// Lifts operations and shadow to the present version: all of them, or none.
    pub(super) fn lift(&mut self, upcasts: &Upcasts) {
        let current = upcasts.current();
        self.schema_version = current;
        let shadow_version = if self.had_shadow {
            self.shadow_version
        } else {
            current
        };
        let is_current = |op: &Op| op.schema_version == current;
        if shadow_version == current && self.ops.iter().all(is_current) {
            self.shadow_version = current;
            return;
        }
        if planted!(UpcastSkipped) {
            self.pretend_current();
            return;
        }
        match self.lifted(upcasts, shadow_version) {
            Ok(lifted) => self.take_lifted(lifted),
            Err(reason) => self.held_up = Some(reason),
        }
    }

    fn pretend_current(&mut self) {
        self.shadow_version = self.schema_version;
        for op in &mut self.ops {
            op.schema_version = self.schema_version;
        }
        (self.ops_changed, self.shadow_changed) = (true, self.had_shadow);
    }

    fn lifted(&self, upcasts: &Upcasts, shadow_version: u32) -> Result<Lifted, String> {
        let state = |state: &Option<ServerState>| {
            let lifted = state
                .as_ref()
                .map(|state| upcasts.state(shadow_version, state));
            lifted.transpose()
        };
        let mut ops = Vec::with_capacity(self.ops.len());
        // What an edit was made on: the record that the server had, or the edit before it.
        let mut before = self.base.as_ref().and_then(ServerState::live);
        let mut before_version = shadow_version;
        for op in &self.ops {
            let known = before.filter(|_| before_version == op.schema_version);
            ops.push(lifted_op(op, upcasts, known)?);
            (before, before_version) = (op.written.payload(), op.schema_version);
        }
        Ok(Lifted {
            ops,
            base: state(&self.base)?,
            parked: state(&self.parked)?,
        })
    }

    fn take_lifted(&mut self, lifted: Lifted) {
        let Lifted { ops, base, parked } = lifted;
        (self.base, self.parked) = (base, parked);
        self.shadow_version = self.schema_version;
        self.shadow_changed = self.had_shadow;
        for (old, op) in self.ops.iter().zip(&ops) {
            if old.status == OpStatus::Deferred {
                // What was to be decided looks different now: it is judged anew.
                self.closed_conflicts.push(op.op_id.clone());
            }
        }
        self.ops = ops;
        self.ops_changed = true;
    }

    /// Why nothing can be done with this entity, if so: it waits since a version of the table's
    /// schema that this app cannot read.
    pub(crate) fn held_up(&self) -> Option<&str> {
        self.held_up.as_deref()
    }

    /// Sets the head aside because it cannot be lifted, and says so once.
    pub(super) fn hold_up(&mut self) {
        let Some(reason) = self.held_up.clone() else {
            return;
        };
        let Some(head) = self
            .head_mut()
            .filter(|head| head.status != OpStatus::Stuck)
        else {
            return;
        };
        head.status = OpStatus::Stuck;
        head.last_error = Some(reason.clone());
        let event = SyncEvent::OperationFailed {
            op_id: head.op_id.clone(),
            kind: head.kind.clone(),
            entity_id: head.entity_id.clone(),
            error: reason,
            will_retry: false,
        };
        self.emit(event);
    }

    /// The head was set aside only because it could not be read, and now it can.
    pub(crate) fn release_if_readable(&mut self) {
        let is_held = self.head().is_some_and(was_held_up);
        if is_held && self.held_up.is_none() {
            self.awaken_head();
        }
    }

    /// Gives up operations whose shadow cannot be read: what the server has is to be pulled.
    pub(super) fn forget_unreadable(&mut self) {
        self.row_edit = match self.row.take() {
            Some(record) => super::entity::RowEdit::Server {
                record,
                version: None,
                is_tombstone: false,
            },
            None => super::entity::RowEdit::Remove { tombstone: None },
        };
        self.drop_shadow();
    }
}

/// Was this operation set aside because it could not be lifted?
pub(crate) fn was_held_up(op: &Op) -> bool {
    let reason = op.last_error.as_deref();
    op.status == OpStatus::Stuck && reason.is_some_and(|reason| reason.starts_with(REASON))
}

fn lifted_op(op: &Op, upcasts: &Upcasts, before: Option<&Record>) -> Result<Op, String> {
    let from = op.schema_version;
    let mut lifted = op.clone();
    lifted.schema_version = upcasts.current();
    lifted.written = upcasts.change(from, &op.written, before)?;
    if let (Some(verdict), Some(old)) = (&mut lifted.verdict, &op.verdict) {
        verdict.change = upcasts.change(from, &old.change, before)?;
    }
    if op.ever_sent && !same_change(op.outgoing(), lifted.outgoing()) {
        // Another content bears another key; under the former one it may have been applied.
        lifted.next_round();
        lifted.look_first |= op.fate == Fate::Unknown;
    }
    match op.status {
        OpStatus::Deferred => lifted.status = OpStatus::Pending,
        OpStatus::Stuck if was_held_up(op) => awaken(&mut lifted),
        OpStatus::Stuck | OpStatus::Pending => {}
    }
    Ok(lifted)
}

fn same_change(one: &Change, other: &Change) -> bool {
    match (one.payload(), other.payload()) {
        (Some(one), Some(other)) => same_content(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}
