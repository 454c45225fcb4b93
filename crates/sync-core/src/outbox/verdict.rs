//! What a strategy decides, and how the decision rewrites the operation (semantics 4.2 and 4.3).

use super::content::{retake_system_fields, same_content};
use super::entity::{Entity, Rules};
use super::history::LedTo;
use super::judge::{Flow, newest};
use crate::changed_fields::ChangedFieldsDiff;
use crate::conflict::{Conflict, ConflictStrategy, Resolution, ResolverError};
use crate::event::SyncEvent;
use crate::merge::preserving_merge_with;
use crate::op::{Change, OpStatus, Precondition, Verdict};
use crate::record::Record;
use crate::store::ConflictEntry;
use crate::table::Table;
use crate::version::ServerState;

/// A decision: what comes into force, or what goes out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decision {
    resolution: Resolution,
    outcome: Outcome,
    contested: Vec<String>,
    merged_from: Option<(Vec<String>, Vec<String>)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    /// The server's state comes into force, the operation goes.
    TakeServer,
    /// This goes out, checked against the server's state.
    Send(Change),
    /// This goes out, whatever is there.
    Force(Change),
    /// This brings a deleted record back.
    Recreate(Record),
}

impl Decision {
    /// What the table's strategy decides without asking anybody; `None` for `Manual`. Fails as the
    /// app's merge function does.
    pub(super) fn by_strategy(
        conflict: &Conflict,
        table: &Table,
    ) -> Result<Option<Self>, ResolverError> {
        Ok(Some(match table.strategy {
            ConflictStrategy::AutoPreserve => Self::preserve(conflict, table),
            ConflictStrategy::ServerWins => Self::server(Resolution::AcceptServer),
            ConflictStrategy::ClientWins => Self::client(conflict),
            ConflictStrategy::LastWriteWins => Self::last_write(conflict, table),
            ConflictStrategy::Merge => match table.merge.merge(conflict)? {
                Some(merged) => Self::merged(conflict, merged),
                None => Self::preserve(conflict, table),
            },
            ConflictStrategy::Manual => return Ok(None),
        }))
    }

    /// What a resolver's answer means; `None` for [`Resolution::Defer`].
    pub(super) fn by_resolution(conflict: &Conflict, resolution: Resolution) -> Option<Self> {
        Some(match resolution {
            Resolution::AcceptServer | Resolution::Discard => Self::server(resolution),
            Resolution::AcceptClient => Self::client(conflict),
            Resolution::AcceptMerged(record) => Self::merged(conflict, record),
            Resolution::Defer => return None,
        })
    }

    fn new(resolution: Resolution, outcome: Outcome) -> Self {
        Self {
            resolution,
            outcome,
            contested: Vec::new(),
            merged_from: None,
        }
    }

    fn server(resolution: Resolution) -> Self {
        Self::new(resolution, Outcome::TakeServer)
    }

    fn client(conflict: &Conflict) -> Self {
        let outcome = match (&conflict.local, conflict.server_record()) {
            (Some(local), Some(_)) => Outcome::Force(upsert(conflict, local.clone())),
            (Some(local), None) => Outcome::Recreate(local.clone()),
            (None, _) => Outcome::Force(Change::Delete),
        };
        Self::new(Resolution::AcceptClient, outcome)
    }

    fn preserve(conflict: &Conflict, table: &Table) -> Self {
        match (&conflict.local, conflict.server_record()) {
            (None, _) => Self::server(Resolution::AcceptServer),
            (Some(local), None) => {
                Self::new(Resolution::AcceptClient, Outcome::Recreate(local.clone()))
            }
            (Some(local), Some(server)) => {
                let base = conflict
                    .base_record()
                    .filter(|_| !planted!(MergeWithoutBase));
                let result = preserving_merge_with(
                    local.fields(),
                    server.fields(),
                    base.map(Record::fields),
                    conflict.changed_fields.as_ref(),
                    |field| table.schema.merge_rule(field),
                );
                let mut decision = Self::merged(conflict, Record::new(result.data));
                decision.contested = result.contested_fields.into_iter().collect();
                decision.merged_from = Some((
                    result.local_fields.into_iter().collect(),
                    result.server_fields.into_iter().collect(),
                ));
                decision
            }
        }
    }

    fn last_write(conflict: &Conflict, table: &Table) -> Self {
        let Some(server_time) = &conflict.server_time else {
            return Self::preserve(conflict, table);
        };
        if conflict.local_time <= *server_time {
            return Self::server(Resolution::AcceptServer);
        }
        let outcome = match (&conflict.local, conflict.server_record()) {
            (Some(local), Some(_)) => Outcome::Send(upsert(conflict, local.clone())),
            (Some(local), None) => Outcome::Recreate(local.clone()),
            (None, _) => Outcome::Send(Change::Delete),
        };
        Self::new(Resolution::AcceptClient, outcome)
    }

    fn merged(conflict: &Conflict, merged: Record) -> Self {
        let Some(server) = conflict.server_record() else {
            let resolution = Resolution::AcceptMerged(merged.clone());
            return Self::new(resolution, Outcome::Recreate(merged));
        };
        let merged = if planted!(MergeTrusted) {
            merged
        } else {
            retake_system_fields(merged, server)
        };
        if same_content(&merged, server) {
            return Self::server(Resolution::AcceptServer);
        }
        let resolution = Resolution::AcceptMerged(merged.clone());
        // Who merges may change more than the user did.
        let decided = ChangedFieldsDiff::diff_maps(server.fields(), merged.fields(), &[]);
        let changed = conflict.changed_fields.as_ref();
        let change = Change::Upsert {
            payload: merged,
            changed: changed.map(|own| own.iter().chain(decided.iter()).collect()),
        };
        Self::new(resolution, Outcome::Send(change))
    }
}

fn upsert(conflict: &Conflict, payload: Record) -> Change {
    Change::Upsert {
        payload,
        changed: conflict.changed_fields.clone(),
    }
}

impl Entity {
    /// Rule 1: the server cannot check our version. The content is merged with the record just
    /// seen and goes out by force, once.
    pub(super) fn force_unreliable(&mut self, state: &ServerState, rules: &Rules<'_>) -> Flow {
        let (kind, entity_id) = (self.kind.clone(), self.id.clone());
        self.emit(SyncEvent::PreconditionUnreliable { kind, entity_id });
        let change = self.merged_with(state, rules);
        self.set_verdict(change, Precondition::Force, state, false, true);
        Flow::Again
    }

    /// Carries a decision out: the operation is rewritten before anything is sent.
    pub(super) fn apply_decision(
        &mut self,
        conflict: &Conflict,
        decision: Decision,
        rules: &Rules<'_>,
    ) -> Flow {
        let Decision {
            resolution,
            outcome,
            contested,
            merged_from,
        } = decision;
        let is_merged = matches!(resolution, Resolution::AcceptMerged(_));
        if let (Some((local_fields, server_fields)), Resolution::AcceptMerged(merged)) =
            (merged_from, &resolution)
        {
            self.emit(SyncEvent::DataMerged {
                kind: self.kind.clone(),
                entity_id: self.id.clone(),
                local_fields,
                server_fields,
                contested_fields: contested.clone(),
                merged: merged.clone(),
            });
        }
        let led_to = self.led_to(conflict, &outcome);
        self.note_resolved(conflict, &resolution, &contested, led_to, rules);
        self.emit(SyncEvent::ConflictResolved {
            conflict: Box::new(conflict.clone()),
            resolution,
            contested_fields: contested,
        });
        let state = &conflict.server;
        match outcome {
            Outcome::TakeServer => {
                let newest = self.newest_against(state);
                self.remove_op(0);
                self.settle(&newest, rules);
                return Flow::Settled;
            }
            Outcome::Force(change) => {
                self.set_verdict(change, Precondition::Force, state, false, false);
            }
            Outcome::Send(change) => match state.version().cloned() {
                Some(version) => {
                    let precondition = if planted!(ForcedMerge) {
                        Precondition::Force
                    } else {
                        Precondition::IfBase { version }
                    };
                    self.set_verdict(change, precondition, state, false, false);
                    if let Some(verdict) = self.head_mut().and_then(|head| head.verdict.as_mut()) {
                        verdict.names_all = is_merged;
                    }
                }
                None => {
                    // A record without a stamp cannot be checked against.
                    let (kind, entity_id) = (self.kind.clone(), self.id.clone());
                    self.emit(SyncEvent::PreconditionUnreliable { kind, entity_id });
                    self.set_verdict(change, Precondition::Force, state, false, true);
                }
            },
            Outcome::Recreate(record) => {
                let precondition = match state.version().cloned() {
                    Some(version) => Precondition::IfBase { version },
                    None => Precondition::IfAbsent,
                };
                let change = Change::Upsert {
                    payload: record,
                    changed: None,
                };
                self.set_verdict(change, precondition, state, true, false);
            }
        }
        Flow::Again
    }

    fn led_to(&self, conflict: &Conflict, outcome: &Outcome) -> LedTo {
        match outcome {
            Outcome::TakeServer => LedTo::State(self.newest_against(&conflict.server)),
            Outcome::Send(change) | Outcome::Force(change) => {
                LedTo::Sent(change.payload().cloned())
            }
            Outcome::Recreate(record) => LedTo::Sent(Some(record.clone())),
        }
    }

    fn set_verdict(
        &mut self,
        change: Change,
        precondition: Precondition,
        state: &ServerState,
        recreate: bool,
        unreliable: bool,
    ) {
        self.remember_judged(state);
        let judged = state.version().cloned();
        let Some(head) = self.head_mut() else { return };
        head.verdict = Some(Verdict {
            change,
            judged,
            recreate,
            unreliable,
            names_all: false,
        });
        head.precondition = Some(precondition);
        head.next_round();
        head.status = OpStatus::Pending;
        let op_id = head.op_id.clone();
        self.close_conflict(&op_id);
    }

    /// The conflict is stored and the operation waits for the resolver's answer.
    pub(super) fn wait_for_resolver(&mut self, conflict: Conflict, rules: &Rules<'_>) -> Flow {
        self.store_conflict(&conflict, "waiting for the resolver", false, rules);
        if let Some(head) = self.head_mut() {
            head.status = OpStatus::Deferred;
        }
        Flow::Ask(Box::new(conflict))
    }

    /// The conflict stays open.
    pub(crate) fn put_off(
        &mut self,
        conflict: Conflict,
        reason: &str,
        by_choice: bool,
        next_attempt_at: Option<i64>,
        rules: &Rules<'_>,
    ) -> Flow {
        self.store_conflict(&conflict, reason, by_choice, rules);
        if let Some(head) = self.head_mut() {
            head.status = OpStatus::Deferred;
            head.next_attempt_at = next_attempt_at;
            head.last_error = Some(reason.to_owned());
        }
        let reason = reason.to_owned();
        self.emit(SyncEvent::ConflictUnresolved {
            conflict: Box::new(conflict),
            reason,
        });
        Flow::Stop
    }

    /// The resolver failed: the conflict stays open and it is asked again after a while.
    pub(crate) fn put_off_after_failure(
        &mut self,
        asked: &Conflict,
        reason: &str,
        rules: &Rules<'_>,
    ) -> Flow {
        let still_waits = self
            .head()
            .is_some_and(|head| head.op_id == asked.op_id && head.status == OpStatus::Deferred);
        if !still_waits {
            return Flow::Stop;
        }
        let current = self.describe(asked.server.clone(), asked.server_time.clone());
        self.put_off(current, reason, false, Some(rules.next_attempt(1)), rules)
    }

    /// Keeps the conflict, and the server's state that it met: that state is no news when a pull
    /// brings it again, and it comes into force if the edit is given up.
    fn store_conflict(
        &mut self,
        conflict: &Conflict,
        reason: &str,
        by_choice: bool,
        rules: &Rules<'_>,
    ) {
        if conflict.server.version().is_some() {
            let newest = newest(self.parked.clone(), Some(conflict.server.clone()));
            self.set_parked(newest);
        }
        self.open_conflict(ConflictEntry {
            op_id: conflict.op_id.clone(),
            kind: self.kind.clone(),
            entity_id: self.id.clone(),
            server: conflict.server.clone(),
            server_time: conflict.server_time.clone(),
            by_choice,
            reason: reason.to_owned(),
            detected_at: rules.env.now(),
        });
    }

    /// Applies the answer to a conflict that was stored, if neither the edit nor the server's
    /// record has changed since; `None` = it has, judge anew.
    pub(crate) fn resolve(
        &mut self,
        asked: &Conflict,
        resolution: Resolution,
        rules: &Rules<'_>,
    ) -> Option<Flow> {
        let head = self.head()?;
        let same_op = head.op_id == asked.op_id && head.status == OpStatus::Deferred;
        let news = self
            .parked
            .as_ref()
            .is_some_and(|parked| parked.is_newer_than(&asked.server));
        if !same_op || news {
            return None;
        }
        let current = self.describe(asked.server.clone(), asked.server_time.clone());
        if current.local != asked.local {
            return None;
        }
        // What delayed the question does not delay the answer.
        if let Some(head) = self.head_mut() {
            head.next_attempt_at = None;
            head.last_error = None;
        }
        Some(match Decision::by_resolution(&current, resolution) {
            Some(decision) => self.apply_decision(&current, decision, rules),
            None => self.put_off(current, "put off by the resolver", true, None, rules),
        })
    }
}
