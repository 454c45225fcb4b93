//! Edits that are merged with the server's record without a conflict (I8): the event names what a
//! side lost.

use super::content::same_content;
use super::entity::{Entity, Rules};
use crate::changed_fields::ChangedFields;
use crate::event::SyncEvent;
use crate::merge::preserving_merge_with;
use crate::op::Change;
use crate::record::Record;
use crate::version::ServerState;

impl Entity {
    /// What was decided about this very record, else the edit as written, merged with a record
    /// that it does not know yet.
    pub(super) fn merged_with(&mut self, state: &ServerState, rules: &Rules<'_>) -> Change {
        let Some(head) = self.head() else {
            return Change::Delete;
        };
        if let Some(verdict) = &head.verdict
            && let (Some(judged), Some(version)) = (&verdict.judged, state.version())
            && judged.stamp == version.stamp
        {
            return verdict.change.clone();
        }
        let written = head.written.clone();
        let (Change::Upsert { payload, changed }, Some(server)) = (&written, state.live()) else {
            return written;
        };
        let base = self.base.as_ref().and_then(ServerState::live).cloned();
        Change::Upsert {
            payload: self.merge_edit(payload, changed.as_ref(), server, base.as_ref(), rules),
            changed: changed.clone(),
        }
    }

    /// An edit and the server's record, field by field. If somebody else has changed the record
    /// that the user saw, the event says which fields came from where and where a side lost
    /// something.
    pub(super) fn merge_edit(
        &mut self,
        edit: &Record,
        changed: Option<&ChangedFields>,
        server: &Record,
        seen: Option<&Record>,
        rules: &Rules<'_>,
    ) -> Record {
        let seen_fields = seen.map(Record::fields);
        let rule = |field: &str| rules.table.schema.merge_rule(field);
        let (edit, server_fields) = (edit.fields(), server.fields());
        let result = preserving_merge_with(edit, server_fields, seen_fields, changed, rule);
        let merged = Record::new(result.data);
        if seen.is_none_or(|seen| !same_content(seen, server)) {
            self.emit(SyncEvent::DataMerged {
                kind: self.kind.clone(),
                entity_id: self.id.clone(),
                local_fields: result.local_fields.into_iter().collect(),
                server_fields: result.server_fields.into_iter().collect(),
                contested_fields: result.contested_fields.into_iter().collect(),
                merged: merged.clone(),
            });
        }
        merged
    }
}
