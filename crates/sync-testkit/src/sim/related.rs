//! Tables of which one refers to another: what users choose, what they cannot do, and what must
//! hold.

use std::collections::BTreeSet;

use serde_json::Value;
use sync_core::json::JsonMap;
use sync_core::{EntityId, Kind, Op, StoreError, StoreTx};

use super::check::Violation;
use super::seen::Seen;
use super::server::Key;
use super::tables::SimTable;
use super::world::World;

/// A field that refers to a kind; of a child the kind is its own.
pub(crate) type Field = (Kind, String);

impl SimTable {
    /// What its rows refer to.
    pub(crate) fn parents(&self) -> impl Iterator<Item = Field> {
        let declared = self.config.references.iter();
        declared.filter_map(|(field, kind)| Some((Kind::new(kind).ok()?, field.clone())))
    }

    fn parents_in(&self, record: &JsonMap) -> BTreeSet<Key> {
        let key = |(kind, field): Field| Some((kind, id_in(record, &field)?));
        self.parents().filter_map(key).collect()
    }
}

fn id_in(record: &JsonMap, field: &str) -> Option<EntityId> {
    EntityId::new(record.get(field)?.as_str()?).ok()
}

/// The fields that refer to this kind.
pub(crate) fn children(tables: &[SimTable], kind: &Kind) -> Vec<Field> {
    let mut found = Vec::new();
    for table in tables {
        let own = table.parents().filter(|(parent, _)| parent == kind);
        found.extend(own.map(|(_, field)| (table.kind().clone(), field)));
    }
    found
}

impl World<'_> {
    /// A parent for a field: a user chooses among what is on the screen, another app may know what
    /// nobody here does.
    pub(crate) fn some_parent(&mut self, writer: char, table: &SimTable, field: &str) -> Value {
        let number = self.values.next_number() as usize;
        let mut parents = table.parents().filter(|(_, own)| own == field);
        let Some((parent, _)) = parents.next() else {
            return Value::Null;
        };
        let user = self.clients.iter().find(|one| one.name() == writer);
        let is_seen = |key: &&Key| user.is_none_or(|one| one.seen.live(key).is_some());
        let keys = self.keys.iter().filter(|key| key.0 == parent);
        let choices: Vec<&Key> = keys.filter(is_seen).collect();
        match choices.get(number % choices.len().max(1)) {
            Some(key) if !number.is_multiple_of(4) => key.1.as_str().into(),
            _ => Value::Null,
        }
    }
}

/// Would a foreign key let this row be written?
pub(crate) async fn parents_are_here(
    tx: &mut dyn StoreTx,
    parents: &[Field],
    record: &JsonMap,
) -> Result<bool, StoreError> {
    for (kind, field) in parents {
        if let Some(id) = id_in(record, field)
            && tx.get(kind, &[id]).await?.is_empty()
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Would a foreign key keep this row from being deleted?
pub(crate) async fn has_children(
    tx: &mut dyn StoreTx,
    children: &[Field],
    id: &EntityId,
) -> Result<bool, StoreError> {
    for (kind, field) in children {
        let found = tx
            .referred_to(kind, field, std::slice::from_ref(id))
            .await?;
        if !found.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// I7: no row without its parent; that would wait in quarantine.
pub(crate) fn orphans(tables: &[SimTable], now: &Seen) -> Vec<Violation> {
    let mut found = Vec::new();
    for table in tables {
        let rows = now.rows.iter().filter(|(key, _)| key.0 == *table.kind());
        for (key, row) in rows {
            let parents = table.parents_in(row.fields());
            for parent in parents
                .iter()
                .filter(|parent| !now.rows.contains_key(*parent))
            {
                let text = format!("the row is here without its parent {}", parent.1);
                found.push(Violation::new("I7", text).of(&key.1));
            }
        }
    }
    found
}

/// May this entity's operations rightly wait for those of others, or for a parent that nobody
/// knows? `queued` = what had operations before, and may be through by now.
pub(crate) fn may_wait(tables: &[SimTable], now: &Seen, queued: &BTreeSet<Key>, key: &Key) -> bool {
    let ops = now.ops_of(key);
    let Some(table) = tables.iter().find(|table| *table.kind() == key.0) else {
        return false;
    };
    let payloads = |op: &Op| {
        [
            op.written.payload().cloned(),
            op.outgoing().payload().cloned(),
        ]
    };
    let records = ops.iter().flat_map(payloads).flatten();
    let mut parents = records.flat_map(|record| table.parents_in(record.fields()));
    let waits_for_parent = parents.any(|parent| {
        !now.ops_of(&parent).is_empty()
            || queued.contains(&parent)
            || !now.versions.contains_key(&parent)
    });
    let deletes = ops.iter().any(|op| op.outgoing().is_delete());
    let children = children(tables, &key.0);
    let is_child = |other: &Key| children.iter().any(|(kind, _)| *kind == other.0);
    waits_for_parent || (deletes && now.ops.keys().chain(queued).any(is_child))
}
