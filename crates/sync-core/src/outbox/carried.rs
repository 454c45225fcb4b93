//! An edit from an export: it keeps what it was made on, so that it meets what others have written
//! since as every edit does (semantics 3 and 4).

use super::content::{has_landed, same_state, strip_for_server};
use super::entity::{Entity, Rules};
use crate::changed_fields::ChangedFields;
use crate::id::OpId;
use crate::op::{Change, Fate, Precondition};
use crate::record::Record;
use crate::system_fields::is_system_field;
use crate::time::Timestamp;
use crate::version::ServerState;

/// An edit as its user wrote it elsewhere, in the present form of the table's records.
#[derive(Debug, Clone)]
pub(crate) struct Carried {
    pub(crate) change: Change,
    /// What it was made on; `None` = nobody knows.
    pub(crate) made_on: Option<ServerState>,
    pub(crate) written_at: Timestamp,
    /// Was it sent from where it comes from, and may the server have it?
    pub(crate) may_have_arrived: bool,
}

impl Entity {
    /// Takes over an edit where nothing waits; `false`: it changes nothing, and the entity need not
    /// be saved.
    pub(crate) fn take_over(&mut self, carried: Carried, op_id: OpId, rules: &Rules<'_>) -> bool {
        let Carried {
            change,
            made_on,
            written_at,
            may_have_arrived,
        } = carried;
        let here = self.known_here();
        let is_wanted = match &here {
            Some(state) => has_landed(&change, changed_of(&change), state),
            None => change.is_delete() && !is_live(made_on.as_ref()) && self.live_row().is_none(),
        };
        let (base, met) = meeting(made_on, here);
        let is_as_it_was = met.is_none();
        let revives = base.is_deleted();
        self.set_base(base);
        self.set_parked(met);
        match change {
            Change::Delete => {
                self.enqueue(Change::Delete, op_id, written_at.clone(), rules);
                self.delete_row(&written_at, rules.table);
            }
            Change::Upsert { payload, changed } => {
                let changed = changed.filter(|_| !revives);
                let record = self.with_edit(&payload, changed.as_ref());
                let payload = strip_for_server(&record, &rules.table.schema);
                let change = Change::Upsert { payload, changed };
                self.enqueue(change, op_id, written_at, rules);
                self.write_row(record);
            }
        }
        self.note_origin(may_have_arrived);
        // A record that says what an increment comes to may owe it to somebody else.
        let is_ours = is_as_it_was || may_have_arrived || !self.adds_up(rules.table);
        !(is_wanted && is_ours)
    }

    /// Takes over an edit behind one that was taken over just now; `false`: it changes nothing.
    pub(crate) fn take_over_next(
        &mut self,
        carried: Carried,
        op_id: OpId,
        rules: &Rules<'_>,
    ) -> bool {
        let at = carried.written_at;
        let row = self.live_row().cloned();
        match (carried.change, row) {
            (Change::Delete, None) => false,
            (Change::Delete, Some(_)) => {
                self.delete(op_id, &at, rules);
                true
            }
            (Change::Upsert { payload, changed }, row) => {
                let changed = changed.filter(|_| row.is_some());
                let record = self.with_edit(&payload, changed.as_ref());
                if row.is_some_and(|row| row == record) {
                    return false;
                }
                let payload = strip_for_server(&record, &rules.table.schema);
                self.upsert(record, payload, changed, op_id, at, rules);
                true
            }
        }
    }

    /// What the server has, as far as is known here; `None` = nothing is known.
    fn known_here(&self) -> Option<ServerState> {
        match (&self.base, &self.known) {
            (Some(_), _) => self.newest_seen(),
            (None, Some(_)) => Some(self.before_image()),
            (None, None) => None,
        }
    }

    fn live_row(&self) -> Option<&Record> {
        self.row.as_ref().filter(|row| !row.is_deleted())
    }

    /// The row with these fields of the edit (`None` = all), or the record that was edited.
    fn with_edit(&self, edited: &Record, changed: Option<&ChangedFields>) -> Record {
        let Some(row) = self.live_row() else {
            return edited.clone();
        };
        let mut whole = row.clone();
        for (name, value) in edited.fields() {
            if !is_system_field(name) && changed.is_none_or(|changed| changed.contains(name)) {
                whole.fields_mut().insert(name.clone(), value.clone());
            }
        }
        whole
    }

    /// What may have arrived under another key, or creates what others may have created, is looked
    /// up before it is sent.
    fn note_origin(&mut self, may_have_arrived: bool) {
        let meets = self.parked.as_ref().and_then(ServerState::version);
        let is_judged_here = meets.is_some();
        let Some(head) = self.head_mut() else { return };
        let creates = head.precondition == Some(Precondition::IfAbsent);
        head.look_first = may_have_arrived || (creates && !is_judged_here);
        if may_have_arrived {
            head.fate = Fate::Unknown;
            head.ever_sent = true;
        }
    }
}

/// What an edit counts as made on here, and the state of the server that it meets, if that is
/// another one. A version that is not of this database goes into no request: where it is not known
/// to be out of date, the server is asked.
fn meeting(
    made_on: Option<ServerState>,
    here: Option<ServerState>,
) -> (ServerState, Option<ServerState>) {
    let made_on = made_on.unwrap_or(ServerState::Absent);
    let here = here.unwrap_or(ServerState::Absent);
    let is_newer = made_on.is_newer_than(&here);
    let is_same_version = made_on.version().is_some() && made_on.version() == here.version();
    if is_same_version || same_state(&made_on, &here) {
        let base = if is_newer { unversioned(here) } else { here };
        return (base, None);
    }
    let is_judged_here = here.version().is_some() && !is_newer;
    let base = if is_judged_here {
        made_on
    } else {
        unversioned(made_on)
    };
    (base, Some(here))
}

fn unversioned(mut state: ServerState) -> ServerState {
    if let ServerState::Live { version, .. } | ServerState::Deleted { version, .. } = &mut state {
        *version = None;
    }
    state
}

fn is_live(state: Option<&ServerState>) -> bool {
    state.is_some_and(|state| state.live().is_some())
}

fn changed_of(change: &Change) -> Option<&ChangedFields> {
    match change {
        Change::Upsert { changed, .. } => changed.as_ref(),
        Change::Delete => None,
    }
}
