//! Fields of a record that are not known here are learned from the server.

use serde_json::Value;

use super::entity::Entity;
use super::judge::newest;
use crate::changed_fields::ChangedFields;
use crate::op::{Change, Fate};
use crate::record::Record;
use crate::system_fields::is_system_field;
use crate::version::ServerState;

impl Entity {
    /// A pull shows the very version that the oldest edit was made against, with fields that are
    /// not known here, because the table does not hold them any more: the edits carry them from now
    /// on. What may have been applied already stays as it was sent.
    pub(super) fn complete(&mut self, state: &ServerState) {
        let (Some(ServerState::Live { record: base, .. }), Some(shown)) =
            (&mut self.base, state.live())
        else {
            return;
        };
        let is_unknown = |name: &String| lacks(base, name) && !is_system_field(name);
        let fields = shown.fields().iter();
        let unknown = fields.filter(|(name, value)| is_unknown(name) && !value.is_null());
        let unknown: Record = unknown
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if unknown.fields().is_empty() {
            return;
        }
        add(base, &unknown, Some(&ChangedFields::new()));
        self.shadow_changed = true;
        let mut edited = ChangedFields::new();
        for op in &mut self.ops {
            if op.fate == Fate::Unknown {
                continue;
            }
            let verdict = op.verdict.as_mut().map(|verdict| &mut verdict.change);
            let mut grown = false;
            for change in std::iter::once(&mut op.written).chain(verdict) {
                if let Change::Upsert { payload, changed } = change {
                    grown |= add(payload, &unknown, changed.as_ref());
                    for name in changed.iter().flat_map(ChangedFields::iter) {
                        edited.insert(name);
                    }
                }
            }
            if grown && op.ever_sent {
                op.next_round();
            }
            self.ops_changed |= grown;
        }
        if let Some(mut row) = self.row.clone()
            && add(&mut row, &unknown, Some(&edited))
        {
            self.write_row(row);
        }
    }

    /// The row is shown without fields of the record that a column cannot hold. What is edited from
    /// now on was made on the row as it is shown, and is merged with the record before it is sent.
    pub(crate) fn shows_without(&mut self, shown: &Record, record: &Record, fields: &[String]) {
        let Some(known) = self.known.clone() else {
            // No server has the record: what waits of it carries the fields.
            return;
        };
        let mut base = match self.base.take() {
            Some(ServerState::Live { record, version }) => {
                let state = ServerState::Live {
                    record: record.clone(),
                    version,
                };
                let newest = newest(self.parked.take(), Some(state));
                self.set_parked(newest);
                record
            }
            None => {
                let (record, version) = (record.clone(), known);
                self.set_parked(Some(ServerState::Live { record, version }));
                shown.clone()
            }
            other => {
                self.base = other;
                return;
            }
        };
        for field in fields {
            match shown.get(field) {
                Some(value) => drop(base.fields_mut().insert(field.clone(), value.clone())),
                None => drop(base.fields_mut().remove(field)),
            }
        }
        self.set_base(ServerState::Live {
            record: base,
            version: None,
        });
        if self.head().is_some_and(|head| head.fate != Fate::Unknown) {
            self.reset(0);
            self.new_round();
        }
    }

    /// Fields that the newest edit, or else what it was made against, has and the row has not.
    pub(crate) fn forgotten_fields(&self) -> Option<Record> {
        let row = self.row.as_ref()?;
        let newest = match self.ops.last() {
            Some(op) => op.written.payload(),
            None => self.base.as_ref().and_then(ServerState::live),
        };
        let mut whole = row.clone();
        let gone = newest?
            .fields()
            .iter()
            .filter(|(name, _)| row.get(name).is_none());
        let gone: Record = gone
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        add(&mut whole, &gone, None).then_some(whole)
    }
}

/// Is nothing known of this field, or only that there was nothing to show?
fn lacks(record: &Record, name: &str) -> bool {
    record.get(name).is_none_or(Value::is_null)
}

/// Adds the fields that the record lacks and nobody changed (`None` = all that it has were);
/// `false`: there is none.
fn add(record: &mut Record, fields: &Record, changed: Option<&ChangedFields>) -> bool {
    let mut added = false;
    for (name, value) in fields.fields() {
        let is_edited = changed.map_or(record.get(name).is_some(), |own| own.contains(name));
        if lacks(record, name) && !is_edited && !is_system_field(name) {
            record.fields_mut().insert(name.clone(), value.clone());
            added = true;
        }
    }
    added
}
