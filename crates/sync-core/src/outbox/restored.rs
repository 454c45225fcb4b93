//! What the restore of a server's backup does to an entity (semantics 7, *Server epoch*).

use super::content::same_content;
use super::entity::Entity;
use crate::op::{Fate, OpStatus};
use crate::record::Record;
use crate::version::{ServerState, Version};

impl Entity {
    /// Versions of the past that the server has lost mean nothing to it: both slots keep their
    /// records, their versions are unknown. What was decided against them is decided anew, and an
    /// operation of unknown fate is looked up, for the server may have forgotten its key too.
    pub(crate) fn forget_versions(&mut self) {
        if let Some(base) = self.base.take() {
            self.set_base(without_version(base));
        }
        let parked = self.parked.take();
        if parked.is_some() {
            self.set_parked(parked.map(without_version));
        }
        let Some(head) = self.head_mut() else { return };
        let sent = head.verdict.take().filter(|_| head.fate == Fate::Unknown);
        let is_unknown = head.fate == Fate::Unknown;
        if head.status == OpStatus::Deferred {
            self.reopen();
        }
        self.reset(0);
        self.new_round();
        if is_unknown && let Some(head) = self.head_mut() {
            head.precondition = None;
            // What was sent, to recognise it; what it was judged against is gone.
            head.verdict = sent.map(|mut verdict| {
                verdict.judged = None;
                verdict
            });
        }
    }

    /// A restored server shows this state. Returns the newest record of before that it lost by
    /// that, as it stood on the server.
    pub(crate) fn meet_restored(&mut self, state: &ServerState) -> Option<Record> {
        let is_older = |slot: &Option<ServerState>| {
            let known = slot.as_ref().and_then(ServerState::version);
            known.is_some_and(|known| match state.version() {
                Some(version) => known.is_newer_than(version),
                None => true,
            })
        };
        // Written while everything was pulled again, on a row that was still of before.
        if is_older(&self.base) || is_older(&self.parked) {
            self.forget_versions();
        }
        let slots = [self.parked.as_ref(), self.base.as_ref()];
        let of_before = |slot: &&ServerState| slot.live().is_some() && slot.version().is_none();
        let newest = slots.into_iter().flatten().find(of_before)?.live()?;
        let version = newest.stamp().ok().map(Version::new);
        is_lost(newest, version.as_ref(), state).then(|| newest.clone())
    }
}

/// Does a restored server that shows this state no longer have this record? Not if the state is
/// newer: then somebody has changed the record, before the backup or after it.
pub(crate) fn is_lost(record: &Record, version: Option<&Version>, state: &ServerState) -> bool {
    let is_newer = match (state.version(), version) {
        (Some(theirs), Some(ours)) => theirs.is_newer_than(ours),
        _ => false,
    };
    let is_same = state.live().is_some_and(|live| same_content(live, record));
    !is_newer && !is_same
}

/// The record as it stood on the server: under its stamp, whatever the app writes into that field.
pub(crate) fn with_stamp(mut record: Record, version: Option<&Version>) -> Record {
    let name = ["updatedAt", "updated_at"]
        .into_iter()
        .find(|name| record.get(name).is_some())
        .unwrap_or("updated_at");
    match version {
        Some(version) => {
            let stamp = version.stamp.to_json();
            record.fields_mut().insert(name.to_owned(), stamp);
        }
        None => drop(record.fields_mut().remove(name)),
    }
    record
}

fn without_version(state: ServerState) -> ServerState {
    match state {
        ServerState::Absent => ServerState::Absent,
        ServerState::Live { record, version } => ServerState::Live {
            record: with_stamp(record, version.as_ref()),
            version: None,
        },
        ServerState::Deleted { record, .. } => ServerState::Deleted {
            record,
            version: None,
        },
    }
}
